"""Entries: which name means which content, and how they are read."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from allmende.archive.archive import Archive
from allmende.archive.errors import EntryMissing, NameTaken, StoreDamaged, UnfitName
from allmende.archive.names import EntryName, entry_name
from allmende.archive.pack_files import PackPart
from allmende.clock import Clock, iso, system_clock
from allmende.codecs import DamagedObject, MalformedRecipe, Recipe, read_recipe
from allmende.ids import Sha256
from allmende.packing import RecipeReader, open_recipe

__all__ = [
    "Entry",
    "entries_below",
    "entry_of",
    "has_content",
    "list_entries",
    "open_content",
    "recipe_of",
    "refuse_taken",
    "remove_entries",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """A name and the content that it means. A higher `sequence` came later; `key` is that of the sketch."""

    name: EntryName
    sha256: Sha256
    size_bytes: int
    at: str
    sequence: int
    key: bytes | None


def list_entries(archive: Archive) -> list[Entry]:
    """All entries, by name."""
    with archive.database.read() as connection:
        return [_entry(row) for row in connection.execute("SELECT * FROM listed ORDER BY name")]


def entry_of(archive: Archive, name: EntryName) -> Entry | None:
    """The entry of this very name."""
    with archive.database.read() as connection:
        row = connection.execute("SELECT * FROM listed WHERE name = ?", [name]).fetchone()
    return None if row is None else _entry(row)


def entries_below(archive: Archive, name: EntryName) -> list[Entry]:
    """The entry of this name, or all those in the folder of this name. Raises EntryMissing."""
    with archive.database.read() as connection:
        rows = connection.execute(
            "SELECT * FROM listed WHERE name = ? OR substr(name, 1, ?) = ? ORDER BY name",
            [name, len(name) + 1, f"{name}/"],
        ).fetchall()
    if not rows:
        raise EntryMissing(
            f"The store has nothing of the name {name}.", hint="`allmende store ls STORE` lists what it has."
        )
    return [_entry(row) for row in rows]


def has_content(archive: Archive, sha256: Sha256) -> bool:
    """Whether the store has this content."""
    with archive.database.read() as connection:
        return connection.execute("SELECT 1 FROM recipe WHERE sha256 = ?", [sha256]).fetchone() is not None


def recipe_of(archive: Archive, sha256: Sha256) -> Recipe:
    """The recipe of a content. Raises EntryMissing, DamagedObject."""
    part = _recipe_part(archive, sha256)
    try:
        recipe = read_recipe(bytes(part.read_at(0, part.size_bytes)))
    except MalformedRecipe as error:
        raise DamagedObject(f"A recipe is not what it was: {error.message}") from error
    if recipe.sha256 != sha256:
        raise DamagedObject("A recipe is that of another content.")
    return recipe


def open_content(archive: Archive, sha256: Sha256, ahead: Executor | None = None) -> RecipeReader:
    """A content, to be read anywhere; every byte is verified before it is given out. Raises as recipe_of.

    Who reads it from one end to the other may have it decoded `ahead`, see RecipeReader.
    """
    return open_recipe(recipe_of(archive, sha256), archive.shelf, ahead)


def refuse_taken(archive: Archive, name: EntryName, sha256: Sha256, *, replace: bool) -> None:
    """Raises NameTaken where a name cannot come to mean this content.

    It cannot when it means another one that is not to be replaced, or when it is a folder of others, or one
    of its folders is an entry.
    """
    found = entry_of(archive, name)
    if found is not None and found.sha256 != sha256 and not replace:
        raise NameTaken(
            f"The store has another content of the name {name}.",
            hint="Give it another name with --name, or say --replace.",
        )
    parts = name.split("/")
    above = [EntryName("/".join(parts[:count])) for count in range(1, len(parts))]
    with archive.database.read() as connection:
        below = connection.execute(
            "SELECT name FROM entry WHERE substr(name, 1, ?) = ? LIMIT 1", [len(name) + 1, f"{name}/"]
        ).fetchone()
    blocking = next((folder for folder in above if entry_of(archive, folder) is not None), None)
    if below is not None or blocking is not None:
        raise NameTaken(f"{below[0] if below else blocking} is in the store, so {name} cannot be.")


def remove_entries(archive: Archive, entries: Sequence[Entry], clock: Clock = system_clock) -> None:
    """Let names have no meaning any more; what only they needed goes when garbage is collected."""
    intake = archive.intake()
    try:
        for entry in entries:
            intake.set_name(entry.name, None, iso(clock()))
        intake.commit(None)
    finally:
        intake.discard()


def _recipe_part(archive: Archive, sha256: Sha256) -> PackPart:
    known = None
    while (place := _place_of(archive, sha256)) != known:
        known = place
        try:
            return archive.packs.part(*place)
        except FileNotFoundError:
            # The pack was replaced by another, and the row names that by now.
            continue
    raise DamagedObject(f"The pack with the recipe of {sha256[:16]}… is gone.")


def _place_of(archive: Archive, sha256: Sha256) -> tuple[int, int, int]:
    with archive.database.read() as connection:
        row = connection.execute(
            "SELECT pack, start, stored_bytes FROM recipe WHERE sha256 = ?", [sha256]
        ).fetchone()
    if row is None:
        raise EntryMissing(f"The store has no content {sha256[:16]}….")
    return int(row[0]), int(row[1]), int(row[2])


def _entry(row: tuple[str, str, int, str, int, bytes | None]) -> Entry:
    name, sha256, size_bytes, at, sequence, key = row
    try:
        # A store may come from anybody, and files are written by these names.
        return Entry(entry_name(name), Sha256(sha256), size_bytes, at, sequence, key)
    except UnfitName as error:
        raise StoreDamaged(f"The store has an entry of a name that none can have: {name[:200]!r}.") from error
