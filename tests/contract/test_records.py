"""`allmende record` and `allmende bom` against a hub in a process of its own."""

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.contract.clients import Client
from tests.contract.conftest import ClientOf
from tests.hubs import RunningHub
from tests.nursery import run_command

RECORD_S = 90.0
CARD = "---\nlicense: apache-2.0\nlanguage: en\n---\n# A small model\n"


def command(client: Client, *arguments: str, code: int = 0) -> str:
    """What an `allmende` command prints, with the client's home and token; of a refusal, what it says."""
    done = run_command(arguments, env=client.environment, cwd=client.home)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stderr if code else done.stdout


def await_record(client: Client, what: str) -> dict[str, Any]:
    """The record of a revision, which is made after its examination."""
    deadline = time.monotonic() + RECORD_S
    while time.monotonic() < deadline:
        try:
            found: dict[str, Any] = json.loads(command(client, "record", what, "--json"))
        except AssertionError:
            time.sleep(0.5)
        else:
            return found
    raise AssertionError(f"no record of {what} in {RECORD_S} s")


@pytest.fixture(scope="module")
def publisher(hub: RunningHub, tmp_path_factory: pytest.TempPathFactory) -> Client:
    home = tmp_path_factory.mktemp("publisher")
    return Client("newest", Path(sys.executable).parent, home, hub.url, "token-of-alice")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("model")
    (made / "README.md").write_text(CARD)
    (made / "config.json").write_text('{"model_type": "bert", "hidden_size": 8}\n')
    save_file({"w": np.arange(64, dtype=np.float32)}, made / "model.safetensors")
    return made


@pytest.fixture(scope="module")
def published(publisher: Client, folder: Path) -> str:
    repo = f"alice/recorded-{uuid4().hex[:8]}"
    publisher.hf("upload", repo, str(folder), ".")
    await_record(publisher, repo)
    return repo


def test_a_record_and_what_the_repo_takes_now(published: str, client_of: ClientOf) -> None:
    stranger = client_of(None)
    record = json.loads(command(stranger, "record", published, "--json"))
    assert record["subject"]["name"] == published
    assert record["facts"]["parameters"]["value"]["total"] == 64
    assert "storage" not in record["facts"]
    told = command(stranger, "record", published)
    assert told.startswith(f"model {published} at {record['subject']['commit']}")
    assert "large files now take 3" in told
    signed = json.loads(command(stranger, "record", published, "--envelope"))
    assert signed["signatures"]


def test_the_documents_of_a_record(published: str, client_of: ClientOf, tmp_path: Path) -> None:
    stranger = client_of(None)
    main = json.loads(command(stranger, "bom", published))["metadata"]["component"]
    assert f"{main['group']}/{main['name']}" == published
    target = tmp_path / "model.spdx.json"
    command(stranger, "bom", published, "--format", "spdx-3.0.1", "-o", str(target))
    assert "@graph" in json.loads(target.read_bytes())
    again = command(stranger, "bom", published, "--format", "spdx-3.0.1")
    assert again == target.read_text()
    assert "cff-version: 1.2.0" in command(stranger, "bom", published, "--format", "cff-1.2.0")
    reached = json.loads(command(stranger, "bom", published, "--completeness", "--json"))
    assert reached["score"] > 0


def test_a_record_that_was_kept_says_the_same(published: str, client_of: ClientOf, tmp_path: Path) -> None:
    stranger, kept = client_of(None), tmp_path / "kept.record.json"
    command(stranger, "record", published, "-o", str(kept))
    offline = client_of(None, extra={"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert json.loads(command(offline, "record", str(kept), "--json")) == json.loads(kept.read_bytes())
    same = json.loads(command(stranger, "record", published, "--against", str(kept), "--json"))
    assert (same["added"], same["removed"], same["changed"]) == ([], [], [])


def test_two_revisions_and_a_folder_are_compared(
    publisher: Client, published: str, folder: Path, tmp_path: Path
) -> None:
    before = json.loads(command(publisher, "record", published, "--json"))["subject"]["commit"]
    card = tmp_path / "README.md"
    card.write_text(CARD.replace("language: en\n", ""))
    publisher.hf("upload", published, str(card), "README.md")
    await_record(publisher, published)
    found = json.loads(
        command(publisher, "record", published, "--against", f"{published}@{before}", "--json")
    )
    assert found["schema"] == "allmende.record-diff/1"
    assert "languages" in {row["name"] for row in found["removed"]}
    (files,) = (row for row in found["changed"] if row["name"] == "files")
    assert files["paths"]["changed"] == ["README.md"]
    told = command(publisher, "record", published, "--against", f"{published}@{before}")
    assert "removed  languages" in told
    assert "changed  README.md" in told
    here = json.loads(command(publisher, "record", str(folder), "--against", published, "--json"))
    (files,) = (row for row in here["changed"] if row["name"] == "files")
    assert files["paths"]["changed"] == ["README.md"]


def test_versions_are_listed_with_their_digests(published: str, client_of: ClientOf, hub: RunningHub) -> None:
    address = f"{hub.url}/api/allmende/v1/models/{published}/record-versions/main"
    with urllib.request.urlopen(address, timeout=30) as answer:
        versions = json.load(answer)["versions"]
    numbers = [one["version"] for one in versions]
    assert numbers == list(range(len(numbers), 0, -1))
    assert versions[0]["shown"]
    first = f"{hub.url}/api/allmende/v1/models/{published}/record/main?version=1"
    with urllib.request.urlopen(first, timeout=30) as answer:
        assert json.load(answer)["version"] == 1
    newest = json.loads(command(client_of(None), "record", published, "--json"))
    assert newest["version"] == numbers[0]


def test_of_a_private_repo_a_stranger_learns_nothing(
    publisher: Client, client_of: ClientOf, folder: Path
) -> None:
    repo = f"alice/unrecorded-{uuid4().hex[:8]}"
    publisher.hf("upload", repo, str(folder), ".", "--private")
    await_record(publisher, repo)
    assert json.loads(command(publisher, "bom", repo))["metadata"]["component"]["name"] in repo
    for stranger in (client_of("bob"), client_of(None)):
        for asked in ("record", "bom"):
            refused = command(stranger, asked, repo, code=3)
            missing = command(stranger, asked, f"{repo}x", code=3)
            assert refused.replace(repo, "R") == missing.replace(f"{repo}x", "R")
