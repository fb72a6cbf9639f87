"""Acts become entries, each once, whoever integrates and whenever a transaction ends; readers check it."""

import json
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select

from allmende.flows import LogStatements, Services, run_log
from allmende.log import (
    VEILED_KIND,
    EntryNotFound,
    LogContradicted,
    LogSetBack,
    entries_of_repo,
    log_size,
    newest_entry,
    read_entry,
)
from allmende.merkle import leaf_hash, read_log_proof, read_policy, read_verifier_key
from allmende.registry import Actor, create_repo, create_tag, duplicate_repo, update_repo
from allmende.storage import Database, UnitOfWork, outbox
from tests.integration.log.conftest import ReadLog, served_log


def acts(database: Database) -> list[int]:
    with database.read() as uow:
        return [row.id for row in uow.all(select(outbox.c.id).order_by(outbox.c.id))]


def test_every_act_is_an_entry_that_commits_to_its_statement(
    services: Services, alice: Actor, integrated: ReadLog
):
    with services.database.write() as uow:
        repo = create_repo(uow, services.queue, alice, "model", "alice", "m")
    log = integrated()
    assert log.checkpoint.size == len(acts(services.database))
    with services.database.read() as uow:
        [published] = entries_of_repo(uow, repo.id)
    assert log.entry(published.number) == published.entry
    entry, statement = json.loads(published.entry), json.loads(published.statement or b"")
    assert entry["kind"] == statement["kind"] == "publish"
    assert entry["commit"] == statement["commit"]
    assert entry["dirHash"] == statement["dirHash"]
    assert entry["subject"] == statement["repo"]["subject"]
    assert statement["repo"]["id"] == repo.public_id
    assert statement["hub"] == log.checkpoint.origin == "hub.example.org/log"
    assert published.salt is not None
    assert published.statement is not None
    assert entry["commitment"] == sha256(published.salt + published.statement).hexdigest()
    assert b"alice" not in published.statement


def test_the_keys_are_the_first_entry(services: Services, integrated: ReadLog):
    integrated()
    with services.database.read() as uow:
        first = newest_entry(uow, "key")
    assert first is not None
    assert first.number == 0
    said = json.loads(first.statement or b"")
    assert said["keys"]["log"] == services.log.log_keys
    assert said["keys"]["statement"] == services.log.statement_keys


def test_a_private_repo_shows_nothing_but_a_day(services: Services, alice: Actor, integrated: ReadLog):
    with services.database.write() as uow:
        repo = create_repo(uow, services.queue, alice, "model", "alice", "secret", private=True)
    integrated()
    with services.database.read() as uow:
        [published] = entries_of_repo(uow, repo.id)
    entry = json.loads(published.entry)
    assert set(entry) == {"v", "kind", "time", "subject", "commitment"}
    assert entry["kind"] == VEILED_KIND
    assert entry["time"] == "2026-11-22"


def test_a_proof_convinces_a_stranger(services: Services, alice: Actor, integrated: ReadLog):
    with services.database.write() as uow:
        for number in range(20):
            create_repo(uow, services.queue, alice, "model", "alice", f"m{number}")
    log = integrated()
    key = read_verifier_key(services.log.log_keys[0])
    policy = read_policy(f"log {key.text}\nquorum none\n".encode())
    for number in range(log.checkpoint.size):
        proof = read_log_proof(bytes(services.log.prove(number)))
        assert proof.check(leaf_hash(log.entry(number)), policy).checkpoint == log.checkpoint


def test_an_act_that_ends_late_joins_the_next_batch(services: Services, alice: Actor, integrated: ReadLog):
    with services.database.write() as uow:
        early = create_repo(uow, services.queue, alice, "model", "alice", "early")
    with services.database.write() as uow:
        row = uow.execute(select(outbox).where(outbox.c.repo_id == early.id)).one()
        uow.execute(outbox.delete().where(outbox.c.id == row.id))
        update_repo(uow, alice, early, gated="auto")
    before = integrated()
    with services.database.write() as uow:
        uow.execute(outbox.insert().values(**row._asdict()))
    after = integrated()
    assert after.checkpoint.size == before.checkpoint.size + 1
    after.check_extends(before.checkpoint)
    assert json.loads(after.entry(before.checkpoint.size))["kind"] == "publish"


def test_two_integrators_take_each_act_once(services: Services, alice: Actor):
    stop = threading.Event()

    def integrate() -> None:
        while not stop.is_set():
            run_log(services)

    threads = [threading.Thread(target=integrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(40):
        with services.database.write() as uow:
            create_repo(uow, services.queue, alice, "model", "alice", f"m{number}")
    stop.set()
    for thread in threads:
        thread.join()
    run_log(services)
    log = served_log(services)
    assert log.checkpoint.size == len(acts(services.database))
    with services.database.read() as uow:
        rows = uow.all(select(outbox.c.id, outbox.c.log_index))
    assert sorted(row.log_index for row in rows) == list(range(len(rows)))
    assert len(list(log.entries(0, log.checkpoint.size))) == len(rows)


def test_tiles_that_are_lost_or_damaged_are_made_again(
    services: Services, alice: Actor, integrated: ReadLog, tmp_path: Path
):
    with services.database.write() as uow:
        for number in range(300):
            uow.emit("repo.gated", {"gated": str(number)})
    before = integrated()
    assert before.checkpoint.size > 256
    tile = tmp_path / "log" / "tile" / "0" / "001"
    for spoil in (tile.unlink, lambda: tile.write_bytes(b"\0" * 32 * 60)):
        spoil()
        with services.database.write() as uow:
            uow.emit("repo.gated", {"gated": "more"})
        integrated().check_extends(before.checkpoint)


def test_a_database_that_was_set_back_signs_nothing(services: Services, alice: Actor, integrated: ReadLog):
    before = integrated()
    with services.database.write() as uow:
        forget_last_entry(uow)
    with pytest.raises(LogSetBack):
        run_log(services)
    with services.database.write() as uow:
        for number in range(5):
            uow.emit("repo.gated", {"gated": str(number)})
    with pytest.raises(LogSetBack):
        run_log(services)
    assert served_log(services).checkpoint == before.checkpoint


def test_another_history_of_the_same_length_is_not_signed(
    services: Services, alice: Actor, integrated: ReadLog
):
    state = services.log.publisher.state()
    signed = integrated().checkpoint
    with services.database.write() as uow:
        forget_last_entry(uow)
        uow.emit("repo.gated", {"gated": "other"})
    # Whoever integrates without looking at the state, as another process might.
    from allmende.log import integrate

    while integrate(services.database, LogStatements(services), services.log.origin):
        pass
    with services.database.read() as uow:
        assert log_size(uow).size >= signed.size
    with pytest.raises(LogContradicted):
        run_log(services)
    assert state.read().root == signed.root


def forget_last_entry(uow: UnitOfWork) -> None:
    """The database as it was one entry ago: a backup."""
    from allmende.log.tables import log_entry, log_state
    from allmende.merkle import Frontier

    entries = uow.all(select(log_entry.c.number, log_entry.c.entry).order_by(log_entry.c.number))
    frontier = Frontier().extended(leaf_hash(bytes(row.entry)) for row in entries[:-1])
    last = entries[-1].number
    uow.execute(log_entry.delete().where(log_entry.c.number == last))
    uow.execute(outbox.delete().where(outbox.c.log_index == last))
    uow.execute(
        log_state.update().values(size=frontier.size, root=frontier.root, frontier=b"".join(frontier.hashes))
    )


def test_what_is_not_there_is_not_found(services: Services, integrated: ReadLog):
    integrated()
    with services.database.read() as uow, pytest.raises(EntryNotFound):
        read_entry(uow, 10_000)


def test_a_copy_and_a_tag_say_which_files_they_name(services: Services, alice: Actor, integrated: ReadLog):
    with services.database.write() as uow:
        repo = create_repo(uow, services.queue, alice, "model", "alice", "m")
        tagged = create_tag(uow, alice, repo, "v1", revision="main", message=None)
        copy = duplicate_repo(uow, services.queue, alice, repo, "alice", "copy", private=None)
    log = integrated()
    with services.database.read() as uow:
        published, ref = entries_of_repo(uow, repo.id)
        copied = next(one for one in entries_of_repo(uow, copy.id) if one.kind == "lineage")
    told = json.loads(published.entry)
    for entry in (ref, copied):
        said = json.loads(log.entry(entry.number))
        assert (said["commit"], said["dirHash"]) == (tagged, told["dirHash"])
