"""What a client remembers of a hub that has changed meanwhile must never keep an upload from succeeding.

A client remembers for three weeks which bytes it has sent to which store, and never asks again.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.clients import Client
from tests.contract.conftest import ClientOf, HubWith
from tests.contract.folders import MIB, digests, write_noise
from tests.contract.traffic import SHARDS, XORBS, Traffic
from tests.hubs import RunningHub

REPO = "alice/remembered"
SIZE_BYTES = 5 * MIB


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One that is sent twice."""
    path = tmp_path / "files" / "weights.bin"
    write_noise(path, SIZE_BYTES, 77)
    return path


def upload(client: Client, file: Path, repo: str = REPO) -> None:
    client.hf("upload", repo, str(file), file.name)


def assert_arrived(client: Client, file: Path, repo: str = REPO) -> None:
    found = client.run("download", repo=repo, path=file.name)["sha256"]
    assert found == digests(file.parent)[file.name]


def while_stopped(hub: RunningHub, act: Callable[[], object]) -> None:
    """The hub comes back under the same address, so that clients know it again."""
    address = hub.url
    hub.stop()
    act()
    hub.start()
    assert hub.url == address


@pytest.mark.slow
def test_what_is_remembered_is_used(hub_of_its_own: HubWith, client_of: ClientOf, file: Path):
    """Else the others of this file show nothing. The second upload sends no bytes, also after a restart."""
    hub = hub_of_its_own()
    client = client_of("alice", endpoint=hub.url)
    upload(client, file)
    while_stopped(hub, lambda: None)
    traffic = Traffic.from_now(hub)
    upload(client, file, "alice/again")
    assert traffic.answered("POST", XORBS) == []
    assert_arrived(client_of("alice", endpoint=hub.url), file, "alice/again")


def test_a_hub_that_begins_anew(hub_of_its_own: HubWith, client_of: ClientOf, file: Path):
    hub = hub_of_its_own()
    client = client_of("alice", endpoint=hub.url)
    upload(client, file)
    while_stopped(hub, lambda: shutil.rmtree(hub.data))
    upload(client, file)
    assert_arrived(client_of("alice", endpoint=hub.url), file)


def folder_replaced(data: Path, older: Path) -> None:
    shutil.rmtree(data)
    shutil.copytree(older, data)


def database_copied_over(data: Path, older: Path) -> None:
    for newer in data.glob("allmende.db*"):
        newer.unlink()
    for kept in older.glob("allmende.db*"):
        shutil.copyfile(kept, data / kept.name)


def database_copied_into(data: Path, older: Path) -> None:
    """The same file with other bytes, as `cp` leaves it."""
    for leftover in data.glob("allmende.db-*"):
        leftover.unlink()
    with (data / "allmende.db").open("r+b") as database:
        database.truncate()
        database.write((older / "allmende.db").read_bytes())


@pytest.mark.parametrize(
    "restore",
    [
        folder_replaced,
        pytest.param(database_copied_over, marks=pytest.mark.slow),
        pytest.param(database_copied_into, marks=pytest.mark.slow),
    ],
)
def test_a_hub_restored_from_an_older_copy(
    hub_of_its_own: HubWith,
    client_of: ClientOf,
    file: Path,
    restore: Callable[[Path, Path], None],
    tmp_path: Path,
):
    """The copy is from before the upload that the client remembers."""
    hub, older = hub_of_its_own(), tmp_path / "older"
    client = client_of("alice", endpoint=hub.url)
    before = file.with_name("before.bin")
    write_noise(before, SIZE_BYTES, 78)
    upload(client, before)
    while_stopped(hub, lambda: shutil.copytree(hub.data, older))
    upload(client, file)
    while_stopped(hub, lambda: restore(hub.data, older))
    upload(client, file)
    reader = client_of("alice", endpoint=hub.url)
    assert_arrived(reader, file)
    assert_arrived(reader, before)


@pytest.mark.slow
def test_bytes_that_were_collected_early(hub_of_its_own: HubWith, client_of: ClientOf, file: Path):
    """The operator's grace time is shorter than the client's memory; the hub runs on meanwhile."""
    hub = hub_of_its_own({"ALLMENDE_UNREFERENCED_GRACE_S": "0"})
    client = client_of("alice", endpoint=hub.url)
    upload(client, file)
    client.hf("repos", "delete", REPO, "-y")
    hub.command("admin", "gc")
    upload(client, file)
    assert_arrived(client_of("alice", endpoint=hub.url), file)


@pytest.mark.slow
def test_a_collection_that_takes_nothing_leaves_the_memory_alone(
    hub_of_its_own: HubWith, client_of: ClientOf, file: Path
):
    hub = hub_of_its_own()
    client = client_of("alice", endpoint=hub.url)
    upload(client, file)
    hub.command("admin", "gc")
    traffic = Traffic.from_now(hub)
    upload(client, file, "alice/again")
    assert traffic.answered("POST", XORBS) == []


def test_notes_that_are_wrong_fail_once(hub_of_its_own: HubWith, client_of: ClientOf, file: Path):
    """A client that believes to have sent what another account sent: that is refused, and forgotten.

    It stands for every loss that a hub does not notice by itself. The repeat sends the bytes.
    """
    hub, other = hub_of_its_own(), file.with_name("other.bin")
    write_noise(other, MIB, 78)
    alice, bob = (client_of(user, endpoint=hub.url) for user in ("alice", "bob"))
    alice.hf("upload", REPO, str(file), file.name, "--private")
    upload(bob, other, "bob/own")
    (notes,), (into,) = (list(client.home.rglob("shard-cache")) for client in (alice, bob))
    for note in notes.glob("*.mdb"):
        shutil.copy(note, into)

    traffic = Traffic.from_now(hub)
    told = bob.hf("upload", "bob/own", str(file), file.name, code=1)
    assert "does not have from you. Repeat the upload" in told
    assert len([each for each in traffic.asked() if SHARDS in each.path]) == 1, "no retries"
    assert traffic.answered("POST", XORBS) == []
    assert file.name not in bob.run("look_at_files", repo="bob/own")
    upload(bob, file, "bob/own")
    assert traffic.answered("POST", XORBS)
    assert_arrived(client_of("bob", endpoint=hub.url), file, "bob/own")
