"""Names, bytes and numbers of tiles, as C2SP tlog-tiles has them."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.merkle import (
    MAX_SIZE,
    BundleName,
    EntryTooLarge,
    MalformedTile,
    OutOfTree,
    TileName,
    bundle_at,
    bundle_names,
    pack_bundle,
    pack_tile,
    parse_path,
    tile_at,
    tile_names,
    unpack_bundle,
    unpack_tile,
)

INDEXES = st.integers(0, MAX_SIZE // 256)
WIDTHS = st.integers(1, 256)


class TestPaths:
    @pytest.mark.parametrize(
        ("name", "path"),
        [
            (TileName(0, 1234067), "tile/0/x001/x234/067"),
            (TileName(0, 0), "tile/0/000"),
            (TileName(1, 999, 17), "tile/1/999.p/17"),
            (TileName(63, 1000, 1), "tile/63/x001/000.p/1"),
            (BundleName(273, 112), "tile/entries/273.p/112"),
            (BundleName(1_000_000), "tile/entries/x001/x000/000"),
        ],
    )
    def test_they_are_those_of_the_norm(self, name, path):
        assert name.path == path
        assert parse_path(path) == name

    @settings(max_examples=50)
    @given(st.integers(0, 63), INDEXES, WIDTHS)
    def test_they_are_read_as_they_are_written(self, level, index, width):
        for name in (TileName(level, index, width), BundleName(index, width)):
            assert parse_path(name.path) == name
            assert name.full.width == 256

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "tile/0",
            "tile/0/",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001/x002",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000/",
            "/tile/0/000",
            "tile/0/000\n",
            "tile/0/\u0660\u0660\u0660",
            "tile/0/../../000",
            "tile/entries/x999/x999/x999/x999/x999/x999/999",
            "tile/0/" + "x001/" * 5000 + "000",
        ],
    )
    def test_others_are_refused(self, path):
        with pytest.raises(MalformedTile):
            parse_path(path)

    @pytest.mark.parametrize(
        ("level", "index", "width"), [(64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)]
    )
    def test_impossible_names_are_refused(self, level, index, width):
        with pytest.raises(MalformedTile):
            TileName(level, index, width)


class TestWhatASizeNeeds:
    def test_the_example_of_the_norm(self):
        names = list(tile_names(70_000))
        assert Counter((name.level, name.width) for name in names) == {
            (0, 256): 273,
            (0, 112): 1,
            (1, 256): 1,
            (1, 17): 1,
            (2, 1): 1,
        }
        assert [name.path for name in tile_names(256)] == ["tile/0/000", "tile/1/000.p/1"]
        assert sum(1 for _ in bundle_names(70_000)) == 274

    @settings(max_examples=50)
    @given(st.integers(0, 5000), st.integers(0, 5000))
    def test_growing_names_what_was_not_there(self, one, other):
        old_size, size = sorted((one, other))
        assert set(tile_names(size, old_size)) == set(tile_names(size)) - set(tile_names(old_size))
        assert set(bundle_names(size, old_size)) == set(bundle_names(size)) - set(bundle_names(old_size))

    @settings(max_examples=50)
    @given(st.integers(0, 5000))
    def test_each_name_is_the_tile_at_its_place(self, size):
        for tile in tile_names(size):
            assert tile_at(size, tile.level, tile.index) == tile
        for bundle in bundle_names(size):
            assert bundle_at(size, bundle.index) == bundle

    @pytest.mark.parametrize(
        ("size", "level", "index"), [(0, 0, 0), (256, 0, 1), (255, 1, 0), (9, 0, -1), (2**63, 0, 0)]
    )
    def test_there_is_no_tile_beyond_the_edge(self, size, level, index):
        with pytest.raises(OutOfTree):
            tile_at(size, level, index)

    def test_no_tree_shrinks(self):
        with pytest.raises(OutOfTree):
            list(tile_names(5, 6))
        with pytest.raises(OutOfTree):
            list(bundle_names(5, -1))


class TestBytes:
    @settings(max_examples=50)
    @given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=256))
    def test_a_tile_is_its_hashes(self, hashes):
        assert unpack_tile(pack_tile(hashes), len(hashes)) == hashes

    @settings(max_examples=50)
    @given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
    def test_a_bundle_is_its_entries(self, entries):
        assert unpack_bundle(pack_bundle(entries), len(entries)) == entries

    @settings(max_examples=50)
    @given(st.lists(st.binary(max_size=30), min_size=1, max_size=20), st.data())
    def test_a_bundle_of_another_length_is_refused(self, entries, data):
        packed = pack_bundle(entries)
        cut = data.draw(st.integers(0, len(packed) - 1))
        for wrong in (packed[:cut], packed + b"\0", packed + b"\0\0"):
            with pytest.raises(MalformedTile):
                unpack_bundle(wrong, len(entries))

    def test_the_largest_entry_and_one_more(self):
        assert unpack_bundle(pack_bundle([bytes(65_535)]), 1) == [bytes(65_535)]
        with pytest.raises(EntryTooLarge):
            pack_bundle([bytes(65_536)])

    @pytest.mark.parametrize("hashes", [[], [bytes(32)] * 257, [bytes(31)], [bytes(32), b""]])
    def test_what_is_no_tile_is_not_packed(self, hashes):
        with pytest.raises(MalformedTile):
            pack_tile(hashes)

    def test_no_bundle_without_entries_or_with_too_many(self):
        for entries in ([], [b""] * 257):
            with pytest.raises(MalformedTile):
                pack_bundle(entries)

    @pytest.mark.parametrize("size_bytes", [0, 31, 33, 64])
    def test_a_tile_of_another_length_is_refused(self, size_bytes):
        with pytest.raises(MalformedTile):
            unpack_tile(bytes(size_bytes), 1)
