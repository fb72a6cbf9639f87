"""What a store holds and what it saves, by which means, of each entry and as a whole.

Each byte that is saved is counted once. An entry whose content has another name too saves its whole size. Of
any other, what objects that an earlier content had give is saved by tensors or by chunks; objects that it
brought itself are stored as residuals on a base or compressed alone. What is in objects but not asked for by
the content counts against it. So saved and stored bytes of all entries, and the overhead, make up the logical
bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from sqlite3 import Connection

from allmende.archive.archive import Archive
from allmende.archive.names import EntryName
from allmende.archive.needs import needs_of
from allmende.formats import JsonObject
from allmende.ids import Sha256

__all__ = ["MEANS", "EntryFigures", "StoreFigures", "figures_of"]

MEANS = ("whole_files", "tensors", "chunks", "residuals", "compression")
"""How bytes are saved."""


@dataclass(slots=True)
class EntryFigures:
    """One entry: its bytes, what it brought to the store, and what was saved by which means."""

    name: EntryName
    sha256: Sha256
    logical_bytes: int
    stored_bytes: int = 0
    saved: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEANS, 0))

    def document(self) -> JsonObject:
        """As JSON."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "logical_bytes": self.logical_bytes,
            "stored_bytes": self.stored_bytes,
            "saved_bytes": dict(self.saved),
        }


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """A store: `stored_bytes` are all bytes of its files.

    Beside what entries brought these are `bases_only_bytes` (objects that only others are predicted from),
    `garbage_bytes` (what nothing needs, until garbage is collected), and `own_bytes` (the database, and what
    packs have around their records).
    """

    entries: tuple[EntryFigures, ...]
    contents: int
    objects: int
    logical_bytes: int
    stored_bytes: int
    bases_only_bytes: int
    garbage_bytes: int
    own_bytes: int
    deepest: int

    def document(self) -> JsonObject:
        """As JSON."""
        return {
            "logical_bytes": self.logical_bytes,
            "stored_bytes": self.stored_bytes,
            "saved_bytes": dict(self.saved),
            "bases_only_bytes": self.bases_only_bytes,
            "garbage_bytes": self.garbage_bytes,
            "own_bytes": self.own_bytes,
            "contents": self.contents,
            "objects": self.objects,
            "deepest": self.deepest,
            "entries": [entry.document() for entry in self.entries],
        }

    @property
    def saved(self) -> dict[str, int]:
        """What was saved by which means, over all entries."""
        return {means: sum(entry.saved[means] for entry in self.entries) for means in MEANS}


@dataclass(frozen=True, slots=True)
class _Object:
    size_bytes: int
    stored_bytes: int
    depth: int
    is_chunks: bool


def figures_of(archive: Archive) -> StoreFigures:
    """Count what is stored. Takes time in proportion to the number of objects, and reads none of them."""
    with archive.database.read() as connection:
        objects = _objects(connection)
        entries = _entries(connection, objects)
        needs = needs_of(connection)
        recorded = sum(
            connection.execute(question).fetchone()[0]
            for question in (
                "SELECT ifnull(sum(size_bytes), 0) FROM encoding",
                "SELECT ifnull(sum(stored_bytes), 0) FROM recipe",
            )
        )
    stored = sum(path.stat().st_size for path in archive.files())
    brought = sum(entry.stored_bytes for entry in entries)
    bases_only = sum(objects[number].stored_bytes for number in needs.bases)
    return StoreFigures(
        entries=tuple(sorted(entries, key=lambda entry: entry.name)),
        contents=len(needs.recipes),
        objects=len(needs.used),
        logical_bytes=sum(entry.logical_bytes for entry in entries),
        stored_bytes=stored,
        bases_only_bytes=bases_only,
        garbage_bytes=recorded - brought - bases_only,
        own_bytes=stored - recorded,
        deepest=max((objects[number].depth for number in needs.used), default=0),
    )


def _objects(connection: Connection) -> dict[int, _Object]:
    chunks = {row[0] for row in connection.execute("SELECT DISTINCT object FROM chunk")}
    rows = connection.execute(
        "SELECT object.number, object.size_bytes, preferred.size_bytes, preferred.depth"
        " FROM object JOIN preferred ON preferred.object = object.number"
    )
    return {row[0]: _Object(row[1], row[2], row[3], row[0] in chunks) for row in rows}


def _entries(connection: Connection, objects: Mapping[int, _Object]) -> list[EntryFigures]:
    """The entries in the order in which they came, each with what it brought."""
    found: list[EntryFigures] = []
    first_of: dict[int, EntryFigures] = {}
    brought: set[int] = set()
    rows = connection.execute(
        "SELECT name, sha256, size_bytes, recipe.number, literal_bytes, stored_bytes"
        " FROM entry JOIN recipe ON recipe.number = entry.recipe ORDER BY sequence, name"
    ).fetchall()
    for name, sha256, size_bytes, recipe, literal_bytes, stored_bytes in rows:
        figures = EntryFigures(EntryName(name), Sha256(sha256), size_bytes)
        found.append(figures)
        if recipe in first_of:
            figures.saved["whole_files"] = size_bytes
            continue
        first_of[recipe] = figures
        figures.stored_bytes = stored_bytes
        figures.saved["compression"] = literal_bytes - stored_bytes
        for number, covered in connection.execute(
            "SELECT object, size_bytes FROM covers WHERE recipe = ?", [recipe]
        ):
            _count(figures, objects[number], covered, is_new=number not in brought)
            brought.add(number)
    return found


def _count(figures: EntryFigures, of: _Object, covered: int, *, is_new: bool) -> None:
    shared = "chunks" if of.is_chunks else "tensors"
    if not is_new:
        figures.saved[shared] += covered
        return
    figures.saved[shared] += covered - of.size_bytes
    figures.saved["residuals" if of.depth else "compression"] += of.size_bytes - of.stored_bytes
    figures.stored_bytes += of.stored_bytes
