"""What is published is what is loaded back, with each client version and byte by byte."""

import time
from pathlib import Path
from uuid import uuid4

import httpx2

from tests.contract.clients import VERSIONS, Client
from tests.contract.folders import Folder, digests, model_of_200_mb, write_safetensors
from tests.contract.traffic import RECONSTRUCTIONS, SHARDS, XORBS, Traffic
from tests.hubs import RunningHub

ATTRIBUTES = ".gitattributes"


def without_attributes(found: dict[str, str]) -> dict[str, str]:
    return {path: sha256 for path, sha256 in found.items() if path != ATTRIBUTES}


def test_a_folder_with_200_mb_comes_back_equal(
    hub: RunningHub, client: Client, version: str, name: str, tmp_path: Path
):
    """As clients are set by default. A folder of its own for each version: what the hub has is not sent."""
    folder = model_of_200_mb(tmp_path / "model", seed=list(VERSIONS).index(version) + 10)
    traffic = Traffic.from_now(hub)
    publish_and_load_back(hub, client, name, folder, tmp_path / "into")

    asked = traffic.asked()
    if client.sends_over_xet:
        assert len(traffic.answered("POST", XORBS)) >= 4, "203 MB in xorbs of at most 64 MiB"
        assert traffic.answered("POST", SHARDS)
        assert traffic.answered("GET", RECONSTRUCTIONS)
        plain = {each.path.rpartition("/")[2] for each in asked if each.is_content and each.method == "GET"}
        assert "config.json" in plain
        assert not {"model.safetensors", "state.bin"} & plain
    assert any(each.method == "PUT" for each in asked) is not client.sends_over_xet, "else nothing by LFS"
    assert [each for each in asked if each.status >= 500] == []


def test_the_same_without_xet(hub: RunningHub, client: Client, version: str, name: str, tmp_path: Path):
    folder = model_of_200_mb(tmp_path / "model", seed=list(VERSIONS).index(version) + 20)
    traffic = Traffic.from_now(hub)
    publish_and_load_back(hub, client.without_xet(), name, folder, tmp_path / "into")

    asked = traffic.asked()
    uploads = [each.path for each in asked if each.method == "PUT"]
    assert len([path for path in uploads if "/parts/" in path]) == 8, "200 MB in parts of 24 MiB"
    assert len(uploads) == 9, "and the other LFS file in one"
    assert [each for each in asked if "xet" in each.path] == []
    assert [each for each in asked if each.status >= 500] == []


def test_the_address_and_a_token_are_enough(
    hub: RunningHub, client: Client, version: str, name: str, large_folder: Folder, tmp_path: Path
):
    """Without the switches of docs/clients.md: they concern features that this does not use."""
    copy_small(large_folder, tmp_path / "model")
    bare = client.with_nothing_set()
    assert {variable for variable in bare.environment if variable.startswith(("HF_", "DO_NOT"))} == {
        "HF_ENDPOINT",
        "HF_TOKEN",
    }
    folder = Folder(tmp_path / "model", digests(tmp_path / "model"))
    publish_and_load_back(hub, bare, name, folder, tmp_path / "into")


def publish_and_load_back(hub: RunningHub, client: Client, name: str, folder: Folder, into: Path) -> None:
    repo = f"alice/{name}"
    saw = client.run("round_trip", repo=repo, folder=str(folder.path), into=str(into))
    assert saw["version"] == client.version
    assert saw["private"] is True
    assert set(saw["listed"]) == {*folder.sha256s, ATTRIBUTES}
    assert without_attributes(saw["snapshot"]) == folder.sha256s
    assert without_attributes(saw["local"]) == folder.sha256s
    assert saw["commit_url"] == f"{hub.url}/{repo}/commit/{saw['commit']}"
    assert saw["second_commit"] == saw["commit"], "nothing had changed"
    assert saw["by_commit"] == saw["snapshot_path"]
    assert saw["one"] == f"{saw['snapshot_path']}/config.json"


def test_weights_are_described_once_they_are_examined(client: Client, hub: RunningHub, tmp_path: Path):
    repo = f"alice/examined-{uuid4().hex[:8]}"
    folder = tmp_path / "model"
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", 1_000_000, 3)
    client.run("round_trip", repo=repo, folder=str(write_config(folder)), into=str(tmp_path / "into"))
    described = wait_for_weights(hub, repo)
    assert described["safetensors"] == {"parameters": {"F32": 1_000_000}, "total": 1_000_000}
    assert described["usedStorage"] >= 4_000_000
    assert "safetensors" in described["tags"]


def write_config(folder: Path) -> Path:
    (folder / "config.json").write_text('{"model_type": "bert"}')
    return folder


def wait_for_weights(hub: RunningHub, repo: str) -> dict:
    deadline = time.monotonic() + 90
    headers = {"Authorization": "Bearer token-of-alice"}
    while True:
        described = httpx2.get(f"{hub.url}/api/models/{repo}", headers=headers, timeout=10).json()
        if described.get("safetensors"):
            return described
        assert time.monotonic() < deadline, f"not examined: {described}"
        time.sleep(0.1)


def test_everything_that_is_read_of_a_repo(
    client: Client, name: str, wide_folder: Folder, large_folder: Folder, tmp_path: Path
):
    """300 files, so that trees have several pages; the LFS file is small here."""
    repo = f"alice/{name}"
    folder = tmp_path / "model"
    copy_small(large_folder, folder)
    for path in wide_folder.sha256s:
        target = folder / "many" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(wide_folder.path / path)
    client.run("round_trip", repo=repo, folder=str(folder), into=str(tmp_path / "into"))
    saw = client.run(
        "looking",
        repo=repo,
        lfs_path="original/state.bin",
        plain_path="Übersicht & 100% [neu].txt",
        folder="deep/er",
    )
    assert saw["author"] == "alice"
    assert saw["pipeline_tag"] == "text-classification"
    assert saw["library_name"] == "transformers"
    assert {"contract", "license:apache-2.0", "en", "transformers"} <= set(saw["tags"])
    assert saw["card"]["license"] == "apache-2.0"
    assert saw["lfs"]["sha256"] == large_folder.sha256s["original/state.bin"]
    assert saw["used_storage"] >= saw["lfs"]["size"]
    assert len(saw["files"]) == 300 + 7
    assert {"deep", "deep/er", "deep/er/still", "many", "many/part-000", "original"} <= set(saw["folders"])


def copy_small(large: Folder, into: Path) -> None:
    for path in large.sha256s:
        if path != "model.safetensors":
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).hardlink_to(large.path / path)


def test_lists_of_repos(client: Client, name: str):
    assert client.run("listing", stem=name)["count"] == 10


def test_commits_with_every_operation(client: Client, name: str):
    assert client.run("committing", repo=f"alice/{name}")["commits"] == 12


def test_what_owners_do_with_repos(client: Client, name: str):
    stay = client.version.startswith("2.")
    assert client.run("keeping", repo=f"alice/{name}", cards_stay_home=stay)["moved"] == f"alice/{name}-moved"


def test_the_file_system_of_the_client(client: Client, name: str):
    left = client.run("filesystem", repo=f"alice/{name}")
    assert left == [ATTRIBUTES, "copied.bin", "notes/renamed.txt", "weights.bin"]
