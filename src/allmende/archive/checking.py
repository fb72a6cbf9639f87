"""Checking a store: whether its rows say what its packs say, and whether everything can still be read.

The packs are the truth: each of their bytes lies under a check, and all that the database says is held
against them. So a flipped bit is found on either side. A *problem* is damage; a *note* is worth knowing and
none.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from sqlite3 import Connection

from allmende.archive.archive import Archive
from allmende.archive.entries import Entry, list_entries, recipe_of
from allmende.archive.errors import EntryMissing, MalformedPack, StoreDamaged
from allmende.archive.names import EntryName
from allmende.archive.naming import Naming
from allmende.archive.needs import needs_of
from allmende.archive.pack_files import Record, records_of
from allmende.archive.records import (
    Kind,
    body_check,
    parse_chunks,
    parse_encoding_label,
    parse_names,
    parse_recipe_label,
    parse_sequence,
)
from allmende.archive.rows import covered_by, misjudged_depths
from allmende.archive.verifying import mark_damage, problem_of_content
from allmende.codecs import DamagedObject
from allmende.formats import JsonObject
from allmende.ids import Sha256

__all__ = ["Checked", "Found", "check_archive"]

Tell = Callable[[int, int], None]
"""How many bytes of how many are done."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something that was found: what kind of thing it is, which one, and what about it."""

    kind: str
    subject: str
    detail: str

    def document(self) -> JsonObject:
        """As JSON."""
        return {"kind": self.kind, "subject": self.subject, "detail": self.detail}


@dataclass(slots=True)
class Checked:
    """What a check looked at, and what it found."""

    deep: bool
    packs: int = 0
    records: int = 0
    encodings: int = 0
    contents: int = 0
    entries: int = 0
    problems: list[Found] = field(default_factory=list)
    notes: list[Found] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether there is no damage."""
        return not self.problems

    def document(self) -> JsonObject:
        """As JSON."""
        return {
            "sound": self.sound,
            "deep": self.deep,
            "packs": self.packs,
            "records": self.records,
            "encodings": self.encodings,
            "contents": self.contents,
            "entries": self.entries,
            "problems": [found.document() for found in self.problems],
            "notes": [found.document() for found in self.notes],
        }

    def problem(self, kind: str, subject: str, detail: str) -> None:
        """Damage was found."""
        self.problems.append(Found(kind, subject, detail))


@dataclass(slots=True)
class _Said:
    """What the packs say, and of what places in them rows speak."""

    named: frozenset[tuple[int, int]]
    encodings: dict[tuple[int, int], tuple[object, ...]] = field(default_factory=dict)
    recipes: dict[tuple[int, int], tuple[object, ...]] = field(default_factory=dict)
    naming: Naming = field(default_factory=Naming)
    chunks: int = 0
    whole: bool = True


def check_archive(archive: Archive, *, deep: bool = False, tell: Tell = lambda _done, _of: None) -> Checked:
    """Check a store; other writers wait meanwhile.

    Without `deep`, records are walked by their heads. With it, every byte is read and held against its check,
    every object is decoded, and every content hashed. Encodings that turn out damaged are marked, so that
    others of the same object are used in their place; nothing else is changed. Raises StoreInUse.
    """
    checked = Checked(deep)
    with archive.writing():
        try:
            _check_database(archive, checked)
            said = _check_packs(archive, checked)
            _check_rows(archive, checked, said)
            _check_recipes(archive, checked)
            if deep:
                _check_bytes(archive, checked, tell)
            _note(archive, checked)
        except StoreDamaged as error:
            checked.problem("database", archive.database.path.name, error.message)
    return checked


# --- structure ---------------------------------------------------------------------------------------------


def _check_database(archive: Archive, checked: Checked) -> None:
    with archive.database.read() as connection:
        for (said,) in connection.execute("PRAGMA integrity_check"):
            if said != "ok":
                checked.problem("database", archive.database.path.name, said)
        for table, *_ in connection.execute("PRAGMA foreign_key_check"):
            checked.problem("database", archive.database.path.name, f"A row of {table} leads nowhere.")


def _check_packs(archive: Archive, checked: Checked) -> _Said:
    with archive.database.read() as connection:
        sizes = dict(connection.execute("SELECT number, size_bytes FROM pack ORDER BY number"))
        encodings = connection.execute("SELECT pack, start FROM encoding").fetchall()
        said = _Said(frozenset((*encodings, *connection.execute("SELECT pack, start FROM recipe"))))
    for number, size_bytes in sizes.items():
        path = archive.packs.path(number)
        checked.packs += 1
        if not path.is_file():
            checked.problem("pack", path.name, "It is gone.")
            said.whole = False
            continue
        if path.stat().st_size != size_bytes:
            checked.problem("pack", path.name, f"It has {path.stat().st_size} bytes and not {size_bytes}.")
        try:
            for record in records_of(archive.packs, number):
                checked.records += 1
                _check_record(archive, checked, record, said)
        except (MalformedPack, DamagedObject) as error:
            checked.problem("pack", path.name, error.message)
            said.whole = False
    return said


def _check_record(archive: Archive, checked: Checked, record: Record, said: _Said) -> None:
    """Take in what a record says; its body is read if that is asked for, or if it speaks of others."""
    kind, label = record.head.kind, record.head.label
    body = memoryview(b"")
    if checked.deep or kind in (Kind.CHUNKS, Kind.NAMES, Kind.BASELINE):
        body = archive.packs.part(record.pack, record.body_start, record.head.body_bytes).read_at(
            0, record.head.body_bytes
        )
        if body_check([body]) != record.head.body_check:
            _tell_damage(archive, checked, record, said)
            return
    place = (record.pack, record.body_start)
    match kind:
        case Kind.ENCODING:
            encoding = parse_encoding_label(label)
            said.encodings[place] = (
                record.head.body_bytes, encoding.object_id, encoding.plain_bytes, encoding.bases
            )  # fmt: skip
        case Kind.RECIPE:
            said.recipes[place] = (record.head.body_bytes, *parse_recipe_label(label))
        case Kind.CHUNKS:
            chunks = parse_chunks(body)
            known = archive.shelf.find_chunks(chunks)
            said.chunks += sum(known.get(hashed) == piece for hashed, piece in chunks.items())
        case Kind.NAMES | Kind.BASELINE:
            said.naming.take(kind, parse_sequence(label), parse_names(body))


def _tell_damage(archive: Archive, checked: Checked, record: Record, said: _Said) -> None:
    kind = record.head.kind
    subject = f"{archive.packs.path(record.pack).name}:{record.start}"
    if kind in (Kind.ENCODING, Kind.RECIPE) and (record.pack, record.body_start) not in said.named:
        checked.notes.append(Found("record", subject, "It is damaged, and nothing needs it."))
        return
    checked.problem("record", subject, f"The {kind.name.lower()} at this place is not what it was.")
    said.whole = said.whole and kind in (Kind.ENCODING, Kind.RECIPE)


# --- rows --------------------------------------------------------------------------------------------------


def _check_rows(archive: Archive, checked: Checked, said: _Said) -> None:
    with archive.database.read() as connection:
        for place, subject, row in _encoding_rows(connection):
            checked.encodings += 1
            if said.whole and said.encodings.get(place) != row:
                checked.problem("encoding", subject, "Its row says other than its pack.")
        for subject, depth in misjudged_depths(connection):
            checked.problem("encoding", subject, f"Its row says that it lies {depth} levels deep.")
        for pack, start, stored_bytes, sha256, size_bytes in connection.execute(
            "SELECT pack, start, stored_bytes, sha256, size_bytes FROM recipe"
        ):
            if said.whole and said.recipes.get((pack, start)) != (stored_bytes, sha256, size_bytes):
                checked.problem("recipe", sha256, "Its row says other than its pack.")
        chunks = connection.execute("SELECT count(*) FROM chunk").fetchone()[0]
    if said.whole and chunks > said.chunks:
        checked.problem("chunks", str(chunks - said.chunks), "Rows say of so many what no pack says.")
    entries = {entry.name: entry for entry in list_entries(archive)}
    checked.entries = len(entries)
    if said.whole:
        _check_entries(checked, entries, said.naming)


def _encoding_rows(connection: Connection) -> Iterator[tuple[tuple[int, int], str, tuple[object, ...]]]:
    bases: dict[int, set[str]] = {}
    for encoding, base in connection.execute(
        "SELECT encoding, object.id FROM base JOIN object ON object.number = base.object"
    ):
        bases.setdefault(encoding, set()).add(base)
    for number, pack, start, size_bytes, object_id, plain_bytes in connection.execute(
        "SELECT encoding.number, pack, start, encoding.size_bytes, object.id, object.size_bytes"
        " FROM encoding JOIN object ON object.number = encoding.object"
    ):
        row = (size_bytes, object_id, plain_bytes, frozenset(bases.get(number, ())))
        yield (pack, start), object_id, row


def _check_entries(checked: Checked, entries: Mapping[EntryName, Entry], naming: Naming) -> None:
    said = naming.meanings()
    for name in sorted(entries.keys() | said.keys()):
        entry, change = entries.get(name), said.get(name)
        row = None if entry is None else (entry.sha256, entry.at, entry.sequence, entry.key)
        if row != (None if change is None else (change.sha256, change.at, change.sequence, change.key)):
            checked.problem("entry", name, "Its row says other than the packs.")


def _check_recipes(archive: Archive, checked: Checked) -> None:
    """Recipes are small: each is read, and its row held against it."""
    with archive.database.read() as connection:
        rows = connection.execute("SELECT number, sha256, size_bytes, literal_bytes FROM recipe").fetchall()
    for number, sha256, *sizes in rows:
        checked.contents += 1
        try:
            recipe = recipe_of(archive, Sha256(sha256))
        except (DamagedObject, EntryMissing) as error:
            checked.problem("recipe", sha256, error.message)
            continue
        with archive.database.read() as connection:
            covers = dict(
                connection.execute(
                    "SELECT id, covers.size_bytes FROM covers JOIN object ON object.number = covers.object"
                    " WHERE recipe = ?",
                    [number],
                )
            )
        if covers != covered_by(recipe) or sizes != [recipe.size_bytes, len(recipe.literals)]:
            checked.problem("recipe", sha256, "Its row says other than the recipe.")


# --- bytes -------------------------------------------------------------------------------------------------


def _check_bytes(archive: Archive, checked: Checked, tell: Tell) -> None:
    """Decode every encoding, and hash every content as it is read by whoever asks for it."""
    with archive.database.read() as connection:
        encodings = connection.execute(
            "SELECT encoding.number, object.id, object.size_bytes"
            " FROM encoding JOIN object ON object.number = encoding.object ORDER BY pack, start"
        ).fetchall()
        contents = connection.execute("SELECT sha256, size_bytes FROM recipe ORDER BY number").fetchall()
    of = sum(row[-1] for row in (*encodings, *contents))
    done = 0
    for number, object_id, size_bytes in encodings:
        for problem in mark_damage(archive, [number]).values():
            checked.problem("encoding", object_id, problem)
        done += size_bytes
        tell(done, of)
    for sha256, size_bytes in contents:
        wrong = problem_of_content(archive, Sha256(sha256))
        if wrong is not None:
            checked.problem("content", sha256, wrong)
        done += size_bytes
        tell(done, of)


def _note(archive: Archive, checked: Checked) -> None:
    """What is worth knowing and no damage."""
    for path in archive.orphans():
        checked.notes.append(Found("orphan", path.name, "No row names it; gc removes it."))
    with archive.database.read() as connection:
        needs = needs_of(connection)
        kept = needs.used | needs.bases
        unused = connection.execute("SELECT count(*) FROM object").fetchone()[0] - len(kept)
        damaged = connection.execute(
            "SELECT id, problem FROM encoding JOIN object ON object.number = encoding.object"
            " WHERE problem IS NOT NULL"
        ).fetchall()
    if unused:
        checked.notes.append(Found("garbage", f"{unused} objects", "Nothing needs them; gc removes them."))
    for object_id, problem in damaged:
        checked.notes.append(Found("damaged", object_id, problem))
