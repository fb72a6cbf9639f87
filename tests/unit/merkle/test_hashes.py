"""The two hashes keep entries and inner nodes apart."""

from hashlib import sha256

from allmende.merkle import EMPTY_ROOT, leaf_hash, node_hash


def test_the_empty_tree_and_the_empty_entry_are_those_of_the_norm():
    assert sha256(b"").digest() == EMPTY_ROOT
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_two_children_do_not_pass_for_an_entry():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert node_hash(left, right) == sha256(b"\1" + left + right).digest()
    assert node_hash(left, right) != leaf_hash(left + right)
