"""Roots and proofs against known answers and the definitions of RFC 6962, written down a second time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.merkle import (
    MAX_SIZE,
    MemoryTree,
    Node,
    OutOfTree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    prefix_proof,
    root_of,
)
from allmende.merkle.hashes import EMPTY_ROOT

ENTRIES = [
    bytes.fromhex(digits)
    for digits in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def split(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def mth(leaves: list[bytes]) -> bytes:
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    at = split(len(leaves))
    return node_hash(mth(leaves[:at]), mth(leaves[at:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    at = split(len(leaves))
    if index < at:
        return [*path(index, leaves[:at]), mth(leaves[at:])]
    return [*path(index - at, leaves[at:]), mth(leaves[:at])]


def subproof(size: int, leaves: list[bytes], is_whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if is_whole else [mth(leaves)]
    at = split(len(leaves))
    if size <= at:
        return [*subproof(size, leaves[:at], is_whole), mth(leaves[at:])]
    return [*subproof(size - at, leaves[at:], False), mth(leaves[:at])]


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % at) for at in range(size)]


class Uniform:
    """A tree in which all leaves are equal, so that any size can be had at once; counts what is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._levels = [leaf_hash(b"")]

    def hashes(self, nodes):
        self.asked += len(nodes)
        while len(self._levels) <= max(level for level, _ in nodes):
            self._levels.append(node_hash(self._levels[-1], self._levels[-1]))
        return [self._levels[level] for level, _ in nodes]


class TestKnownAnswers:
    def test_the_roots_of_the_eight_entries(self):
        for size in range(9):
            assert MemoryTree(map(leaf_hash, ENTRIES[:size])).root().hex() == ROOTS[size]

    def test_an_inclusion_proof(self):
        proof = inclusion_proof(MemoryTree(map(leaf_hash, ENTRIES)), 0, 8)
        assert [each.hex() for each in proof] == [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ]

    def test_a_consistency_proof(self):
        proof = consistency_proof(MemoryTree(map(leaf_hash, ENTRIES)), 6, 8)
        assert [each.hex() for each in proof] == [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]


class TestDefinitions:
    def test_every_root_up_to_300(self):
        leaves = leaves_of(300)
        tree = MemoryTree(leaves)
        assert all(tree.root(size) == mth(leaves[:size]) for size in range(301))

    def test_every_proof_up_to_40(self):
        leaves = leaves_of(40)
        tree = MemoryTree(leaves)
        for size in range(1, 41):
            for index in range(size):
                assert inclusion_proof(tree, index, size) == path(index, leaves[:size])
            for old_size in range(1, size + 1):
                assert consistency_proof(tree, old_size, size) == subproof(old_size, leaves[:size], True)

    @settings(max_examples=50)
    @given(st.data())
    def test_proofs_of_larger_trees(self, data):
        size = data.draw(st.integers(1, 300))
        leaves = leaves_of(size)
        tree = MemoryTree(leaves)
        index, old_size = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
        assert inclusion_proof(tree, index, size) == path(index, leaves)
        assert consistency_proof(tree, old_size, size) == subproof(old_size, leaves, True)

    @settings(max_examples=50)
    @given(st.lists(st.integers(0, 40), max_size=8))
    def test_a_tree_does_not_depend_on_how_it_grew(self, steps):
        leaves = leaves_of(sum(steps))
        tree, at = MemoryTree(), 0
        for step in steps:
            tree.extend(leaves[at : at + step])
            at += step
        assert tree.root() == mth(leaves)


class TestBounds:
    @pytest.mark.parametrize("size", [10**9, 10**9 + 7, 2**40 - 1, 2**40, MAX_SIZE])
    def test_a_proof_of_a_large_tree_asks_for_few_hashes(self, size):
        reader = Uniform()
        for number in (0, 1, size // 3, size // 2, size - 1):
            reader.asked = 0
            assert len(inclusion_proof(reader, number, size)) <= 63
            assert reader.asked <= 2 * 63
            reader.asked = 0
            assert len(consistency_proof(reader, number, size)) <= 64
            assert reader.asked <= 3 * 63

    @pytest.mark.parametrize(
        ("make", "arguments"),
        [
            (inclusion_proof, (-1, 5)),
            (inclusion_proof, (5, 5)),
            (inclusion_proof, (0, 0)),
            (inclusion_proof, (0, 6)),
            (inclusion_proof, (0, 2**63)),
            (consistency_proof, (-1, 5)),
            (consistency_proof, (6, 5)),
            (consistency_proof, (3, 9)),
            (prefix_proof, (0, 5)),
            (prefix_proof, (6, 5)),
            (root_of, (6,)),
            (root_of, (-1,)),
        ],
    )
    def test_what_the_tree_does_not_have_is_said(self, make, arguments):
        with pytest.raises(OutOfTree):
            make(MemoryTree(leaves_of(5)), *arguments)

    def test_nothing_is_asked_where_nothing_is_to_prove(self):
        reader = Uniform()
        assert consistency_proof(reader, 0, 9) == consistency_proof(reader, 9, 9) == []
        assert reader.asked == 0

    def test_a_subtree_that_is_not_full_is_not_given(self):
        for node in (Node(2, 1), Node(0, 5), Node(0, -1), Node(3, 0)):
            with pytest.raises(OutOfTree):
                MemoryTree(leaves_of(5)).hashes([node])
