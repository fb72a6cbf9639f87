"""Decoding what is stored, to see whether it is still what was stored."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from blake3 import blake3

from allmende.archive.archive import Archive
from allmende.archive.entries import open_content
from allmende.archive.errors import EntryMissing
from allmende.codecs import (
    DamagedObject,
    EncodedReader,
    MalformedEncoding,
    ObjectId,
    ObjectMissing,
    PredictionImpossible,
)
from allmende.ids import Sha256
from allmende.packing import ObjectOpener, UnreadableObject

__all__ = ["READ_BYTES", "Problem", "mark_damage", "problem_of_content", "problem_of_encoding"]

READ_BYTES = 1024 * 1024
"""What is read at a time."""

_DAMAGE = (DamagedObject, MalformedEncoding, PredictionImpossible)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with an encoding; `below` says that it is wrong with what it is predicted from."""

    detail: str
    below: bool = False


def problem_of_encoding(archive: Archive, number: int) -> Problem | None:
    """What is wrong with the encoding of this row, decoded to its end; None where it is sound."""
    with archive.database.read() as connection:
        object_id, size_bytes, *place = connection.execute(
            "SELECT object.id, object.size_bytes, pack, start, encoding.size_bytes"
            " FROM encoding JOIN object ON object.number = encoding.object WHERE encoding.number = ?",
            [number],
        ).fetchone()
    try:
        stored = archive.packs.part(*place)
        reader = EncodedReader(stored, ObjectOpener(archive.shelf, archive.shelf.report_damage))
        hashed = blake3()
        for start in range(0, reader.size_bytes, READ_BYTES):
            hashed.update(reader.read_at(start, min(READ_BYTES, reader.size_bytes - start)))
    except FileNotFoundError:
        return Problem("Its pack is gone.")
    except (UnreadableObject, ObjectMissing) as error:
        return Problem(error.message, below=True)
    except _DAMAGE as error:
        return Problem(error.message)
    if reader.size_bytes != size_bytes or ObjectId(hashed.hexdigest()) != object_id:
        return Problem("It is that of another object.")
    return None


def problem_of_content(archive: Archive, sha256: Sha256) -> str | None:
    """What is wrong with a content, read to its end; None where it is sound."""
    hashed = hashlib.sha256()
    try:
        with open_content(archive, sha256) as reader:
            while block := reader.read(READ_BYTES):
                hashed.update(block)
    except (*_DAMAGE, ObjectMissing, EntryMissing) as error:
        return error.message
    return None if hashed.hexdigest() == sha256 else "Its SHA-256 is another."


def mark_damage(archive: Archive, numbers: Iterable[int]) -> dict[int, str]:
    """Decode these encodings and mark the damaged, so that others are used; answers what is wrong with which.

    One that is sound itself and lies on something damaged is told of and not marked.
    """
    problems = {number: problem for number in numbers if (problem := problem_of_encoding(archive, number))}
    own = [(problem.detail[:500], number) for number, problem in problems.items() if not problem.below]
    if own:
        with archive.database.write() as connection:
            connection.executemany("UPDATE encoding SET problem = ? WHERE number = ?", own)
    return {number: problem.detail for number, problem in problems.items()}
