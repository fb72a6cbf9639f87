"""`allmende inspect` on weights: other files than safetensors and GGUF, and models as a whole."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from allmende.cli.entry import run


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict:
    assert run(["inspect", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    header, blobs, at = {}, [], 0
    held = {"h.0.attn.q.weight": np.eye(4), "h.1.attn.q.weight": np.zeros((4, 4)), "wte.weight": np.eye(4)}
    held["h.1.attn.q.bias"] = np.array([1, np.nan, 2, 3])
    for name, values in held.items():
        raw = values.astype(np.float32).tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [at, at + len(raw)],
        }
        blobs.append(raw)
        at += len(raw)
    head = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + b"".join(blobs))
    return folder


def test_the_weights_of_a_model_are_summed_up(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, str(model))["summary"]["weights"] == {
        "layout": "safetensors",
        "parameters": 52,
        "tensor_count": 4,
        "dtypes": {"F32": 52},
        "layers": {"h": 2},
        "problems": [],
    }


def test_what_is_odd_is_told_when_values_are_asked_for(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = answer(capsys, str(model), "--values")["summary"]["weights"]
    assert weights["odd_counts"] == {"zero": 1, "nan": 1}
    assert {"tensor": "h.1.attn.q.bias", "what": "nan", "count": 1} in weights["odd"]
    assert run(["inspect", str(model), "--values"]) == 0
    out = capsys.readouterr().out
    assert "weights: 52 parameters in 4 tensors (F32 52)" in out
    assert "layers: 2 in h" in out
    assert "zero: h.1.attn.q.weight (16 values)" in out


def test_arrays_of_numpy_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "arrays.npz", a=np.ones((2, 3), np.float32), b=np.arange(4))
    (file,) = answer(capsys, str(tmp_path), "--tensors")["files"]
    assert file["npz"] == {
        "total": 10,
        "parameters": {"F32": 6, "I64": 4},
        "tensor_count": 2,
        "tensors": [
            {"name": "a", "dtype": "F32", "shape": [2, 3]},
            {"name": "b", "dtype": "I64", "shape": [4]},
        ],
    }


def test_objects_in_arrays_are_no_broken_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "objects.npz", a=np.array([{}], object))
    (file,) = answer(capsys, str(tmp_path))["files"]
    assert file["weights_error"]["code"]
    assert "error" not in file
    assert run(["inspect", str(tmp_path)]) == 0
    assert "no tensors read" in capsys.readouterr().out


def test_weights_that_cannot_be_read_are_told_once_more(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    weights = answer(capsys, str(model), code=1)["summary"]["weights"]
    assert set(weights) == {"error", "code"}


def test_a_folder_without_weights_has_no_summary_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert "weights" not in answer(capsys, str(tmp_path))["summary"]


@pytest.mark.torch
def test_torch_checkpoints_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    torch.save({"state_dict": {"layers.0.w": torch.ones(2, 3, dtype=torch.bfloat16)}}, tmp_path / "model.pt")
    (file,) = answer(capsys, str(tmp_path), "--tensors")["files"]
    assert file["torch_zip"]["tensors"] == [{"name": "layers.0.w", "dtype": "BF16", "shape": [2, 3]}]
