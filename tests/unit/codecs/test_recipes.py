"""Recipes: what was written is read again; whatever is not exactly a recipe is refused."""

import struct
from dataclasses import replace
from typing import Any

import pytest
import zstandard
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.codecs import (
    Literal,
    MalformedRecipe,
    Recipe,
    Segment,
    Stretch,
    object_id,
    read_recipe,
    write_recipe,
)
from allmende.ids import Sha256

OBJECTS = tuple(object_id(bytes([number])) for number in range(3))
SEGMENTS = st.lists(
    st.one_of(
        st.builds(Stretch, st.integers(0, 2), st.integers(0, 2**50), st.integers(1, 2**40)),
        st.builds(Literal, st.integers(1, 300)),
    ),
    max_size=12,
)
SMALL = Recipe(Sha256("ab" * 32), 5, OBJECTS, (Literal(2), Stretch(2, 7, 3)), b"xy")


def recipe_of(segments: list[Segment]) -> Recipe:
    size = sum(segment.size_bytes for segment in segments)
    literal = sum(one.size_bytes for one in segments if isinstance(one, Literal))
    return Recipe(Sha256("cd" * 32), size, OBJECTS, tuple(segments), b"l" * literal)


def body_of(stored: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(stored[32:])


def stored_as(body: bytes, says: int | None = None) -> bytes:
    """A recipe with this body, whose check holds."""
    packed = struct.pack("<Q", len(body) if says is None else says) + zstandard.compress(body)
    return b"AllmRec1" + blake3(packed).digest(16) + packed


@given(SEGMENTS)
def test_what_was_written_is_read_again(segments: list[Segment]) -> None:
    recipe = recipe_of(segments)
    assert read_recipe(write_recipe(recipe)) == recipe


def test_a_change_of_any_byte_is_found() -> None:
    sound = write_recipe(SMALL)
    for place in range(len(sound)):
        broken = bytearray(sound)
        broken[place] ^= 1
        with pytest.raises(MalformedRecipe):
            read_recipe(bytes(broken))
        with pytest.raises(MalformedRecipe):
            read_recipe(sound[:place])
    with pytest.raises(MalformedRecipe):
        read_recipe(sound + b"\0")


@settings(max_examples=500)
@given(place=st.integers(0, len(body_of(write_recipe(SMALL))) - 1), byte=st.integers(0, 255))
def test_a_body_that_was_made_so_is_a_recipe_or_refused(place: int, byte: int) -> None:
    body = bytearray(body_of(write_recipe(SMALL)))
    body[place] = byte
    try:
        found = read_recipe(stored_as(bytes(body)))
    except MalformedRecipe:
        return
    assert read_recipe(write_recipe(found)) == found


@pytest.mark.parametrize(
    "change",
    [
        {"size_bytes": 6},
        {"size_bytes": -1},
        {"literals": b"xyz"},
        {"segments": (Literal(2), Stretch(3, 7, 3))},
        {"segments": (Literal(2), Stretch(2, -1, 3))},
        {"segments": (Literal(2), Stretch(0, 0, 0), Stretch(2, 7, 3))},
        {"objects": (OBJECTS[0], OBJECTS[0], OBJECTS[2])},
    ],
    ids=["larger", "negative", "literals", "no such object", "before it", "empty", "twice"],
)
def test_what_does_not_cover_its_content_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedRecipe):
        write_recipe(replace(SMALL, **change))


@pytest.mark.parametrize("place", [40, 44 + 96], ids=["objects", "segments"])
def test_more_than_there_can_be_is_refused_at_once(place: int) -> None:
    body = bytearray(body_of(write_recipe(SMALL)) + bytes(40_000_000))
    body[place : place + 4] = struct.pack("<I", 10_000_000)
    with pytest.raises(MalformedRecipe, match="at most"):
        read_recipe(stored_as(bytes(body)))


def test_what_unpacks_to_more_than_is_said_is_refused() -> None:
    with pytest.raises(MalformedRecipe):
        read_recipe(stored_as(bytes(10_000), says=100))
    with pytest.raises(MalformedRecipe, match="at most"):
        read_recipe(stored_as(b"", says=2**40))
