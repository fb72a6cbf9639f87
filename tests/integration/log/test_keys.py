"""Keys: made once, readable by their owner alone, changed so that who knows the old one finds the new one."""

import json
import stat

import pytest
from sqlalchemy import select

from allmende.flows import Services, run_log
from allmende.log import KeysDamaged, check_log, newest_entry, start_new_log
from allmende.merkle import KnownLog, read_verifier_key
from allmende.registry import Actor, create_repo
from allmende.storage import outbox
from tests.integration.log.conftest import ReadLog, served_log


def test_secrets_are_their_owners_alone(services: Services, integrated: ReadLog):
    integrated()
    for path in services.log.keys.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_who_knows_the_old_key_can_follow_to_the_new_one(services: Services, integrated: ReadLog):
    before = integrated()
    old = read_verifier_key(services.log.log_keys[0])
    services.log.keys.add_log_key()
    integrated()
    note = services.log.checkpoint()
    assert note is not None
    followed = KnownLog(services.log.origin, (old,)).check(note)
    assert followed.checkpoint.size == before.checkpoint.size + 1
    with services.database.read() as uow:
        told = newest_entry(uow, "key")
    assert told is not None
    said = json.loads(told.statement or b"")
    assert said["keys"]["log"] == services.log.log_keys
    assert old.text in said["keys"]["log"]
    services.log.keys.drop_old_log_keys()
    integrated()
    note = services.log.checkpoint()
    assert note is not None
    assert len(note.signatures) == 1
    new = read_verifier_key(services.log.log_keys[0])
    KnownLog(services.log.origin, (new,)).check(note)


def test_a_former_statement_key_stays_listed(services: Services, integrated: ReadLog):
    integrated()
    former = services.log.statement_signer().public.pem
    services.log.keys.rotate_statement_key()
    integrated()
    assert services.log.statement_signer().public.pem != former
    assert services.log.statement_keys[1] == former
    assert services.log.keys.read().statement[1].until is not None


def test_damaged_keys_are_said_and_not_made_anew(services: Services, integrated: ReadLog):
    integrated()
    folder = services.log.keys.folder
    secret = next(folder.glob("log-*.key"))
    secret.write_text("PRIVATE+KEY+nonsense\n")
    with services.database.write() as uow:
        uow.emit("repo.gated", {})
    with pytest.raises(KeysDamaged):
        run_log(services)
    (folder / "keyring.json").write_text("{}")
    with pytest.raises(KeysDamaged):
        _ = services.log.origin


def test_a_new_log_takes_every_act_anew(services: Services, alice: Actor, integrated: ReadLog):
    with services.database.write() as uow:
        create_repo(uow, services.queue, alice, "model", "alice", "m")
    old = integrated()
    origin = start_new_log(services.database, services.log)
    assert origin == "hub.example.org/log/2"
    new = integrated()
    assert new.checkpoint.origin == origin
    with services.database.read() as uow:
        assert new.checkpoint.size == len(uow.all(select(outbox.c.id)))
    assert new.checkpoint.size > old.checkpoint.size
    assert served_log(services).checkpoint == new.checkpoint


def test_a_check_finds_what_does_not_belong(services: Services, alice: Actor, integrated: ReadLog):
    from allmende.log.tables import log_entry

    with services.database.write() as uow:
        create_repo(uow, services.queue, alice, "model", "alice", "m")
    size = integrated().checkpoint.size
    sound = check_log(services.database, services.log)
    assert (sound.entries, sound.statements, sound.problems) == (size, size, [])
    with services.database.write() as uow:
        uow.execute(log_entry.update().where(log_entry.c.number == 2).values(statement=b"{}"))
    assert check_log(services.database, services.log).problems == ["entry 2 does not commit to its statement"]
    bundle = services.log.publisher.folder / "tile" / "entries" / "000"
    bundle.write_bytes(bundle.read_bytes().replace(b"publish", b"private"))
    assert len(check_log(services.database, services.log).problems) == 2
