"""A witness answers as the norm's table says, and is never rolled back."""

import threading
from dataclasses import replace

import pytest

from allmende.merkle import (
    AddCheckpoint,
    Checkpoint,
    Equivocation,
    KeyRing,
    KnownLog,
    MalformedKey,
    MalformedWitnessRequest,
    Note,
    Signature,
    SignedBy,
    Witness,
    WitnessAnswer,
    consistency_proof,
    read_equivocation,
    read_signatures,
    signed_checkpoint,
)
from tests.unit.merkle.made_logs import (
    LOG,
    LOG_KEY,
    NOW,
    ORIGIN,
    OTHER_KEY,
    WITNESS_KEYS,
    MemoryStore,
    note_of,
    tree_of,
)

TREE, FORK = tree_of(50), tree_of(50, fork_at=7)


def body(old_size: int, size: int, tree=TREE, keys=(LOG_KEY,)) -> bytes:
    return bytes(
        AddCheckpoint(old_size, tuple(consistency_proof(tree, old_size, size)), note_of(tree, size, keys))
    )


class Told:
    """A witness, what it stored, and what evidence it found."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.evidence: list[Equivocation] = []
        self.witness = Witness([LOG], WITNESS_KEYS, self.store, self.evidence.append)

    def ask(self, request: bytes, at_s: int = NOW) -> WitnessAnswer:
        return self.witness.add_checkpoint(request, at_s)

    @property
    def size(self) -> int | None:
        last = self.store.last(ORIGIN)
        return None if last is None else last.size


@pytest.fixture
def told() -> Told:
    """One that has cosigned 20 entries."""
    made = Told()
    assert made.ask(body(0, 20)).status == 200
    return made


def signed(answer: WitnessAnswer, note: Note) -> tuple[SignedBy, ...]:
    assert answer.status == 200
    lines = read_signatures(answer.body.decode())
    return KeyRing(key.verifier for key in WITNESS_KEYS).check(Note(note.text, lines))


class TestAnswers:
    def test_200_each_of_its_keys_cosigns(self, told):
        answer = told.ask(body(20, 50), NOW + 5)
        cosigned = signed(answer, note_of(TREE))
        assert [each.key for each in cosigned] == [key.verifier for key in WITNESS_KEYS]
        assert {each.at_s for each in cosigned} == {NOW + 5}
        assert told.size == 50

    def test_200_again_for_the_same_tree(self, told):
        assert signed(told.ask(body(20, 20), NOW + 9), note_of(TREE, 20))[0].at_s == NOW + 9
        assert told.size == 20

    def test_200_for_the_empty_tree(self):
        told = Told()
        assert told.ask(body(0, 0)).status == 200
        assert told.ask(body(0, 0)).status == 200
        assert told.ask(body(0, 3)).status == 200

    @pytest.mark.parametrize(
        "request_body", [b"", b"old 0\n\n", b"old x\n\n" + bytes(note_of(TREE)), b"\xff" * 99]
    )
    def test_400_what_cannot_be_read(self, told, request_body):
        assert told.ask(request_body).status == 400

    def test_400_a_note_that_is_no_checkpoint(self, told):
        note = Note("no checkpoint\n", note_of(TREE).signatures)
        assert told.ask(bytes(AddCheckpoint(0, (), note))).status == 400

    def test_400_the_old_size_is_larger(self, told):
        assert told.ask(bytes(AddCheckpoint(51, (), note_of(TREE)))).status == 400

    def test_404_another_log(self, told):
        note = signed_checkpoint(Checkpoint(OTHER_KEY.verifier.name, 5, bytes(32)), [OTHER_KEY])
        assert told.ask(bytes(AddCheckpoint(0, (), note))).status == 404

    def test_403_not_signed_by_the_log(self, told):
        assert told.ask(body(20, 50, keys=[OTHER_KEY])).status == 403

    def test_403_signed_falsely(self, told):
        false = replace(note_of(TREE).signatures[0], data=bytes(64))
        note = note_of(TREE).with_signatures([false])
        proof = tuple(consistency_proof(TREE, 20, 50))
        assert told.ask(bytes(AddCheckpoint(20, proof, note))).status == 403

    @pytest.mark.parametrize("old_size", [0, 1, 19, 21, 50])
    def test_409_says_where_the_witness_stands(self, told, old_size):
        answer = told.ask(body(old_size, 50))
        assert (answer.status, answer.body, answer.media_type) == (409, b"20\n", "text/x.tlog.size")

    def test_409_for_a_smaller_tree(self, told):
        assert told.ask(body(10, 10)).status == 409

    def test_409_of_a_witness_that_has_seen_nothing(self):
        assert Told().ask(body(5, 50)).body == b"0\n"

    @pytest.mark.parametrize(
        "proof",
        [(), (bytes(32),), tuple(consistency_proof(FORK, 20, 50)), tuple(consistency_proof(TREE, 19, 50))],
    )
    def test_422_the_proof_is_wrong(self, told, proof):
        assert told.ask(bytes(AddCheckpoint(20, proof, note_of(TREE)))).status == 422

    def test_422_a_proof_where_none_is_needed(self, told):
        assert Told().ask(bytes(AddCheckpoint(0, (bytes(32),), note_of(TREE)))).status == 422
        assert told.ask(bytes(AddCheckpoint(20, (bytes(32),), note_of(TREE, 20)))).status == 422

    def test_422_the_empty_tree_with_another_root(self):
        note = signed_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), [LOG_KEY])
        assert Told().ask(bytes(AddCheckpoint(0, (), note))).status == 422

    def test_422_two_roots_for_one_size_are_evidence(self, told):
        assert told.ask(body(20, 20, FORK)).status == 422
        (evidence,) = told.evidence
        smaller, larger = evidence.check(LOG)
        assert smaller.size == larger.size == 20
        assert {smaller.root, larger.root} == {TREE.root(20), FORK.root(20)}

    def test_422_the_proof_of_a_forked_tree_is_evidence(self, told):
        assert told.ask(body(20, 50, FORK)).status == 422
        (evidence,) = told.evidence
        smaller, larger = read_equivocation(bytes(evidence)).check(LOG)
        assert (smaller.root, larger.root) == (TREE.root(20), FORK.root(50))

    @pytest.mark.parametrize("proof", [(), (bytes(32),), tuple(consistency_proof(FORK, 20, 50))])
    def test_422_a_proof_that_leads_nowhere_is_no_evidence(self, told, proof):
        assert told.ask(bytes(AddCheckpoint(20, proof, note_of(TREE)))).status == 422
        assert told.evidence == []

    def test_nothing_is_stored_for_what_is_refused(self, told):
        before = dict(told.store.kept)
        for request in (
            b"",
            body(20, 50, FORK),
            body(20, 20, FORK),
            body(1, 50),
            body(20, 50, keys=[OTHER_KEY]),
        ):
            assert told.ask(request).status >= 400
        assert told.store.kept == before


class TestState:
    def test_what_is_kept_has_the_signatures_of_the_log_and_its_own_only(self, told):
        junk = Signature("junk.example", b"\0\0\0\0", b"x" * 4000)
        note = note_of(TREE).with_signatures([junk])
        proof = tuple(consistency_proof(TREE, 20, 50))
        assert told.ask(bytes(AddCheckpoint(20, proof, note))).status == 200
        names = [each.name for each in told.store.kept[ORIGIN].note.signatures]
        assert names == [ORIGIN, *(key.verifier.name for key in WITNESS_KEYS)]

    def test_the_slower_of_two_is_not_rolled_back(self, told):
        class Raced(MemoryStore):
            """Another request gets in between the decision and the store, once."""

            raced = False

            def advance(self, old, new):
                if not self.raced:
                    self.raced = True
                    assert told.ask(body(20, 40)).status == 200
                    self.kept = told.store.kept
                return super().advance(old, new)

        slow = Told(Raced(told.store.kept.values()))
        answer = slow.ask(body(20, 30))
        assert (answer.status, answer.body) == (409, b"40\n")
        assert slow.size == 40

    def test_503_when_others_are_always_faster(self, told):
        class Contended(MemoryStore):
            def advance(self, old, new):
                return False

        assert Told(Contended(told.store.kept.values())).ask(body(20, 30)).status == 503

    def test_many_at_once_leave_one_order(self):
        class Locked(MemoryStore):
            lock = threading.Lock()

            def advance(self, old, new):
                with self.lock:
                    return super().advance(old, new)

        told, sizes = Told(Locked()), []

        def ask(size):
            for _ in range(60):
                last = told.size or 0
                if last > size:
                    return
                answer = told.ask(body(last, size))
                if answer.status == 200:
                    sizes.append(size)
                    return

        threads = [threading.Thread(target=ask, args=(size,)) for size in (5, 10, 20, 30, 40, 50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert told.size == 50
        assert 50 in sizes

    def test_it_says_when(self, told):
        for at_s in (0, -1):
            with pytest.raises(MalformedWitnessRequest):
                told.ask(body(20, 30), at_s)

    def test_it_needs_keys_that_say_a_time(self):
        for keys in ([], [LOG_KEY], [*WITNESS_KEYS, LOG_KEY]):
            with pytest.raises(MalformedKey):
                Witness([LOG], keys, MemoryStore())

    def test_a_log_is_named_once(self):
        with pytest.raises(MalformedKey):
            Witness([LOG, KnownLog(ORIGIN, (OTHER_KEY.verifier,))], WITNESS_KEYS, MemoryStore())

    def test_a_log_may_change_its_key(self):
        store = MemoryStore()
        witness = Witness([KnownLog(ORIGIN, (LOG_KEY.verifier, OTHER_KEY.verifier))], WITNESS_KEYS, store)
        assert witness.add_checkpoint(body(0, 20), NOW).status == 200
        assert witness.add_checkpoint(body(20, 50, keys=[OTHER_KEY]), NOW).status == 200
