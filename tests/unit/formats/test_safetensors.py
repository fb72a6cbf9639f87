"""The header reader agrees with the safetensors package and refuses every rule broken."""

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from allmende.formats import MalformedSafetensors, SafetensorsHeader, read_header
from allmende.formats.safetensors import DTYPE_BITS, HARD_MAX_HEADER_BYTES

_NUMPY_DTYPES = [
    "float32",
    "float16",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint32",
    "bool",
]
_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name != "__metadata__"
)
_shapes = st.lists(st.integers(0, 5), max_size=4).map(tuple)
# Without any tensor the package writes a file that it refuses to read again.
_tensors = st.dictionaries(_names, st.tuples(st.sampled_from(_NUMPY_DTYPES), _shapes), min_size=1, max_size=6)
_metadata = st.dictionaries(_names, st.text(st.characters(exclude_categories=["Cs"])), max_size=3)


def _file(header: object, buffer: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + buffer


def _entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def _read(data: bytes) -> SafetensorsHeader:
    return read_header(io.BytesIO(data), len(data))


@given(_tensors, _metadata)
def test_what_the_package_writes_is_read(tensors: dict[str, tuple], metadata: dict[str, str]) -> None:
    arrays = {name: np.zeros(shape, dtype) for name, (dtype, shape) in tensors.items()}
    data = save(arrays, metadata)
    header = _read(data)
    theirs = {name: (info["shape"], info["dtype"], len(info["data"])) for name, info in deserialize(data)}
    ours = {t.name: (list(t.shape), t.dtype, t.end - t.start) for t in header.tensors}
    assert ours == theirs
    assert dict(header.metadata) == metadata
    assert header.total == sum(array.size for array in arrays.values()) == sum(header.parameters().values())
    assert header.data_start + sum(array.nbytes for array in arrays.values()) == len(data)


def test_parameters_are_told_for_each_dtype() -> None:
    data = save({"a": np.zeros((3, 4), "float32"), "b": np.zeros(5, "float32"), "c": np.zeros((), "int64")})
    assert _read(data).parameters() == {"F32": 17, "I64": 1}


@pytest.mark.parametrize("dtype", DTYPE_BITS)
def test_every_dtype_of_the_format_is_known_with_its_size(dtype: str) -> None:
    data = _file({"a": _entry(dtype, [8], 0, DTYPE_BITS[dtype])}, bytes(DTYPE_BITS[dtype]))
    assert deserialize(data)[0][1]["dtype"] == dtype
    assert _read(data).parameters() == {dtype: 8}


def test_a_cut_anywhere_is_refused() -> None:
    data = save({"weight": np.ones((2, 3), "float32"), "bias": np.ones(2, "float16")}, {"format": "pt"})
    for cut in range(len(data)):
        with pytest.raises(MalformedSafetensors):
            _read(data[:cut])
        # The size may be right and the reader still end early.
        if cut < _read(data).data_start:
            with pytest.raises(MalformedSafetensors, match="ends"):
                read_header(io.BytesIO(data[:cut]), len(data))


_ONE = _entry("U8", [1], 0, 1)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (_file({"a": _entry("I4", [2], 0, 1)}, b"0"), "unknown dtype 'I4'"),
        (_file({"a": _entry("f32", [1], 0, 4)}, b"0000"), "unknown dtype 'f32'"),
        (_file({"a": {**_ONE, "dtype": ["U8"]}}, b"0"), "unknown dtype"),
        (_file({"a": _entry("F4", [3], 0, 2)}, b"00"), "ends inside a byte"),
        (_file({"a": _entry("U8", [2], 0, 1)}, b"0"), "takes 2 bytes by shape and dtype, and 1"),
        (_file({"a": _ONE}, b"00"), "the file has 2 for them"),
        (_file({"a": _ONE}), "the file has 0 for them"),
        (_file({"a": _entry("U8", [1], 1, 2)}, b"00"), "leaves a hole"),
        (
            _file({"a": _ONE, "b": _entry("U8", [1], 2, 3)}, b"000"),
            "begins at 2 and leaves a hole before byte 1",
        ),
        (_file({"a": _entry("U8", [2], 0, 2), "b": _entry("U8", [2], 1, 3)}, b"000"), "overlaps"),
        (_file({"a": _ONE, "b": _ONE}, b"0"), "overlaps"),
        (_file({"a": _entry("U8", [0], 1, 0)}), "not a range"),
        (_file({"a": {**_ONE, "data_offsets": [0, 1, 1]}}, b"0"), "not a range"),
        (_file({"a": {**_ONE, "data_offsets": [0]}}, b"0"), "not a range"),
        (_file({"a": {**_ONE, "shape": [-1]}}, b"0"), "holds -1"),
        (_file({"a": {**_ONE, "shape": [True]}}, b"0"), "holds True"),
        (_file({"a": {**_ONE, "shape": [1.0]}}, b"0"), "holds 1.0"),
        (_file({"a": {**_ONE, "shape": 1}}, b"0"), "shape of tensor 'a' is not a list"),
        (_file({"a": _entry("U8", [2**64], 0, 1)}, b"0"), "no unsigned 64-bit"),
        (_file({"a": _entry("F32", [2**62], 0, 0)}), "overflows"),
        (_file({"a": _entry("U8", [2**63, 2, 0], 0, 0)}), "overflows"),
        (_file({"a": _entry("U8", [1] * 65, 0, 1)}, b"0"), "65 dimensions"),
        (_file({"a": {"dtype": "U8", "shape": [1]}}, b"0"), "no data_offsets"),
        (_file({"a": ["U8", [1], [0, 1]]}, b"0"), "not an object"),
        (_file({"__metadata__": {"a": 1}}), "'a' in __metadata__ is not a string"),
        (_file({"__metadata__": []}), "__metadata__ is not an object"),
        (_file(b'{"a":%s,"a":%s}' % ((json.dumps(_ONE).encode(),) * 2), b"0"), "'a' twice"),
        (_file(b'{"__metadata__":{"a":"1","a":"2"}}'), "'a' twice"),
        (_file(b" {}"), "opening brace"),
        (_file(b"[]"), "opening brace"),
        (_file(b""), "opening brace"),
        (_file(b"{}\0"), "Extra data"),
        (_file(b'{"a\xff":1}'), "not UTF-8"),
        (_file(b'{"a":' * 100_000), "deeper than 8"),
        (_file(b'{"a":NaN}'), "NaN"),
        (b"", "no room"),
        (struct.pack("<Q", 2**63), "the format allows"),
        (struct.pack("<Q", HARD_MAX_HEADER_BYTES + 1), "the format allows"),
        (struct.pack("<Q", 100) + b"{}", "claims 100 bytes, but the file has 10"),
    ],
)
def test_a_broken_rule_is_named(data: bytes, part: str) -> None:
    with pytest.raises(MalformedSafetensors, match=part):
        _read(data)


def test_the_limit_is_told_apart_from_a_fault() -> None:
    data = _file({"__metadata__": {"a": "x" * 1000}})
    with pytest.raises(MalformedSafetensors) as caught:
        read_header(io.BytesIO(data), len(data), max_header_bytes=999)
    assert caught.value.code == "safetensors_beyond_limits"
    assert _read(data).metadata["a"] == "x" * 1000


@pytest.mark.parametrize(
    "data",
    [
        _file(b"{}   "),
        _file({"b": _entry("U8", [1], 1, 2), "a": _ONE}, b"00"),
        _file({"a": _entry("U8", [0], 0, 0), "b": _entry("U8", [0], 0, 0)}),
        _file({"a": _entry("U8", [], 0, 1), "z": _entry("F64", [0], 0, 0)}, b"0"),
        _file({"a": _entry("U8", [2**63, 0], 0, 0)}),
        _file({"__metadata__": None}),
    ],
)
def test_what_the_package_reads_at_the_edges_is_read(data: bytes) -> None:
    assert {name for name, _ in deserialize(data)} == {tensor.name for tensor in _read(data).tensors}


@settings(max_examples=200)
@given(st.binary(max_size=6), st.integers(0, 10_000), st.data())
def test_whatever_is_accepted_the_package_accepts_too(patch: bytes, at: int, data: st.DataObject) -> None:
    sound = save({"w": np.ones((2, 3), "float32"), "b": np.ones(2, "int8")}, {"k": "v"})
    at %= len(sound)
    length = data.draw(st.integers(0, 6))
    changed = sound[:at] + patch + sound[at + length :]
    try:
        header = _read(changed)
    except MalformedSafetensors:
        return
    try:
        theirs = deserialize(changed)
    except SafetensorError as error:
        pytest.fail(f"accepted here, refused there: {error}")
    assert {name for name, _ in theirs} == {tensor.name for tensor in header.tensors}
