"""Whatever is changed in what a reader holds, one bit or one field, it believes none of it."""

import random
from dataclasses import replace

import pytest

from allmende.errors import AllmendeError
from allmende.merkle import (
    Checkpoint,
    LogProof,
    inclusion_proof,
    leaf_hash,
    read_log_proof,
    read_policy,
    signed_checkpoint,
)
from tests.unit.merkle.made_logs import LOG_KEY, NOW, ORIGIN, OTHER_KEY, WITNESS_KEYS, entry, note_of, tree_of

TREE = tree_of(100)
INDEX = 37
ENTRY = entry(INDEX)
SIGNERS = (LOG_KEY, *WITNESS_KEYS)
PROOF = bytes(LogProof(INDEX, tuple(inclusion_proof(TREE, INDEX, 100)), note_of(TREE, keys=SIGNERS)))
POLICY = (
    f"log {LOG_KEY.verifier.text}\n"
    + "".join(f"witness W{at} {key.verifier.text}\n" for at, key in enumerate(WITNESS_KEYS))
    + "group G all W0 W1 W2\nquorum G\n"
).encode()
CASES = 500


def believes(proof: bytes, entry: bytes, policy: bytes) -> bool:
    try:
        read_log_proof(proof).check(leaf_hash(entry), read_policy(policy))
    except AllmendeError:
        return False
    return True


def turned(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def cut(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + 1 :]


def doubled(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[: at + 1] + data[at:]


def test_the_truth_is_believed():
    assert believes(PROOF, ENTRY, POLICY)


@pytest.mark.parametrize("change", [turned, cut, doubled])
def test_a_byte_of_the_proof(change):
    chance = random.Random(1)
    accepted = [
        mutant
        for _ in range(CASES)
        if (mutant := change(PROOF, chance)) != PROOF and believes(mutant, ENTRY, POLICY)
    ]
    assert accepted == []


@pytest.mark.parametrize("change", [turned, cut, doubled])
def test_a_byte_of_the_entry(change):
    chance = random.Random(2)
    assert not any(believes(PROOF, change(ENTRY, chance), POLICY) for _ in range(30))


def test_a_bit_of_the_policy():
    """A turned bit may leave a policy a policy, but never one that believes what it did not ask for."""
    chance = random.Random(3)
    assert not any(believes(PROOF, ENTRY, turned(POLICY, chance)) for _ in range(CASES))


def test_a_line_of_the_policy():
    lines = POLICY.splitlines(keepends=True)
    for at in range(len(lines)):
        assert not believes(PROOF, ENTRY, b"".join(lines[:at] + lines[at + 1 :]))
        assert not believes(PROOF, ENTRY, b"".join([*lines[: at + 1], *lines[at:]]))


def test_a_field_of_the_checkpoint():
    proof = read_log_proof(PROOF)
    for wrong in (
        Checkpoint(ORIGIN, 99, TREE.root()),
        Checkpoint(ORIGIN, 101, TREE.root()),
        Checkpoint(ORIGIN, 100, TREE.root(99)),
        Checkpoint(ORIGIN + "2", 100, TREE.root()),
        Checkpoint(ORIGIN, 100, TREE.root(), ("more",)),
    ):
        note = replace(proof.note, text=wrong.text)
        assert not believes(bytes(replace(proof, note=note)), ENTRY, POLICY)


def test_a_field_of_the_signatures():
    proof = read_log_proof(PROOF)
    signatures = list(proof.note.signatures)
    others = signed_checkpoint(Checkpoint(ORIGIN, 100, TREE.root()), [OTHER_KEY, *WITNESS_KEYS], NOW + 1)
    for at, signature in enumerate(signatures):
        for wrong in (
            [],
            [replace(signature, name="other.example")],
            [replace(signature, key_id=b"\0\0\0\0")],
            [replace(signature, data=others.signatures[at].data[:-1])],
            [replace(signature, data=bytes(8) + signature.data[8:])],
            [replace(signatures[at - 1], data=signature.data)],
        ):
            note = replace(proof.note, signatures=(*signatures[:at], *wrong, *signatures[at + 1 :]))
            assert not believes(bytes(replace(proof, note=note)), ENTRY, POLICY)


def test_a_field_of_the_proof():
    proof = read_log_proof(PROOF)
    for index in {*range(100)} - {INDEX}:
        assert not believes(bytes(replace(proof, index=index)), ENTRY, POLICY)
    for at in range(len(proof.hashes)):
        for hashes in (
            (*proof.hashes[:at], *proof.hashes[at + 1 :]),
            (*proof.hashes[:at], proof.hashes[at - 1], *proof.hashes[at:]),
            (*proof.hashes[:at], proof.hashes[at - 1], *proof.hashes[at + 1 :]),
        ):
            assert not believes(bytes(replace(proof, hashes=hashes)), ENTRY, POLICY)
