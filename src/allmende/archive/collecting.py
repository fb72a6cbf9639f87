"""Garbage: what nothing needs is forgotten first, then packs that hold much of it are written anew.

Bases stay as long as anything is predicted from them, whether an entry has them or not. Each step is durable
before the next begins, and what a crash leaves is packs that no row names, which the next run removes.
"""

from dataclasses import asdict, dataclass, replace
from sqlite3 import Connection

from allmende.archive.archive import Archive
from allmende.archive.needs import Needs, needs_of
from allmende.archive.rewriting import rewrite_packs
from allmende.archive.rows import renew_depths
from allmende.archive.verifying import mark_damage
from allmende.formats import JsonObject

__all__ = ["Collected", "collect_garbage"]


_DELETIONS = (
    "DELETE FROM recipe WHERE number NOT IN (SELECT number FROM needed WHERE kind = 'recipe')",
    "DELETE FROM encoding WHERE number NOT IN (SELECT number FROM needed WHERE kind = 'encoding')",
    "DELETE FROM chunk WHERE object NOT IN (SELECT number FROM needed WHERE kind = 'object')",
    "DELETE FROM object WHERE number NOT IN (SELECT number FROM needed WHERE kind = 'object')",
)


@dataclass(frozen=True, slots=True)
class Collected:
    """What was found to be garbage, and went unless it was a dry run.

    `encodings` are those of objects that are needed and have a better one. `orphans` are files that no row
    names. `freed_bytes` is by how much the packs became smaller, 0 in a dry run. `bases` are kept only
    because others are predicted from them. Of `damaged_packs` nothing was removed.
    """

    contents: int
    objects: int
    encodings: int
    garbage_bytes: int
    orphans: int
    bases: int
    bases_bytes: int
    freed_bytes: int = 0
    rewritten_packs: int = 0
    damaged_packs: tuple[int, ...] = ()

    def document(self) -> JsonObject:
        """As JSON."""
        return {**asdict(self), "damaged_packs": list(self.damaged_packs)}


def collect_garbage(archive: Archive, *, dry_run: bool = False) -> Collected:
    """Remove what no entry needs, nor anything that an entry needs.

    Of an object with several encodings the smallest stays, once it was decoded and found right. Raises
    StoreInUse, StoreDamaged.
    """
    with archive.writing():
        mark_damage(archive, _superseding(archive))
        with archive.database.read() as connection:
            found = _counted(connection, needs_of(connection), len(archive.orphans()))
        if dry_run:
            return found
        before = archive.packs.total_bytes()
        for path in archive.orphans():
            path.unlink()
        with archive.database.write() as connection:
            _forget(connection, needs_of(connection))
        rewritten = rewrite_packs(archive)
        return replace(
            found,
            freed_bytes=before - archive.packs.total_bytes(),
            rewritten_packs=len(rewritten.packs),
            damaged_packs=rewritten.damaged,
        )


def _superseding(archive: Archive) -> list[int]:
    """The preferred encodings of objects that have others too."""
    with archive.database.read() as connection:
        return [
            row[0]
            for row in connection.execute(
                "SELECT number FROM preferred WHERE problem IS NULL"
                " AND object IN (SELECT object FROM encoding GROUP BY object HAVING count(*) > 1)"
            )
        ]


def _counted(connection: Connection, needs: Needs, orphans: int) -> Collected:
    sizes: dict[int, tuple[int, int]] = {}
    for number, of, size_bytes in connection.execute("SELECT number, object, size_bytes FROM encoding"):
        sizes[number] = (of, size_bytes)
    recipes = dict(connection.execute("SELECT number, stored_bytes FROM recipe"))
    kept = needs.used | needs.bases
    objects = connection.execute("SELECT count(*) FROM object").fetchone()[0]
    dead = sizes.keys() - needs.encodings
    forgotten = recipes.keys() - needs.recipes
    return Collected(
        contents=len(forgotten),
        objects=objects - len(kept),
        encodings=sum(sizes[number][0] in kept for number in dead),
        garbage_bytes=sum(sizes[number][1] for number in dead) + sum(recipes[number] for number in forgotten),
        orphans=orphans,
        bases=len(needs.bases),
        bases_bytes=sum(sizes[number][1] for number in needs.encodings if sizes[number][0] in needs.bases),
    )


def _forget(connection: Connection, needs: Needs) -> None:
    """Delete the rows of what is not needed."""
    connection.execute("CREATE TEMP TABLE needed (kind TEXT, number INTEGER, PRIMARY KEY (kind, number))")
    for kind, numbers in (
        ("recipe", needs.recipes),
        ("encoding", needs.encodings),
        ("object", needs.used | needs.bases),
    ):
        connection.executemany("INSERT INTO needed VALUES (?, ?)", [(kind, number) for number in numbers])
    for deletion in _DELETIONS:
        connection.execute(deletion)
    connection.execute("DROP TABLE needed")
    renew_depths(connection)
