"""Pulled and verified, watched and mirrored: what a stranger can check of a hub with its commands alone."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from allmende.merkle import KeyKind, generate_key
from tests.contract.clients import Client
from tests.contract.conftest import ClientOf
from tests.hubs import RunningHub
from tests.nursery import run_command

FILES = {
    "README.md": b"# A small model\n",
    "config.json": b'{"model_type": "none"}\n',
    "weights.bin": bytes(range(256)) * 5000,
    "deeper/data.bin": b"\x00\x01" * 70_000,
}
RECORD_S = 60.0


def command(client: Client, *arguments: str) -> subprocess.CompletedProcess[str]:
    """An `allmende` command with the client's home and token."""
    return run_command(arguments, env=client.environment, cwd=client.home)


def verified(client: Client, *arguments: str, code: int = 0) -> Any:
    done = command(client, "verify", *arguments, "--json")
    assert done.returncode == code, (done.stdout, done.stderr)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def published(hub: RunningHub, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A repo with small and large files, of which the hub has a record."""
    repo, folder = f"alice/proven-{uuid4().hex[:8]}", tmp_path_factory.mktemp("proven")
    for path, data in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    programs = Path(sys.executable).parent
    client = Client("newest", programs, tmp_path_factory.mktemp("publisher"), hub.url, "token-of-alice")
    client.hf("upload", repo, str(folder), ".")
    await_record(client, repo)
    return repo


def await_record(client: Client, repo: str) -> None:
    """Until the hub's proof has the record, which is made after the examination."""
    deadline = time.monotonic() + RECORD_S
    target = client.home / "await.json"
    done = command(client, "proof", repo, "-o", str(target))
    while time.monotonic() < deadline:
        if done.returncode == 0 and json.loads(target.read_bytes())["envelopes"]:
            return
        time.sleep(0.5)
        done = command(client, "proof", repo, "-o", str(target))
    raise AssertionError(f"no record of {repo} in its proof: {done.stdout} {done.stderr}")


@pytest.fixture
def folder(published: str, client_of: ClientOf, tmp_path: Path) -> tuple[Client, Path]:
    client, into = client_of("bob"), tmp_path / "pulled"
    done = command(client, "pull", published, "--into", str(into))
    assert done.returncode == 0, done.stderr
    assert "seen for the first time" in done.stderr
    return client, into


def test_a_pulled_folder_offline(folder):
    client, into = folder
    said = verified(client, str(into), "--offline")
    assert (said["state"], said["files"]["right"]) == ("verified", len(FILES) + 1)
    assert said["bytes_read"]
    assert [one["signed_by_hub"] for one in said["revision"]["envelopes"]][:1] == [True]
    assert "publish" in {act["kind"] for act in said["revision"]["acts"]}
    told = command(client, "verify", str(into), "--offline").stdout
    assert told.startswith("verified: All 5 files are as published")


def test_a_bit_is_refused_and_named(folder):
    client, into = folder
    data = bytearray((into / "weights.bin").read_bytes())
    data[len(data) // 2] ^= 1
    (into / "weights.bin").write_bytes(data)
    said = verified(client, str(into), "--offline", code=1)
    assert said["code"] == "files_changed"
    assert said["files"]["changed"]["first"] == ["weights.bin"]


def test_a_stranger_without_a_policy_learns_that_nothing_is_proven(folder, client_of: ClientOf):
    _, into = folder
    said = verified(client_of(None), str(into), "--offline", code=2)
    assert (said["state"], said["code"]) == ("unknown", "nothing_to_verify_against")


def test_the_auditors_program_says_the_same(folder, client_of: ClientOf):
    client, into = folder
    (policy,) = (client.home / ".config" / "allmende" / "hubs").glob("*.policy")
    command_line = [sys.executable, "-W", "error", "-m", "allmende.proof.verifier"]
    arguments = [str(into / ".allmende" / "proof.json"), str(into), "--policy", str(policy)]
    done = subprocess.run([*command_line, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (into / "extra.py").write_text("import os")
    done = subprocess.run([*command_line, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, "extra.py is not in the revision" in done.stdout) == (1, True)


def test_the_cache_of_the_stock_client(published: str, client_of: ClientOf):
    client = client_of("bob")
    client.hf("download", published)
    said = verified(client, published, "--offline", code=2)
    assert said["code"] == "nothing_to_verify_against"
    assert command(client, "pull", published).returncode == 0
    assert verified(client, published, "--offline")["state"] == "verified"
    (proof,) = client.home.rglob(".allmende/*.json")
    assert proof.parent.parent.name == f"models--{published.replace('/', '--')}"
    client.hf("download", published)
    client.hf("cache", "ls")


def test_the_folder_of_the_stock_client(published: str, client_of: ClientOf, tmp_path: Path):
    client, into = client_of("bob"), tmp_path / "local"
    client.hf("download", published, "--local-dir", str(into))
    proof = tmp_path / "kept.json"
    assert command(client, "proof", published, "-o", str(proof)).returncode == 0
    said = verified(client, str(into), "--bundle", str(proof), "--offline")
    assert said["state"] == "verified"


def test_a_repo_without_reading_it(published: str, client_of: ClientOf):
    client = client_of("bob")
    said = verified(client, published)
    assert (said["state"], said["bytes_read"], said["first_contact"]) == ("verified", False, True)
    assert not verified(client, published)["first_contact"]


def test_another_key_of_the_hub_is_refused(published: str, client_of: ClientOf):
    client = client_of("bob")
    verified(client, published)
    (policy,) = (client.home / ".config" / "allmende" / "hubs").glob("*.policy")
    name = policy.read_text().split()[1].partition("+")[0]
    policy.write_text(f"log {generate_key(name, KeyKind.ED25519).verifier.text}\nquorum none\n")
    done = command(client, "verify", published)
    assert done.returncode == 1, done.stdout
    assert "another key" in done.stderr
    assert "another key" in command(client, "pull", published).stderr


def test_a_private_repo_for_those_who_may(hub: RunningHub, client_of: ClientOf, tmp_path: Path):
    owner, repo, folder = client_of("alice"), f"alice/secret-{uuid4().hex[:8]}", tmp_path / "secret"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"secret" * 3000)
    owner.hf("upload", repo, str(folder), ".", "--private")
    await_record(owner, repo)
    assert verified(owner, repo)["state"] == "verified"
    stranger = command(client_of("bob"), "verify", repo)
    missing = command(client_of("bob"), "verify", f"{repo}x")
    assert stranger.returncode == missing.returncode == 3
    assert stranger.stderr.replace(repo, "R") == missing.stderr.replace(f"{repo}x", "R")
    watched = command(owner, "log", "watch", repo, "--json").stdout.splitlines()
    assert watched
    assert {json.loads(line)["kind"] for line in watched} == {"private"}


def test_mirror_check_and_watch(hub: RunningHub, published: str, client_of: ClientOf, tmp_path: Path):
    client, kept = client_of("bob"), tmp_path / "mirror"
    done = command(client, "log", "mirror", hub.url, str(kept))
    assert done.returncode == 0, done.stderr
    assert command(client, "log", "check", str(kept)).stdout.startswith("right: ")
    watched = [
        json.loads(line) for line in command(client, "log", "watch", published, "--json").stdout.splitlines()
    ]
    assert {"publish", "record"} <= {one["kind"] for one in watched}
    again = command(client, "log", "mirror", hub.url, str(kept), "--json")
    assert json.loads(again.stdout.splitlines()[-1])["fresh"] >= 0
    subject = watched[0]["subject"]
    offline = command(
        client_of(None, extra={"HF_ENDPOINT": ""}),
        "log",
        "watch",
        subject,
        "--mirror",
        str(kept),
        "--json",
    )
    seen = [json.loads(line) for line in offline.stdout.splitlines()]
    assert [one["index"] for one in seen][: len(watched)] == [one["index"] for one in watched]
    assert command(client, "log", "watch", "alice", "--since", "2026-01-01").stdout.count("publish") >= 1
    # Of a bundle that grew the longest counts.
    bundles = [path for path in kept.glob("tile/entries/**/*") if path.is_file()]
    bundle = max(bundles, key=lambda path: path.stat().st_size)
    data = bytearray(bundle.read_bytes())
    data[-1] ^= 1
    bundle.write_bytes(data)
    assert command(client, "log", "check", str(kept)).returncode == 1


def test_evidence_for_auditors(published: str, client_of: ClientOf, tmp_path: Path):
    client, archive = client_of("alice"), tmp_path / "evidence.zip"
    done = command(client, "evidence", published, "-o", str(archive))
    assert done.returncode == 0, done.stderr
    (policy,) = (client.home / ".config" / "allmende" / "hubs").glob("*.policy")
    auditor = client_of(None, extra={"HF_ENDPOINT": ""})
    said = verified(auditor, str(archive), "--policy", str(policy))
    assert (said["state"], [one["repo"] for one in said["revisions"]]) == ("verified", [published])
    assert verified(auditor, str(archive), code=2)["state"] == "unknown"
    data = bytearray(archive.read_bytes())
    data[len(data) // 3] ^= 1
    archive.write_bytes(data)
    assert verified(auditor, str(archive), "--policy", str(policy), code=1)["state"] == "refused"
    assert command(client, "evidence", "alice", "-o", str(tmp_path / "all.zip")).returncode == 0
    assert command(client, "evidence", "--hub", "-o", str(tmp_path / "hub.zip")).returncode == 5
    assert command(client_of(None), "evidence", published, "-o", str(tmp_path / "no.zip")).returncode == 5
    assert sorted(path.name for path in tmp_path.glob("*.zip*")) == ["all.zip", "evidence.zip"]
