"""`allmende pull` beside the stock client, which finds without a network what it has left in the cache."""

import json
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.clients import Client
from tests.contract.conftest import ClientOf
from tests.contract.folders import Folder
from tests.contract.traffic import Traffic
from tests.hubs import RunningHub
from tests.nursery import run_command


def pulled(client: Client, *arguments: str, code: int = 0) -> Any:
    """What `allmende pull --json` says, run with the client's home and token; its errors where it fails."""
    done = run_command(["pull", *arguments, "--json"], env=client.environment, cwd=client.home)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


@pytest.fixture(scope="module")
def published(hub: RunningHub, wide_folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A repo with 300 files."""
    repo = f"alice/pulled-{uuid4().hex[:8]}"
    programs = Path(sys.executable).parent
    client = Client("newest", programs, tmp_path_factory.mktemp("publisher"), hub.url, "token-of-alice")
    client.hf("upload", repo, str(wide_folder.path), ".")
    return repo


def test_the_stock_client_finds_it_without_a_network(
    published: str, client_of: ClientOf, wide_folder: Folder
):
    client = client_of("bob")
    said = pulled(client, published)
    assert said["files"] >= len(wide_folder.sha256s)
    assert client.run("offline", repo=published) | wide_folder.sha256s == client.run(
        "offline", repo=published, revision=said["commit"]
    )
    assert wide_folder.sha256s.items() <= client.run("offline", repo=published).items()


def test_a_second_pull_asks_for_no_content(hub: RunningHub, published: str, client_of: ClientOf):
    client = client_of("bob")
    first = pulled(client, published)
    listening = Traffic.from_now(hub)
    second = pulled(client, published)
    assert [each for each in listening.asked() if each.is_content] == []
    assert second["present_bytes"] == second["size_bytes"] == first["size_bytes"]
    assert second["moved_bytes"] == 0


def test_into_a_folder_with_patterns(
    published: str, client_of: ClientOf, wide_folder: Folder, tmp_path: Path
):
    folder = tmp_path / "into"
    pulled(client_of("bob"), published, "--into", str(folder), "--include", "*.json", "--exclude", "*1*")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    found.remove(".allmende/proof.json")
    wanted = {path for path in wide_folder.sha256s if path.endswith(".json") and "1" not in path}
    assert found == wanted


def test_what_is_damaged_here_is_fetched_anew_when_asked_for(
    published: str, client_of: ClientOf, wide_folder: Folder, tmp_path: Path
):
    client, folder = client_of("bob"), tmp_path / "into"
    pulled(client, published, "--into", str(folder))
    path = next(iter(sorted(wide_folder.sha256s)))
    right = (folder / path).read_bytes()
    (folder / path).write_bytes(bytes(len(right)))
    assert pulled(client, published, "--into", str(folder))["moved_bytes"] == 0
    assert pulled(client, published, "--into", str(folder), "--verify")["moved_bytes"] == len(right)
    assert (folder / path).read_bytes() == right


def test_a_link_in_the_folder_does_not_lead_out_of_it(published: str, client_of: ClientOf, tmp_path: Path):
    client, folder, outside = client_of("bob"), tmp_path / "into", tmp_path / "outside"
    said = pulled(client, published, "--into", str(folder))
    below = next(path for path in folder.iterdir() if path.is_dir() and path.name != ".allmende")
    outside.mkdir()
    for path in sorted(below.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    below.rmdir()
    below.symlink_to(outside)
    assert "leads out" in pulled(client, published, "--into", str(folder), code=4)
    assert list(outside.iterdir()) == []
    assert said["files"]


def test_refusals_are_said(published: str, hub: RunningHub, client_of: ClientOf):
    nobody = client_of(None)
    assert pulled(nobody, "alice/not-there", code=3).startswith("error: ")
    assert pulled(nobody, f"{published}@no-such-branch", code=3).startswith("error: ")
    assert "not the name of a repo" in pulled(nobody, "nonsense", code=2)
    assert "HF_ENDPOINT" in pulled(client_of(None, extra={"HF_ENDPOINT": ""}), published, code=2)
    assert "cannot be reached" in pulled(nobody, published, "--endpoint", "http://127.0.0.1:9", code=6)


def test_files_of_the_same_bytes_come_each_under_its_name(
    hub: RunningHub, client_of: ClientOf, tmp_path: Path
):
    folder, repo = tmp_path / "same", f"alice/same-{uuid4().hex[:8]}"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.bin").write_bytes(bytes(range(256)) * 4000)
    client_of("alice").hf("upload", repo, str(folder), ".")
    for target in (("--into", str(tmp_path / "into")), ()):
        said = pulled(client_of("bob"), repo, "--jobs", "8", *target)
        for number in range(12):
            assert (Path(said["folder"]) / f"{number}.bin").read_bytes() == bytes(range(256)) * 4000
