"""Initialisers are read as ONNX has them, wherever their numbers lie."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.errors import AllmendeError
from allmende.formats import MalformedOnnx
from allmende.weights.places import BytesPlace, Place
from allmende.weights.reading_onnx import read_onnx_tensors
from allmende.weights.tensors import WeightTensor


def varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def item(number: int, payload: "bytes | int") -> bytes:
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def proto(name: str, kind: int, dims: list[int], *fields: bytes) -> bytes:
    said = b"".join(item(1, length) for length in dims) + item(2, kind) + item(8, name.encode())
    return item(5, said + b"".join(fields))


def model(*initializers: bytes) -> bytes:
    node = item(1, item(4, b"MatMul"))
    return (
        item(1, 8) + item(2, b"tests") + item(7, node + b"".join(initializers) + node) + item(8, item(2, 17))
    )


def read(data: bytes, files: dict[str, bytes] | None = None) -> dict[str, WeightTensor]:
    def beside(name: str) -> Place | None:
        found = (files or {}).get(name)
        return None if found is None else BytesPlace(name, found)

    return {tensor.name: tensor for tensor in read_onnx_tensors(BytesPlace("m.onnx", data), beside)[0]}


W = np.arange(6, dtype=np.float32).reshape(2, 3)
RAW = item(9, W.tobytes())


def external(**entries: object) -> bytes:
    pairs = [item(13, item(1, key.encode()) + item(2, str(value).encode())) for key, value in entries.items()]
    return b"".join(pairs) + item(14, 1)


def test_numbers_in_every_field():
    packed_dims = item(5, item(1, varint(2) + varint(3)) + item(2, 1) + item(8, b"packed") + RAW)
    floats_one_by_one = b"".join(varint(4 << 3 | 5) + struct.pack("<f", value) for value in W.ravel())
    halves = np.array([0.5, -1], np.float16)
    data = model(
        proto("raw", 1, [2, 3], RAW),
        packed_dims,
        proto("floats", 1, [2, 3], item(4, W.tobytes())),
        proto("single", 1, [2, 3], floats_one_by_one),
        proto("doubles", 11, [2], item(10, np.array([1.5, 2.5]).tobytes())),
        proto("ints", 7, [3], item(7, varint(5) + varint(2**64 - 1) + varint(0))),
        proto("int8", 3, [2], item(5, varint(2**64 - 3) + varint(7))),
        proto("half", 10, [2], item(5, b"".join(varint(int(word)) for word in halves.view("<u2")))),
        proto("scalar", 1, [], item(9, struct.pack("<f", 3))),
        proto("text", 8, [1], item(6, b"hello")),
        proto("beside", 1, [2, 3], external(location="./m.data", offset=4, length=24)),
        proto("rest", 1, [2, 3], external(location="m.data", offset=4)),
    )
    found = read(data, {"m.data": b"head" + W.tobytes()})
    assert "text" not in found
    for name in ("raw", "packed", "floats", "single", "beside", "rest"):
        assert found[name].shape == (2, 3)
        assert np.array_equal(found[name].values(), W.ravel()), name
        assert np.array_equal(found[name].at(np.array([5, 0])), [5, 0])
    assert found["doubles"].values().tolist() == [1.5, 2.5]
    assert found["ints"].values().tolist() == [5, -1, 0]
    assert found["int8"].values().tolist() == [-3, 7]
    assert found["half"].values().tolist() == [0.5, -1]
    assert found["scalar"].values().tolist() == [3]


@pytest.mark.parametrize(
    ("initializer", "part"),
    [
        (proto("w", 1, [2, 4], RAW), "not the bytes"),
        (proto("w", 1, [2**63, 3], RAW), "shape that is none"),
        (proto("w", 1, [1] * 70, RAW), "shape that is none"),
        (proto("w", 1, [2**62, 2**62], RAW), "not the bytes"),
        (proto("w", 1, [2, 3], external(location="../../etc/passwd")), "outside of the model's folder"),
        (proto("w", 1, [2, 3], external(location="/etc/passwd")), "outside of the model's folder"),
        (proto("w", 1, [2, 3], external(location="a\\..\\b")), "outside of the model's folder"),
        (proto("w", 1, [2, 3], external(location="c:b")), "outside of the model's folder"),
        (proto("w", 1, [2, 3], external(offset=3)), "outside of the model's folder"),
        (proto("w", 1, [2, 3], external(location="none")), "missing"),
        (proto("w", 1, [2, 3], external(location="m.data", offset=5)), "ends outside"),
        (proto("w", 1, [2, 3], external(location="m.data", length=5)), "ends outside"),
        (proto("w", 1, [2, 3], external(location="m.data", offset=-5)), "no number"),
        (
            proto("w", 1, [2, 3], item(9, b"x")[:-1] + b"\xff" * 9),
            "outside of its message|unknown kind|not end",
        ),
        (proto("w" * 5000, 1, [2, 3], RAW), "name of 5000 bytes"),
    ],
)
def test_bad_initializers_are_refused(initializer, part):
    with pytest.raises(MalformedOnnx, match=part):
        read(model(initializer), {"m.data": bytes(28)})


def test_bytes_shared_too_often_are_beyond_the_limits():
    shared = [proto(f"w{n}", 1, [100, 100], external(location="m.data")) for n in range(100)]
    with pytest.raises(MalformedOnnx, match="take 4000000 bytes") as caught:
        read(model(*shared), {"m.data": bytes(40_000)})
    assert caught.value.code == "onnx_beyond_limits"


def test_many_fields_are_beyond_the_limits():
    with pytest.raises(MalformedOnnx, match="fields") as caught:
        read(item(7, item(3, 0) * 200_001))
    assert caught.value.code == "onnx_beyond_limits"


SAMPLE = model(
    proto("raw", 1, [2, 3], RAW),
    proto("i", 7, [1], item(7, varint(5))),
    proto("x", 1, [1], external(location="m")),
)


@given(st.data())
def test_any_flipped_byte_and_any_prefix_is_read_within_bounds_or_refused(draw):
    at = draw.draw(st.integers(0, len(SAMPLE) - 1))
    changed = bytearray(SAMPLE)
    changed[at] ^= draw.draw(st.integers(1, 255))
    for data in (bytes(changed), SAMPLE[:at]):
        try:
            for found in read(data, {"m": bytes(4)}).values():
                found.values()
        except AllmendeError:
            continue


@pytest.mark.torch
@pytest.mark.parametrize("outside", [False, True])
def test_what_onnx_writes(tmp_path: Path, outside):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    arrays: dict[str, np.ndarray] = {
        "w": np.random.default_rng(1).standard_normal((40, 30)).astype(np.float32),
        "h": np.arange(300, dtype=np.float16),
        "i": np.arange(5, dtype=np.int64),
    }
    made = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    made += [helper.make_tensor("typed", TensorProto.FLOAT, [3], [1, 2, 3])]
    made += [helper.make_tensor("bf16", TensorProto.BFLOAT16, [2], [1.5, -2])]
    graph = helper.make_graph([], "g", [], [], made)
    path = tmp_path / "m.onnx"
    onnx.save_model(
        helper.make_model(graph),
        str(path),
        save_as_external_data=outside,
        location="m.data",
        size_threshold=100,
    )
    files = {"m.data": (tmp_path / "m.data").read_bytes()} if outside else {}
    found = read(path.read_bytes(), files)
    for name, array in arrays.items():
        assert np.array_equal(found[name].values().reshape(array.shape), array)
    assert found["typed"].values().tolist() == [1, 2, 3]
    assert found["bf16"].values().tolist() == [1.5, -2]
