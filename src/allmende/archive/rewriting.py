"""Writing packs anew: without what nothing needs, and many small ones as one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from sqlite3 import Connection

from allmende.archive.archive import Archive
from allmende.archive.errors import MalformedPack
from allmende.archive.names import EntryName
from allmende.archive.pack_files import Record, records_of
from allmende.archive.pack_series import PackSeries
from allmende.archive.records import (
    Kind,
    NameChange,
    body_check,
    chunks_body,
    names_body,
    parse_chunks,
    sequence_label,
)
from allmende.failpoints import reach
from allmende.ids import Sha256

__all__ = ["Rewritten", "rewrite_packs", "write_baseline"]

_MOST_DEAD = 0.25
_SMALL_BYTES = 4 * 1024 * 1024
_MOST_SMALL = 64


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Packs that were written anew, and those that could not be because they are damaged."""

    packs: tuple[int, ...]
    damaged: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Pack:
    """A pack: the records in it that are needed, and how many bytes of encodings and recipes are not."""

    number: int
    size_bytes: int
    records: tuple[Record, ...]
    dead_bytes: int

    @property
    def holds_data(self) -> bool:
        """Whether there is anything needed in it but names."""
        return bool(self.records)


def rewrite_packs(archive: Archive) -> Rewritten:
    """Write packs anew that are dead by a quarter or more, and small ones when there are many.

    For whoever holds the writing lock. Damaged packs are left as they are, for nothing that is damaged may
    get a check that says it is sound.
    """
    found, damaged = _look(archive)
    series = PackSeries(archive.database, archive.packs)
    moved: dict[tuple[int, int], Record] = {}
    done: list[int] = []
    try:
        for pack in _choose(found):
            if all(_is_sound(archive, record) for record in pack.records):
                moved |= _copy(archive, pack, series)
                done.append(pack.number)
            else:
                damaged.append(pack.number)
        if done:
            _write_baseline(archive, series)
            series.publish()
    except BaseException:
        series.discard()
        raise
    if done:
        reach("archive.before_database")
        with archive.database.write() as connection:
            series.put(connection)
            _move(connection, moved)
            connection.executemany("DELETE FROM pack WHERE number = ?", [[number] for number in done])
        reach("archive.before_removal")
        for number in done:
            archive.packs.remove(number)
    return Rewritten(tuple(done), tuple(damaged))


def _look(archive: Archive) -> tuple[list[_Pack], list[int]]:
    """What is in each pack; and those that cannot be read to their ends."""
    with archive.database.read() as connection:
        sizes = dict(connection.execute("SELECT number, size_bytes FROM pack ORDER BY number"))
        needed = {
            *connection.execute("SELECT pack, start FROM encoding"),
            *connection.execute("SELECT pack, start FROM recipe"),
        }
    found: list[_Pack] = []
    damaged: list[int] = []
    for number, size_bytes in sizes.items():
        records: list[Record] = []
        try:
            records.extend(records_of(archive.packs, number))
            found.append(_pack(number, size_bytes, records, needed))
        except (MalformedPack, FileNotFoundError):
            readable = {(number, record.body_start) for record in records}
            if any(place[0] == number and place not in readable for place in needed):
                damaged.append(number)
            else:
                # What cannot be read of it is not needed: the rest moves, and then it goes.
                pack = _pack(number, size_bytes, records, needed)
                found.append(replace(pack, dead_bytes=size_bytes))
    return found, damaged


def _pack(number: int, size_bytes: int, records: list[Record], needed: set[tuple[int, int]]) -> _Pack:
    data = [record for record in records if record.head.kind in (Kind.ENCODING, Kind.RECIPE)]
    kept = [record for record in data if (number, record.body_start) in needed]
    dead_bytes = sum(
        record.end - record.start for record in data if (number, record.body_start) not in needed
    )
    # Where chunks lie is worth knowing as long as something lies in the pack.
    chunks = [record for record in records if kept and record.head.kind is Kind.CHUNKS]
    return _Pack(number, size_bytes, (*kept, *chunks), dead_bytes)


def _choose(packs: list[_Pack]) -> list[_Pack]:
    """Those that are largely dead, and small ones when there are many.

    What names mean is said anew whenever packs are written, so those that hold names alone are chosen then,
    and by themselves when there are several.
    """
    full = [pack for pack in packs if pack.holds_data]
    empty = [pack for pack in packs if not pack.holds_data]
    chosen = [pack for pack in full if pack.dead_bytes >= _MOST_DEAD * pack.size_bytes]
    small = [pack for pack in full if pack.size_bytes < _SMALL_BYTES and pack not in chosen]
    if len(small) >= _MOST_SMALL:
        chosen += small
    if chosen or len(empty) > 1 or any(pack.dead_bytes for pack in empty):
        chosen += empty
    return chosen


def _is_sound(archive: Archive, record: Record) -> bool:
    part = archive.packs.part(record.pack, record.body_start, record.head.body_bytes)
    return body_check([part.read_at(0, part.size_bytes)]) == record.head.body_check


def _copy(archive: Archive, pack: _Pack, series: PackSeries) -> Mapping[tuple[int, int], Record]:
    """Write what is needed of a pack; answers where what lay at which place lies now."""
    moved: dict[tuple[int, int], Record] = {}
    for record in pack.records:
        part = archive.packs.part(record.pack, record.body_start, record.head.body_bytes)
        body = part.read_at(0, part.size_bytes)
        if record.head.kind is Kind.CHUNKS:
            _copy_chunks(archive, body, series)
        else:
            moved[record.pack, record.body_start] = series.append(record.head.kind, record.head.label, [body])
    return moved


def _copy_chunks(archive: Archive, body: memoryview, series: PackSeries) -> None:
    said = parse_chunks(body)
    known = archive.shelf.find_chunks(said)
    chunks = {hashed: piece for hashed, piece in said.items() if known.get(hashed) == piece}
    if chunks:
        series.append(Kind.CHUNKS, b"", [chunks_body(chunks)])


def write_baseline(archive: Archive) -> None:
    """Say in a pack of its own what names mean now, whatever older packs say. For who holds the lock."""
    series = PackSeries(archive.database, archive.packs)
    try:
        _write_baseline(archive, series)
        series.publish()
    except BaseException:
        series.discard()
        raise
    with archive.database.write() as connection:
        series.put(connection)


def _write_baseline(archive: Archive, series: PackSeries) -> None:
    """Say anew what every name means, so that what older packs say of names is not needed."""
    with archive.database.read() as connection:
        rows = connection.execute("SELECT name, sha256, at, sequence, key FROM listed ORDER BY name")
        changes = [
            NameChange(EntryName(name), Sha256(sha256), at, sequence, key)
            for name, sha256, at, sequence, key in rows
        ]
    series.append(Kind.BASELINE, sequence_label(series.last_number()), [names_body(changes)])


def _move(connection: Connection, moved: Mapping[tuple[int, int], Record]) -> None:
    for (pack, start), record in moved.items():
        place = [record.pack, record.body_start, pack, start]
        if record.head.kind is Kind.ENCODING:
            connection.execute("UPDATE encoding SET pack = ?, start = ? WHERE pack = ? AND start = ?", place)
        else:
            connection.execute("UPDATE recipe SET pack = ?, start = ? WHERE pack = ? AND start = ?", place)
