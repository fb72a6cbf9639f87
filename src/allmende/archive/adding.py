"""Adding a file to a store: its bytes as what is new in them, under a name, all at once or not at all."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from allmende.archive.archive import Archive
from allmende.archive.candidates import candidates_for, kin_key
from allmende.archive.entries import entry_of, has_content, recipe_of, refuse_taken
from allmende.archive.intake import ArchiveIntake
from allmende.archive.names import EntryName
from allmende.archive.shelf import ArchiveShelf
from allmende.archive.verifying import READ_BYTES
from allmende.clock import Clock, iso, system_clock
from allmende.codecs import DamagedObject
from allmende.errors import Conflict
from allmende.formats import JsonObject
from allmende.ids import Sha256
from allmende.packing import build
from allmende.weights import BytesMissing, ReadFile

__all__ = ["Added", "ContentChanged", "add_file"]

Tell = Callable[[int], None]
"""So many bytes more are done."""
Outcome = Literal["stored", "known", "unchanged"]

_LEAST_FOR_BASES = 16 * 1024
"""What is smaller than the smallest object is not worth a search."""


class ContentChanged(Conflict):
    """A file had other bytes when it was read once more."""

    code = "content_changed"


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a file: `stored`; `known`: the store had its content; `unchanged`: under its name."""

    name: EntryName
    sha256: Sha256
    size_bytes: int
    stored_bytes: int
    outcome: Outcome

    def document(self) -> JsonObject:
        """As JSON."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "stored_bytes": self.stored_bytes,
            "outcome": self.outcome,
        }


def add_file(
    archive: Archive,
    path: Path,
    name: EntryName,
    *,
    bases: Sequence[EntryName] = (),
    replace: bool = False,
    tell: Tell = lambda _more: None,
    clock: Clock = system_clock,
) -> Added:
    """Store a file's bytes and give them the name.

    It is durable on return; an error or a crash leaves the store as it was. What it is built upon is `bases`
    (entries or folders of them), and what the store finds itself. Raises NameTaken, EntryMissing for a base,
    ContentChanged when the file is written to meanwhile, StoreInUse, StorageFull.
    """
    place = ReadFile(path.name, path)
    try:
        return _add(archive, place, name, bases, replace=replace, tell=tell, at=iso(clock()))
    except BytesMissing as error:
        raise ContentChanged(f"{path} became shorter while it was read.", hint="Add it again.") from error


def _add(
    archive: Archive,
    place: ReadFile,
    name: EntryName,
    bases: Sequence[EntryName],
    *,
    replace: bool,
    tell: Tell,
    at: str,
) -> Added:
    sha256 = _hash(place)
    with archive.writing():
        refuse_taken(archive, name, sha256, replace=replace)
        entry = entry_of(archive, name)
        if entry is not None and entry.sha256 == sha256:
            tell(place.size_bytes)
            return Added(name, sha256, place.size_bytes, 0, "unchanged")
        known = has_content(archive, sha256)
        naming = _Naming(archive, name, sha256, at, kin_key(place))
        try:
            if known:
                tell(place.size_bytes)
                naming.begin().commit(None)
            else:
                _build(archive, place, naming, bases, tell)
        finally:
            naming.discard()
    return Added(name, sha256, place.size_bytes, naming.stored_bytes, "known" if known else "stored")


class _Naming:
    """Lets whatever is stored give a content its name in the same transaction."""

    def __init__(self, archive: Archive, name: EntryName, sha256: Sha256, at: str, key: bytes | None) -> None:
        self._archive = archive
        self._intakes: list[ArchiveIntake] = []
        self.name = name
        self.sha256 = sha256
        self.at = at
        self.key = key

    def begin(self) -> ArchiveIntake:
        """An intake that gives the name when it is committed."""
        intake = self._archive.intake()
        intake.set_name(self.name, self.sha256, self.at, self.key)
        self._intakes.append(intake)
        return intake

    def shelf(self) -> ArchiveShelf:
        """The shelf of the store, with such intakes."""
        return self._archive.shelf.beginning(self.begin)

    @property
    def stored_bytes(self) -> int:
        """How many bytes of encodings and recipes were written."""
        return sum(intake.stored_bytes for intake in self._intakes)

    def discard(self) -> None:
        """Give up what was not committed."""
        for intake in self._intakes:
            intake.discard()


def _build(
    archive: Archive, place: ReadFile, naming: _Naming, bases: Sequence[EntryName], tell: Tell
) -> None:
    tried: list[Sha256] = []
    if place.size_bytes >= _LEAST_FOR_BASES:
        tried = candidates_for(archive, place, naming.name, naming.key, bases)
    told = 0

    def progress(done: int) -> None:
        nonlocal told
        tell(done - told)
        told = done

    groups = [[recipe_of(archive, sha256)] for sha256 in tried]
    try:
        build(place, naming.shelf(), naming.sha256, groups, progress=progress)
    except DamagedObject as error:
        if _hash(place) != naming.sha256:
            raise ContentChanged(
                f"{place.name} was written to while it was read.", hint="Add it again."
            ) from error
        raise
    progress(place.size_bytes)


def _hash(place: ReadFile) -> Sha256:
    hashed = hashlib.sha256()
    for start in range(0, place.size_bytes, READ_BYTES):
        hashed.update(place.read_at(start, min(READ_BYTES, place.size_bytes - start)))
    return Sha256(hashed.hexdigest())
