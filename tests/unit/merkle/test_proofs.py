"""Every true proof is accepted, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    ProofRefused,
    consistency_proof,
    inclusion_proof,
    prefix_proof,
    prefix_roots,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.merkle.made_logs import leaves_of, tree_of

TREE = tree_of(300)
LEAVES = leaves_of(TREE)
ROOTS = [TREE.root(size) for size in range(301)]
PAIRS = st.integers(1, 300).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size)))


def refused(verify, *arguments) -> bool:
    try:
        verify(*arguments)
    except ProofRefused:
        return True
    return False


def changed(hashes, data):
    """The same hashes with one bit turned, one left out, one doubled, two exchanged, or one added."""
    kinds = ["add"] + ["flip", "drop", "double"] * bool(hashes) + ["swap"] * (len(set(hashes)) > 1)
    kind = data.draw(st.sampled_from(kinds))
    made = list(hashes)
    at = data.draw(st.integers(0, max(len(made) - 1, 0)))
    if kind == "flip":
        bit = data.draw(st.integers(0, 255))
        made[at] = (int.from_bytes(made[at]) ^ (1 << bit)).to_bytes(32)
    elif kind == "drop":
        del made[at]
    elif kind == "double":
        made.insert(at, made[at])
    elif kind == "swap":
        other = next(place for place in range(len(made)) if made[place] != made[at])
        made[at], made[other] = made[other], made[at]
    else:
        made.insert(at, data.draw(st.sampled_from([bytes(32), EMPTY_ROOT])))
    return made


class TestTrueProofs:
    @pytest.mark.parametrize("up_to", [80, pytest.param(300, marks=pytest.mark.slow)])
    def test_every_leaf_of_every_size(self, up_to):
        for size in range(1, up_to + 1):
            for index in range(size):
                proof = inclusion_proof(TREE, index, size)
                verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])

    @pytest.mark.parametrize("up_to", [80, pytest.param(300, marks=pytest.mark.slow)])
    def test_every_pair_of_sizes(self, up_to):
        for size in range(up_to + 1):
            for old_size in range(size + 1):
                proof = consistency_proof(TREE, old_size, size)
                verify_consistency(old_size, ROOTS[old_size], size, ROOTS[size], proof)

    def test_a_prefix_has_the_root_that_it_had(self):
        for size in range(1, 50):
            for old_size in range(1, size + 1):
                proof = prefix_proof(TREE, old_size, size)
                assert prefix_roots(old_size, size, proof) == (ROOTS[old_size], ROOTS[size])


class TestFalseProofs:
    @settings(max_examples=50)
    @given(PAIRS, st.data())
    def test_a_changed_inclusion_proof(self, pair, data):
        index, size = pair
        proof = changed(inclusion_proof(TREE, index, size), data)
        assert refused(verify_inclusion, LEAVES[index], index, size, proof, ROOTS[size])

    @settings(max_examples=50)
    @given(PAIRS, st.data())
    def test_a_changed_consistency_proof(self, pair, data):
        old_size, size = pair
        proof = changed(consistency_proof(TREE, old_size, size), data)
        assert refused(verify_consistency, old_size, ROOTS[old_size], size, ROOTS[size], proof)

    @settings(max_examples=50)
    @given(PAIRS, st.integers(0, 299), st.integers(0, 300))
    def test_an_inclusion_proof_of_something_else(self, pair, other, other_size):
        index, size = pair
        proof = inclusion_proof(TREE, index, size)
        if LEAVES[other] != LEAVES[index]:
            assert refused(verify_inclusion, LEAVES[other], index, size, proof, ROOTS[size])
            assert refused(verify_inclusion, LEAVES[index], other, size, proof, ROOTS[size])
        if other_size != size:
            assert refused(verify_inclusion, LEAVES[index], index, size, proof, ROOTS[other_size])

    @settings(max_examples=50)
    @given(PAIRS, st.integers(0, 300))
    def test_a_consistency_proof_of_something_else(self, pair, other):
        old_size, size = pair
        proof = consistency_proof(TREE, old_size, size)
        if other != old_size:
            assert refused(verify_consistency, old_size, ROOTS[other], size, ROOTS[size], proof)
        if other != size and old_size:
            assert refused(verify_consistency, old_size, ROOTS[old_size], size, ROOTS[other], proof)

    @pytest.mark.parametrize(
        ("old_size", "size"), [(1, 2), (64, 65), (128, 300), (100, 101), (255, 256), (299, 300)]
    )
    def test_a_tree_that_forgot_is_not_consistent(self, old_size, size):
        forked = tree_of(300, fork_at=old_size - 1)
        proof = consistency_proof(forked, old_size, size)
        assert refused(verify_consistency, old_size, ROOTS[old_size], size, forked.root(size), proof)


class TestBounds:
    @pytest.mark.parametrize(
        ("index", "size"), [(-1, 5), (5, 5), (0, 0), (0, -1), (2**70, 2**71), (0, MAX_SIZE + 1)]
    )
    def test_impossible_places(self, index, size):
        assert refused(verify_inclusion, LEAVES[0], index, size, [], LEAVES[0])

    @pytest.mark.parametrize(("old_size", "size"), [(-1, 5), (6, 5), (1, 2**63), (-2, -1)])
    def test_impossible_sizes(self, old_size, size):
        assert refused(verify_consistency, old_size, ROOTS[1], size, ROOTS[5], [])
        assert refused(prefix_roots, old_size, size, [ROOTS[1]])

    def test_the_length_is_compared_before_anything_is_hashed(self):
        endless = [bytes(32)] * 1_000_000
        assert refused(verify_inclusion, LEAVES[0], 0, MAX_SIZE, endless, ROOTS[1])
        assert refused(verify_consistency, 3, ROOTS[3], MAX_SIZE, ROOTS[5], endless)

    @pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33), bytes(64)])
    def test_what_is_no_hash(self, wrong):
        proof = inclusion_proof(TREE, 3, 8)
        assert refused(verify_inclusion, wrong, 3, 8, proof, ROOTS[8])
        assert refused(verify_inclusion, LEAVES[3], 3, 8, [wrong, *proof[1:]], ROOTS[8])
        assert refused(verify_inclusion, LEAVES[3], 3, 8, proof, wrong)
        assert refused(verify_consistency, 0, wrong, 8, ROOTS[8], [])

    def test_the_empty_tree(self):
        verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
        assert refused(verify_consistency, 0, EMPTY_ROOT, 0, ROOTS[1], [])
        assert refused(verify_consistency, 0, ROOTS[1], 0, ROOTS[1], [])
        assert refused(verify_consistency, 0, ROOTS[1], 8, ROOTS[8], [])
        assert refused(verify_consistency, 0, EMPTY_ROOT, 8, ROOTS[8], [ROOTS[1]])
        assert refused(verify_consistency, 8, ROOTS[8], 8, ROOTS[7], [])
