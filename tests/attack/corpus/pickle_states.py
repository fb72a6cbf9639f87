"""Pickles that import allowed names alone, and make something else of them: by what they hand on, plant or forge."""

import pickle
import struct
import zipfile
from collections.abc import Iterator
from io import BytesIO

from tests.attack.corpus import tar_parts
from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.payloads import EVIL, STATE_DICT

__all__ = ["NAMESPACE", "Code", "built", "call", "cases", "made", "name", "put", "whole"]

_Made = Iterator[tuple[str, bytes]]
LOADER = "torch.storage._load_from_bytes"
NAMESPACE = "argparse.Namespace"


class Code(bytes):
    """Opcodes that are there already."""

    __slots__ = ()


def put(value: object) -> bytes:  # noqa: PLR0911  # one line for each kind of value
    """The opcodes that push a value."""
    if isinstance(value, Code):
        return bytes(value)
    if value is None:
        return b"N"
    if value is True:
        return b"\x88"
    if value is False:
        return b"\x89"
    if isinstance(value, int):
        size = (value.bit_length() + 8) // 8
        return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return b"B" + struct.pack("<I", len(value)) + value
    if isinstance(value, tuple):
        return b"(" + b"".join(map(put, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(put, value)) + b"e"
    assert isinstance(value, dict)
    return b"}(" + b"".join(put(key) + put(item) for key, item in value.items()) + b"u"


def name(path: str) -> Code:
    """An import, by the last dot."""
    module, _, last = path.rpartition(".")
    return Code(put(module) + put(last) + b"\x93")


def call(callee: str | Code, *arguments: object) -> Code:
    """REDUCE of an import, or of what lies there."""
    return Code(
        put(name(callee) if isinstance(callee, str) and not isinstance(callee, Code) else callee)
        + put(arguments)
        + b"R"
    )


def made(path: str, *arguments: object) -> Code:
    """NEWOBJ of an import."""
    return Code(name(path) + put(arguments) + b"\x81")


def built(instance: bytes, *states: object) -> Code:
    """BUILD, as often as there are states."""
    return Code(instance + b"".join(put(state) + b"b" for state in states))


def whole(*parts: bytes) -> bytes:
    """A pickle of protocol 4; what lies below the last part is thrown away."""
    return b"\x80\x04" + b"0".join(parts) + b"."


def dtype(code: str = "V8", **state: object) -> Code:
    """A pickled `numpy.dtype` with something in its state changed."""
    parts: dict[str, object] = {
        "version": 3,
        "order": "|",
        "sub": None,
        "names": None,
        "fields": None,
        "size": -1,
        "alignment": -1,
        "flags": 0,
    }
    return built(call("numpy.dtype", code, False, True), tuple((parts | state).values()))


OBJECT = dtype("O8", flags=63)
FLOAT = dtype("f8", order="<")


def array(kind: Code, data: object = b"AAAAAAAA") -> Code:
    """A pickled array of one element."""
    empty = call("numpy._core.multiarray._reconstruct", name("numpy.ndarray"), (0,), b"b")
    return built(empty, (1, (1,), kind, False, data))


def _handed_on() -> _Made:
    loader = name(LOADER)
    from_type = "torch._tensor._rebuild_from_type_v2"
    yield "rebuilt-from-type", whole(call(from_type, loader, name("torch.Tensor"), (EVIL,), {}))
    yield (
        "rebuilt-twice",
        whole(
            call(
                from_type,
                name(from_type),
                name("torch.Tensor"),
                (loader, name("torch.Tensor"), (EVIL,), {}),
                {},
            )
        ),
    )
    yield (
        "getattr-from-type",
        whole(
            call(
                from_type,
                name("builtins.getattr"),
                name("builtins.dict"),
                (name("copyreg._reconstructor"), "__globals__"),
                {},
            )
        ),
    )
    yield (
        "partial-from-type",
        whole(
            call(from_type, call("functools.partial", name("builtins.list")), name("torch.Tensor"), (), {})
        ),
    )
    yield (
        "class-from-type",
        whole(call(from_type, name("builtins.type"), name("builtins.type"), (made(NAMESPACE),), {"zzz": 1})),
    )
    for maker in ("__generator_ctor", "__randomstate_ctor", "__RandomState_ctor"):
        yield maker, whole(call(f"numpy.random._pickle.{maker}", EVIL, loader))
    yield "bit-generator", whole(call("numpy.random._pickle.__bit_generator_ctor", loader))
    yield (
        "bit-generator-of-a-class",
        whole(call("numpy.random._pickle.__bit_generator_ctor", name("tempfile_like.Directory"))),
    )
    yield "dill-array", whole(call("dill._dill._create_array", loader, (EVIL,), None, None))
    yield "in-a-list", whole(Code(put([loader])))
    yield "in-a-dict-in-a-tuple", whole(Code(put(({"a": (loader,)},))))
    yield "in-a-set", b"\x80\x04\x8f(" + loader + b"\x90."
    yield "in-a-frozenset", b"\x80\x04(" + loader + b"\x91."
    yield "in-a-partial", whole(call("functools.partial", loader, EVIL))
    yield "as-a-factory", whole(call("collections.defaultdict", loader))
    yield (
        "state-of-a-partial",
        whole(built(call("functools.partial", name("builtins.dict")), (loader, (EVIL,), {}, None))),
    )
    yield "as-a-class-of-index", whole(call("pandas.core.indexes.base._new_Index", loader, {"data": 1}))
    yield (
        "new-object-of-a-duck",
        whole(call("sklearn.neighbors._kd_tree.newObj", built(made(NAMESPACE), {"__new__": 1}))),
    )
    yield "arguments-by-tuple", whole(Code(name(LOADER) + call("builtins.tuple", [EVIL]) + b"R"))
    yield "arguments-by-list", whole(Code(name("builtins.list") + put([1]) + b"R"))
    yield (
        "base-of-another-kind",
        whole(call("copyreg._reconstructor", name(NAMESPACE), name("numpy.ndarray"), None)),
    )
    yield (
        "class-by-newobj-function",
        whole(call("copyreg.__newobj__", name("builtins.type"), "X", (name("builtins.object"),), {})),
    )


def _planted() -> _Made:
    loader, listed = name(LOADER), name("builtins.list")
    count = call("itertools.count")
    for key in (
        "__setstate__",
        "append",
        "extend",
        "add",
        "__class__",
        "__reduce__",
        "__array_interface__",
        "keys",
    ):
        yield f"key-{key}", whole(built(made(NAMESPACE), {key: listed}))
        yield f"slots-{key}", whole(built(made(NAMESPACE), (None, {key: listed})))
        yield f"in-dict-of-dict-{key}", whole(built(made(NAMESPACE), {"__dict__": {key: listed}}))
        yield (
            f"of-parameter-{key}",
            whole(
                call(
                    "torch._utils._rebuild_parameter_with_state",
                    None,
                    False,
                    call("collections.OrderedDict"),
                    {key: listed},
                )
            ),
        )
        yield f"pairs-{key}", whole(built(made("torch.nn.modules.module.Module"), ((key, listed),)))
        yield f"partial-{key}", whole(built(made(NAMESPACE), {key: call("functools.partial", listed)}))
        yield (
            f"attribute-of-a-partial-{key}",
            whole(built(call("functools.partial", listed), (listed, (), {}, {key: listed}))),
        )
        yield (
            f"module-{key}",
            whole(built(made("torch.nn.modules.module.Module"), {"_modules": {key: listed}})),
        )
    yield "loader", whole(built(made("torch.nn.modules.linear.Linear"), {"__setstate__": loader}, EVIL))
    yield "then-called", whole(Code(built(made(NAMESPACE), {"append": listed}) + count + b"a"))
    yield (
        "names-mapped",
        whole(
            built(
                made("transformers.models.bert.configuration_bert.BertConfig"),
                {"attribute_map": {"__setstate__": "x"}, "x": listed},
                count,
            )
        ),
    )
    yield (
        "item-as-attribute",
        whole(Code(made("sklearn.datasets._base.Bunch") + put("append") + listed + b"s" + count + b"a")),
    )
    yield "state-by-dict", whole(built(made(NAMESPACE), call("builtins.dict", [("__setstate__", listed)])))
    yield (
        "state-by-ordered-dict",
        whole(built(made(NAMESPACE), call("collections.OrderedDict", [("__setstate__", listed)]))),
    )
    yield "state-by-list", whole(built(made("torch.nn.modules.module.Module"), [["__setstate__", listed]]))
    yield (
        "key-by-a-call",
        whole(built(made(NAMESPACE), Code(b"}(" + call("builtins.str", "__setstate__") + listed + b"u"))),
    )
    yield "on-a-class", whole(built(name(NAMESPACE), {"a": 1}))
    yield "on-a-type", whole(built(call("builtins.type", made(NAMESPACE)), {"a": 1}))
    yield "on-a-logger", whole(built(call("logging.getLogger", "x"), {"handlers": []}))
    yield (
        "on-a-member-of-an-enum",
        whole(built(call("transformers.trainer_utils.IntervalStrategy", "no"), {"_value_": 1})),
    )
    yield (
        "into-what-getattr-gives",
        whole(
            Code(call("builtins.getattr", name("zoneinfo.ZoneInfo"), "_unpickle") + put("a") + put(1) + b"s")
        ),
    )
    yield "class-of-an-enum", whole(call("transformers.utils.generic.ExplicitEnum", "X", {"a": 1}))


TEMPLATE = """
def _parse_args(self, {shapes} loc=0{scale}):
    return ({shapes}), loc, {out}

def _parse_args_rvs(self, {shapes} loc=0{scale}, size=None):
    return self._argcheck_rvs({shapes} loc, {out}, size=size)

def _parse_args_stats(self, {shapes} loc=0{scale}, moments='mv'):
    return ({shapes}), loc, {out}, moments
"""


def _template(shapes: str = "a, ", scale: str = ", scale=1", out: str = "scale") -> str:
    return TEMPLATE.format(shapes=shapes, scale=scale, out=out)


def _compiled() -> _Made:
    texts = {
        "call": "print(1)", "appended": _template() + "print(1)\n", "prepended": "print(1)\n" + _template(),
        "default": _template("a=print(1), "), "decorator": _template().replace("\ndef _parse_args(", "\n@print\ndef _parse_args(", 1),
        "computed": _template("print(1), "), "annotation": _template("a:print(1), "), "unequal": _template().replace("(a, )", "(b, )"),
    }  # fmt: skip
    for key, text in texts.items():
        yield (
            key,
            whole(built(made("scipy.stats._continuous_distns.norm_gen"), {"_parse_arg_template": text})),
        )
    yield (
        "second",
        whole(
            built(
                made("scipy.stats._continuous_distns.norm_gen"),
                {"_parse_arg_template": _template()},
                {"_parse_arg_template": "print(1)"},
            )
        ),
    )
    yield (
        "bytes",
        whole(built(made("scipy.stats._discrete_distns.geom_gen"), {"_parse_arg_template": b"print(1)"})),
    )
    yield (
        "long",
        whole(
            built(
                made("scipy.stats._discrete_distns.geom_gen"),
                {"_parse_arg_template": "#" * 5000 + "\nprint(1)"},
            )
        ),
    )


def _forged() -> _Made:
    kinds = {
        "object-without-flag": dtype("O8"), "flag-without-object": dtype("f8", flags=63),
        "field-without-flag": dtype(names=("a",), fields={"a": (OBJECT, 0)}, size=8),
        "field-beyond": dtype(names=("a",), fields={"a": (FLOAT, 1 << 30)}, size=8),
        "field-before": dtype(names=("a",), fields={"a": (FLOAT, -8)}, size=8),
        "field-too-large": dtype("V1", names=("a",), fields={"a": (FLOAT, 0)}, size=1),
        "size-of-another": dtype("f8", size=1), "no-size": dtype(size=-1, names=("a",), fields={"a": (FLOAT, 4)}),
        "sub-array-without-flag": dtype(sub=(OBJECT, (1,)), size=8), "sub-array-too-large": dtype(sub=(FLOAT, (2,)), size=8),
        "nested": dtype(names=("a",), fields={"a": (dtype(names=("b",), fields={"b": (OBJECT, 0)}, size=8), 0)}, size=8),
        "fields-by-a-call": dtype(names=("a",), fields=call("builtins.dict", [("a", (OBJECT, 0))]), size=8),
        "fields-later": dtype(names=("a",), fields=Code(put({"x": 1}) + put("a") + put((OBJECT, 0)) + b"s"), size=8),
        "type-of-a-type": dtype(names=("a",), fields={"a": (made(NAMESPACE), 0)}, size=8),
    }  # fmt: skip
    for key, kind in kinds.items():
        yield key, whole(array(kind))
        yield f"scalar-{key}", whole(call("numpy._core.multiarray.scalar", kind, b"AAAAAAAA"))
    again = built(dtype("f8", order="<"), (3, "|", None, ("a",), {"a": (OBJECT, 0)}, 8, 1, 0))
    yield "built-again", whole(array(again))


def _excess() -> _Made:
    count, wide = call("itertools.count"), call("builtins.range", 10**12)
    for maker in (
        "builtins.list",
        "builtins.tuple",
        "builtins.set",
        "builtins.frozenset",
        "collections.deque",
        "collections.Counter",
        "builtins.bytes",
        "builtins.bytearray",
    ):
        yield f"{maker}-count", whole(call(maker, count))
        yield f"{maker}-range", whole(call(maker, wide))
    yield "fraction", whole(call("fractions.Fraction", "1e9999999999"))
    yield "fraction-of-decimal", whole(call("fractions.Fraction", call("decimal.Decimal", "1e99999")))
    yield "int-of-decimal", whole(call("builtins.int", call("decimal.Decimal", "1e9999")))
    yield "fraction-long", whole(call("fractions.Fraction", "0" * 5000 + "1e99999"))
    yield (
        "array-of-terabytes",
        whole(call("numpy._core.multiarray._reconstruct", name("numpy.ndarray"), (1 << 40,), b"d")),
    )
    modulus = 2**61 - 1
    yield "keys-alike", whole(Code(put({i * modulus: None for i in range(1, 5000)})))
    yield "tuples-alike", whole(Code(put({(i * modulus,): None for i in range(1, 5000)})))
    yield "members-alike", b"\x80\x04\x8f(" + b"".join(put(i * modulus) for i in range(1, 5000)) + b"\x90."
    yield "frozen-members-alike", b"\x80\x04(" + b"".join(put(i * modulus) for i in range(1, 5000)) + b"\x91."
    yield "keys-one-by-one", b"\x80\x04}" + b"".join(put(i * modulus) + b"Ns" for i in range(1, 5000)) + b"."
    yield "keys-in-text", b"}(" + b"".join(b"L%dL\nN" % (i * modulus) for i in range(1, 5000)) + b"u."
    storage = Code(put(("storage", name("torch.FloatStorage"), "0", "cpu", 4)) + b"Q")
    view = call(
        "torch._utils._rebuild_tensor_v2",
        storage,
        0,
        (1 << 40,),
        (1,),
        False,
        call("collections.OrderedDict"),
    )
    yield "tensor-beyond-its-storage", _torch_zip(whole(view))
    for told in (5, 1 << 40):
        longer = Code(put(("storage", name("torch.FloatStorage"), "0", "cpu", told)) + b"Q")
        tensor = call(
            "torch._utils._rebuild_tensor_v2", longer, 0, (4,), (1,), False, call("collections.OrderedDict")
        )
        yield f"storage-longer-than-its-record-{told}", _torch_zip(whole(tensor))


def _torch_zip(pickled: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, data in (("data.pkl", pickled), ("data/0", bytes(16)), ("version", b"3\n")):
            archive.writestr(zipfile.ZipInfo(f"archive/{member}"), data)
    return out.getvalue()


def _outside() -> _Made:
    for module in ("joblib.numpy_pickle", "joblib.numpy_pickle_compat"):
        for path in ("/tmp/x.npy", "../x.npy", "a/x.npy", "C:\\x.npy", ".."):
            for kind in ("NDArrayWrapper", "ZNDArrayWrapper"):
                yield f"{module}-{kind}-{path}", whole(built(made(f"{module}.{kind}"), {"filename": path}))
    yield (
        "computed",
        whole(built(made("joblib.numpy_pickle.NDArrayWrapper"), {"filename": call("builtins.str", "a")})),
    )


def _unknown_calls() -> _Made:
    yield "with-an-argument", whole(call("mako.template.Template", "<% x %>"))
    yield "by-obj", b"(cmako.template\nTemplate\nS'x'\no."
    yield "by-inst", b"(S'x'\nimako.template\nTemplate\n."


EVIL_TEXT = b"cos\ngetpid\n(tR."
MAGIC = 0x1950A86A20F9469CFC6C


def _later() -> Iterator[tuple[str, str, bytes]]:
    for protocol in (0, 2, 4):
        first = pickle.dumps([1], protocol)
        for file_name in ("a.pkl", "a.bin", "noext"):
            yield f"second-text-{protocol}-{file_name}", file_name, first + EVIL_TEXT
            yield f"third-text-{protocol}-{file_name}", file_name, first + pickle.dumps("x", 0) + EVIL_TEXT
            yield f"third-{protocol}-{file_name}", file_name, first + pickle.dumps("x", 0) + EVIL
    old = pickle.dumps(MAGIC, 0) + pickle.dumps(1001, 0) + pickle.dumps({"little_endian": True}, 0)
    yield "legacy-in-text", "a.pt", old + EVIL_TEXT
    yield "legacy-in-text-data", "a.bin", old + EVIL_TEXT
    yield "shelf", "a.dat", pickle.dumps("a", 0).ljust(512, b"\0") + EVIL_TEXT
    yield "shelf-blanks", "a.dat", pickle.dumps("a", 0).ljust(512, b" ") + EVIL_TEXT
    yield "behind-many", "a.bin", b"N." * 3000 + EVIL_TEXT


def _ordinary() -> _Made:
    yield (
        "field-of-object",
        whole(array(dtype(names=("a",), fields={"a": (OBJECT, 0)}, size=8, flags=27), [(1,)])),
    )
    yield (
        "two-fields",
        whole(
            array(
                dtype("V16", names=("a", "b"), fields={"a": (FLOAT, 0), "b": (FLOAT, 8, "title")}, size=16),
                bytes(16),
            )
        ),
    )
    yield "sub-array", whole(array(dtype("V16", sub=(FLOAT, (2,)), size=16), bytes(16)))
    yield "dates", whole(array(dtype("M8", version=4, order="<", metadata=(None, (b"ns", 1, 1, 1)))))
    yield (
        "distribution",
        whole(built(made("scipy.stats._continuous_distns.gamma_gen"), {"_parse_arg_template": _template()})),
    )
    yield (
        "distribution-without-shape",
        whole(built(made("scipy.stats._continuous_distns.norm_gen"), {"_parse_arg_template": _template("")})),
    )
    yield (
        "distribution-discrete",
        whole(
            built(
                made("scipy.stats._discrete_distns.randint_gen"),
                {"_parse_arg_template": _template("low, high, ", "", "1")},
            )
        ),
    )
    yield (
        "generator",
        whole(
            call(
                "numpy.random._pickle.__generator_ctor",
                "PCG64",
                name("numpy.random._pickle.__bit_generator_ctor"),
            )
        ),
    )
    yield (
        "zone",
        whole(call(call("builtins.getattr", name("zoneinfo.ZoneInfo"), "_unpickle"), "Europe/Berlin", 1)),
    )
    yield (
        "wrapper-beside",
        whole(built(made("joblib.numpy_pickle_compat.NDArrayWrapper"), {"filename": "m.pkl_01.npy"})),
    )
    yield (
        "words",
        whole(
            Code(put({"append": 1, "add": "x", "__setstate__": 5, "vocabulary": ["__setstate__", "append"]}))
        ),
    )
    yield (
        "attributes-called-add",
        whole(built(made(NAMESPACE), {"add": 1, "append": [1], "extend": None, "keys": "abc"})),
    )
    yield "many-numbers", whole(Code(put({i * 2**40: None for i in range(20_000)})))
    yield "many-hashes", whole(Code(put({i * 0x9E3779B97F4A7C15 % 2**64: None for i in range(20_000)})))
    yield "many-pairs", whole(Code(put({(i, i + 1): None for i in range(20_000)})))
    yield (
        "fraction",
        whole(
            call("fractions.Fraction", "22/7"),
            call("decimal.Decimal", "1E+10"),
            call("decimal.Decimal", "-Infinity"),
        ),
    )
    yield (
        "typing",
        whole(
            call(
                "_operator.getitem", name("typing.Union"), (name("builtins.int"), call("builtins.type", None))
            )
        ),
    )
    yield "enum", whole(call("http.HTTPStatus", 200))
    yield "iterator", whole(built(call("builtins.iter", [1, 2]), 1))


def _tars() -> Iterator[tuple[str, str, Label, bytes]]:
    inner = _torch_zip(STATE_DICT)
    config, card = tar_parts.member("./model_config.yaml", b"a: 1\n"), tar_parts.member("a.txt", b"x" * 3000)
    last = tar_parts.member("./model_weights.ckpt", _torch_zip(whole(Code(put({"a": 1})))))
    yield "zip-last", "m.nemo", "benign", config + last + tar_parts.END
    yield "zip-last-behind-much", "m.tar", "benign", card + last + tar_parts.END
    yield (
        "zip-twice",
        "m.tar",
        "benign",
        last + tar_parts.member("b.pt", _torch_zip(b"\x80\x04}.")) + tar_parts.END,
    )
    evil = tar_parts.member("b.pt", _torch_zip(EVIL))
    yield "hostile-zip-last", "m.nemo", "malicious", config + evil + tar_parts.END
    yield "zip-behind-the-end", "m.tar", "malicious", config + tar_parts.END + inner
    # A program that counts from the beginning of the whole file finds another directory.
    hidden, honest = _torch_zip(EVIL), _torch_zip(whole(Code(put(bytes(1000)))))
    directory = hidden[hidden.index(b"PK\1\2") :]
    place = int.from_bytes(honest[honest.index(b"PK\5\6") + 16 :][:4], "little")
    filler = bytearray(card)
    filler[place : place + len(directory)] = directory
    yield (
        "two-directories",
        "m.tar",
        "malicious",
        bytes(filler) + tar_parts.member("b.pt", honest) + tar_parts.END,
    )


def cases() -> Iterator[Case]:
    """All of them."""
    groups: tuple[tuple[str, Label, _Made], ...] = (
        ("pickle-handed-on", "malicious", _handed_on()),
        ("pickle-planted", "malicious", _planted()),
        ("pickle-compiled-text", "malicious", _compiled()),
        ("pickle-forged-dtype", "malicious", _forged()),
        ("pickle-excess", "malicious", _excess()),
        ("pickle-outside-file", "malicious", _outside()),
        ("pickle-unknown-call", "policy", _unknown_calls()),
        ("pickle-states-ordinary", "benign", _ordinary()),
    )
    for family, label, files in groups:
        for key, data in files:
            yield Case(family, key, "m.pt" if data[:2] == b"PK" else "m.pkl", label, fixed(data))
    for key, file_name, data in _later():
        yield Case("pickle-later-streams", key, file_name, "malicious", fixed(data))
    for key, file_name, label, data in _tars():
        yield Case("tar-with-zip-last", key, file_name, label, fixed(data))
