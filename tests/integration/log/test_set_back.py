"""A whole machine that was set back: its witness shows what is missing, and till then nothing is signed."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from allmende.flows import Services, log_status, run_log
from allmende.jobs import SqlJobQueue
from allmende.log import LogContradicted, LogSetBack, add_peer, compare_with_witnesses
from allmende.merkle import (
    Checkpoint,
    KeyKind,
    MemoryTree,
    generate_key,
    leaf_hash,
    monitoring_path,
    signed_checkpoint,
)
from allmende.storage import Database, LocalContentStore
from tests.integration.log.conftest import ReadLog, open_at

WITNESS = generate_key("other.example.org/witness", KeyKind.ED25519_COSIGNATURE)


class ShowingWitness(ThreadingHTTPServer):
    """A witness that shows one checkpoint, whatever it is asked."""

    shown: bytes | None = None
    asked: list[str]


class _Shown(BaseHTTPRequestHandler):
    server: ShowingWitness

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.shown
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def witness(services: Services) -> Iterator[ShowingWitness]:
    server = ShowingWitness(("127.0.0.1", 0), _Shown)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    with services.database.write() as uow:
        add_peer(uow, WITNESS.verifier.text, f"http://127.0.0.1:{server.server_port}/witness")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def act(services: Services, count: int = 1) -> None:
    with services.database.write() as uow:
        for number in range(count):
            uow.emit("repo.gated", {"gated": str(number)})


def refused_now(services: Services) -> str:
    refused = log_status(services).refused
    return "" if refused is None else f"{refused.message} {refused.hint}"


@pytest.fixture
def image(
    services: Services, integrated: ReadLog, tmp_path: Path, database: Database, contents: LocalContentStore,
    queue: SqlJobQueue, witness: ShowingWitness,
) -> Services:  # fmt: skip
    """The same database on a machine whose files are as they were some entries ago."""
    act(services, 5)
    integrated()
    old = tmp_path / "image"
    for folder in ("keys", "log"):
        shutil.copytree(tmp_path / folder, old / folder)
    act(services, 3)
    integrated()
    note = services.log.checkpoint()
    assert note is not None
    witness.shown = bytes(note)
    return open_at(old, database, contents, queue)


def test_a_witness_that_has_seen_no_more_holds_nothing(
    services: Services, integrated: ReadLog, witness: ShowingWitness
):
    act(services, 5)
    integrated()
    for shown in (services.log.checkpoint(), None):
        witness.shown = None if shown is None else bytes(shown)
        compare_with_witnesses(services.database, services.log)
    act(services)
    assert integrated().checkpoint.size > 6
    assert witness.asked == [f"/witness/{monitoring_path(services.log.origin)}"] * 2


def test_what_a_witness_has_seen_is_waited_for_and_then_signed_on(image: Services, services: Services):
    compare_with_witnesses(image.database, image.log)
    size = services.log.signed()
    assert size is not None
    with pytest.raises(LogSetBack):
        run_log(image)
    said = refused_now(image)
    assert f"A witness has seen {size.size} entries of this log" in said
    assert "Restore the newest backup" in said
    assert "allmende admin log resume" in said
    # The database has them all: it was the files alone that were set back.
    image.log.publisher.resume()
    assert refused_now(image) == ""
    act(image)
    run_log(image)
    signed = image.log.signed()
    assert signed is not None
    assert signed.size == size.size + 1


def test_with_fewer_entries_than_a_witness_saw_nothing_goes_on(
    image: Services, services: Services, witness: ShowingWitness
):
    size = services.log.signed()
    assert size is not None
    more = MemoryTree([leaf_hash(bytes([number])) for number in range(size.size + 4)])
    key = services.log.keys.log_signers()[0]
    ahead = Checkpoint(services.log.origin, size.size + 4, more.root())
    witness.shown = bytes(signed_checkpoint(ahead, [key]))
    compare_with_witnesses(image.database, image.log)
    with pytest.raises(LogSetBack):
        image.log.publisher.resume()
    assert refused_now(image)
    # As many entries, and others: it would be a second history.
    act(image, 4)
    before = image.log.signed()
    with pytest.raises(LogSetBack):
        run_log(image)
    assert image.log.signed() == before


def test_another_history_than_a_witness_saw_is_never_signed(
    image: Services, services: Services, witness: ShowingWitness
):
    size = services.log.signed()
    assert size is not None
    other = MemoryTree([leaf_hash(bytes([number])) for number in range(size.size)])
    key = services.log.keys.log_signers()[0]
    witness.shown = bytes(signed_checkpoint(Checkpoint(services.log.origin, size.size, other.root()), [key]))
    compare_with_witnesses(image.database, image.log)
    with pytest.raises(LogContradicted):
        image.log.publisher.resume()
    with pytest.raises(LogSetBack):
        run_log(image)


def test_a_stranger_holds_nothing(services: Services, integrated: ReadLog, witness: ShowingWitness):
    """What no key of this log has signed is no reason to stop."""
    act(services, 5)
    integrated()
    stranger = generate_key(services.log.origin, KeyKind.ED25519)
    for shown in (
        bytes(signed_checkpoint(Checkpoint(services.log.origin, 99, b"\1" * 32), [stranger])),
        b"x",
    ):
        witness.shown = shown
        compare_with_witnesses(services.database, services.log)
    act(services)
    integrated()
    assert refused_now(services) == ""
