"""`allmende inspect` on folders: what it finds, what it refuses, what it never waits for."""

import json
import os
import struct
from pathlib import Path

import pytest

from allmende.cli import inspection
from allmende.cli.entry import run
from allmende.cli.inspection import inspect_file, list_files, summarise
from allmende.errors import TooLarge


def safetensors(path: Path, shape: tuple[int, ...] = (2, 3)) -> None:
    elements = shape[0] * shape[1]
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "w": {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 4 * elements]},
        }
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * elements))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    safetensors(folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    (folder / "README.md").write_text("---\nlicense: mit\npipeline_tag: fill-mask\n---\n# A model\n")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return folder


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict:
    assert run(["inspect", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_model_is_told_from_its_files(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, str(model))
    assert found["schema"] == "allmende.inspect/1"
    files = {file["path"]: file for file in found["files"]}
    assert list(files) == ["README.md", "config.json", "model.safetensors"]
    assert files["model.safetensors"]["safetensors"] == {
        "total": 6,
        "parameters": {"F32": 6},
        "tensor_count": 1,
        "metadata": {"format": "pt"},
    }
    summary = found["summary"]
    assert summary["files"] == 3
    assert summary["formats"]["safetensors"]["count"] == 1
    assert (summary["library_name"], summary["pipeline_tag"]) == ("transformers", "fill-mask")
    assert {"safetensors", "bert"} <= set(summary["tags"])
    assert summary["card"] == {
        "data": {"license": "mit", "pipeline_tag": "fill-mask"},
        "errors": [],
        "warnings": [],
    }
    assert summary["config"]["model_type"] == "bert"


def test_tensors_are_listed_when_they_are_asked_for(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, str(model / "model.safetensors"), "--tensors")
    (file,) = found["files"]
    assert file["path"] == "model.safetensors"
    assert file["safetensors"]["tensors"] == [{"name": "w", "dtype": "F32", "shape": [2, 3]}]
    assert "card" not in found["summary"]


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "broken.gguf").write_bytes(b"GGUF" + struct.pack("<I", 99) + bytes(100))
    (model / "cut.safetensors").write_bytes((model / "model.safetensors").read_bytes()[:-1])
    found = answer(capsys, str(model), code=1)
    errors = {file["path"]: file["error"]["code"] for file in found["files"] if "error" in file}
    assert errors == {"broken.gguf": "malformed_gguf", "cut.safetensors": "malformed_safetensors"}
    assert found["summary"]["unreadable"] == 2


def test_a_name_that_promises_something_else_is_noted(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "innocent.safetensors").write_bytes(b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00K\x01.")
    found = answer(capsys, str(model))
    assert found["summary"]["misnamed"] == ["innocent.safetensors"]


def test_people_read_the_same(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(model), "--tensors"]) == 0
    text = capsys.readouterr().out
    assert "model.safetensors: " in text
    assert "6 parameters in 1 tensors (F32 6)" in text
    assert "library_name: transformers" in text
    assert "card license: mit" in text


def test_names_cannot_speak_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a\x1b[2Jb\nc.txt").write_text("x")
    (tmp_path / os.fsdecode(b"odd-\xff.txt")).write_text("x")
    assert run(["inspect", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "a\\x1b[2Jb\\nc.txt" in text
    assert "odd-\\xff.txt" in text


def test_a_broken_card_or_configuration_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: [\n---\n")
    (tmp_path / "config.json").write_text("{")
    summary = answer(capsys, str(tmp_path))["summary"]
    assert summary["card"]["errors"]
    assert summary["card"]["data"] == {}
    assert summary["config_error"]["code"] == "malformed_json"


def test_links_to_files_are_followed_and_links_to_folders_are_not(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "snapshot").mkdir(parents=True)
    (cache / "snapshot" / "weights.safetensors").symlink_to(model / "model.safetensors")
    (cache / "snapshot" / "loop").symlink_to(cache)
    (cache / "snapshot" / "nowhere").symlink_to(cache / "missing")
    found = {name: inspect_file(name, path, with_tensors=False) for name, path in list_files(cache)}
    assert sorted(found) == ["snapshot/nowhere", "snapshot/weights.safetensors"]
    assert found["snapshot/weights.safetensors"].format == "safetensors"
    assert found["snapshot/nowhere"].error == {
        "error": "No such file or directory.",
        "code": "not_readable",
    }


@pytest.mark.timeout(120)
def test_a_pipe_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "README.md")
    os.mkfifo(tmp_path / "config.json")
    found = answer(capsys, str(tmp_path), code=1)
    assert {file["error"]["code"] for file in found["files"]} == {"not_a_regular_file"}


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "MAX_FILES", 3)
    for number in range(4):
        (tmp_path / str(number)).touch()
    with pytest.raises(TooLarge):
        list(list_files(tmp_path))


def test_too_deep_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(inspection.MAX_DEPTH + 1):
        folder /= "d"
        folder.mkdir()
    with pytest.raises(TooLarge):
        list(list_files(tmp_path))


def test_an_empty_folder_is_no_error(tmp_path: Path) -> None:
    assert summarise(tmp_path, [], "model")["files"] == 0


def test_nothing_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(tmp_path / "missing")]) == 3
    assert "There is nothing at" in capsys.readouterr().err
