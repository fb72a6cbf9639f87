"""A log is read from outside, and whatever its server changes is noticed."""

import random

import pytest

from allmende.errors import AllmendeError
from allmende.merkle import (
    EMPTY_ROOT,
    Checkpoint,
    MalformedTile,
    OutOfTree,
    ProofRefused,
    SignatureRefused,
    TiledLog,
    TileMissing,
    TileRefused,
    fetch_checkpoint,
    find_equivocation,
    leaf_hash,
    pack_bundle,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.merkle.made_logs import LOG, ORIGIN, OTHER_KEY, Folder, entry, note_of, tree_of

SIZES = [1, 2, 255, 256, 257, 600]


def opened(folder: Folder) -> TiledLog:
    return TiledLog.newest(folder.fetch, LOG)


class TestReading:
    @pytest.mark.parametrize("size", SIZES)
    def test_entries_and_proofs(self, size):
        log, tree = opened(Folder(size)), tree_of(size)
        assert list(log.entries(0, size)) == [entry(at) for at in range(size)]
        for index in {0, size // 2, size - 1}:
            assert log.entry(index) == entry(index)
            assert log.leaf(index) == leaf_hash(entry(index))
            verify_inclusion(leaf_hash(entry(index)), index, size, log.inclusion_proof(index), tree.root())
            verify_consistency(index, tree.root(index), size, tree.root(), log.consistency_proof(index))

    def test_the_empty_log(self):
        log = opened(Folder(0))
        assert log.checkpoint.root == EMPTY_ROOT
        assert list(log.entries(0, 0)) == []
        with pytest.raises(TileRefused):
            TiledLog(Folder(0).fetch, Checkpoint(ORIGIN, 0, bytes(32)))

    def test_a_part_across_bundles_fetches_each_once(self):
        folder = Folder(600)
        log = opened(folder)
        assert list(log.entries(250, 520)) == [entry(at) for at in range(250, 520)]
        assert len(folder.fetched) == len(set(folder.fetched))
        assert list(log.entries(300, 300)) == []

    def test_the_full_tile_stands_in_for_a_partial_one_that_is_gone(self):
        folder = Folder(300)
        checkpoint = fetch_checkpoint(folder.fetch, LOG).checkpoint
        folder.grow_to(70_000)
        for path in [path for path in folder.files if ".p/" in path]:
            del folder.files[path]
        with pytest.raises(TileMissing):
            opened(folder)
        # Of the tile above only the partial one can be had, since there is no full one yet.
        folder.files["tile/1/000.p/1"] = folder.files["tile/1/000"][:32]
        log = TiledLog(folder.fetch, checkpoint)
        assert list(log.entries(0, 300)) == [entry(at) for at in range(300)]
        assert "tile/0/001" in folder.fetched
        assert "tile/entries/001" in folder.fetched

    def test_a_grown_log_extends_its_older_self(self):
        folder = Folder(300)
        old = opened(folder).checkpoint
        folder.grow_to(700)
        opened(folder).check_extends(old)
        with pytest.raises(ProofRefused):
            opened(folder).check_extends(Checkpoint(ORIGIN, 300, tree_of(300, 299).root()))
        with pytest.raises(ProofRefused):
            opened(Folder(299)).check_extends(old)

    def test_a_log_that_did_not_grow_out_of_its_older_self_gives_evidence(self):
        folder = Folder(300)
        forked = note_of(tree_of(200, fork_at=100))
        log = opened(folder)
        with pytest.raises(ProofRefused):
            log.check_extends(LOG.check(forked).checkpoint)
        found = find_equivocation(forked, fetch_checkpoint(folder.fetch, LOG).note, log.tree)
        assert found is not None
        found.check(LOG)

    @pytest.mark.parametrize(("begin", "end"), [(-1, 2), (2, 1), (0, 301), (301, 301)])
    def test_what_the_log_does_not_have(self, begin, end):
        with pytest.raises(OutOfTree):
            opened(Folder(300)).entries(begin, end)

    def test_the_checkpoint_must_be_of_the_log(self):
        folder = Folder(3, keys=[OTHER_KEY])
        with pytest.raises(SignatureRefused):
            opened(folder)


class TestFalseServers:
    @pytest.mark.parametrize("size", [257, 600])
    def test_a_bit_turned_in_any_file(self, size):
        folder, chance = Folder(size), random.Random(size)
        checkpoint = fetch_checkpoint(folder.fetch, LOG).checkpoint
        for path in sorted(folder.files.keys() - {"checkpoint"}):
            for _ in range(4):
                kept = folder.files[path]
                at, bit = chance.randrange(len(kept)), chance.randrange(8)
                folder.files[path] = kept[:at] + bytes([kept[at] ^ (1 << bit)]) + kept[at + 1 :]
                with pytest.raises(AllmendeError) as refusal:
                    list(TiledLog(folder.fetch, checkpoint).entries(0, size))
                assert isinstance(refusal.value, TileRefused | MalformedTile)
                folder.files[path] = kept

    def test_another_tree_of_the_same_size(self):
        folder, other = Folder(600), Folder(600)
        other.files["tile/0/000"] = b"".join(
            leaf_hash(b"other") if at == 7 else leaf_hash(entry(at)) for at in range(256)
        )
        checkpoint = fetch_checkpoint(folder.fetch, LOG).checkpoint
        with pytest.raises(TileRefused):
            TiledLog(other.fetch, checkpoint).inclusion_proof(7)

    def test_another_entry(self):
        folder = Folder(10)
        folder.files["tile/entries/000.p/10"] = pack_bundle([entry(at) for at in range(9)] + [b"other"])
        with pytest.raises(TileRefused):
            opened(folder).entry(0)

    @pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b""])
    def test_another_length(self, change):
        for path in ("tile/0/000.p/10", "tile/entries/000.p/10"):
            folder = Folder(10)
            folder.files[path] = change(folder.files[path])
            with pytest.raises(MalformedTile):
                opened(folder).entry(3)

    def test_what_is_missing_is_said(self):
        folder = Folder(600)
        del folder.files["tile/0/000"]
        with pytest.raises(TileMissing):
            opened(folder).entry(3)
