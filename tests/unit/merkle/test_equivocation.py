"""Evidence that a log contradicted itself convinces a third party, and cannot be made up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.errors import AllmendeError
from allmende.merkle import (
    Checkpoint,
    Equivocation,
    Malformed,
    MalformedEvidence,
    OutOfTree,
    SignatureRefused,
    find_equivocation,
    prefix_proof,
    read_equivocation,
    signed_checkpoint,
)
from tests.unit.merkle.made_logs import LOG, LOG_KEY, ORIGIN, OTHER_KEY, WITNESS_KEYS, note_of, tree_of

TREE, FORK = tree_of(40), tree_of(40, fork_at=9)
PAIRS = st.integers(10, 40).flatmap(lambda size: st.tuples(st.integers(10, size), st.just(size)))
BOTH = Equivocation.of_one_size(note_of(TREE), note_of(FORK))


class TestFinding:
    @settings(max_examples=50)
    @given(PAIRS)
    def test_a_fork_is_shown_at_any_two_sizes(self, pair):
        old_size, size = pair
        found = find_equivocation(note_of(TREE, old_size), note_of(FORK, size), FORK)
        assert found is not None
        smaller, larger = read_equivocation(bytes(found)).check(LOG)
        assert (smaller.size, larger.size) == (old_size, size)

    @settings(max_examples=50)
    @given(PAIRS)
    def test_a_log_that_only_grew_gives_no_evidence(self, pair):
        old_size, size = pair
        assert find_equivocation(note_of(TREE, old_size), note_of(TREE, size), TREE) is None
        assert find_equivocation(note_of(TREE, size), note_of(TREE, old_size), TREE) is None

    def test_the_order_does_not_matter(self):
        one, other = note_of(TREE, 12), note_of(FORK, 33)
        assert find_equivocation(one, other, FORK) == find_equivocation(other, one, FORK) is not None
        assert find_equivocation(note_of(TREE), note_of(FORK), FORK) == BOTH

    def test_before_the_fork_there_is_none(self):
        assert find_equivocation(note_of(TREE, 9), note_of(FORK), FORK) is None
        assert find_equivocation(note_of(TREE, 0), note_of(FORK), FORK) is None

    def test_a_false_root_of_the_empty_tree(self):
        empty = signed_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), [LOG_KEY])
        for other in (note_of(TREE), note_of(TREE, 0)):
            found = find_equivocation(empty, other, TREE)
            assert found is not None
            assert found.check(LOG)[0].size == 0

    def test_the_reader_must_have_the_larger_tree(self):
        with pytest.raises(OutOfTree):
            find_equivocation(note_of(TREE, 20), note_of(FORK, 40), tree_of(39))
        with pytest.raises(MalformedEvidence):
            find_equivocation(note_of(TREE, 20), note_of(FORK, 40), TREE)


class TestChecking:
    def test_cosignatures_do_not_matter(self):
        note = note_of(TREE, keys=(LOG_KEY, *WITNESS_KEYS))
        read_equivocation(bytes(Equivocation.of_one_size(note, note_of(FORK)))).check(LOG)

    def test_agreement_is_no_evidence(self):
        for evidence in (
            Equivocation(note_of(TREE), note_of(TREE)),
            Equivocation(note_of(TREE, 0), note_of(TREE)),
            Equivocation(note_of(TREE, 20), note_of(TREE), tuple(prefix_proof(TREE, 20, 40))),
        ):
            with pytest.raises(MalformedEvidence, match="do not contradict"):
                evidence.check(LOG)

    def test_hashes_of_another_tree_are_no_evidence(self):
        made_up = Equivocation(note_of(TREE, 20), note_of(TREE), tuple(prefix_proof(FORK, 20, 40)))
        with pytest.raises(MalformedEvidence, match="do not lead"):
            made_up.check(LOG)

    @settings(max_examples=50)
    @given(st.integers(0, 5), st.integers(0, 255))
    def test_a_turned_bit_in_the_hashes_is_no_evidence(self, at, bit):
        proof = prefix_proof(TREE, 20, 40)
        at %= len(proof)
        proof[at] = (int.from_bytes(proof[at]) ^ (1 << bit)).to_bytes(32)
        with pytest.raises(MalformedEvidence):
            Equivocation(note_of(TREE, 20), note_of(TREE), tuple(proof)).check(LOG)

    def test_more_or_fewer_hashes_are_no_evidence(self):
        proof = tuple(prefix_proof(FORK, 20, 40))
        for wrong in ((), proof[1:], (*proof, bytes(32))):
            with pytest.raises(MalformedEvidence):
                Equivocation(note_of(TREE, 20), note_of(FORK), wrong).check(LOG)
        with pytest.raises(MalformedEvidence, match="need no proof"):
            Equivocation(note_of(TREE), note_of(FORK), proof).check(LOG)

    def test_the_larger_tree_stands_second(self):
        with pytest.raises(MalformedEvidence, match="stands first"):
            Equivocation(note_of(FORK, 40), note_of(TREE, 20)).check(LOG)

    def test_both_must_be_signed_by_the_log(self):
        other = signed_checkpoint(Checkpoint(ORIGIN, 40, FORK.root()), [OTHER_KEY])
        elsewhere = signed_checkpoint(
            Checkpoint(OTHER_KEY.verifier.name, 40, FORK.root()), [LOG_KEY, OTHER_KEY]
        )
        for note in (other, elsewhere):
            with pytest.raises(SignatureRefused):
                Equivocation.of_one_size(note_of(TREE), note).check(LOG)


class TestFile:
    @pytest.mark.parametrize(
        "change",
        [
            lambda data: b"",
            lambda data: data[:-1],
            lambda data: data + b"\n",
            lambda data: data.replace(b"/1\n", b"/2\n"),
            lambda data: data.replace(b"smaller ", b"smaller 0"),
            lambda data: data.replace(b"smaller ", b"smaller 9"),
            lambda data: data.replace(b"smaller ", b"larger "),
            lambda data: data.replace(b"\n\n", b"\n" + b"A" * 43 + b"=\n\n", 1)[:60],
            lambda data: data.replace(b"\n\n", (b"\n" + b"A" * 43 + b"=") * 65 + b"\n\n", 1),
            lambda data: data.replace(b"\n\n", b"\nAAAA\n\n", 1),
            lambda data: data.replace(b"allmende", b"\xffllmende"),
            lambda data: data + b"x" * 2 * 1024 * 1024,
        ],
    )
    def test_what_is_no_evidence_is_refused(self, change):
        with pytest.raises(Malformed):
            read_equivocation(change(bytes(BOTH)))

    def test_every_turned_bit_is_refused(self):
        data = bytes(BOTH)
        for at in range(len(data)):
            for bit in (0, 3, 6, 7):
                turned = data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
                with pytest.raises(AllmendeError):
                    read_equivocation(turned).check(LOG)
