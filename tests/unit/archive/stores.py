"""Small stores, filled by hand: a content is a few objects, alone or on a base, and a tail of its own."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from allmende.archive import Archive, ArchiveIntake, entry_name
from allmende.codecs import (
    BytesPlain,
    EncodedObject,
    Literal,
    ObjectId,
    Piece,
    Prediction,
    Recipe,
    Segment,
    Source,
    Stretch,
    object_id,
    word_type,
    write_encoding,
)
from allmende.codecs.outputs import Words
from allmende.codecs.steps import Load
from allmende.ids import Sha256
from allmende.packing import shelf_plain


@dataclass(frozen=True)
class Kept:
    """A content that was put into a store."""

    sha256: Sha256
    objects: tuple[ObjectId, ...]
    data: bytes


def encoded(archive: Archive, data: bytes, base: ObjectId | None = None) -> EncodedObject:
    """An encoding of these bytes: alone, or as what differs from a base that is in the store."""
    prediction = None
    if base is not None:
        pieces = (Piece(base, 0, len(data)),)
        prediction = Prediction((Source(pieces, "U8"),), (Load(0),), Words("U8"))
    return write_encoding(
        BytesPlain(data), word_type("U8"), prediction, lambda known: shelf_plain(archive.shelf, known)
    )


def recipe_for(datas: Sequence[bytes], tail: bytes) -> Recipe:
    """The recipe of these objects one after another, and the tail."""
    whole = b"".join([*datas, tail])
    ids = tuple(dict.fromkeys(object_id(data) for data in datas))
    stretches = [Stretch(ids.index(object_id(data)), 0, len(data)) for data in datas]
    segments: tuple[Segment, ...] = (*stretches, *([Literal(len(tail))] if tail else []))
    return Recipe(Sha256(hashlib.sha256(whole).hexdigest()), len(whole), ids, segments, tail)


def put(
    archive: Archive,
    name: str,
    datas: Sequence[bytes],
    *,
    base: ObjectId | None = None,
    tail: bytes = b"tail",
    chunked: bool = False,
    key: bytes | None = None,
) -> Kept:
    """Store a content of these objects; those that the store has already are not written again."""
    intake = archive.intake()
    try:
        return fill(archive, intake, name, datas, base=base, tail=tail, chunked=chunked, key=key)
    finally:
        intake.discard()


def fill(
    archive: Archive,
    intake: ArchiveIntake,
    name: str,
    datas: Sequence[bytes],
    *,
    base: ObjectId | None = None,
    tail: bytes = b"tail",
    chunked: bool = False,
    key: bytes | None = None,
) -> Kept:
    """The same through an intake that was begun; it is committed."""
    recipe = recipe_for(datas, tail)
    known = archive.shelf.find(recipe.objects)
    for data in dict.fromkeys(datas):
        if object_id(data) not in known:
            intake.add(encoded(archive, data, base))
            if chunked:
                intake.add_chunks(chunks_of(data))
    intake.set_name(entry_name(name), recipe.sha256, "2026-11-28T00:00:00.000Z", key)
    intake.commit(recipe)
    return Kept(recipe.sha256, recipe.objects, b"".join([*datas, tail]))


def chunks_of(data: bytes, size_bytes: int = 1000) -> dict[bytes, Piece]:
    """Chunks of an object, named by their hashes."""
    return {
        hashlib.sha256(data[start : start + size_bytes]).digest(): Piece(
            object_id(data), start, len(data[start : start + size_bytes])
        )
        for start in range(0, len(data), size_bytes)
    }


def drifted(data: bytes, random: Random, count: int = 20) -> bytes:
    """The same with a few bytes changed."""
    changed = bytearray(data)
    for _ in range(count):
        changed[random.randrange(len(data))] ^= random.randrange(1, 256)
    return bytes(changed)
