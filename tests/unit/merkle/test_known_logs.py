"""A log's checkpoints are those that it has signed under its own name."""

import pytest

from allmende.errors import AllmendeError
from allmende.merkle import (
    Checkpoint,
    KnownLog,
    MalformedCheckpoint,
    MalformedNote,
    Note,
    SignatureRefused,
    signed_checkpoint,
)
from tests.unit.merkle.made_logs import LOG, LOG_KEY, ORIGIN, OTHER_KEY, WITNESS_KEYS, note_of, tree_of

TREE = tree_of(5)


def test_its_checkpoint_and_its_own_signatures():
    note = note_of(TREE, keys=(*WITNESS_KEYS, LOG_KEY, OTHER_KEY))
    opened = LOG.open(bytes(note))
    assert opened.checkpoint == Checkpoint(ORIGIN, 5, TREE.root())
    assert opened.note == note
    assert [each.name for each in opened.log_signatures] == [ORIGIN]


def test_it_may_have_several_keys():
    log = KnownLog(ORIGIN, (LOG_KEY.verifier, OTHER_KEY.verifier))
    for keys in ([LOG_KEY], [OTHER_KEY], [LOG_KEY, OTHER_KEY]):
        assert len(log.check(note_of(TREE, keys=keys)).log_signatures) == len(keys)


@pytest.mark.parametrize("keys", [[], [OTHER_KEY], WITNESS_KEYS])
def test_others_do_not_sign_for_it(keys):
    with pytest.raises(SignatureRefused):
        LOG.check(note_of(TREE, keys=keys))


def test_it_does_not_sign_for_others():
    note = signed_checkpoint(Checkpoint("other.example/log", 5, TREE.root()), [LOG_KEY])
    with pytest.raises(SignatureRefused, match="and not of"):
        LOG.check(note)


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", MalformedNote),
        (bytes(Note("no checkpoint\n", note_of(TREE).signatures)), MalformedCheckpoint),
        (bytes(note_of(TREE)).replace(b"\n5\n", b"\n6\n"), SignatureRefused),
    ],
)
def test_what_is_wrong_is_said(data: bytes, wrong: type[AllmendeError]):
    with pytest.raises(wrong):
        LOG.open(data)
