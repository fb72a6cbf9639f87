"""Making a store's database anew from its packs, when it is damaged or gone.

What a crash left in packs that were never committed comes back with the rest: each pack is whole, so it is
either something that was to be there, or garbage.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection

from allmende.archive.archive import DATABASE_NAME, DEFAULT_WAIT_S, PACKS_NAME, Archive
from allmende.archive.database import Database
from allmende.archive.errors import MalformedPack, StoreMissing
from allmende.archive.naming import Naming
from allmende.archive.pack_files import PackFolder, Record, records_of, sync_folder
from allmende.archive.records import (
    Kind,
    body_check,
    parse_chunks,
    parse_encoding_label,
    parse_names,
    parse_sequence,
)
from allmende.archive.rewriting import write_baseline
from allmende.archive.rows import put_chunks, put_encoding, put_names, put_pack, put_recipe, renew_depths
from allmende.codecs import ObjectId, read_recipe
from allmende.formats import JsonObject
from allmende.ids import Sha256
from allmende.packing import MAX_DEPTH

__all__ = ["Rebuilt", "rebuild_database"]


@dataclass(slots=True)
class Rebuilt:
    """What was found in the packs; `lost` says what could not be taken over, and why."""

    packs: int = 0
    objects: int = 0
    contents: int = 0
    entries: int = 0
    lost: list[str] = field(default_factory=list)

    def document(self) -> JsonObject:
        """As JSON."""
        return {
            "packs": self.packs,
            "objects": self.objects,
            "contents": self.contents,
            "entries": self.entries,
            "lost": list(self.lost),
        }


@dataclass(slots=True)
class _Taken:
    """What is taken over so far."""

    encodings: list[Record] = field(default_factory=list)
    recipes: list[Record] = field(default_factory=list)
    chunks: list[Record] = field(default_factory=list)
    naming: Naming = field(default_factory=Naming)


def rebuild_database(folder: Path, *, wait_s: float = DEFAULT_WAIT_S) -> Rebuilt:
    """Read all packs, write a new database and put it in place of the old.

    Where something is lost, names have from then on the meanings that are left. Raises StoreMissing,
    StoreInUse.
    """
    if not (folder / PACKS_NAME).is_dir():
        raise StoreMissing(f"There is no store at {folder}.")
    found = Rebuilt()
    archive = Archive(folder, wait_s)
    fresh = folder / f"{DATABASE_NAME}.new"
    with archive.writing():
        _remove_database(fresh)
        database = Database(fresh)
        try:
            database.create()
            with database.write() as connection:
                _fill(connection, archive.packs, found)
        finally:
            database.close()
        # The log of the old one must not be taken for the new one's.
        _remove_database(folder / DATABASE_NAME)
        os.rename(fresh, folder / DATABASE_NAME)
        sync_folder(folder)
        if found.lost:
            write_baseline(archive)
    archive.close()
    return found


def _remove_database(path: Path) -> None:
    for ending in ("-wal", "-shm", ""):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def _fill(connection: Connection, packs: PackFolder, found: Rebuilt) -> None:
    taken = _Taken()
    for number in packs.numbers():
        found.packs += 1
        size_bytes = packs.path(number).stat().st_size
        if size_bytes == 0:
            found.lost.append(f"{packs.path(number).name}: It is empty.")
            continue
        put_pack(connection, number, size_bytes)
        try:
            for record in records_of(packs, number):
                _take(packs, record, taken, found)
        except MalformedPack as error:
            found.lost.append(f"{packs.path(number).name}: {error.message}")
    depths = _put_encodings(connection, taken.encodings, found)
    found.objects = len(depths)
    for record in taken.chunks:
        chunks = parse_chunks(_body(packs, record))
        put_chunks(
            connection, {hashed: piece for hashed, piece in chunks.items() if piece.object_id in depths}
        )
    contents = {
        sha256 for record in taken.recipes if (sha256 := _put_recipe(connection, packs, record, depths))
    }
    found.contents = len(contents)
    meanings = taken.naming.meanings().values()
    entries = [change for change in meanings if change.sha256 in contents]
    put_names(connection, entries)
    found.entries = len(entries)
    found.lost += [f"{change.name}: its content is damaged." for change in meanings if change not in entries]


def _take(packs: PackFolder, record: Record, taken: _Taken, found: Rebuilt) -> None:
    """Take in a record whose bytes are sound."""
    body = _body(packs, record)
    if body_check([body]) != record.head.body_check:
        found.lost.append(f"{packs.path(record.pack).name}:{record.start}: {record.head.kind.name.lower()}.")
        return
    match record.head.kind:
        case Kind.ENCODING:
            taken.encodings.append(record)
        case Kind.RECIPE:
            taken.recipes.append(record)
        case Kind.CHUNKS:
            taken.chunks.append(record)
        case Kind.NAMES | Kind.BASELINE as kind:
            taken.naming.take(kind, parse_sequence(record.head.label), parse_names(body))


def _put_encodings(connection: Connection, records: list[Record], found: Rebuilt) -> dict[ObjectId, int]:
    """Put encodings whose bases are there, from below; answers how deep each object lies."""
    depths: dict[ObjectId, int] = {}
    sizes: dict[ObjectId, int] = {}
    waiting = records
    while waiting:
        left: list[Record] = []
        for record in waiting:
            label = parse_encoding_label(record.head.label)
            if not label.bases <= depths.keys():
                left.append(record)
                continue
            depth = max((depths[base] + 1 for base in label.bases), default=0)
            if depth > MAX_DEPTH:
                found.lost.append(f"{label.object_id}: an encoding lies too deep.")
                continue
            put_encoding(connection, record, depth)
            if record.head.body_bytes <= sizes.get(label.object_id, record.head.body_bytes):
                depths[label.object_id], sizes[label.object_id] = depth, record.head.body_bytes
        if len(left) == len(waiting):
            found.lost += [f"{parse_encoding_label(each.head.label).object_id}: no base." for each in left]
            break
        waiting = left
    renew_depths(connection)
    return depths


def _put_recipe(
    connection: Connection, packs: PackFolder, record: Record, known: Mapping[ObjectId, int]
) -> Sha256 | None:
    """Put a recipe whose objects are all there; answers which content it is, if so."""
    recipe = read_recipe(bytes(_body(packs, record)))
    if not set(recipe.objects) <= known.keys():
        return None
    put_recipe(connection, record, recipe)
    return recipe.sha256


def _body(packs: PackFolder, record: Record) -> memoryview:
    return packs.part(record.pack, record.body_start, record.head.body_bytes).read_at(
        0, record.head.body_bytes
    )
