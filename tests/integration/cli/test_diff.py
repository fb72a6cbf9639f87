"""`allmende diff` on folders: what it says, in which form, and with which exit code."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFWriter

from allmende.cli.entry import run

Command = Callable[..., str]
Answer = Callable[..., dict[str, Any]]

TYPES = {"float32": "F32", "float16": "F16"}


def write(folder: Path, tensors: dict[str, np.ndarray], **texts: object) -> Path:
    folder.mkdir()
    header, blobs, at = {}, [], 0
    for name, values in tensors.items():
        raw = values.tobytes()
        header[name] = {
            "dtype": TYPES[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [at, at + len(raw)],
        }
        blobs.append(raw)
        at += len(raw)
    head = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + b"".join(blobs))
    for name, held in texts.items():
        (folder / f"{name}.json").write_text(json.dumps(held))
    return folder


def bert(seed: int = 1) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    tensors = {"embeddings.word_embeddings.weight": random.standard_normal((50, 16)).astype(np.float32)}
    for layer in range(3):
        for part in ("query", "value"):
            name = f"encoder.layer.{layer}.attention.self.{part}.weight"
            tensors[name] = random.standard_normal((16, 16)).astype(np.float32)
    return tensors


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write(tmp_path / "base", bert(), config={"vocab_size": 50})


@pytest.fixture
def tuned(tmp_path: Path) -> Path:
    random = np.random.default_rng(2)
    tensors = bert()
    for layer in range(3):
        low = random.standard_normal((16, 2)) @ random.standard_normal((2, 16)) * 0.01
        tensors[f"encoder.layer.{layer}.attention.self.query.weight"] += low.astype(np.float32)
    tensors["classifier.weight"] = np.ones((2, 16), np.float32)
    return write(tmp_path / "tuned", tensors, config={"vocab_size": 50, "num_labels": 2})


def test_what_changed_is_told(base: Path, tuned: Path, command: Command) -> None:
    out = command("diff", str(base), str(tuned), code=1)
    assert "3 of 7 tensors in both changed" in out
    assert "The change has rank 2 in 3 of 3 changed matrices" in out
    assert "1 tensor added in B: classifier.weight." in out
    (line,) = [line for line in out.splitlines() if line.startswith("layer 1 ")]
    assert line.split()[-1] == "1/2"
    assert "num_labels: (absent) → 2" in out


def test_the_same_model_ends_with_zero(base: Path, tmp_path: Path, command: Command) -> None:
    copy = write(tmp_path / "copy", dict(reversed(bert().items())), config={"vocab_size": 50})
    assert "All 7 tensors in both hold the same values." in command("diff", str(base), str(copy))


def test_a_difference_of_texts_alone_is_a_difference(base: Path, tmp_path: Path, command: Command) -> None:
    other = write(tmp_path / "other", bert(), config={"vocab_size": 51})
    assert "vocab_size: 50 → 51" in command("diff", str(base), str(other), code=1)


def test_single_files_are_compared_without_texts(base: Path, tmp_path: Path, command: Command) -> None:
    other = write(tmp_path / "other", bert(), config={"vocab_size": 51})
    command("diff", str(base / "model.safetensors"), str(other / "model.safetensors"))


def test_the_answer_in_json(base: Path, tuned: Path, answer: Answer) -> None:
    found = answer("diff", str(base), str(tuned), code=1)
    assert found["schema"] == "allmende.diff/1"
    assert found["differs"] is True
    assert [layer["label"] for layer in found["layers"]] == [
        "input",
        "layer 0",
        "layer 1",
        "layer 2",
        "output",
    ]
    assert found["layers"][1]["kinds"]["q"]["figures"]["changed"] == 256
    assert found["tensor_counts"] == {
        "same": 4, "changed": 3, "rows": 0, "reshaped": 0, "retyped": 0, "added": 1, "removed": 0,
    }  # fmt: skip
    assert found["texts"]["keys"]["config.json"]["count"] == 1
    assert "tensors" not in found
    listed = answer("diff", str(base), str(tuned), "--tensors", code=1)["tensors"]
    assert len(listed) == 7
    spectra = [tensor["spectrum"] for tensor in listed if tensor["spectrum"] is not None]
    assert [spectrum["rank"] for spectrum in spectra] == [2, 2, 2]


def test_tensors_are_listed_when_they_are_asked_for(base: Path, tuned: Path, command: Command) -> None:
    out = command("diff", str(base), str(tuned), "--tensors", code=1)
    (line,) = [line for line in out.splitlines() if line.startswith("encoder.layer.0.attention.self.query")]
    assert line.split()[1:3] == ["16\N{MULTIPLICATION SIGN}16", "F32"]
    assert line.split()[-1] == "2"
    assert "only in B" in out


def test_the_report_is_written(base: Path, tuned: Path, tmp_path: Path, command: Command) -> None:
    page = tmp_path / "report.html"
    command("diff", str(base), str(tuned), "--html", str(page), code=1)
    text = page.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert "classifier.weight" in text


def test_a_report_that_cannot_be_written_is_said_before_the_work(base: Path, capsys: Any) -> None:
    assert run(["diff", str(base), str(base), "--html", str(base)]) == 2
    assert run(["diff", str(base), str(base), "--html", str(base / "none" / "x.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_missing_path_and_a_folder_without_weights(base: Path, tmp_path: Path, capsys: Any) -> None:
    assert run(["diff", str(base), str(tmp_path / "nowhere")]) == 3
    assert "There is nothing at" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run(["diff", str(base), str(tmp_path / "empty")]) == 3
    assert "no weights" in capsys.readouterr().err


def test_broken_weights_are_an_error(base: Path, tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes()[:-8])
    assert run(["diff", str(base), str(folder)]) == 2
    assert "error: " in capsys.readouterr().err


def test_ctrl_c_ends_it_cleanly(
    base: Path, tuned: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("allmende.weights.diff.spectrum_of_change", interrupted)
    assert run(["diff", str(base), str(tuned)]) == 130
    assert capsys.readouterr().out == ""


def test_what_a_terminal_would_obey_is_not_printed(base: Path, tmp_path: Path, command: Command) -> None:
    tensors = bert() | {"\x1b]0;evil\x07.weight": np.ones(3, np.float32)}
    other = write(tmp_path / "other", tensors, config={"\x1b[2J": "\x1b[31m"})
    for more in ([], ["--tensors"]):
        assert "\x1b" not in command("diff", str(base), str(other), *more, code=1)


def test_a_gguf_of_the_same_weights_is_the_same_model(tmp_path: Path, command: Command) -> None:
    heads, width = 4, 32
    random = np.random.default_rng(5)
    names = {f"model.layers.0.self_attn.{part}_proj.weight": f"blk.0.attn_{part}.weight" for part in "qkv"}
    names |= {"model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
    tensors = {name: random.standard_normal((width, width)).astype(np.float32) for name in names}
    tensors["model.norm.weight"] = random.standard_normal(width).astype(np.float32)
    folder = write(tmp_path / "plain", tensors)
    writer = GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_block_count(1)
    for name, values in tensors.items():
        # llama.cpp keeps the two halves of each head's rotary pairs beside each other.
        pairs = values.reshape(heads, 2, width // heads // 2, -1).swapaxes(1, 2).reshape(values.shape)
        writer.add_tensor(
            names[name], np.ascontiguousarray(pairs if "_attn.q" in name or ".k_" in name else values)
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    out = command("diff", str(folder), str(tmp_path / "model.gguf"))
    assert "All 5 tensors in both hold the same values." in out
