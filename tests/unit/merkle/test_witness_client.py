"""A log asks a witness, follows it to where it stands, and believes only its keys."""

import pytest

from allmende.merkle import (
    Note,
    Witness,
    WitnessAhead,
    WitnessAnswer,
    WitnessRefused,
    consistency_proof,
    obtain_cosignatures,
    read_add_checkpoint,
    sign,
)
from tests.unit.merkle.made_logs import LOG, NOW, OTHER_KEY, WITNESS_KEYS, MemoryStore, note_of, tree_of

TREE = tree_of(50)
KEYS = [key.verifier for key in WITNESS_KEYS]


class Line:
    """The way to a witness; counts what goes over it."""

    def __init__(self) -> None:
        self.witness = Witness([LOG], WITNESS_KEYS, MemoryStore())
        self.asked: list[int] = []

    def __call__(self, body: bytes) -> WitnessAnswer:
        self.asked.append(read_add_checkpoint(body).old_size)
        return self.witness.add_checkpoint(body, NOW)

    def obtain(self, size, old_size=0):
        return obtain_cosignatures(
            self, note_of(TREE, size), KEYS, lambda old: consistency_proof(TREE, old, size), old_size
        )


def answering(*answers):
    """A witness that says what it is told to say, again and again."""
    rest = iter(answers * 9)
    note = note_of(TREE)
    return lambda: obtain_cosignatures(lambda _: next(rest), note, KEYS, lambda old: [])


def test_a_witness_that_has_seen_nothing():
    line = Line()
    assert [each.name for each in line.obtain(20)] == [key.name for key in KEYS]
    assert line.asked == [0]


def test_it_is_asked_again_from_where_it_stands():
    line = Line()
    line.obtain(20)
    line.obtain(30)
    line.obtain(40, old_size=30)
    line.obtain(50, old_size=20)
    assert line.asked == [0, 0, 20, 30, 20, 40]


def test_a_log_that_was_set_back_is_told_so():
    line = Line()
    line.obtain(30)
    with pytest.raises(WitnessAhead) as refusal:
        line.obtain(20)
    assert "30" in refusal.value.message
    assert refusal.value.hint


def test_only_the_cosignatures_of_known_keys_are_taken():
    note = note_of(TREE)
    lines = sign(note.text, WITNESS_KEYS[0], NOW), sign(note.text, OTHER_KEY)
    body = "".join(map(str, lines)).encode()
    assert answering(WitnessAnswer(200, body))() == lines[:1]


@pytest.mark.parametrize(
    "answers",
    [
        [WitnessAnswer(403, b"no\n")],
        [WitnessAnswer(500, b"\xff" * 5000)],
        [WitnessAnswer(301, b"")],
        [WitnessAnswer(409, b"20\n")],
        [WitnessAnswer(409, b"20", "text/x.tlog.size")],
        [WitnessAnswer(409, b"020\n", "text/x.tlog.size")],
        [WitnessAnswer(409, b"\xff\n", "text/x.tlog.size")],
        [WitnessAnswer(409, b"9" * 5000 + b"\n", "text/x.tlog.size")],
        [WitnessAnswer(409, b"20\n", "text/x.tlog.size"), WitnessAnswer(409, b"21\n", "text/x.tlog.size")],
        [WitnessAnswer(200, b"")],
        [WitnessAnswer(200, b"thanks\n")],
        [WitnessAnswer(200, b"\xff")],
        [WitnessAnswer(200, str(sign(note_of(TREE).text, OTHER_KEY)).encode())],
        [WitnessAnswer(200, str(sign(note_of(TREE, 49).text, WITNESS_KEYS[0], NOW)).encode())],
        [WitnessAnswer(200, str(sign(note_of(TREE).text, WITNESS_KEYS[0], 0)).encode())],
        [WitnessAnswer(200, str(sign(note_of(TREE).text, WITNESS_KEYS[0], NOW)).encode() + b"\n")],
        [WitnessAnswer(200, str(sign(note_of(TREE).text, WITNESS_KEYS[0], NOW)).encode() * 101)],
    ],
)
def test_whatever_else_it_answers_is_a_refusal(answers):
    with pytest.raises(WitnessRefused):
        answering(*answers)()


def test_the_type_of_the_size_may_have_parameters():
    line, note = Line(), note_of(TREE)
    answers = iter([WitnessAnswer(409, b"0\n", "text/x.tlog.size; charset=utf-8")])
    got = obtain_cosignatures(lambda body: next(answers, None) or line(body), note, KEYS, lambda old: [])
    assert Note(note.text, got).signatures
