"""Pickles in which something on the allow-list asks its arguments for more than they should give."""

import struct
from collections.abc import Iterator

from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.pickle_states import NAMESPACE, Code, built, call, made, name, put, whole

__all__ = ["cases"]

_Made = Iterator[tuple[str, bytes]]


def _endless() -> _Made:
    networks = call("ipaddress.IPv6Network", (0, 0))
    state = {"start": 0, "stop": 10**12, "step": 1}
    index = call("pandas.core.indexes.base._new_Index", name("pandas.RangeIndex"), state)
    for maker in ("builtins.list", "builtins.set", "collections.Counter", "torch.Size"):
        yield f"{maker}-network", whole(call(maker, networks))
        yield f"{maker}-index", whole(call(maker, index))
    fraction = name("fractions.Fraction")
    yield "fraction-by-name", b"\x80\x04" + fraction + b")" + put({"numerator": "1e9999999999"}) + b"\x92."
    keys = (call("fractions.Fraction", f"{number}/7") + b"Ns" for number in range(1500))
    yield "keys-of-fractions", b"\x80\x04}" + b"".join(keys) + b"."
    yield "tree-of-terabytes", whole(call("sklearn.tree._tree.Tree", 1, None, 1 << 40))


def _ducks() -> _Made:
    listed = name("builtins.list")
    duck = built(made(NAMESPACE), {"detach": listed, "to": listed, "dtype": 1})
    for function in ("_rebuild_parameter", "_rebuild_device_tensor_from_cpu_tensor", "_rebuild_xla_tensor"):
        yield function, whole(call(f"torch._utils.{function}", duck, True, None))
    yield "type", whole(call("numpy.dtype", duck))
    yield "class-of-an-array", whole(call("numpy._core.multiarray._reconstruct", duck, (0,), b"b"))
    yield (
        "class-of-a-masked-array",
        whole(call("numpy.ma.core._mareconstruct", duck, name("numpy.ndarray"), (0,), b"b")),
    )
    yield "class-of-an-index", whole(call("pandas.core.indexes.base._new_Index", duck, {}))
    shared = built(made(NAMESPACE), Code(put({"a": 1}) + b"\x94"))
    yield "dict-kept-by-the-object", whole(Code(shared + b"0h\x00" + put("__setstate__") + listed + b"s"))
    reader = (name("xgboost.core.Booster"), None, None, "/etc/passwd")
    yield "partial-of-a-partial", whole(call("functools.partial", name("functools.partial"), listed))
    yield "partial-of-type", whole(call("functools.partial", name("builtins.type"), "X", (), {}))
    yield "attribute-of-a-class", whole(call("builtins.getattr", name("xgboost.core.Booster"), "T"))
    yield "partial-of-a-reader", whole(call("functools.partial", *reader))


def _wrapped(
    *, make: Code | None = None, last: Code | None = None, shape: object = (2,), **more: object
) -> Code:
    """joblib's wrapper of an array of numbers, however it is made."""
    numbers = built(call("numpy.dtype", "f8", False, True), (3, "<", None, None, None, -1, -1, 0))
    state = {"subclass": name("numpy.ndarray"), "shape": shape, "order": "C", "dtype": last or numbers}
    return built(make or made("joblib.numpy_pickle.NumpyArrayWrapper"), state | more)


def _swallowing(hidden: bytes) -> bytes:
    """Sixteen bytes that are an array to joblib, and opcodes to others that make a constant of what follows."""
    return b"B" + struct.pack("<I", 11 + len(hidden)) + bytes(11) + hidden + b"0"


def _two_views() -> _Made:
    hidden, wrapper = b"cos\ngetpid\n)R", "joblib.numpy_pickle.NumpyArrayWrapper"
    by_function = call("copyreg._reconstructor", name(wrapper), name("builtins.object"), None)
    end = b"0N."
    yield "wrapper-by-a-function", b"\x80\x04" + _wrapped(make=by_function) + _swallowing(hidden) + end
    by_new = call("copyreg.__newobj__", name(wrapper))
    yield "wrapper-by-newobj", b"\x80\x04" + _wrapped(make=by_new) + _swallowing(hidden) + end
    kept = Code(made(wrapper) + b"\x94")
    again = b"\x80\x04" + _wrapped(make=kept) + bytes(16) + b"0h\x00Nb"
    yield "wrapper-built-again-with-nothing", again + _swallowing(hidden) + end
    yield (
        "wrapper-of-another-place",
        (b"\x80\x04" + _wrapped(make=made("joblib.NumpyArrayWrapper")) + _swallowing(hidden) + end),
    )
    padded = b"N" + bytes(77) + bytes(1)
    yield (
        "padding-by-no-number",
        b"\x80\x04" + _wrapped(shape=(0,), numpy_array_alignment_bytes=False) + padded + hidden + end,
    )
    ranged = call("builtins.range", 5)
    yield "shape-by-a-range", b"\x80\x04" + _wrapped(shape=ranged) + (hidden + b"0N.").ljust(40, b".") + b"N."
    inner = b"\x80\x04" + _wrapped() + (hidden + b"0N.").ljust(16, b".") + b"N."
    objects = built(call("numpy.dtype", "O8", False, True), (3, "|", None, None, None, -1, -1, 63))
    yield "wrapper-in-an-array-of-objects", b"\x80\x04" + _wrapped(shape=(1,), last=objects) + inner + b"."
    loader = put(call("torch.storage._load_from_bytes", b"cos\ngetpid\n)R."))
    packed = (b"0" + loader + b".").ljust(8 * 16, b"\0")
    behind = b"\x80\x04]." + _wrapped(shape=(16,)) + packed + b"."
    yield "allowed-names-in-a-later-array", b"\x80\x04N." + b"\x80\x04" + behind[4:]
    ended = (b"0N." + hidden + b".").ljust(8 * 16, b"\0")
    yield "behind-an-end-in-an-array", b"\x80\x04" + _wrapped(shape=(16,)) + ended + b"."
    yield "allowed-names-in-an-array", b"\x80\x04" + _wrapped(shape=(16,)) + packed + b"."


def _late() -> _Made:
    """Types that get their state when something relies on them already."""
    bare = Code(call("numpy.dtype", "V8", False, True) + b"\x94")
    kept, objects = (
        Code(b"h\x00"),
        built(call("numpy.dtype", "O8", False, True), (3, "|", None, None, None, -1, -1, 63)),
    )
    fields = (3, "|", None, ("a",), {"a": (objects, 0)}, 8, 1, 27)
    outer = (3, "|", None, ("b",), {"b": (bare, 0)}, 8, 1, 0)
    empty = call("numpy._core.multiarray._reconstruct", name("numpy.ndarray"), (0,), b"b")
    late = built(kept, fields)
    yield "field", whole(built(call("numpy.dtype", "V8", False, True), outer), late)
    yield "array", whole(built(empty, (1, (1,), bare, False, b"AAAAAAAA")), late)
    yield "scalar", whole(call("numpy._core.multiarray.scalar", bare, b"AAAAAAAA"), late)
    yield "buffer", whole(call("numpy._core.numeric._frombuffer", b"AAAAAAAA", bare, (1,), "C"), late)
    yield "twice", whole(built(bare, (3, "|", None, None, None, 8, 1, 0)), late)


def _further() -> _Made:
    listed, modulus = name("builtins.list"), 2**61 - 1
    alike = [number * modulus for number in range(1, 3000)]
    for maker in ("builtins.set", "builtins.frozenset", "collections.Counter"):
        yield f"{maker}-of-a-list", whole(call(maker, alike))
    yield "dict-of-pairs", whole(call("builtins.dict", [(number, None) for number in alike]))
    extension = call(
        "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",
        name("pandas.arrays.DatetimeArray"),
        1,
        ({"__setstate__": listed},),
    )
    yield "state-of-an-extension-type", whole(extension)
    config = made("transformers.models.bert.configuration_bert.BertConfig")
    chained = call("collections.ChainMap", {"__setstate__": "x"})
    yield "names-mapped-by-a-chain", whole(built(config, {"attribute_map": chained, "x": listed}))
    yield (
        "id-with-a-function",
        whole(Code(put(("storage", name("torch.storage._load_from_bytes"), "0", "cpu", 4)) + b"Q")),
    )


def _delayed() -> _Made:
    template = name("mako.template.Template")
    yield "partial", whole(call("functools.partial", template, "<% x %>"))
    yield (
        "state-of-a-partial",
        whole(built(call("functools.partial", template), (template, (), {"text": "<% x %>"}, None))),
    )


def _ordinary() -> _Made:
    layer = name("torch.nn.modules.normalization.LayerNorm")
    yield (
        "partial-of-a-layer",
        whole(built(call("functools.partial", layer), (layer, (), {"eps": 1e-6}, None))),
    )
    yield "wrapper", b"\x80\x04" + _wrapped(numpy_array_alignment_bytes=None) + bytes(16) + b"."
    yield "largest-number-often", whole(Code(put([2**63 - 1] * 5000)))
    yield "large-numbers", whole(Code(put([number * 0x9E3779B97F4A7C15 % 2**64 for number in range(5000)])))
    yield "size", whole(call("torch.Size", (1, 2)))
    yield "containers", whole(call("builtins.set", [1, 2]), call("collections.deque", [1], 5))
    yield "counter-of-a-counter", whole(call("collections.Counter", call("collections.Counter", {"a": 1})))
    yield "fractions-as-keys", whole(Code(b"}" + call("fractions.Fraction", "1/2") + b"Ns"))


def cases() -> Iterator[Case]:
    """All of them."""
    groups: tuple[tuple[str, Label, _Made], ...] = (
        ("pickle-endless", "malicious", _endless()),
        ("pickle-ducks", "malicious", _ducks()),
        ("pickle-two-views", "malicious", _two_views()),
        ("pickle-late-types", "malicious", _late()),
        ("pickle-further", "malicious", _further()),
        ("pickle-delayed", "policy", _delayed()),
        ("pickle-ducks-ordinary", "benign", _ordinary()),
    )
    for family, label, files in groups:
        for key, data in files:
            yield Case(family, key, "m.pkl", label, fixed(data))
