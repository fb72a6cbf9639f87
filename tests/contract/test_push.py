"""`allmende push`: what the hub lacks goes there, and of a fine-tune whose base it has only what is new."""

import hashlib
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.clients import Client
from tests.contract.conftest import ClientOf
from tests.contract.test_pull import pulled
from tests.contract.test_pull_packed import SETTINGS, family
from tests.hubs import RunningHub
from tests.nursery import run_command


def pushed(client: Client, *arguments: str, code: int = 0) -> Any:
    """What `allmende push --json` says, run with the client's home and token; its errors where it fails."""
    done = run_command(["push", *arguments, "--json"], env=client.environment, cwd=client.home)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


@pytest.fixture(scope="module")
def own_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with RunningHub(tmp_path_factory.mktemp("hub") / "data", SETTINGS) as hub:
        yield hub


@pytest.fixture
def published(own_hub: RunningHub, client_of: ClientOf, tmp_path: Path) -> tuple[str, bytes, bytes]:
    """A base that is on the hub; its bytes, and those of a fine-tune."""
    base, tuned = family()
    repo = f"alice/base-{uuid4().hex[:8]}"
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(base)
    pushed(client_of("alice", endpoint=own_hub.url), str(folder), repo, "--create")
    return repo, base, tuned


def folder_of(place: Path, weights: bytes, card: str = "# A model\n") -> Path:
    place.mkdir()
    (place / "model.safetensors").write_bytes(weights)
    (place / "README.md").write_text(card)
    (place / "config.json").write_text("{}")
    return place


def test_of_a_fine_tune_only_what_is_new_is_sent(
    own_hub: RunningHub, published: tuple[str, bytes, bytes], client_of: ClientOf, tmp_path: Path
) -> None:
    """The base is on the hub, plain and not packed; here it lies in the Hugging Face cache."""
    repo, _, tuned = published
    client = client_of("bob", endpoint=own_hub.url)
    pulled(client, repo)
    folder = folder_of(tmp_path / "tuned", tuned, f"---\nbase_model: {repo}\n---\n# Tuned\n")
    mine = f"bob/tuned-{uuid4().hex[:8]}"
    said = pushed(client, str(folder), mine, "--create")
    assert said["delta_bytes"] == len(tuned)
    assert said["sent_bytes"] < 0.15 * len(tuned), said
    assert said["files"] == 3
    came = pulled(client_of("alice", endpoint=own_hub.url), mine, "--into", str(tmp_path / "came"))
    assert came["commit"] == said["commit"]
    assert (tmp_path / "came" / "model.safetensors").read_bytes() == tuned
    again = pushed(client, str(folder), mine)
    assert again["commit"] is None
    assert again["sent_bytes"] == 0
    assert again["present_bytes"] == again["size_bytes"]


def test_a_folder_as_base_and_a_path_in_the_repo(
    own_hub: RunningHub, published: tuple[str, bytes, bytes], client_of: ClientOf, tmp_path: Path
) -> None:
    _, base, tuned = published
    here = folder_of(tmp_path / "base", base)
    folder = folder_of(tmp_path / "tuned", tuned)
    client = client_of("bob", endpoint=own_hub.url)
    mine = f"bob/tuned-{uuid4().hex[:8]}"
    arguments = ("--path-in-repo", "step-1", "--exclude", "*.json", "--private", "--base", str(here))
    said = pushed(client, str(folder), mine, *arguments)
    assert said["sent_bytes"] < 0.15 * len(tuned)
    pulled(client, mine, "--into", str(tmp_path / "came"))
    assert (tmp_path / "came" / "step-1" / "model.safetensors").read_bytes() == tuned
    assert not (tmp_path / "came" / "step-1" / "config.json").exists()
    # It is private.
    assert "not found" in pulled(client_of("alice", endpoint=own_hub.url), mine, code=3)


def test_checkpoints_of_a_run_are_built_on_each_other(
    own_hub: RunningHub, client_of: ClientOf, tmp_path: Path
) -> None:
    base, tuned = family()
    run = tmp_path / "run"
    run.mkdir()
    folder_of(run / "step-100", base + b"", "# 1\n")
    folder_of(run / "step-200", tuned, "# 2\n")
    client = client_of("alice", endpoint=own_hub.url)
    # Other bytes than those that the tests before have brought here.
    for path in run.glob("*/model.safetensors"):
        data = bytearray(path.read_bytes())
        data[-1_000:] = hashlib.shake_256(b"other").digest(1_000)
        path.write_bytes(data)
    said = pushed(client, str(run), f"alice/run-{uuid4().hex[:8]}", "--create")
    assert said["delta_bytes"] == len(tuned)
    assert said["sent_bytes"] < 1.2 * len(base)


def test_a_base_that_is_hidden_is_no_base(own_hub: RunningHub, client_of: ClientOf, tmp_path: Path) -> None:
    """It lies here, and on the hub, but is not for the caller: the file goes as it is."""
    base, tuned = (data[:-8] + b"hidden!!" for data in family())
    owner = client_of("alice", endpoint=own_hub.url)
    hidden = f"alice/hidden-{uuid4().hex[:8]}"
    here = folder_of(tmp_path / "base", base)
    pushed(owner, str(here), hidden, "--private")
    folder = folder_of(tmp_path / "tuned", tuned)
    client = client_of("bob", endpoint=own_hub.url)
    mine = f"bob/tuned-{uuid4().hex[:8]}"
    said = pushed(client, str(folder), mine, "--create", "--base", str(here))
    assert said["delta_bytes"] == 0
    assert said["sent_bytes"] >= len(tuned)
    (folder / "model.safetensors").write_bytes(tuned[:-8] + b"another.")
    assert "not found" in pushed(client, str(folder), mine, "--base", hidden, code=3)


@contextmanager
def without_deltas(hub: RunningHub) -> Iterator[tuple[str, list[str]]]:
    """The hub as one of before there were deltas: of the transfers that a client offers it knows `basic`.

    Gives its address, and the paths of what is sent there.
    """
    behind, sent = hub.url.removeprefix("http://"), list[str]()

    class Door(BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path.endswith("/info/lfs/objects/batch"):
                body = json.dumps({**json.loads(body), "transfers": ["basic"]}).encode()
            if self.command == "PUT":
                sent.append(self.path)
            headers = dict(self.headers.items()) | {"Content-Length": str(len(body))}
            connection = http.client.HTTPConnection(behind, timeout=60)
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            connection.close()

        def do_GET(self) -> None:
            self.pass_on()

        def do_POST(self) -> None:
            self.pass_on()

        def do_PUT(self) -> None:
            self.pass_on()

        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", sent
        finally:
            server.shutdown()
            serving.join()


def test_a_hub_that_knows_no_deltas_gets_files_as_they_are(
    own_hub: RunningHub, published: tuple[str, bytes, bytes], client_of: ClientOf, tmp_path: Path
) -> None:
    _, base, tuned = published
    tuned = tuned[:-8] + b"as it is"
    here, folder = folder_of(tmp_path / "base", base), folder_of(tmp_path / "tuned", tuned)
    mine = f"bob/tuned-{uuid4().hex[:8]}"
    with without_deltas(own_hub) as (address, sent):
        client = client_of("bob", endpoint=address)
        command = ["push", str(folder), mine, "--create", "--base", str(here)]
        done = run_command(command, env=client.environment)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("This hub takes no deltas: what it lacked went as it is.") == 1
        assert len(sent) == 1
        assert "/deltas/" not in sent[0]
    pulled(client_of("alice", endpoint=own_hub.url), mine, "--into", str(tmp_path / "came"))
    assert (tmp_path / "came" / "model.safetensors").read_bytes() == tuned


def test_a_base_that_the_hub_has_packed_is_as_good(
    own_hub: RunningHub, published: tuple[str, bytes, bytes], client_of: ClientOf, tmp_path: Path
) -> None:
    _, base, tuned = published
    tuned = tuned[:-8] + b"on packs"
    for _ in range(30):
        if json.loads(own_hub.command("admin", "pack", "now", "--wait", "--json"))["packed_bytes"] >= len(
            base
        ):
            break
    here, folder = folder_of(tmp_path / "base", base), folder_of(tmp_path / "tuned", tuned)
    client = client_of("bob", endpoint=own_hub.url)
    mine = f"bob/tuned-{uuid4().hex[:8]}"
    said = pushed(client, str(folder), mine, "--create", "--base", str(here))
    assert said["delta_bytes"] == len(tuned)
    assert said["sent_bytes"] < 0.15 * len(tuned), said
    pulled(client, mine, "--into", str(tmp_path / "came"))
    assert (tmp_path / "came" / "model.safetensors").read_bytes() == tuned


def test_large_files_go_in_parts_and_a_token_is_needed(
    hub: RunningHub, client_of: ClientOf, tmp_path: Path
) -> None:
    data = hashlib.shake_256(b"large").digest(70 * 2**20)
    (tmp_path / "data.bin").write_bytes(data)
    client = client_of("alice")
    name = f"alice/parts-{uuid4().hex[:8]}"
    said = pushed(client, str(tmp_path / "data.bin"), name, "--create", "--type", "dataset")
    assert said["sent_bytes"] == said["plain_bytes"] == len(data)
    pulled(client, name, "--type", "dataset", "--into", str(tmp_path / "came"))
    assert (tmp_path / "came" / "data.bin").read_bytes() == data
    assert "error" in pushed(client_of(None), str(tmp_path / "data.bin"), name, "--type", "dataset", code=5)
