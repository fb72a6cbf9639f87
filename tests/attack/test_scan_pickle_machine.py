"""The abstract pickle machine against the real one: what the real one would import, ours has seen.

The real machine is Python's own (`pickle._Unpickler`), with imports and persistent objects replaced by things
that do nothing. Streams are made of opcodes at random, and of real pickles with something wrong.
"""

import io
import pickle
import pickletools
import random
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.scan import Source, Status, scan_source
from allmende.scan.pickles.allow_list import Allowed, allowed, modern_name
from tests.attack.corpus.pickles import cases as pickle_cases
from tests.attack.corpus.pickles import text

ROUNDS = 2_000
CAMPAIGN_ROUNDS = 100_000
MODULES = ("os", "builtins", "collections", "torch", "my_package", "numpy", "sys.modules", "__main__")
NAMES = ("system", "eval", "OrderedDict", "FloatStorage", "Model", "dtype", "a.b", "__class__")


class Inert:
    """Whatever was imported: it can be called, built, filled, and does nothing."""

    def __init__(self, *_arguments: Any, **_named: Any) -> None:
        pass

    def __call__(self, *_arguments: Any, **_named: Any) -> "Inert":
        return Inert()

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass

    def add(self, value: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class RealMachine(pickle._Unpickler):
    """Python's own, that writes down what it would import."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), buffers=[b"x"] * 8)
        self.imports: list[tuple[str, str]] = []

    def find_class(self, module: str, name: str) -> type[Inert]:
        self.imports.append((module, name))
        return Inert

    def get_extension(self, code: int) -> None:
        self.imports.append(("copyreg", f"extension {code}"))
        self.append(Inert)  # type: ignore[attr-defined]  # how the machine itself pushes

    def persistent_load(self, pid: Any) -> Inert:
        return Inert()


def real_imports(data: bytes) -> list[tuple[str, str]]:
    """What the real machine imports until it ends, in whatever way."""
    machine = RealMachine(data)
    with suppress(Exception):  # it may fail in any way; what it did before counts
        machine.load()
    return machine.imports


def random_opcodes(source: random.Random) -> bytes:
    """A stream that is sound as far as the arguments of opcodes go."""
    out = bytearray(source.choice((b"", b"\x80\x02", b"\x80\x04", b"\x80\x05")))
    for _ in range(source.randrange(3, 40)):
        opcode = source.choice(pickletools.opcodes)
        out += opcode.code.encode("latin-1") + argument(opcode, source)
    return bytes(out) + b"."


def argument(opcode: pickletools.OpcodeInfo, source: random.Random) -> bytes:
    """Bytes that the opcode reads as its argument."""
    kind = opcode.arg.name if opcode.arg is not None else ""
    word = source.choice((*MODULES, *NAMES)).encode()
    small = source.randrange(4)
    if kind == "stringnl_noescape_pair":
        return source.choice(MODULES).encode() + b"\n" + source.choice(NAMES).encode() + b"\n"
    lines = {
        "decimalnl_short": f"{small}\n", "decimalnl_long": f"{small}L\n", "floatnl": "1.5\n",
        "stringnl": f"'{word.decode()}'\n", "stringnl_noescape": f"{word.decode()}\n",
        "unicodestringnl": f"{word.decode()}\n",
    }  # fmt: skip
    if kind in lines:
        return lines[kind].encode()
    widths = {"uint1": "<B", "uint2": "<H", "int4": "<i", "uint4": "<I", "uint8": "<Q", "float8": ">d"}
    if kind in widths:
        return struct.pack(widths[kind], 0 if opcode.name == "FRAME" else small)
    sized = {"1": "<B", "4": "<I", "8": "<Q"}
    if kind and kind[-1] in sized:
        return struct.pack(sized[kind[-1]], len(word)) + word
    return b""


def mutated(data: bytes, source: random.Random) -> bytes:
    place = source.randrange(len(data))
    if source.random() < 0.5:
        return data[:place] + bytes([source.randrange(256)]) + data[place + 1 :]
    return data[:place] + data[place + source.randrange(1, 4) :]


def check(data: bytes) -> None:
    """A stream that imports what is not on the list is not clean, however it goes on."""
    refused = []
    protocol = data[1] if data[:1] == b"\x80" and len(data) > 1 else 0
    for module, name in real_imports(data):
        pair = modern_name(module, name) if protocol < 3 else (module, name)
        if allowed(*pair) is Allowed.NOTHING:
            refused.append(pair)
    report = scan_source(Source.of_bytes(data), "model.pkl")
    if refused:
        assert report.status() > Status.NOTED, (data, refused, report)


def compare(rounds: int, seed: int) -> None:
    source = random.Random(seed)
    kept = [case.make() for case in pickle_cases()]
    kept = [data for data in kept if 0 < len(data) < 5_000]
    for number in range(rounds):
        check(random_opcodes(source) if number % 2 else mutated(source.choice(kept), source))


def test_what_the_real_machine_imports_is_seen() -> None:
    compare(ROUNDS, 1)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(2, 6))
def test_what_the_real_machine_imports_is_seen_in_many_rounds(seed: int) -> None:
    compare(CAMPAIGN_ROUNDS // 4, seed)


identifiers = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(
    module=st.lists(identifiers, min_size=1, max_size=3).map(".".join),
    name=st.lists(identifiers, min_size=1, max_size=2).map(".".join),
    form=st.sampled_from(("global", "inst", "stack", "memo")),
    before=st.binary(max_size=40),
)
def test_any_name_off_the_list_is_never_clean(module: str, name: str, form: str, before: bytes) -> None:
    filler = b"C" + bytes([len(before)]) + before + b"0"
    data = {
        "global": b"\x80\x03" + filler + f"c{module}\n{name}\n)R.".encode(),
        "inst": b"\x80\x03" + filler + f"(i{module}\n{name}\n.".encode(),
        "stack": b"\x80\x04" + filler + text(module) + text(name) + b"\x93)R.",
        "memo": b"\x80\x04" + filler + text(name) + b"\x94" + text(module) + b"h\x00\x93)R.",
    }[form]
    if allowed(module, name) is Allowed.NOTHING:
        assert scan_source(Source.of_bytes(data), "x.pkl").status() > Status.NOTED


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.binary(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=5)
            | st.dictionaries(st.text(max_size=5), inner, max_size=5)
            | st.tuples(inner, inner)
        ),
        max_leaves=25,
    ),
    st.integers(0, 5),
)
def test_plain_data_are_clean_in_every_protocol(value: Any, protocol: int) -> None:
    report = scan_source(Source.of_bytes(pickle.dumps(value, protocol)), "x.pkl")
    assert report.status() <= Status.NOTED, report
