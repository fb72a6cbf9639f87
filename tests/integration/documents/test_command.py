"""`allmende document` on a folder and against a hub: formats, exit codes, additions, all at once."""

import json
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from allmende.cli.entry import run
from tests.unit.documents.described import minilm, written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "tuned"
    model.mkdir()
    (model / "README.md").write_text(
        "---\nlicense: mit\npipeline_tag: text-generation\n---\n# Tuned\n\nText.\n"
    )
    (model / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}')
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    (model / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    return model


def add(folder: Path, text: str) -> None:
    head = "schema: allmende.model-documents/1\ndeclared_by: Me\ndeclared_on: 2026-11-01\n"
    (folder / "model-documents.yaml").write_text(head + text)


def test_a_draft_is_one_and_the_same_each_time(
    folder: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    told = []
    for _ in range(2):
        assert run(["document", str(folder), "--kind", "annex-xii", "--format", "json"]) == 1
        told.append(capsysbinary.readouterr().out)
    assert told[0] == told[1]
    document = json.loads(told[0])
    assert document["schema"] == "allmende.document/1"
    assert document["draft"] is True


def test_additions_beside_the_card_are_read(folder: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    add(folder, "use:\n  acceptable: Be kind.\n")
    assert run(["document", str(folder), "--kind", "annex-xii", "--lang", "de"]) == 1
    assert "Be kind." in capsysbinary.readouterr().out.decode()


def test_faults_are_questions_and_no_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(folder, "use:\n  acceptible: x\ncompute:\n  flop: much\n")
    assert run(["document", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "Is acceptable meant?" in err
    assert "compute.flop" in err


def test_all_documents_one_for_each_recipient(folder: Path, tmp_path: Path) -> None:
    assert run(["document", str(folder), "--all", str(tmp_path / "out")]) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "annex-xi.ai-office.en.md", "annex-xi.national.en.md", "annex-xii.downstream.en.md",
        "copyright.public.en.md", "model-form.ai-office.en.md", "model-form.downstream.en.md",
        "model-form.national.en.md", "summary.public.en.md",
    ]  # fmt: skip


def test_a_modification_needs_what_was_before(folder: Path, tmp_path: Path) -> None:
    assert run(["document", str(folder), "--kind", "modification"]) == 2
    target = tmp_path / "m.md"
    arguments = [
        "document",
        str(folder),
        "--kind",
        "modification",
        "--against",
        str(folder),
        "-o",
        str(target),
    ]
    assert run(arguments) == 1
    assert "The weights are the same." in target.read_text("utf-8")


@pytest.fixture
def hub() -> Iterator[str]:
    """A hub that has a record of one model, and the publisher's additions beside it."""
    answers = {
        "/api/allmende/v1/models/commons/all-MiniLM-L6-v2/record/main": json.dumps(
            minilm().document
        ).encode(),
        "/commons/all-MiniLM-L6-v2/resolve/main/model-documents.yaml": written(
            use={"acceptable": "Be kind."}
        ),
        "/api/allmende/v1/models/commons/bare/record/main": json.dumps(minilm().document).encode(),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("name", "kind"), [("all-MiniLM-L6-v2", True), ("bare", False)])
def test_a_hub_gives_record_and_additions(
    hub: str, name: str, kind: bool, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    arguments = ["document", f"commons/{name}", "--kind", "annex-xii", "--endpoint", hub]
    assert run(arguments) == 1
    out = capsysbinary.readouterr().out.decode()
    assert ("Be kind." in out) is kind
    assert "hub.example.org/commons/all-MiniLM-L6-v2" in out
