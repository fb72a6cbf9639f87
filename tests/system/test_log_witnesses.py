"""Hubs in processes of their own witness each other, and catch one that has signed two histories."""

import json
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allmende.merkle import (
    AddCheckpoint,
    Checkpoint,
    KnownLog,
    MemoryTree,
    leaf_hash,
    read_equivocation,
    read_policy,
    read_signing_key,
    read_verifier_key,
    signed_checkpoint,
)
from tests.hubs import RunningHub

WAIT_S = 60.0


def get(hub: RunningHub, path: str) -> bytes:
    with urllib.request.urlopen(hub.url + path, timeout=20) as answer:
        body: bytes = answer.read()
    return body


def status(hub: RunningHub) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get(hub, "/api/allmende/v1/log"))
    return found


def eventually(said: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.2)
    raise AssertionError(said)


def text(hub: RunningHub, path: str) -> str:
    return get(hub, path).decode().strip()


def hub_at(data: Path) -> RunningHub:
    """A hub on a port of its own from the start: its log is called after it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return RunningHub(data, options=("--workers", "0"), port=port)


def introduce(log: RunningHub, witness: RunningHub) -> None:
    """One command on each side: the witness knows the log, and the log asks the witness."""
    where = ["--data", str(witness.data)]
    witness.command("admin", "log", "peers", "add", text(log, "/log/vkey"), *where)
    key, url = text(witness, "/witness/vkey"), f"{witness.url}/witness"
    log.command("admin", "log", "peers", "add", key, "--url", url, "--data", str(log.data))


def cosigned(hub: RunningHub) -> bool:
    try:
        policy = read_policy(get(hub, "/log/policy"))
        return policy.quorum is not None and bool(policy.accept(get(hub, "/log/checkpoint")).witnesses)
    except Exception:  # noqa: BLE001  # not yet
        return False


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hubs_cosign_each_other_and_catch_two_histories(tmp_path: Path):
    one, two = hub_at(tmp_path / "one"), hub_at(tmp_path / "two")
    with one, two:
        origin = status(one)["origin"]
        introduce(one, two)
        introduce(two, one)
        eventually("one is not cosigned", lambda: cosigned(one))
        eventually("two is not cosigned", lambda: cosigned(two))
        policy = read_policy(get(one, "/log/policy"))
        assert policy.accept(get(one, "/log/checkpoint")).checkpoint.origin == origin
        assert status(one)["witnesses"][0]["size"] is not None
        assert [each["origin"] for each in status(two)["witnessed"]] == [origin]

        # Whoever has the key of a hub and shows another history of the same length is caught.
        key_file = next((one.data / "keys").glob("log-*.key"))
        key = read_signing_key(key_file.read_text().strip())
        size = status(two)["witnessed"][0]["size"]
        forged = MemoryTree([leaf_hash(bytes([number])) for number in range(size)])
        note = signed_checkpoint(Checkpoint(origin, size, forged.root()), [key])
        request = urllib.request.Request(
            two.url + "/witness/add-checkpoint", bytes(AddCheckpoint(size, (), note)), method="POST"
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=20)
        assert refused.value.code == 422
        [evidence] = status(two)["evidence"]
        file = get(two, f"/api/allmende/v1/log/evidence/{evidence['digest']}")
        read_equivocation(file).check(KnownLog(origin, (read_verifier_key(key.verifier.text),)))
        said = two.command("admin", "log", "status", "--data", str(two.data), check=False)
        assert f"the log {origin} has signed two histories: evidence {evidence['digest']}" in said


def refusal(hub: RunningHub) -> str:
    """What the operator is told of a log that stands still; empty while it signs."""
    said = hub.command("admin", "log", "status", "--data", str(hub.data), check=False)
    return said if "nothing is signed" in said else ""


def act(hub: RunningHub, name: str) -> None:
    hub.command("admin", "user", "create", name, "--data", str(hub.data))


@pytest.mark.campaign
@pytest.mark.timeout(900)
def test_a_machine_that_was_set_back_whole_signs_nothing_until_it_has_what_its_witness_saw(tmp_path: Path):
    log, witness = hub_at(tmp_path / "log"), hub_at(tmp_path / "witness")

    def witnessed() -> int:
        return int(status(witness)["witnessed"][0]["size"])

    with witness:
        with log:
            introduce(log, witness)
            eventually("not cosigned", lambda: cosigned(log))
        shutil.copytree(log.data, tmp_path / "image")
        with log:
            before = witnessed()
            act(log, "late")
            eventually("not cosigned again", lambda: witnessed() > before)
            newest = text(log, "/log/checkpoint").split("\n\n")[0]
        log.data.rename(tmp_path / "newest")
        (tmp_path / "image").rename(log.data)

        # All of the machine is as it was: keys, database and what it had signed. Its witness knows more.
        with log:
            act(log, "other")
            act(log, "another")
            eventually("it signs on", lambda: refusal(log) != "")
            said = refusal(log)
            assert f"A witness has seen {newest.splitlines()[1]} entries of this log" in said
            assert "allmende admin log resume" in said
            assert status(log)["refused"] is not None
            assert int(text(log, "/log/checkpoint").splitlines()[1]) < int(newest.splitlines()[1])
            resumed = log.command("admin", "log", "resume", "--data", str(log.data), check=False)
            assert "goes on" not in resumed
            assert refusal(log)

        # The newest database comes back; what the image held against it stays, and is looked at.
        held = (log.data / "keys" / "held-checkpoint").read_bytes()
        log.data.rename(tmp_path / "wrong")
        (tmp_path / "newest").rename(log.data)
        (log.data / "keys" / "held-checkpoint").write_bytes(held)
        assert refusal(log)
        assert "goes on" in log.command("admin", "log", "resume", "--data", str(log.data))
        with log:
            act(log, "later")
            eventually("not cosigned at last", lambda: witnessed() > int(newest.splitlines()[1]))
            assert status(log)["refused"] is None
        assert status(witness)["evidence"] == []
