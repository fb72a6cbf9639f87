"""Folders and files of every layout become a model."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from allmende.weights import (
    BytesMissing,
    NoWeights,
    UnreadableWeights,
    choose_weights,
    open_model,
    open_places,
)
from allmende.weights.places import BytesPlace
from tests.unit.formats.torch_files import Saved, torch_zip
from tests.unit.weights.test_reading_onnx import external, model, proto

W = np.arange(6, dtype=np.float32).reshape(2, 3)


def safetensors(**arrays: np.ndarray) -> bytes:
    header: dict = {}
    data = b""
    for name, array in arrays.items():
        dtype = {"float32": "F32", "int8": "I8"}[array.dtype.name]
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + array.nbytes],
        }
        data += array.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def npz(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, w=array)
    return buffer.getvalue()


LAYOUTS = {
    "model.safetensors": ("safetensors", safetensors(w=W)),
    "pytorch_model.bin": ("torch", torch_zip({"w": Saved(W)})),
    "model.onnx": ("onnx", model(proto("w", 1, [2, 3], external(location="model.onnx_data", offset=2)))),
    "weights.npz": ("npz", npz(W)),
}


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("whole_folder", [True, False])
def test_every_layout(tmp_path, name, whole_folder):
    layout, data = LAYOUTS[name]
    path = put(tmp_path, name, data)
    put(tmp_path, "model.onnx_data", b"xx" + W.tobytes())
    found = open_model(tmp_path if whole_folder else path)
    assert found.layout == layout
    assert np.array_equal(found.tensors["w"].values(), W.ravel())
    assert not found.problems


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "weights.npz"])
def test_a_file_is_known_by_its_bytes(tmp_path, name):
    layout, data = LAYOUTS[name]
    assert open_model(put(tmp_path, "0a1b2c", data)).layout == layout


def test_the_index_says_which_shards_there_are(tmp_path):
    put(tmp_path, "model-00001-of-00002.safetensors", safetensors(a=W))
    put(tmp_path, "model-00002-of-00002.safetensors", safetensors(b=W))
    put(tmp_path, "model-00001-of-00009.safetensors", safetensors(old=W))
    weight_map = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = put(tmp_path, "model.safetensors.index.json", json.dumps({"weight_map": weight_map}).encode())
    found = open_model(tmp_path)
    assert set(found.tensors) == {"a", "b"}
    assert not found.problems
    index.write_text(json.dumps({"weight_map": weight_map | {"c": "../secret.safetensors"}}))
    assert "is missing" in open_model(tmp_path).problems[0]
    index.write_text("{")
    assert "model.safetensors.index.json" in open_model(tmp_path).problems[0]


def test_parts_in_folders_keep_their_folders_names(tmp_path):
    put(tmp_path, "unet/diffusion_pytorch_model.safetensors", safetensors(w=W))
    put(tmp_path, "vae/diffusion_pytorch_model.safetensors", safetensors(w=W))
    assert set(open_model(tmp_path).tensors) == {"unet.w", "vae.w"}


def test_one_folder_alone_is_not_named(tmp_path):
    put(tmp_path, "checkpoint-5/model.safetensors", safetensors(w=W))
    assert set(open_model(tmp_path).tensors) == {"w"}


def test_quantised_tensors_are_joined_across_shards():
    scale = np.array([2.0, 3.0], np.float32)
    places = [
        BytesPlace("model-00001-of-00002.safetensors", safetensors(**{"a.weight": W.astype(np.int8)})),
        BytesPlace("model-00002-of-00002.safetensors", safetensors(**{"a.weight_scale": scale})),
    ]
    found = open_places("m", places)
    assert list(found.tensors) == ["a.weight"]
    assert np.array_equal(found.tensors["a.weight"].values(), (W * scale[:, None]).ravel())


def test_broken_files_are_told_and_the_others_read(tmp_path):
    places = [BytesPlace("a.safetensors", safetensors(w=W)), BytesPlace("b.safetensors", b"broken")]
    found = open_places("m", places)
    assert set(found.tensors) == {"w"}
    assert found.problems[0].startswith("b.safetensors: ")
    with pytest.raises(UnreadableWeights, match=r"b\.safetensors"):
        open_places("m", places[1:])
    with pytest.raises(NoWeights):
        open_places("m", [BytesPlace("README", b"hello")])
    with pytest.raises(NoWeights):
        open_model(tmp_path)
    assert choose_weights(["README"]) == []


def test_external_numbers_are_found_among_the_places():
    places = [
        BytesPlace("onnx/model.onnx", LAYOUTS["model.onnx"][1]),
        BytesPlace("onnx/model.onnx_data", b"xx" + W.tobytes()),
    ]
    found = open_places("m", places)
    assert np.array_equal(found.tensors["w"].values(), W.ravel())


def test_a_place_ends_where_it_ends():
    with pytest.raises(BytesMissing):
        BytesPlace("x", b"abc").read_at(2, 2)
    with pytest.raises(BytesMissing):
        BytesPlace("x", b"abc").read_at(-1, 1)
