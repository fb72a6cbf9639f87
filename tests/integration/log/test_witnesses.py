"""A hub as a witness: it cosigns what only grew, keeps evidence of two histories, knows named logs only."""

import pytest

from allmende.flows import Services
from allmende.log import (
    add_checkpoint,
    add_peer,
    evidence_file,
    list_evidence,
    remove_peer,
    witnessed_logs,
    witnessed_note,
)
from allmende.merkle import (
    AddCheckpoint,
    Checkpoint,
    KeyKind,
    KnownLog,
    MemoryTree,
    SigningKey,
    WitnessAnswer,
    consistency_proof,
    generate_key,
    leaf_hash,
    monitoring_path,
    read_equivocation,
    signed_checkpoint,
)

ORIGIN = "other.example.org/log"
KEY = SigningKey(ORIGIN, KeyKind.ED25519, b"\1" * 32)
HASHES = [leaf_hash(bytes([number])) for number in range(20)]


def tree(size: int, *, other: bool = False) -> MemoryTree:
    return MemoryTree([*HASHES[: size - 1], leaf_hash(b"other") if other else HASHES[size - 1]])


def send(services: Services, grown: MemoryTree, old: int = 0, key: SigningKey = KEY) -> WitnessAnswer:
    note = signed_checkpoint(Checkpoint(key.verifier.name, grown.size, grown.root()), [key])
    request = AddCheckpoint(old, tuple(consistency_proof(grown, old, grown.size)), note)
    return add_checkpoint(services.database, services.log.witness_key(), bytes(request))


def test_only_logs_that_were_named_are_witnessed(services: Services):
    assert send(services, tree(5)).status == 404
    with services.database.write() as uow:
        add_peer(uow, KEY.verifier.text, None)
    assert send(services, tree(5)).status == 200
    stranger = generate_key(ORIGIN, KeyKind.ED25519)
    assert send(services, tree(6), 5, stranger).status == 403
    with services.database.write() as uow:
        remove_peer(uow, ORIGIN)
    assert send(services, tree(7), 5).status == 404


def test_a_log_that_grows_is_cosigned_and_shown(services: Services):
    with services.database.write() as uow:
        add_peer(uow, KEY.verifier.text, None)
    assert send(services, tree(5)).status == 200
    assert send(services, tree(9), 4).body == b"5\n"
    assert send(services, tree(9), 5).status == 200
    with services.database.read() as uow:
        note = witnessed_note(uow, monitoring_path(ORIGIN))
        assert [(log.origin, log.size) for log in witnessed_logs(uow)] == [(ORIGIN, 9)]
    assert note is not None
    known = KnownLog(ORIGIN, (KEY.verifier, services.log.witness_key().verifier))
    assert len(known.check(note).log_signatures) == 2


def test_two_histories_leave_evidence(services: Services):
    with services.database.write() as uow:
        add_peer(uow, KEY.verifier.text, None)
    send(services, tree(5))
    assert send(services, tree(5, other=True), 5).status == 422
    with services.database.read() as uow:
        [found] = list_evidence(uow)
        data = evidence_file(uow, found.digest)
    assert found.origin == ORIGIN
    assert data is not None
    smaller, larger = read_equivocation(data).check(KnownLog(ORIGIN, (KEY.verifier,)))
    assert smaller.root != larger.root
    send(services, tree(5, other=True), 5)
    with services.database.read() as uow:
        assert len(list_evidence(uow)) == 1


@pytest.mark.parametrize(("old", "new", "is_proven"), [(5, 9, True), (6, 7, True), (4, 9, False)])
def test_two_histories_of_different_sizes_leave_evidence(
    services: Services, old: int, new: int, is_proven: bool
):
    """A log that forked sends the proof of its new tree, which convicts it unless a hash is left out."""
    with services.database.write() as uow:
        add_peer(uow, KEY.verifier.text, None)
    assert send(services, tree(old)).status == 200
    forked = MemoryTree([leaf_hash(b"fork %d" % number) for number in range(new)])
    assert send(services, forked, old).status == 422
    with services.database.read() as uow:
        files = [evidence_file(uow, found.digest) for found in list_evidence(uow)]
    assert len(files) == is_proven
    for data in files:
        assert data is not None
        smaller, larger = read_equivocation(data).check(KnownLog(ORIGIN, (KEY.verifier,)))
        assert (smaller.size, larger.size) == (old, new)


def test_a_broken_proof_is_no_evidence(services: Services):
    with services.database.write() as uow:
        add_peer(uow, KEY.verifier.text, None)
    send(services, tree(5))
    grown = tree(9)
    note = signed_checkpoint(Checkpoint(ORIGIN, 9, grown.root()), [KEY])
    for proof in ((), (b"\0" * 32,), tuple(consistency_proof(grown, 5, 9))[:-1]):
        request = AddCheckpoint(5, proof, note)
        assert add_checkpoint(services.database, services.log.witness_key(), bytes(request)).status == 422
    with services.database.read() as uow:
        assert list_evidence(uow) == []
