"""Safetensors files become tensors, and broken ones are refused."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allmende.errors import AllmendeError
from allmende.weights.opening import open_places
from allmende.weights.places import BytesPlace
from allmende.weights.reading_safetensors import read_safetensors_tensors

W = np.arange(6, dtype=np.float32).reshape(2, 3)
HEADER = json.dumps(
    {
        "__metadata__": {"format": "pt"},
        "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [24, 28]},
        "c": {"dtype": "C64", "shape": [1], "data_offsets": [28, 36]},
    }
).encode()
SAMPLE = len(HEADER).to_bytes(8, "little") + HEADER + W.tobytes() + b"\x80\x3f\x00\xc0" + bytes(8)


def test_tensors_and_metadata():
    tensors, said = read_safetensors_tensors(BytesPlace("m.safetensors", SAMPLE))
    assert said == {"format": "pt"}
    assert [(tensor.name, tensor.dtype, tensor.shape) for tensor in tensors] == [
        ("w", "F32", (2, 3)),
        ("b", "BF16", (2,)),
    ]
    assert np.array_equal(tensors[0].values(), W.ravel())
    assert tensors[1].values().tolist() == [1, -2]


@given(st.data())
def test_any_flipped_byte_and_any_prefix_is_read_within_bounds_or_refused(draw):
    at = draw.draw(st.integers(0, len(SAMPLE) - 1))
    changed = bytearray(SAMPLE)
    changed[at] ^= draw.draw(st.integers(1, 255))
    for data in (bytes(changed), SAMPLE[:at]):
        try:
            for found in open_places("m", [BytesPlace("m.safetensors", data)]).tensors.values():
                found.values()
                found.at(np.arange(found.elements))
        except AllmendeError:
            continue
