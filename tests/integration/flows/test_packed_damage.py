"""Damage to packed contents: found, never given out, healed by an upload; and copies of what is hot."""

import hashlib
import os
from pathlib import Path
from random import Random

import pytest

from allmende.codecs import DamagedObject, read_recipe
from allmende.flows import collect_garbage, fsck, shelf_of
from allmende.flows.maintenance import find_damage, scrub
from allmende.flows.object_settling import orphan_packs, settle_objects
from allmende.flows.reading import BytesDamaged, open_content, open_unpacked
from allmende.flows.unpacking import enqueue_unpacking
from allmende.ids import Sha256
from allmende.jobs import JobContext
from allmende.packing import open_recipe, reencode
from allmende.registry import Actor
from allmende.storage import PUBLIC_SCOPE, encodings_of, find_recipes, list_packs
from tests.integration.flows.packed_hub import PackedHub, family, settings_of_packing

FLIPS = 50
CAMPAIGN_FLIPS = 1000


def packs_of(packed: PackedHub) -> list[Path]:
    root = packed.services.settings.packs_dir
    with packed.database.read() as uow:
        return [root / pack.location for pack in list_packs(uow, 0, 1000)]


def two(packed: PackedHub, alice: Actor, seed: int) -> tuple[Sha256, Sha256, bytes]:
    base, tuned = family(seed, 1e-6)
    first = packed.publish(alice, "base", base)[1]
    second = packed.publish(alice, "tuned", tuned)[1]
    packed.pack()
    assert packed.content(second).is_packed
    return first, second, tuned


@pytest.mark.parametrize("flips", [FLIPS, pytest.param(CAMPAIGN_FLIPS, marks=pytest.mark.campaign)])
def test_every_flipped_bit_is_found_and_none_is_given_out(
    packed: PackedHub, alice: Actor, flips: int
) -> None:
    contents = two(packed, alice, 1)[:2]
    random = Random(20261128)
    packs = packs_of(packed)
    total = sum(path.stat().st_size for path in packs)
    assert total > 0
    for _flip in range(flips):
        path = random.choice(packs)
        sound = path.read_bytes()
        at, bit = random.randrange(len(sound)), random.randrange(8)
        flipped = bytearray(sound)
        flipped[at] ^= 1 << bit
        path.write_bytes(flipped)
        kinds = {finding.kind for finding in fsck(packed.services, deep=True).problems}
        assert "encoding_damaged" in kinds, (path, at, bit)
        for sha256 in contents:
            try:
                data = packed.read(sha256)
            except DamagedObject:
                continue
            assert hashlib.sha256(data).hexdigest() == sha256
        path.write_bytes(sound)
        _forget_damage(packed)


def _forget_damage(packed: PackedHub) -> None:
    """The byte is back: what was marked while it was not is sound again."""
    from sqlalchemy import update

    from allmende.storage import content
    from allmende.storage.object_tables import object_encoding

    with packed.database.write() as uow:
        uow.execute(update(object_encoding).values(damaged=None))
        uow.execute(update(content).values(damaged=None))


def test_fsck_finds_packs_that_are_missing_or_cut(packed: PackedHub, alice: Actor) -> None:
    two(packed, alice, 2)
    path = packs_of(packed)[0]
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    assert "encoding_damaged" in {one.kind for one in fsck(packed.services, deep=False).problems}
    path.unlink()
    report = fsck(packed.services, deep=False)
    assert any("missing" in one.detail for one in report.problems)


def test_fsck_finds_a_recipe_that_cannot_be_read(packed: PackedHub, alice: Actor) -> None:
    from sqlalchemy import update

    from allmende.storage.object_tables import content_recipe

    second = two(packed, alice, 3)[1]
    with packed.database.write() as uow:
        (recipe,) = find_recipes(uow, second)
        spoilt = recipe.body[:-5] + bytes(5)
        uow.execute(update(content_recipe).where(content_recipe.c.sha256 == second).values(body=spoilt))
    assert any(
        one.kind == "content_damaged" and one.subject == second
        for one in fsck(packed.services, deep=False).problems
    )
    with pytest.raises(BytesDamaged):
        packed.read(second)


def spoil(packed: PackedHub) -> None:
    for path in packs_of(packed):
        path.write_bytes(bytes(byte ^ 0x55 for byte in path.read_bytes()))


def test_what_is_damaged_is_marked_by_the_scrub_and_healed_by_an_upload(
    packed: PackedHub, alice: Actor, context: JobContext
) -> None:
    first, second, tuned = two(packed, alice, 4)
    spoil(packed)
    packed.clock.advance(hours=3)
    scrub(packed.services, context)
    assert packed.content(second).damaged is not None
    packed.upload(alice, tuned)
    found = packed.content(second)
    assert (found.damaged, found.is_packed) == (None, False)
    assert packed.read(second) == tuned
    assert packed.content(first).damaged is not None


def test_what_is_stored_again_heals_what_shares_its_objects(packed: PackedHub, alice: Actor) -> None:
    base, tuned = family(5, 1e-6)
    first = packed.publish(alice, "base", base)[1]
    second = packed.publish(alice, "tuned", tuned)[1]
    packed.pack()
    spoil(packed)
    with pytest.raises(DamagedObject):
        packed.read(first)
    with pytest.raises(DamagedObject):
        packed.read(second)
    for data in (base, tuned):
        packed.upload(alice, data)
    packed.clock.advance(hours=3)
    assert packed.read(first) == base
    assert packed.read(second) == tuned


def test_scrubbing_reads_recipes(packed: PackedHub, alice: Actor) -> None:
    _first, second, _tuned = two(packed, alice, 6)
    assert find_damage(packed.services, packed.content(second)) is None
    spoil(packed)
    assert find_damage(packed.services, packed.content(second)) is not None


def test_a_file_for_the_scanner_has_a_descriptor_and_the_right_bytes(packed: PackedHub, alice: Actor) -> None:
    _first, second, tuned = two(packed, alice, 7)
    with open_unpacked(packed.services, packed.content(second)) as file:
        assert os.fstat(file.fileno()).st_size == len(tuned)
        assert file.read() == tuned
    assert list(packed.services.hot.incoming.iterdir()) == []
    spoil(packed)
    with pytest.raises(BytesDamaged):
        open_unpacked(packed.services, packed.content(second))


class TestHot:
    def test_a_content_that_is_asked_for_often_gets_a_copy(self, packed: PackedHub, alice: Actor) -> None:
        _first, second, tuned = two(packed, alice, 8)
        hot = packed.services.hot
        asked = [hot.note(second) for _ in range(packed.services.settings.hot_reads)]
        assert asked == [False] * (len(asked) - 1) + [True]
        with packed.database.write() as uow:
            enqueue_unpacking(packed.services, uow, second)
        assert "unpack" in packed.pack()
        path = hot.find(second)
        assert path is not None
        assert path.read_bytes() == tuned
        assert packed.content(second).is_packed
        # A copy that is not right is found, and the recipe is still there.
        path.write_bytes(b"x" * len(tuned))
        assert "copy_damaged" in {one.kind for one in fsck(packed.services, deep=True).problems}
        hot.forget(second)
        assert packed.read(second) == tuned

    def test_copies_make_room_for_each_other(self, packed: PackedHub, alice: Actor) -> None:
        first, second, tuned = two(packed, alice, 9)
        from allmende.flows import HotContents
        from allmende.storage import LocalContentStore

        root = packed.services.settings.hot_dir
        hot = HotContents(LocalContentStore(root), int(1.5 * len(tuned)), 2)
        for sha256 in (first, second):
            writer = hot.open_write(sha256, len(tuned))
            if sha256 == second:
                # The first was used a moment ago.
                assert writer is None
                path = hot.find(first)
                assert path is not None
                os.utime(path, (1, path.stat().st_mtime))
                writer = hot.open_write(sha256, len(tuned))
            assert writer is not None
            writer.write(packed.read(sha256))
            writer.finish()
        assert hot.copies() == [second]
        assert hot.open_write(first, 2 * len(tuned)) is None
        for path in root.glob("*/*/*"):
            os.utime(path, (1, 1))
        assert hot.sweep(3600) == 1

    def test_nothing_is_copied_where_there_is_no_room(self, packed: PackedHub, alice: Actor) -> None:
        _first, second, _tuned = two(packed, alice, 10)
        packed.services = settings_of_packing(packed.services)
        packed.services.hot._max_bytes = 10
        with packed.database.write() as uow:
            enqueue_unpacking(packed.services, uow, second)
        packed.pack()
        assert packed.services.hot.find(second) is None


class TestPacksInOrder:
    def test_a_pack_that_is_hardly_used_is_written_anew(self, packed: PackedHub, alice: Actor) -> None:
        base, tuned = family(11, 1e-6)
        packed.publish(alice, "base", base)
        repo, _sha256 = packed.publish(alice, "tuned", tuned)
        # A file that shares a third of its objects with the tuned one, and keeps them alive.
        part = packed.publish(alice, "part", tuned[: len(tuned) // 3] + b"end", file="part.bin")[1]
        packed.pack()
        before = {path: path.stat().st_size for path in packs_of(packed)}
        packed.delete(alice, repo)
        packed.clock.advance(hours=30)
        collect_garbage(packed.services, dry_run=False)
        after = packs_of(packed)
        assert sum(path.stat().st_size for path in after) < sum(before.values())
        assert packed.is_right(part)
        for path in before:
            assert path.exists() == (path in after)
        assert fsck(packed.services, deep=True).problems == ()

    def test_packs_that_no_row_names_go_after_an_hour(self, packed: PackedHub, alice: Actor) -> None:
        two(packed, alice, 12)
        writer = packed.services.packs.open_write()
        writer.append([b"left by a crash"])
        location = writer.finish()
        path = packed.services.settings.packs_dir / location
        now = packed.clock.now.timestamp()
        os.utime(path, (now, now))
        assert [found.location for found in orphan_packs(packed.services)] == [location]
        collect_garbage(packed.services, dry_run=False)
        assert path.exists()
        os.utime(path, (now - 4000, now - 4000))
        assert collect_garbage(packed.services, dry_run=True).packs == 1
        assert collect_garbage(packed.services, dry_run=False).packs == 1
        assert not path.exists()
        settle_objects(packed.services, lambda: None)


class TestSeveralForms:
    """An object that is public and a namespace's own has an encoding in each; either stands for the other."""

    def test_the_other_scope_s_encoding_is_read_where_one_is_damaged(
        self, packed: PackedHub, alice: Actor
    ) -> None:
        base, tuned = family(13, 1e-6)
        packed.publish(alice, "base", base)
        repo, sha256 = packed.publish(alice, "tuned", tuned)
        packed.pack()
        with packed.database.read() as uow:
            recipe = read_recipe(find_recipes(uow, sha256)[0].body)
        (object_id, *_) = recipe.objects
        own = int(repo.namespace_id)
        shelf = shelf_of(packed.services, own)
        intake = shelf.intake()
        intake.add(reencode(shelf, object_id))
        intake.commit(None)
        with packed.database.read() as uow:
            forms = encodings_of(uow, own, object_id)
        assert [(one.scope, one.depth) for one in forms] == [(PUBLIC_SCOPE, 1), (own, 0)]
        path = packed.services.settings.packs_dir / forms[0].location
        data = bytearray(path.read_bytes())
        data[forms[0].offset_bytes + forms[0].size_bytes - 1] ^= 1
        path.write_bytes(data)
        with open_recipe(recipe, shelf) as reader:
            assert reader.read() == tuned
        with packed.database.read() as uow:
            after = encodings_of(uow, own, object_id)
        assert [(one.scope, one.damaged is None) for one in after] == [(own, True), (PUBLIC_SCOPE, False)]

    def test_the_older_form_is_read_until_the_switch_and_by_whom_it_was_opened(
        self, packed: PackedHub, alice: Actor
    ) -> None:
        _first, second, tuned = two(packed, alice, 14)
        with packed.database.read() as uow:
            objects = read_recipe(find_recipes(uow, second)[0].body).objects
        shelf = shelf_of(packed.services, PUBLIC_SCOPE)
        intake = shelf.intake()
        with open_content(packed.services, packed.content(second)) as reader:
            half = reader.read(len(tuned) // 2)
            for object_id in objects:
                intake.add(reencode(shelf, object_id))
                # In the same scope there is one encoding, and it is the older one.
                with packed.database.read() as uow:
                    assert [one.depth for one in encodings_of(uow, PUBLIC_SCOPE, object_id)] == [1]
            assert packed.read(second) == tuned
            intake.commit(None)
            with packed.database.read() as uow:
                assert [one.depth for one in encodings_of(uow, PUBLIC_SCOPE, objects[0])] == [0]
            # What held the older forms is tidied away while somebody reads.
            settle_objects(packed.services, lambda: None)
            assert half + reader.read() == tuned
        assert packed.read(second) == tuned
        assert fsck(packed.services, deep=True).problems == ()
