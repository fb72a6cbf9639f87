"""`allmende sign`: what it writes, what it refuses, and that others' words do not reach the terminal raw."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from allmende.cli import main
from allmende.proof import (
    Signer,
    generate_signer,
    read_model_signature,
    trust_certificates,
    trust_keys,
    verify_model_signature,
)
from tests.unit.proof.made_models import FILES, NOW, issue, table

Key = tuple[Path, Signer]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["allmende", "sign", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), told.out, told.err

    return call


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    more = {".git/HEAD": b"x", ".cache/huggingface/trace": b"y", ".gitattributes": b"z"}
    for path, data in {**FILES, **more}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, Signer]:
    signer = generate_signer()
    path = tmp_path / "key.pem"
    path.write_text(signer.pem())
    return path, signer


def test_a_folder_is_signed_and_the_signature_is_valid(run: Run, model: Path, key: Key) -> None:
    path, signer = key
    code, out, _ = run(model, "--key", path, "--json")
    told = json.loads(out)
    assert (code, told["schema"], told["files"], told["method"]) == (0, "allmende.sign/1", 3, "key")
    data = (model / "model.sig").read_bytes()
    report = verify_model_signature(data, table(FILES), trust_keys([signer.public]), NOW)
    assert (report.state, report.model_name, told["key_id"]) == ("valid", "model", signer.public.id)
    assert set(read_model_signature(data).manifest.ignored) == {
        ".cache/huggingface", ".git", ".gitattributes", ".github", ".gitignore", "model.sig",
    }  # fmt: skip


def test_a_certificate_is_carried(run: Run, model: Path, tmp_path: Path) -> None:
    root = issue("root")
    leaf = issue("leaf", root)
    (tmp_path / "leaf.pem").write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "leaf.key").write_text(leaf.signer.pem())
    elsewhere = tmp_path / "elsewhere.sig"
    run(model, "--key", tmp_path / "leaf.key", "--certificate", tmp_path / "leaf.pem", "-o", elsewhere)
    trust = trust_certificates([root.certificate])
    assert verify_model_signature(elsewhere.read_bytes(), table(FILES), trust, NOW).state == "valid"
    assert not (model / "model.sig").exists()


def test_a_single_file_is_signed_beside_it(run: Run, model: Path, key: Key) -> None:
    code, out, _ = run(model / "config.json", "--key", key[0])
    assert (code, out.strip()) == (0, str(model / "config.json.sig"))
    data = (model / "config.json.sig").read_bytes()
    files = table({"config.json": FILES["config.json"]})
    assert verify_model_signature(data, files, trust_keys([key[1].public]), NOW).state == "valid"


def test_an_older_signature_is_not_written_over(run: Run, model: Path, key: Key) -> None:
    run(model, "--key", key[0])
    before = (model / "model.sig").read_bytes()
    code, _, said = run(model, "--key", key[0])
    assert (code, (model / "model.sig").read_bytes()) == (4, before)
    assert "--replace" in said
    assert run(model, "--key", key[0], "--replace")[0] == 0
    assert (model / "model.sig").read_bytes() != before


def test_passwords(run: Run, model: Path, key: Key, tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    locked.write_text(key[1].pem("geheim"))
    (tmp_path / "right").write_text("geheim\n")
    (tmp_path / "wrong").write_text("falsch\n")
    assert run(model, "--key", locked)[0] == 2
    assert run(model, "--key", locked, "--password-file", tmp_path / "wrong")[0] == 2
    assert run(model, "--key", locked, "--password-file", tmp_path / "right")[0] == 0


def test_what_cannot_be_covered_is_refused_and_named(run: Run, model: Path, key: Key) -> None:
    (model / "link").symlink_to("config.json")
    code, _, said = run(model, "--key", key[0])
    assert code == 2
    assert "link is a symbolic link" in said
    assert not (model / "model.sig").exists()
    assert run(model, "--key", key[0], "--ignore", "link")[0] == 0
    os.mkfifo(model / "pipe")
    assert run(model, "--key", key[0], "--ignore", "link", "--replace")[0] == 2


def test_refusals(run: Run, model: Path, key: Key, tmp_path: Path) -> None:
    (tmp_path / "ed").write_text(generate_signer("ed25519").pem())
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "nowhere", "--key", key[0])[0] == 3
    assert run(tmp_path / "empty", "--key", key[0])[0] == 2
    assert run(model, "--key", tmp_path / "ed")[0] == 2
    assert run(model, "--key", model / "config.json")[0] == 2
    assert run(model, "--key", key[0], "--ignore", "../up")[0] == 2
    assert run(model, "--key", tmp_path / "no key")[0] == 74
    assert not (model / "model.sig").exists()
