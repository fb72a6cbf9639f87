"""A policy believes a checkpoint that its log signed and enough of its witnesses saw."""

from itertools import product

import pytest

from allmende.merkle import (
    Checkpoint,
    Group,
    KeyKind,
    KnownLog,
    Note,
    Policy,
    PolicyLog,
    PolicyWitness,
    QuorumMissed,
    SignatureRefused,
    SigningKey,
    sign,
    signed_checkpoint,
)
from tests.unit.merkle.made_logs import LOG_KEY, NOW, ORIGIN, OTHER_KEY, WITNESS_KEYS, note_of, tree_of

TREE = tree_of(5)
LOGS = (PolicyLog(LOG_KEY.verifier), PolicyLog(OTHER_KEY.verifier))
WITNESSES = tuple(PolicyWitness(f"W{at}", key.verifier) for at, key in enumerate(WITNESS_KEYS))
TWO_OF_THREE = Policy(LOGS, WITNESSES, (Group("G", 2, ("W0", "W1", "W2")),), "G")


def test_who_saw_it_and_when_is_told():
    accepted = TWO_OF_THREE.accept(bytes(note_of(TREE, keys=(LOG_KEY, *WITNESS_KEYS[:2]))))
    assert accepted.checkpoint == Checkpoint(ORIGIN, 5, TREE.root())
    assert accepted.log == LOG_KEY.verifier
    assert accepted.witnesses == {"W0": NOW, "W1": NOW}


@pytest.mark.parametrize("present", list(product([False, True], repeat=3)))
def test_two_of_three(present):
    keys = [key for key, is_there in zip(WITNESS_KEYS, present, strict=True) if is_there]
    note = note_of(TREE, keys=(LOG_KEY, *keys))
    if len(keys) >= 2:
        assert len(TWO_OF_THREE.check(note).witnesses) == len(keys)
    else:
        with pytest.raises(QuorumMissed):
            TWO_OF_THREE.check(note)


def test_one_witness_counts_once():
    note = note_of(TREE, keys=(LOG_KEY, WITNESS_KEYS[0]))
    later = sign(note.text, WITNESS_KEYS[0], NOW + 60)
    with pytest.raises(QuorumMissed):
        TWO_OF_THREE.check(note.with_signatures([later]))
    assert Policy(LOGS, WITNESSES, (), "W0").check(note.with_signatures([later])).witnesses == {
        "W0": NOW + 60
    }


def test_a_cosignature_without_a_time_does_not_count():
    note = note_of(TREE)
    timeless = [sign(note.text, key, 0) for key in WITNESS_KEYS]
    with pytest.raises(QuorumMissed):
        TWO_OF_THREE.check(note.with_signatures(timeless))


def test_groups_of_groups():
    groups = (Group("X", 1, ("W0", "W1")), Group("Y", 2, ("X", "W2")))
    policy = Policy(LOGS, WITNESSES, groups, "Y")
    reached = {
        names
        for names in [(), ("W0",), ("W0", "W1"), ("W2",), ("W0", "W2"), ("W1", "W2"), ("W0", "W1", "W2")]
        if policy.is_reached(dict.fromkeys(names, NOW))
    }
    assert reached == {("W0", "W2"), ("W1", "W2"), ("W0", "W1", "W2")}


def test_no_witness_asked_for():
    assert Policy(LOGS, (), (), None).check(note_of(TREE)).witnesses == {}


def test_witnesses_do_not_stand_in_for_the_log():
    note = note_of(TREE, keys=WITNESS_KEYS)
    with pytest.raises(SignatureRefused, match="not signed"):
        TWO_OF_THREE.check(note)


def test_one_log_does_not_sign_for_another():
    note = signed_checkpoint(Checkpoint(ORIGIN, 5, TREE.root()), [OTHER_KEY, *WITNESS_KEYS], NOW)
    with pytest.raises(SignatureRefused):
        TWO_OF_THREE.check(note)


def test_an_unknown_log_is_named():
    unknown = SigningKey("unknown.example", KeyKind.ED25519, b"\7" * 32)
    note = signed_checkpoint(Checkpoint("unknown.example", 5, TREE.root()), [unknown, *WITNESS_KEYS], NOW)
    with pytest.raises(SignatureRefused, match="does not know the log"):
        TWO_OF_THREE.check(note)
    with pytest.raises(SignatureRefused):
        Policy((), WITNESSES, (), None).check(note)


def test_a_false_cosignature_refuses_the_note():
    note = note_of(TREE, keys=(LOG_KEY, *WITNESS_KEYS))
    other = note_of(tree_of(6), keys=WITNESS_KEYS)
    with pytest.raises(SignatureRefused):
        TWO_OF_THREE.check(Note(note.text, (*note.signatures, other.signatures[0])))


def test_the_log_may_sign_with_a_key_safe_against_quantum_computers():
    key = SigningKey(ORIGIN, KeyKind.ML_DSA_44_COSIGNATURE, b"\1" * 32)
    policy = Policy((*LOGS, PolicyLog(key.verifier)), (), (), None)
    assert policy.check(note_of(TREE, keys=[key])).log == key.verifier
    assert policy.check(note_of(TREE, keys=[LOG_KEY, key])).log == LOG_KEY.verifier


def test_extension_lines_must_be_signed_by_the_log():
    key = SigningKey(ORIGIN, KeyKind.ML_DSA_44_COSIGNATURE, b"\1" * 32)
    log = KnownLog(ORIGIN, (LOG_KEY.verifier, key.verifier))
    policy = Policy((*LOGS, PolicyLog(key.verifier)), (), (), None)
    text = Checkpoint(ORIGIN, 5, TREE.root(), ("more",)).text
    covered = Note(text, (sign(text, key), sign(text, LOG_KEY)))
    added = Note(text, note_of(TREE, keys=[key]).signatures)
    for check in (policy.check, log.check):
        assert check(covered).checkpoint.extensions == ("more",)
        with pytest.raises(SignatureRefused, match="covers"):
            check(added)
