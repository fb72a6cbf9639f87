"""Several encodings of an object: each stands in for the other, and the one that is damaged is told of."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from allmende.codecs import KeptHeads, ObjectId, read_recipe
from allmende.flows import Services, collect_garbage, shelf_of
from allmende.packing import UnreadableObject, reencode, shelf_plain
from allmende.registry import Actor
from allmende.storage import (
    PUBLIC_SCOPE,
    KeptEncoding,
    LocalPackStore,
    PackWriter,
    encodings_of,
    find_recipes,
)
from tests.integration.flows.packed_hub import PackedHub, family


def scope_of(actor: Actor) -> int:
    assert actor.account is not None
    return int(actor.account.id)


def stored_twice(packed: PackedHub, alice: Actor) -> tuple[ObjectId, bytes]:
    """An object that is public, as what is new in it, and in a namespace too, without a base."""
    base, tuned = family(7, 1e-6)
    packed.publish(alice, "base", base)
    sha256 = packed.publish(alice, "tuned", tuned)[1]
    packed.pack()
    with packed.database.read() as uow:
        object_id = read_recipe(find_recipes(uow, sha256)[0].body).objects[0]
    shelf = shelf_of(packed.services, scope_of(alice))
    plain = shelf_plain(shelf, object_id)
    data = bytes(plain.read_at(0, plain.size_bytes))
    intake = shelf.intake()
    intake.add(reencode(shelf, object_id))
    intake.commit(None)
    first, second = kept(packed, alice, object_id)
    assert (first.scope, second.scope) == (PUBLIC_SCOPE, scope_of(alice))
    assert (first.depth, second.depth) == (1, 0)
    return object_id, data


def kept(packed: PackedHub, actor: Actor, object_id: ObjectId) -> list[KeptEncoding]:
    with packed.database.read() as uow:
        return encodings_of(uow, scope_of(actor), object_id)


def damaged(packed: PackedHub, actor: Actor, object_id: ObjectId) -> set[int]:
    return {one.scope for one in kept(packed, actor, object_id) if one.damaged is not None}


def flip(services: Services, encoding: KeptEncoding, at: int) -> None:
    path = Path(services.settings.packs_dir) / encoding.location
    data = bytearray(path.read_bytes())
    data[encoding.offset_bytes + at] ^= 1
    path.write_bytes(data)
    # Heads that were read stay known until a hub is started again, or its store is checked.
    assert isinstance(services.packs, LocalPackStore)
    services.packs._heads = KeptHeads()


def read(packed: PackedHub, actor: Actor, object_id: ObjectId) -> bytes:
    plain = shelf_plain(shelf_of(packed.services, scope_of(actor)), object_id)
    return bytes(plain.read_at(0, plain.size_bytes))


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("at", [0, 60, -1])
def test_one_stands_in_for_the_other(packed: PackedHub, alice: Actor, number: int, at: int) -> None:
    object_id, data = stored_twice(packed, alice)
    hurt = kept(packed, alice, object_id)[number]
    flip(packed.services, hurt, at % hurt.size_bytes)
    assert read(packed, alice, object_id) == data
    # The second one is not looked at where the first is sound.
    assert damaged(packed, alice, object_id) == ({hurt.scope} if number == 0 else set())


def test_where_both_are_damaged_both_are_told_of(packed: PackedHub, alice: Actor) -> None:
    object_id, _data = stored_twice(packed, alice)
    for hurt in kept(packed, alice, object_id):
        flip(packed.services, hurt, hurt.size_bytes - 1)
    with pytest.raises(UnreadableObject):
        read(packed, alice, object_id)
    assert damaged(packed, alice, object_id) == {PUBLIC_SCOPE, scope_of(alice)}


def test_damage_is_told_of_what_was_given_however_often_others_asked(packed: PackedHub, alice: Actor) -> None:
    object_id, _data = stored_twice(packed, alice)
    shelf = shelf_of(packed.services, scope_of(alice))
    first, second = shelf.encodings(object_id)
    shelf.report_damage(object_id, first, "one")
    assert [one.size_bytes for one in shelf.encodings(object_id)] == [second.size_bytes, first.size_bytes]
    shelf.report_damage(object_id, second, "two")
    assert [one.damaged for one in kept(packed, alice, object_id)] == ["one", "two"]


def test_damage_of_what_is_just_written_is_not_told_of_what_lies_there(
    packed: PackedHub, alice: Actor
) -> None:
    object_id, _data = stored_twice(packed, alice)
    shelf = shelf_of(packed.services, scope_of(alice))
    intake = shelf.intake()
    try:
        intake.add(reencode(shelf, object_id))
        (written,) = intake.encodings(object_id)
        # Whoever looks for bases asks for the shelf's own in between.
        assert len(shelf.encodings(object_id)) == 2
        shelf.report_damage(object_id, written, "what was written now is damaged")
    finally:
        intake.discard()
    assert damaged(packed, alice, object_id) == set()


class _Forgetful:
    """A writer of packs on a disk that gives back other bytes than it was given."""

    def __init__(self, writer: PackWriter, path: Path) -> None:
        self._writer = writer
        self._path = path
        self.read, self.finish, self.discard = writer.read, writer.finish, writer.discard

    @property
    def size_bytes(self) -> int:
        return self._writer.size_bytes

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        offset_bytes = self._writer.append(parts)
        (path,) = [one for one in self._path.iterdir() if one.stat().st_size == self._writer.size_bytes]
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            (last,) = file.read(1)
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last ^ 1]))
        return offset_bytes


class _ForgetfulPacks(LocalPackStore):
    def __init__(self, services: Services) -> None:
        self._incoming = services.settings.contents_dir / "incoming"
        super().__init__(services.settings.packs_dir, self._incoming)

    def open_write(self) -> PackWriter:  # type: ignore[override]
        return _Forgetful(super().open_write(), self._incoming)


def test_an_encoding_that_does_not_come_back_takes_no_place(packed: PackedHub, alice: Actor) -> None:
    base, tuned = family(8, 1e-6)
    repo = packed.publish(alice, "base", base)[0]
    sha256 = packed.publish(alice, "tuned", tuned)[1]
    packed.pack()
    with packed.database.read() as uow:
        object_id = read_recipe(find_recipes(uow, sha256)[0].body).objects[0]
    before = kept(packed, alice, object_id)
    packed.delete(alice, repo)
    packed.clock.advance(hours=30)
    forgetful = replace(packed.services, packs=_ForgetfulPacks(packed.services))
    collect_garbage(forgetful, dry_run=False)
    assert kept(packed, alice, object_id) == before
    assert packed.is_right(sha256)
    collect_garbage(packed.services, dry_run=False)
    assert packed.is_right(sha256)
    assert [one.depth for one in kept(packed, alice, object_id)] == [0]
