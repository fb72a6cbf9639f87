"""Objects, encodings and recipes as rows: what each scope sees, what rests on what, what goes when."""

import hashlib
import secrets
from collections.abc import Iterable

import pytest

from allmende.codecs import ObjectId, Piece
from allmende.ids import Sha256
from allmende.storage import (
    Attempt,
    Database,
    NewEncoding,
    ObjectsChanged,
    UnitOfWork,
    add_chunk_places,
    add_content,
    add_encoding,
    add_pack,
    attempted_scopes,
    bases_below,
    contents_to_pack,
    delete_unneeded_objects,
    encodings_down_from,
    encodings_in_pack,
    encodings_of,
    find_attempts,
    find_chunk_places,
    find_content,
    find_objects,
    find_recipes,
    forget_content,
    forget_pack,
    forget_recipe,
    hub_figures,
    is_packing_paused,
    known_packs,
    list_packs,
    list_recipes,
    mark_encoding_damaged,
    move_encoding,
    outgoing_objects,
    packed_objects,
    pause_packing,
    put_attempt,
    put_recipe,
    recipe_scopes,
    recipe_sizes,
    recipes_with,
    relink_recipe,
    resting_on,
    substitute_base,
    switch_to_recipe,
)
from tests.integration.conftest import HeldClock

PUBLIC, LAB, OTHER = 0, 7, 8


def name(word: str) -> ObjectId:
    return ObjectId(hashlib.sha256(word.encode()).hexdigest())


def sha(word: str) -> Sha256:
    return Sha256(hashlib.sha256(b"content" + word.encode()).hexdigest())


def put(
    uow: UnitOfWork, scope: int, word: str, bases: Iterable[str] = (), size_bytes: int = 100, stored: int = 10
) -> int:
    """An object with one encoding in a pack of its own."""
    pack_id = add_pack(uow, secrets.token_hex(16), stored)
    new = NewEncoding(name(word), size_bytes, 0, stored, b"d" * 16, frozenset(name(base) for base in bases))
    return add_encoding(uow, scope, pack_id, new)


def keep(uow: UnitOfWork, scope: int, word: str, objects: Iterable[str], size_bytes: int = 100) -> Sha256:
    """A packed content with a recipe in a scope."""
    add_content(uow, sha(word), size_bytes, f"at-{word}")
    put_recipe(uow, sha(word), scope, b"recipe", [name(one) for one in objects])
    found = find_content(uow, sha(word))
    assert found is not None
    if not found.is_packed:
        assert switch_to_recipe(uow, found)
    return sha(word)


class TestSight:
    def test_a_scope_sees_its_own_and_what_is_public(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, PUBLIC, "open")
            put(uow, LAB, "own")
            both = [name("open"), name("own")]
            assert set(find_objects(uow, LAB, both)) == set(both)
            for scope in (PUBLIC, OTHER):
                assert set(find_objects(uow, scope, both)) == {name("open")}
                assert encodings_of(uow, scope, name("own")) == []

    def test_the_same_bytes_in_two_scopes_are_two_objects(self, database: Database) -> None:
        with database.write() as uow:
            public = put(uow, PUBLIC, "same", stored=5)
            own = put(uow, LAB, "same", stored=9)
            assert find_objects(uow, LAB, [name("same")])[name("same")].number == own
            assert find_objects(uow, OTHER, [name("same")])[name("same")].number == public
            assert [one.size_bytes for one in encodings_of(uow, LAB, name("same"))] == [5, 9]

    def test_many_are_looked_up_with_all_they_rest_on(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, PUBLIC, "base")
            put(uow, PUBLIC, "middle", ["base"])
            put(uow, LAB, "top", ["middle"])
            put(uow, LAB, "other")
            put(uow, LAB, "unasked", ["base"])
        with database.read() as uow:
            found = encodings_down_from(uow, LAB, [name("top"), name("other"), name("absent")])
            assert found == {
                name(word): encodings_of(uow, LAB, name(word)) for word in ("base", "middle", "top", "other")
            }
            assert encodings_down_from(uow, PUBLIC, [name("top")]) == {}

    def test_chunks_are_found_by_scope_too(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, LAB, "own")
            place = Piece(name("own"), 3, 4)
            add_chunk_places(uow, LAB, {b"c" * 32: place})
            assert find_chunk_places(uow, LAB, [b"c" * 32]) == {b"c" * 32: place}
            assert find_chunk_places(uow, PUBLIC, [b"c" * 32]) == {}

    def test_what_is_damaged_is_not_there_and_is_healed_by_being_stored_again(
        self, database: Database
    ) -> None:
        with database.write() as uow:
            number = put(uow, PUBLIC, "one")
            (encoding,) = encodings_of(uow, PUBLIC, name("one"))
            assert mark_encoding_damaged(uow, encoding, "a flipped bit")
            assert find_objects(uow, PUBLIC, [name("one")]) == {}
            assert encodings_of(uow, PUBLIC, name("one"))[0].damaged == "a flipped bit"
            assert put(uow, PUBLIC, "one", stored=11) == number
            assert set(find_objects(uow, PUBLIC, [name("one")])) == {name("one")}


class TestBases:
    def test_depth_counts_and_is_bounded(self, database: Database) -> None:
        with database.write() as uow:
            for number, word in enumerate("abcd"):
                put(uow, PUBLIC, word, [] if number == 0 else ["abcd"[number - 1]])
            depths = {one.id: one.depth for one in find_objects(uow, PUBLIC, map(name, "abcd")).values()}
            assert [depths[name(word)] for word in "abcd"] == [0, 1, 2, 3]
            assert bases_below(uow, PUBLIC, [name("d")]) == {name("a"), name("b"), name("c")}
            with pytest.raises(ObjectsChanged, match="levels"):
                put(uow, PUBLIC, "e", ["d"])

    def test_nothing_rests_on_itself(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, PUBLIC, "a")
            put(uow, PUBLIC, "b", ["a"])
            for word, base in (("a", "a"), ("a", "b")):
                with pytest.raises(ObjectsChanged, match="itself"):
                    put(uow, PUBLIC, word, [base])

    def test_no_base_out_of_sight(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, LAB, "private")
            for scope in (PUBLIC, OTHER):
                with pytest.raises(ObjectsChanged, match="has gone"):
                    put(uow, scope, "child", ["private"])
            put(uow, LAB, "child", ["private"])

    def test_a_base_does_not_become_deeper_under_what_rests_on_it(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, PUBLIC, "x")
            put(uow, PUBLIC, "a")
            put(uow, PUBLIC, "b", ["a"])
            with pytest.raises(ObjectsChanged, match="meanwhile"):
                put(uow, PUBLIC, "a", ["x"])
            put(uow, PUBLIC, "b", ["x"])
            put(uow, PUBLIC, "a", ["x"])

    def test_an_encoding_takes_the_place_of_the_one_before(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, PUBLIC, "a")
            put(uow, PUBLIC, "b", stored=50)
            put(uow, PUBLIC, "b", ["a"], stored=5)
            (encoding,) = encodings_of(uow, PUBLIC, name("b"))
            assert (encoding.size_bytes, encoding.depth) == (5, 1)


class TestRecipes:
    def test_a_recipe_needs_its_objects_in_sight(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, LAB, "own")
            with pytest.raises(ObjectsChanged):
                keep(uow, PUBLIC, "file", ["own"])
            keep(uow, LAB, "file", ["own"])

    def test_a_content_has_one_for_each_scope(self, database: Database) -> None:
        with database.write() as uow:
            for scope in (OTHER, LAB):
                put(uow, scope, "part")
                keep(uow, scope, "file", ["part"])
            assert [one.scope for one in find_recipes(uow, sha("file"))] == [LAB, OTHER]
            assert recipe_scopes(uow, [sha("file"), sha("none")]) == {sha("file"): frozenset({LAB, OTHER})}
            assert list_recipes(uow, None, 1) == [(sha("file"), LAB)]
            assert list_recipes(uow, (sha("file"), LAB), 9) == [(sha("file"), OTHER)]
            forget_recipe(uow, sha("file"), LAB)
            assert [one.scope for one in find_recipes(uow, sha("file"))] == [OTHER]

    def test_bytes_that_come_again_are_what_is_read(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, PUBLIC, "part")
            keep(uow, PUBLIC, "file", ["part"])
            packed = find_content(uow, sha("file"))
            assert packed is not None
            assert (packed.is_packed, packed.location) == (True, "")
            add_content(uow, sha("file"), 100, "anew")
            plain = find_content(uow, sha("file"))
            assert plain is not None
            assert (plain.is_packed, plain.location) == (False, "anew")
            assert find_recipes(uow, sha("file"))
            assert not switch_to_recipe(uow, packed)

    def test_they_go_with_their_content(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, PUBLIC, "part")
            keep(uow, PUBLIC, "file", ["part"])
            assert delete_unneeded_objects(uow, 10) == 0
            forget_content(uow, sha("file"))
            assert find_recipes(uow, sha("file")) == []
            assert delete_unneeded_objects(uow, 10) == 1
            assert encodings_of(uow, PUBLIC, name("part")) == []


class TestOutgoing:
    def test_a_base_stays_while_something_rests_on_it(self, database: Database) -> None:
        with database.write() as uow:
            base = put(uow, PUBLIC, "base")
            put(uow, PUBLIC, "child", ["base"])
            keep(uow, PUBLIC, "of-base", ["base"])
            keep(uow, PUBLIC, "of-child", ["child"])
            assert outgoing_objects(uow, 10) == []
            forget_content(uow, sha("of-base"))
            (gone,) = outgoing_objects(uow, 10)
            assert (gone.number, delete_unneeded_objects(uow, 10)) == (base, 0)
            assert [one.id for one in resting_on(uow, [base])] == [name("child")]
            put(uow, PUBLIC, "child")
            assert outgoing_objects(uow, 10) == []
            assert delete_unneeded_objects(uow, 10) == 1

    def test_the_public_scope_does_not_hold_what_only_private_recipes_have(self, database: Database) -> None:
        with database.write() as uow:
            public = put(uow, PUBLIC, "part")
            keep(uow, PUBLIC, "open", ["part"])
            keep(uow, LAB, "own", ["part"])
            assert outgoing_objects(uow, 10) == []
            forget_content(uow, sha("open"))
            assert [one.number for one in outgoing_objects(uow, 10)] == [public]
            assert recipes_with(uow, public) == [(sha("own"), LAB)]
            own = put(uow, LAB, "part")
            relink_recipe(uow, LAB, public, own)
            assert delete_unneeded_objects(uow, 10) == 1
            assert recipes_with(uow, own) == [(sha("own"), LAB)]

    def test_the_same_bytes_elsewhere_take_the_place_of_a_base(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, LAB, "base")
            put(uow, LAB, "child", ["base"])
            keep(uow, LAB, "of-base", ["base"])
            keep(uow, LAB, "of-child", ["child"])
            public = put(uow, PUBLIC, "base")
            keep(uow, PUBLIC, "opened", ["base"])
            forget_content(uow, sha("of-base"))
            (gone,) = outgoing_objects(uow, 10)
            (child,) = resting_on(uow, [gone.number])
            assert substitute_base(uow, gone, child)
            assert [one.id for one in resting_on(uow, [public])] == [name("child")]
            assert delete_unneeded_objects(uow, 10) == 1

    def test_but_not_out_of_sight_nor_deeper(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, PUBLIC, "base")
            put(uow, PUBLIC, "child", ["base"])
            keep(uow, PUBLIC, "of-child", ["child"])
            put(uow, LAB, "base")
            keep(uow, LAB, "closed", ["base"])
            (gone,) = outgoing_objects(uow, 10)
            (child,) = resting_on(uow, [gone.number])
            assert not substitute_base(uow, gone, child)


class TestPacks:
    def test_what_is_used_of_them(self, database: Database) -> None:
        with database.write() as uow:
            pack_id = add_pack(uow, "ab/pack", 100)
            for word, offset in (("a", 0), ("b", 30)):
                add_encoding(
                    uow, PUBLIC, pack_id, NewEncoding(name(word), 50, offset, 30, b"d" * 16, frozenset())
                )
            (use,) = list_packs(uow, 0, 10)
            assert (use.size_bytes, use.live_bytes) == (100, 60)
            assert known_packs(uow, ["ab/pack", "cd/none"]) == {"ab/pack"}
            assert not forget_pack(uow, pack_id)
            new_id = add_pack(uow, "cd/pack", 60)
            first, second = encodings_in_pack(uow, pack_id)
            assert move_encoding(uow, first, new_id, 0)
            assert not move_encoding(uow, first, new_id, 0)
            # What was read by its old place says nothing of the new one.
            assert not mark_encoding_damaged(uow, first, "missing")
            assert move_encoding(uow, second, new_id, 30)
            assert forget_pack(uow, pack_id)


class TestFigures:
    def test_each_saving_is_told_by_its_means(self, database: Database) -> None:
        with database.write() as uow:
            put(uow, PUBLIC, "base", size_bytes=100, stored=60)
            put(uow, PUBLIC, "child", ["base"], size_bytes=100, stored=4)
            keep(uow, PUBLIC, "first", ["base"], size_bytes=106)
            keep(uow, PUBLIC, "second", ["base", "child"], size_bytes=206)
            add_content(uow, sha("plain"), 50, "at-plain")
            found = hub_figures(uow)
            assert (found.content_bytes, found.packed_bytes, found.recipe_bytes) == (362, 312, 12)
            assert found.stored_bytes == 50 + 12 + 64
            assert found.saved_by_sharing_bytes == 100
            assert found.saved_by_prediction_bytes == 96
            assert found.saved_by_compression_bytes == 40
            assert found.content_bytes - found.stored_bytes == 100 + 96 + 40
            shared = {one.size_bytes: one.is_shared for one in packed_objects(uow, PUBLIC, [sha("first")])}
            assert shared == {100: True}
            assert [one.is_predicted for one in packed_objects(uow, PUBLIC, [sha("second")])] == [False, True]
            assert not any(
                one.is_shared for one in packed_objects(uow, PUBLIC, [sha("first"), sha("second")])
            )
            assert packed_objects(uow, LAB, [sha("first")]) == []
            assert recipe_sizes(uow, PUBLIC, [sha("first")]) == {sha("first"): 6}


class TestUpkeep:
    def test_what_is_to_be_packed(self, database: Database, clock: HeldClock) -> None:
        with database.write() as uow:
            for word, size_bytes in (("small", 5), ("large", 50)):
                add_content(uow, sha(word), size_bytes, word)
            assert [one.sha256 for one in contents_to_pack(uow, None, 10, clock.now, 10)] == [sha("large")]
            assert contents_to_pack(uow, sha("large"), 10, clock.now, 10) == []
        before = clock.now
        clock.advance(seconds=10)
        with database.write() as uow:
            add_content(uow, sha("young"), 50, "young")
            assert [one.sha256 for one in contents_to_pack(uow, None, 10, before, 10)] == [sha("large")]

    def test_attempts_are_remembered_and_the_switch_too(self, database: Database) -> None:
        with database.write() as uow:
            add_content(uow, sha("file"), 5, "file")
            for basis in ("first", "second"):
                put_attempt(uow, Attempt(sha("file"), LAB, basis, "too little"))
            assert find_attempts(uow, sha("file")) == {LAB: Attempt(sha("file"), LAB, "second", "too little")}
            assert attempted_scopes(uow, [sha("file")]) == {sha("file"): frozenset({LAB})}
            assert not is_packing_paused(uow)
            for paused in (True, False):
                pause_packing(uow, paused=paused)
                assert is_packing_paused(uow) is paused
