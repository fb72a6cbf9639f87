"""The GGUF reader reads sound headers in both byte orders and refuses broken ones before it allocates."""

import io
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.formats import ArraySummary, GgufHeader, GgufLimits, MalformedGguf, read_gguf
from tests.patience import soon
from tests.unit.formats.gguf_files import ARRAY, FLOAT32, STRING, UINT32, UINT64, GgufFile, small_llama


def _read(data: bytes, limits: GgufLimits | None = None) -> GgufHeader:
    return read_gguf(io.BytesIO(data), len(data), limits)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [2, 3])
def test_a_sound_header_is_read(order: str, version: int) -> None:
    data = small_llama(order, version).to_bytes()
    header = _read(data)
    assert (header.version, header.big_endian) == (version, order == ">")
    assert (header.architecture, header.context_length, header.quantization) == ("llama", 4096, "Q4_K_M")
    assert header.total == 515
    assert header.parameters() == {"Q4_K": 512, "F32": 3}
    assert header.metadata["tokenizer.ggml.add_bos_token"] is True
    assert header.data_start + 300 == len(data)
    tokens = header.metadata["tokenizer.ggml.tokens"]
    assert tokens == ArraySummary("string", 100, tuple(f"t{i}" for i in range(64)))


def test_without_a_file_type_most_elements_decide() -> None:
    file = small_llama()
    file.pairs = [pair for pair in file.pairs if pair[0] != "general.file_type"]
    assert _read(file.to_bytes()).quantization == "Q4_K"
    file.pairs.append(("general.file_type", UINT32, 1024 + 2))
    assert _read(file.to_bytes()).quantization == "Q4_K"


def test_an_empty_file_says_nothing() -> None:
    header = _read(GgufFile().to_bytes())
    assert (header.architecture, header.context_length, header.quantization, header.total) == (
        None,
        None,
        None,
        0,
    )


def test_numbers_that_json_lacks_become_text() -> None:
    header = _read(GgufFile(pairs=[("a", FLOAT32, float("nan")), ("b", FLOAT32, float("-inf"))]).to_bytes())
    assert dict(header.metadata) == {"a": "nan", "b": "-inf"}


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_cut_anywhere_is_refused(order: str) -> None:
    data = small_llama(order).to_bytes()
    for cut in range(len(data)):
        with pytest.raises(MalformedGguf):
            _read(data[:cut])
        if cut < len(data) - 300 - 32:
            with pytest.raises(MalformedGguf, match=r"ends inside|does not begin"):
                read_gguf(io.BytesIO(data[:cut]), len(data))


def _with(*pairs: tuple[str, int, object], **changes: object) -> bytes:
    return replace(GgufFile(pairs=list(pairs)), **changes).to_bytes()  # type: ignore[arg-type]


def _tensors(*tensors: tuple[str, list[int], int, int], data: bytes = bytes(4096)) -> bytes:
    return GgufFile(tensors=list(tensors), data=data).to_bytes()


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"GGML" + bytes(20), "does not begin with GGUF"),
        (_with(version=1), "version 1 is not read"),
        (_with(version=4), "version 4 is not read"),
        (b"GGUF" + bytes(20), "version 0 is not read"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "claims 9223372036854775808 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40), "key-value pairs"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62), "length of a key is"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 60_000), "ends inside its header"),
        (_with(("a", UINT32, 1), ("a", UINT32, 1)), "'a' is there twice"),
        (_with(("general.alignment", UINT32, 0)), "power of two"),
        (_with(("general.alignment", UINT32, 24)), "power of two"),
        (_with(("general.alignment", UINT64, 1 << 40)), "power of two"),
        (_with(("general.alignment", STRING, "32")), "power of two"),
        (_with(("a", ARRAY, (ARRAY, []))), "elements of type 9"),
        (_with(("a", ARRAY, (99, []))), "elements of type 99"),
        (GgufFile().to_bytes()[:16] + struct.pack("<QQ1sI", 1, 1, b"a", 13), "unknown type 13"),
        (GgufFile().to_bytes()[:16] + struct.pack("<QQ1sIIQ", 1, 1, b"a", 9, 0, 2**60), "elements in 'a'"),
        (GgufFile().to_bytes()[:16] + struct.pack("<QQ1sI", 1, 1, b"\xff", 4) + bytes(64), "not UTF-8"),
        (_tensors(("a", [1], 0, 0), ("a", [1], 0, 32)), "'a' is there twice"),
        (_tensors(("a", [1], 0, 0), ("b", [1], 0, 4)), "begins at 4; it should begin at 32"),
        (_tensors(("a", [1], 0, 32)), "should begin at 0"),
        (_tensors(("a", [1] * 5, 0, 0)), "5 dimensions"),
        (_tensors(("a", [1], 4, 0)), "unknown type 4"),
        (_tensors(("a", [1], 4711, 0)), "unknown type 4711"),
        (_tensors(("a", [100], 12, 0)), "no multiple of the 256"),
        (_tensors(("a", [], 12, 0)), "no multiple of the 256"),
        (_tensors(("a", [2**32, 2**31], 0, 0)), "overflows"),
        (_tensors(("a", [2**32, 2**31, 0], 0, 0)), "overflows"),
        (_tensors(("a", [2**40], 0, 0)), "the file has"),
    ],
)
def test_a_broken_rule_is_named(data: bytes, part: str) -> None:
    with pytest.raises(MalformedGguf, match=part):
        _read(data)


def test_the_limits_hold() -> None:
    data = small_llama().to_bytes()
    for limits in (
        GgufLimits(header_bytes=100),
        GgufLimits(pairs=3),
        GgufLimits(tensors=1),
        GgufLimits(strings=20),
        GgufLimits(array_elements=99),
        GgufLimits(string_bytes=2),
        GgufLimits(key_bytes=4),
    ):
        with pytest.raises(MalformedGguf) as caught:
            _read(data, limits)
        assert caught.value.code == "gguf_beyond_limits"


def test_very_many_empty_strings_end_in_time() -> None:
    count = 3_000_000
    data = GgufFile().to_bytes()[:16] + struct.pack("<QQ1sIIQ", 1, 1, b"a", 9, 8, count) + bytes(8 * count)
    with soon(5.0), pytest.raises(MalformedGguf, match="strings that are read"):
        _read(data, GgufLimits(strings=200_000))


@given(st.binary(max_size=8), st.integers(0, 10_000))
def test_any_change_is_read_or_refused(patch: bytes, at: int) -> None:
    data = small_llama().to_bytes()
    at %= len(data)
    changed = data[:at] + patch + data[at + len(patch) :]
    try:
        header = _read(changed)
    except MalformedGguf:
        return
    assert header.data_start <= len(changed)
