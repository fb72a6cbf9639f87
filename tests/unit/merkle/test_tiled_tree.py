"""A tree in tiles gives the hashes of the tree, and grows into the same tiles however it grows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.merkle import (
    EMPTY_ROOT,
    BundleName,
    MalformedTile,
    Node,
    OpenTile,
    OutOfTree,
    TiledTree,
    TileName,
    TileRefused,
    bundle_names,
    consistency_proof,
    grow,
    inclusion_proof,
    leaf_hash,
    make_bundle,
    make_tile,
    node_hash,
    open_tile,
    root_of,
    tile_names,
)
from tests.unit.merkle.made_logs import Folder, tree_of

SIZES = [1, 2, 255, 256, 257, 511, 512, 513, 1000]


def tiles_of(size):
    tree = tree_of(size)
    return {name: make_tile(name, tree) for name in tile_names(size)}


class TestReading:
    @pytest.mark.parametrize("size", SIZES)
    def test_every_subtree_is_that_of_the_tree(self, size):
        tree, tiles = tree_of(size), tiles_of(size)
        tiled = TiledTree(size, lambda name: open_tile(name, tiles[name]))
        nodes = [Node(level, at) for level in range(size.bit_length()) for at in range(size >> level)]
        assert tiled.hashes(nodes) == tree.hashes(nodes)
        assert root_of(tiled, size) == tree.root()

    def test_what_is_beyond_the_edge_is_not_given(self):
        tiles = tiles_of(300)
        tiled = TiledTree(300, lambda name: open_tile(name, tiles[name]))
        for node in (Node(0, 300), Node(2, 75), Node(8, 1), Node(0, -1), Node(60, 0)):
            with pytest.raises(OutOfTree):
                tiled.hashes([node])

    @pytest.mark.parametrize("size", [10**9, 10**9 + 12345, 2**40 + 1])
    def test_a_proof_of_a_large_tree_opens_few_tiles(self, size):
        levels = [leaf_hash(b"")]
        for _ in range(63):
            levels.append(node_hash(levels[-1], levels[-1]))
        opened = []

        def open_uniform(name):
            opened.append(name)
            return OpenTile(name, [levels[8 * name.level]] * name.width)

        for make in (inclusion_proof, consistency_proof):
            opened.clear()
            make(TiledTree(size, open_uniform), size // 3, size)
            assert len(opened) == len(set(opened)) <= 2 * (size.bit_length() // 8 + 1)

    def test_the_tiles_that_are_kept_are_bounded(self):
        tiles, opened = tiles_of(1000), []

        def count(name):
            opened.append(name.index)
            return open_tile(name, tiles[name])

        tiled = TiledTree(1000, count, kept_tiles=2)
        for index in (0, 1, 0, 2, 0, 1):
            tiled.tile(0, index)
        assert opened == [0, 1, 2, 1]

    def test_a_tile_does_not_give_what_it_does_not_hold(self):
        tile = OpenTile(TileName(0, 0, 3), [bytes(32)] * 3)
        assert tile.edge == [node_hash(bytes(32), bytes(32)), bytes(32)]
        for level, number in ((0, 3), (1, 1), (2, 0), (8, 0)):
            with pytest.raises(OutOfTree):
                tile.hash(level, number)


class TestGrowing:
    @settings(max_examples=30)
    @given(st.lists(st.sampled_from([0, 1, 2, 100, 255, 256, 257, 600]), max_size=6))
    def test_each_step_writes_what_the_new_size_needs(self, steps):
        folder, total = Folder(), 0
        for step in steps:
            before = dict(folder.files)
            folder.grow_to(total + step)
            written = {path for path, data in folder.files.items() if before.get(path) != data}
            named = {name.path for name in tile_names(total + step, total)}
            named |= {name.path for name in bundle_names(total + step, total)}
            assert written - {"checkpoint"} == named
            total += step
        assert folder.root == tree_of(total).root()
        assert all(folder.files[name.path] == data for name, data in tiles_of(total).items())

    def test_only_the_partial_tiles_of_the_old_size_are_read(self):
        tree, read = tree_of(70_000), []

        def read_tile(name):
            read.append(name)
            return make_tile(name, tree)

        growth = grow(70_000, tree.root(), read_tile, [leaf_hash(b"new")])
        assert read == [TileName(0, 273, 112), TileName(1, 1, 17), TileName(2, 0, 1)]
        assert set(growth.tiles) == {TileName(0, 273, 113)}
        tree.extend([leaf_hash(b"new")])
        assert growth.root == tree.root()

    def test_a_tile_of_another_length_is_refused(self):
        with pytest.raises(MalformedTile):
            grow(3, tree_of(3).root(), lambda _: bytes(64), [leaf_hash(b"")])

    @pytest.mark.parametrize("size", [3, 256, 300, 70_000])
    def test_a_damaged_tile_is_not_grown_from(self, size):
        tree = tree_of(size)

        def damaged(name):
            data = make_tile(name, tree)
            return data[:-1] + bytes([data[-1] ^ 1])

        for root in (tree.root(), tree.root(size - 1), bytes(32)):
            with pytest.raises(TileRefused):
                grow(size, root, damaged, [leaf_hash(b"")])
        with pytest.raises(TileRefused):
            grow(size, tree.root(size - 1), lambda name: make_tile(name, tree), [])

    @pytest.mark.parametrize("size", [-1, 2**63])
    def test_an_impossible_size_is_refused(self, size):
        with pytest.raises(OutOfTree):
            grow(size, EMPTY_ROOT, lambda _: b"", [])


class TestMaking:
    def test_no_tile_beyond_the_tree(self):
        with pytest.raises(OutOfTree):
            make_tile(TileName(0, 0, 6), tree_of(5))

    def test_no_bundle_beyond_the_log(self):
        class Short:
            def entries(self, begin, end):
                return [b""] * 3

        with pytest.raises(OutOfTree):
            make_bundle(BundleName(0, 4), Short())
