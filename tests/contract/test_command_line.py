"""The `hf` command as people type it: upload, download and verify with each version, then a tour."""

import json
import subprocess
from pathlib import Path
from uuid import uuid4

import httpx2

from tests.contract.clients import SWITCHES, Client
from tests.contract.conftest import ClientOf
from tests.contract.folders import Folder, digests
from tests.hubs import RunningHub


def test_upload_download_and_verify(client: Client, name: str, wide_folder: Folder, large_folder: Folder):
    repo, into = f"alice/{name}", client.home / "into"
    weights = large_folder.path / "original" / "state.bin"

    assert f"/{repo}" in client.hf("upload", repo, str(wide_folder.path), "many", "--private")
    client.hf("upload", repo, str(weights), "weights.bin", "--commit-message", "Weights")
    client.hf("upload", repo, str(weights), "proposed.bin", "--create-pr")
    client.hf("download", repo, "--local-dir", str(into))
    found = digests(into)
    assert found.pop("weights.bin") == large_folder.sha256s["original/state.bin"]
    assert found.pop(".gitattributes")
    assert found == {f"many/{path}": sha256 for path, sha256 in wide_folder.sha256s.items()}

    strictly = ["--local-dir", str(into), "--fail-on-missing-files"]
    if client.version.startswith("2."):  # the 1.x series takes its own notes in the folder for extra files
        strictly.append("--fail-on-extra-files")
    client.hf("cache", "verify", repo, *strictly)
    client.hf("download", repo)
    client.hf("cache", "verify", repo)
    (into / "weights.bin").write_bytes(b"damaged")
    (into / "many" / "part-000" / "file-0000.txt").write_text("changed")
    told = client.hf("cache", "verify", repo, *strictly, code=1)
    assert "weights.bin" in told
    assert "many/part-000/file-0000.txt" in told


def test_sign_in_and_out(client_of: ClientOf):
    client = client_of(None)
    assert "Not logged in" in client.hf("auth", "whoami", code=1)
    client.hf("auth", "login", "--token", "no-such-token", code=1)
    client.hf("auth", "login", "--token", "token-of-alice")
    told = client.hf("auth", "whoami")
    assert "alice" in told
    assert "lab" in told
    client.hf("auth", "logout")
    client.hf("auth", "whoami", code=1)


def test_a_tour_of_the_repo_commands(client_of: ClientOf, wide_folder: Folder):
    client, repo = client_of("alice"), f"alice/tour-{uuid4().hex[:8]}"
    client.hf("repos", "create", repo, "--private")
    assert "already exists" in client.hf("repos", "create", repo, code=1)
    client.hf("repos", "create", repo, "--exist-ok")
    client.hf("upload", repo, str(wide_folder.path / "part-000"), ".")

    client.hf("repos", "branch", "create", repo, "dev")
    client.hf("repos", "branch", "delete", repo, "dev")
    client.hf("repos", "tag", "create", repo, "v1", "-m", "The first")
    assert "refs/tags/v1" in client.hf("repos", "tag", "list", repo)
    client.hf("repos", "delete-files", repo, "*.json")
    assert "file-0001.json" in client.hf("models", "ls", repo, "--revision", "v1")
    assert "file-0001.json" not in client.hf("models", "ls", repo)
    client.hf("repos", "tag", "delete", repo, "v1", "-y")

    client.hf("repos", "settings", repo, "--public")
    described = json.loads(client.hf("models", "info", repo, "--format", "json"))
    assert described["id"] == repo
    assert described["private"] is False
    assert [each["rfilename"] for each in described["siblings"]].count("file-0000.txt") == 1
    client.hf("repos", "move", repo, f"{repo}-moved")
    query = ("--author", "alice", "--search", repo.partition("/")[2])
    listed = json.loads(client.hf("models", "ls", *query, "--format", "json"))
    assert [each["id"] for each in listed] == [f"{repo}-moved"]
    assert f"{repo}-moved" in client.hf("repos", "ls", "--limit", "0")

    client.hf("repos", "duplicate", f"{repo}-moved", f"{repo}-copy")
    client.hf("repos", "delete", f"{repo}-moved", "-y")
    assert f"{repo}-moved" in client.hf("download", f"{repo}-moved", code=1)
    client.hf("download", f"{repo}-copy", "file-0000.txt")


def test_a_gated_repo_opens_for_those_who_are_let_in(hub: RunningHub, client_of: ClientOf, tmp_path: Path):
    owner, other, stranger = client_of("alice"), client_of("bob"), client_of(None)
    repo = f"alice/gated-{uuid4().hex[:8]}"
    (tmp_path / "file.txt").write_text("for friends")
    owner.hf("upload", repo, str(tmp_path / "file.txt"), "file.txt")
    owner.hf("repos", "settings", repo, "--gated", "manual")

    for client in (other, stranger):
        told = client.hf("download", repo, "file.txt", code=1)
        assert "requires approval" in told
    granted = httpx2.post(
        f"{hub.url}/api/models/{repo}/user-access-request/grant",
        json={"user": "bob"},
        headers={"Authorization": "Bearer token-of-alice"},
        timeout=10,
    )
    assert granted.status_code == 200
    path = other.hf("download", repo, "file.txt", "--quiet").strip().splitlines()[0]
    assert Path(path).read_text() == "for friends"
    stranger.hf("download", repo, "file.txt", code=1)


def test_what_allmende_env_prints_is_all_that_a_shell_needs(hub: RunningHub, client_of: ClientOf):
    printed = hub.command("env", "--endpoint", hub.url)
    evaluated = subprocess.run(
        ["sh", "-c", f"{printed}\nenv -0"], env={}, check=True, capture_output=True, text=True
    ).stdout
    exported = dict(line.split("=", 1) for line in evaluated.split("\0") if line)
    assert exported["HF_ENDPOINT"] == hub.url
    assert SWITCHES.items() <= exported.items()
    assert "HF_HUB_DISABLE_XET" not in exported
    assert client_of("alice", extra=exported).run("who_am_i")["name"] == "alice"
