"""Recipes: of which stretches of objects, and of which bytes between them, a content consists.

As stored: the magic `AllmRec1`, 16 bytes of BLAKE3 of all that follows, the size of the body (u64), and the
body through zstd. The body: SHA-256 of the content, its size (u64), the number of objects (u32) and their
names (32 bytes each), the number of segments (u32) and three variable-length numbers for each (0 for a
literal or one more than the object's place; the start in the object; the size), then the literals. All
numbers are little-endian.
"""

import struct
from dataclasses import dataclass
from typing import TypeAlias

import zstandard
from blake3 import blake3

from allmende.codecs.errors import MalformedRecipe
from allmende.codecs.objects import ObjectId
from allmende.ids import Sha256

__all__ = ["Literal", "Recipe", "Segment", "Stretch", "read_recipe", "write_recipe"]

_MAGIC = b"AllmRec1"
_CHECK_BYTES = 16
_HEAD = struct.Struct(f"<8s{_CHECK_BYTES}sQ")
_FIXED = struct.Struct("<32sQI")
_COUNT = struct.Struct("<I")
_MAX_BODY_BYTES = 128 * 1024 * 1024
_MAX_SEGMENTS = _MAX_OBJECTS = 1 << 21
"""So that the recipe in memory is bounded too, however well it is compressed."""
_MAX_CONTENT_BYTES = 2**60
_LEVEL = 9


@dataclass(frozen=True, slots=True)
class Literal:
    """The next bytes of the recipe's own `literals`."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of the object at this place in the recipe's list of objects."""

    number: int
    start: int
    size_bytes: int


Segment: TypeAlias = Literal | Stretch


@dataclass(frozen=True, slots=True)
class Recipe:
    """A content, every byte of it, as segments in their order."""

    sha256: Sha256
    size_bytes: int
    objects: tuple[ObjectId, ...]
    segments: tuple[Segment, ...]
    literals: bytes


def write_recipe(recipe: Recipe) -> bytes:
    """The stored form. Raises MalformedRecipe for one that does not cover its content exactly."""
    _check(recipe)
    numbers = bytearray()
    for segment in recipe.segments:
        match segment:
            case Literal(size_bytes):
                _put(numbers, 0, 0, size_bytes)
            case Stretch(number, start, size_bytes):
                _put(numbers, number + 1, start, size_bytes)
    body = b"".join(
        (
            _FIXED.pack(bytes.fromhex(recipe.sha256), recipe.size_bytes, len(recipe.objects)),
            bytes.fromhex("".join(recipe.objects)),
            _COUNT.pack(len(recipe.segments)),
            numbers,
            recipe.literals,
        )
    )
    if len(body) > _MAX_BODY_BYTES:
        raise MalformedRecipe(f"A recipe has at most {_MAX_BODY_BYTES} bytes, and this one {len(body)}.")
    packed = struct.pack("<Q", len(body)) + zstandard.ZstdCompressor(level=_LEVEL).compress(body)
    return _MAGIC + blake3(packed).digest(_CHECK_BYTES) + packed


def read_recipe(stored: bytes | memoryview) -> Recipe:
    """A recipe from its stored form. Raises MalformedRecipe for whatever is not exactly one."""
    view = memoryview(stored).cast("B")
    if len(view) < _HEAD.size:
        raise MalformedRecipe("The recipe is cut short.")
    magic, check, size_bytes = _HEAD.unpack_from(view)
    packed = view[len(_MAGIC) + _CHECK_BYTES :]
    if magic != _MAGIC or blake3(packed).digest(_CHECK_BYTES) != check:
        raise MalformedRecipe("The recipe is damaged, or none.")
    return _parsed(_unpacked(packed[8:], size_bytes))


def _unpacked(packed: memoryview, size_bytes: int) -> memoryview:
    if size_bytes > _MAX_BODY_BYTES:
        raise MalformedRecipe(f"A recipe has at most {_MAX_BODY_BYTES} bytes, and this one {size_bytes}.")
    try:
        body = zstandard.ZstdDecompressor().decompress(
            packed, max_output_size=size_bytes, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise MalformedRecipe(f"The recipe cannot be unpacked: {error}.") from error
    if len(body) != size_bytes:
        raise MalformedRecipe("The recipe unpacks to another size than it says.")
    return memoryview(body)


def _parsed(body: memoryview) -> Recipe:
    try:
        sha256, size_bytes, count = _FIXED.unpack_from(body)
        if count > _MAX_OBJECTS:
            raise MalformedRecipe(f"A recipe names at most {_MAX_OBJECTS} objects.")
        at = _FIXED.size + 32 * count
        names = body[_FIXED.size : at].hex()
        (segments,) = _COUNT.unpack_from(body, at)
    except struct.error as error:
        raise MalformedRecipe("The recipe is cut short.") from error
    at += _COUNT.size
    if 3 * segments > len(body) - at:
        raise MalformedRecipe("The recipe is cut short.")
    if segments > _MAX_SEGMENTS:
        raise MalformedRecipe(f"A recipe has at most {_MAX_SEGMENTS} segments.")
    found: list[Segment] = []
    for _ in range(segments):
        number, at = _take(body, at)
        start, at = _take(body, at)
        size, at = _take(body, at)
        if number == 0 and start:
            raise MalformedRecipe("A recipe's own bytes begin where the last ones ended.")
        found.append(Stretch(number - 1, start, size) if number else Literal(size))
    objects = tuple(ObjectId(names[64 * one : 64 * one + 64]) for one in range(count))
    recipe = Recipe(Sha256(sha256.hex()), size_bytes, objects, tuple(found), bytes(body[at:]))
    _check(recipe)
    return recipe


def _check(recipe: Recipe) -> None:
    """Every byte is covered once, nothing is named that is not there, and not too much is."""
    if len(recipe.segments) > _MAX_SEGMENTS or len(recipe.objects) > _MAX_OBJECTS:
        raise MalformedRecipe(f"A recipe has at most {_MAX_SEGMENTS} segments, of as many objects.")
    if not 0 <= recipe.size_bytes <= _MAX_CONTENT_BYTES:
        raise MalformedRecipe("A content cannot have so many bytes.")
    if len(set(recipe.objects)) != len(recipe.objects):
        raise MalformedRecipe("A recipe names an object twice.")
    total = literal = 0
    for segment in recipe.segments:
        if segment.size_bytes <= 0:
            raise MalformedRecipe("A segment of a recipe is empty.")
        total += segment.size_bytes
        if isinstance(segment, Literal):
            literal += segment.size_bytes
        elif not 0 <= segment.number < len(recipe.objects) or segment.start < 0:
            raise MalformedRecipe("A segment of a recipe is of an object that it does not name.")
    if total != recipe.size_bytes or literal != len(recipe.literals):
        raise MalformedRecipe("A recipe does not cover its content.")


def _put(out: bytearray, *numbers: int) -> None:
    """Numbers in sevens of bits, the lowest first."""
    for number in numbers:
        left = number
        while left > 0x7F:
            out.append(left & 0x7F | 0x80)
            left >>= 7
        out.append(left)


def _take(body: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 63, 7):
        if at >= len(body):
            raise MalformedRecipe("The recipe is cut short.")
        byte = body[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number, at
    raise MalformedRecipe("A number in the recipe is too large.")
