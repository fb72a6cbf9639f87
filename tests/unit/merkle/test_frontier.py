"""The right edge is enough to go on appending."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.merkle import EMPTY_ROOT, Frontier, MalformedTree
from tests.unit.merkle.made_logs import leaves_of, tree_of

TREE = tree_of(300)
LEAVES = leaves_of(TREE)


def test_every_size_has_the_root_of_the_tree():
    edge = Frontier()
    assert edge.root == EMPTY_ROOT
    for size, leaf in enumerate(LEAVES, start=1):
        edge = edge.extended([leaf])
        assert (edge.size, edge.root) == (size, TREE.root(size))


@given(st.integers(0, 300), st.integers(0, 300))
def test_it_can_be_kept_and_taken_up_again(one, other):
    middle, end = sorted((one, other))
    kept = Frontier().extended(LEAVES[:middle])
    assert Frontier(kept.size, kept.hashes).extended(LEAVES[middle:end]).root == TREE.root(end)


@pytest.mark.parametrize(
    ("size", "hashes"),
    [
        (1, ()),
        (0, (bytes(32),)),
        (3, (bytes(32),)),
        (1, (bytes(31),)),
        (-1, (bytes(32),)),
        (2**63, (bytes(32),)),
    ],
)
def test_what_is_no_edge_is_refused(size, hashes):
    with pytest.raises(MalformedTree):
        Frontier(size, hashes)
