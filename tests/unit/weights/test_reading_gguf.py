"""GGUF files become tensors whose shapes are those of the framework."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFEndian, GGUFWriter
from gguf.quants import dequantize, quantize
from hypothesis import given
from hypothesis import strategies as st

from allmende.errors import AllmendeError
from allmende.weights import UnreadableWeights, open_places
from allmende.weights.places import BytesPlace
from allmende.weights.reading_gguf import read_gguf_tensors

W = np.random.default_rng(2).standard_normal((4, 64)).astype(np.float32)


def written(path: Path, endian: GGUFEndian = GGUFEndian.LITTLE) -> bytes:
    writer = GGUFWriter(path, "llama", endianess=endian)
    writer.add_uint32("llama.attention.head_count", 4)
    writer.add_tensor("plain", W)
    writer.add_tensor("half", W.astype(np.float16))
    raw = quantize(W, GGMLQuantizationType.Q4_0)
    writer.add_tensor("q4", raw, raw_dtype=GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def test_tensors_and_metadata(tmp_path):
    tensors, said = read_gguf_tensors(BytesPlace("m.gguf", written(tmp_path / "m")))
    found = {tensor.name: tensor for tensor in tensors}
    assert said["llama.attention.head_count"] == "4"
    assert [(tensor.dtype, tensor.shape) for tensor in tensors] == [
        ("F32", (4, 64)),
        ("F16", (4, 64)),
        ("Q4_0", (4, 64)),
    ]
    assert np.array_equal(found["plain"].values(), W.ravel())
    assert np.array_equal(found["half"].values(), W.astype(np.float16).astype(np.float32).ravel())
    raw = quantize(W, GGMLQuantizationType.Q4_0)
    assert np.array_equal(found["q4"].values(), dequantize(raw, GGMLQuantizationType.Q4_0).ravel())
    assert np.array_equal(found["q4"].rows(np.array([2])), dequantize(raw, GGMLQuantizationType.Q4_0)[[2]])


def test_big_endian_files_are_refused(tmp_path):
    with pytest.raises(UnreadableWeights, match="big-endian"):
        read_gguf_tensors(BytesPlace("m.gguf", written(tmp_path / "m", GGUFEndian.BIG)))


@given(st.data())
def test_any_flipped_byte_and_any_prefix_is_read_within_bounds_or_refused(tmp_path_factory, draw):
    sample = written(tmp_path_factory.getbasetemp() / "sample.gguf")
    at = draw.draw(st.integers(0, len(sample) - 1))
    changed = bytearray(sample)
    changed[at] ^= draw.draw(st.integers(1, 255))
    for data in (bytes(changed), sample[:at]):
        try:
            for found in open_places("m", [BytesPlace("m.gguf", data)]).tensors.values():
                found.values()
        except AllmendeError:
            continue
