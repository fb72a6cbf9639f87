"""What NumPy writes is read as NumPy has it, without running anything."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.errors import AllmendeError
from allmende.formats import MalformedNpy, MalformedZip
from allmende.weights.places import BytesPlace
from allmende.weights.reading_npz import read_npz_tensors
from allmende.weights.tensors import WeightTensor

ARRAYS: dict[str, np.ndarray] = {
    "c": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "fortran": np.asfortranarray(np.arange(24, dtype=np.float16).reshape(2, 3, 4)),
    "ints": np.arange(5, dtype=np.int64),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "folder/deep": np.ones((2, 2), np.int8),
}


def saved(arrays: dict, *, compress: bool = False) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def read(data: bytes, name: str = "w.npz") -> dict[str, WeightTensor]:
    return {tensor.name: tensor for tensor in read_npz_tensors(BytesPlace(name, data))[0]}


@pytest.mark.parametrize("compress", [False, True])
def test_values_are_those_of_numpy(compress):
    found = read(saved(ARRAYS, compress=compress))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].shape == array.shape
        assert np.array_equal(found[name].values().reshape(array.shape), array)
        if array.size > 2:
            assert np.array_equal(found[name].at(np.array([2, 0])), array.ravel()[[2, 0]])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_single_arrays(version):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, ARRAYS["fortran"], version=version)
    found = read(buffer.getvalue(), "folder/weights.npy")
    assert np.array_equal(found["weights"].values(), ARRAYS["fortran"].ravel())


def test_objects_and_texts_are_left_out():
    others = {
        "o": np.array([{}, 1], object),
        "t": np.array(["a"]),
        "r": np.zeros(2, [("x", "f4"), ("y", "i4")]),
    }
    assert list(read(saved(others | {"w": np.ones(2, np.float32)}))) == ["w"]
    with pytest.raises(MalformedNpy, match="not unpickled"):
        read(saved({"o": others["o"]}))
    buffer = io.BytesIO()
    np.save(buffer, others["o"], allow_pickle=True)
    with pytest.raises(MalformedNpy, match="not unpickled"):
        read(buffer.getvalue(), "o.npy")


def array_of(header: str, data: bytes = b"") -> bytes:
    text = header.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "not what its shape"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "not what NumPy writes"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1, , 1)}", "shape that is none"),
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
            "shape that is none",
        ),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 70 + ")}", "shape that is none"),
        ("{'descr': '<f4', 'fortran_order': False}", "not what NumPy writes"),
        ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", "twice"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (), 'more': exit()}", "not what NumPy writes"),
        ("__import__('os')", "not what NumPy writes"),
        ("", "not begin"),
    ],
)
def test_bad_headers_are_refused(header, part):
    with pytest.raises(MalformedNpy, match=part):
        read(array_of(header), "a.npy")


def test_long_headers_are_beyond_the_limits():
    with pytest.raises(MalformedNpy, match="at most") as caught:
        read(array_of("{" + " " * 10_000 + "}"), "a.npy")
    assert caught.value.code == "npy_beyond_limits"


def test_overlapping_arrays_are_refused():
    data = bytearray(saved({"a": ARRAYS["ints"], "b": ARRAYS["ints"]}))
    first = data.index(b"PK\x01\x02")
    whole = len(data).to_bytes(4, "little") * 2
    for at in (first, data.index(b"PK\x01\x02", first + 1)):
        data[at + 20 : at + 28] = whole
    with pytest.raises(MalformedZip, match="overlap"):
        read(bytes(data))


def test_bombs_are_not_unpacked():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(1000))
    data = bytearray(buffer.getvalue())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (2**31).to_bytes(4, "little")
    with pytest.raises(MalformedZip, match="at most") as caught:
        read(bytes(data))
    assert caught.value.code == "zip_beyond_limits"
    for size in (999, 1001):
        data[at + 24 : at + 28] = size.to_bytes(4, "little")
        with pytest.raises(MalformedZip, match="size that it claims"):
            read(bytes(data))


SAMPLES = [
    saved({"a": ARRAYS["fortran"], "b": ARRAYS["ints"]}, compress=compress) for compress in (False, True)
]


@given(st.sampled_from(SAMPLES), st.data())
def test_any_flipped_byte_and_any_prefix_is_read_within_bounds_or_refused(sample, draw):
    at = draw.draw(st.integers(0, len(sample) - 1))
    changed = bytearray(sample)
    changed[at] ^= draw.draw(st.integers(1, 255))
    for data in (bytes(changed), sample[:at]):
        try:
            for found in read(data).values():
                found.values()
        except AllmendeError:
            continue
