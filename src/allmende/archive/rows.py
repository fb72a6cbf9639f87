"""Writing what records say into the tables; the same when it is new and when the database is made anew."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from sqlite3 import Connection

from allmende.archive.pack_files import Record
from allmende.archive.records import NameChange, parse_encoding_label
from allmende.codecs import ObjectId, Piece, Recipe, Stretch

__all__ = [
    "covered_by",
    "misjudged_depths",
    "put_chunks",
    "put_encoding",
    "put_names",
    "put_pack",
    "put_recipe",
    "renew_depths",
    "stretches_of",
]


def put_pack(connection: Connection, number: int, size_bytes: int) -> None:
    """A pack is there."""
    connection.execute("INSERT INTO pack (number, size_bytes) VALUES (?, ?)", [number, size_bytes])


def put_encoding(connection: Connection, record: Record, depth: int) -> None:
    """An encoding is there, and its object. Its bases must be there already."""
    label = parse_encoding_label(record.head.label)
    connection.execute(
        "INSERT INTO object (id, size_bytes) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [label.object_id, label.plain_bytes],
    )
    encoding = connection.execute(
        "INSERT INTO encoding (object, pack, start, size_bytes, depth)"
        " SELECT number, ?, ?, ?, ? FROM object WHERE id = ? RETURNING number",
        [record.pack, record.body_start, record.head.body_bytes, depth, label.object_id],
    ).fetchone()[0]
    connection.executemany(
        "INSERT INTO base (encoding, object) VALUES (?, (SELECT number FROM object WHERE id = ?))",
        [(encoding, base) for base in label.bases],
    )


def put_chunks(connection: Connection, chunks: Mapping[bytes, Piece]) -> None:
    """Chunks lie there, unless they lie somewhere already."""
    connection.executemany(
        "INSERT INTO chunk (hash, object, start, size_bytes)"
        " VALUES (?, (SELECT number FROM object WHERE id = ?), ?, ?) ON CONFLICT (hash) DO NOTHING",
        [(hashed, piece.object_id, piece.start, piece.size_bytes) for hashed, piece in chunks.items()],
    )


def put_recipe(connection: Connection, record: Record, recipe: Recipe) -> None:
    """A recipe is there, in place of an older one of the same content."""
    connection.execute(
        "INSERT INTO recipe (sha256, size_bytes, literal_bytes, pack, start, stored_bytes)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE"
        " SET literal_bytes = excluded.literal_bytes, pack = excluded.pack, start = excluded.start,"
        " stored_bytes = excluded.stored_bytes",
        [
            recipe.sha256,
            recipe.size_bytes,
            len(recipe.literals),
            record.pack,
            record.body_start,
            record.head.body_bytes,
        ],
    )
    number = connection.execute("SELECT number FROM recipe WHERE sha256 = ?", [recipe.sha256]).fetchone()[0]
    connection.execute("DELETE FROM covers WHERE recipe = ?", [number])
    connection.executemany(
        "INSERT INTO covers (recipe, object, size_bytes)"
        " VALUES (?, (SELECT number FROM object WHERE id = ?), ?)",
        [(number, object_id, size_bytes) for object_id, size_bytes in covered_by(recipe).items()],
    )


def put_names(connection: Connection, changes: Iterable[NameChange]) -> None:
    """Names have this meaning from now on."""
    for change in changes:
        connection.execute("DELETE FROM entry WHERE name = ?", [change.name])
        if change.sha256 is not None:
            connection.execute(
                "INSERT INTO entry (name, recipe, at, sequence, key)"
                " VALUES (?, (SELECT number FROM recipe WHERE sha256 = ?), ?, ?, ?)",
                [change.name, change.sha256, change.at, change.sequence, change.key],
            )


def stretches_of(recipe: Recipe) -> Iterator[Stretch]:
    """The stretches of a recipe's objects, in order."""
    return (segment for segment in recipe.segments if isinstance(segment, Stretch))


def covered_by(recipe: Recipe) -> dict[ObjectId, int]:
    """How many bytes of a content each object gives."""
    covered: Counter[ObjectId] = Counter()
    for stretch in stretches_of(recipe):
        covered[recipe.objects[stretch.number]] += stretch.size_bytes
    return dict(covered)


# --- depth -------------------------------------------------------------------------------------------------


def misjudged_depths(connection: Connection) -> Iterator[tuple[ObjectId, int]]:
    """Encodings whose row says a depth that none of their bases' encodings can give them."""
    yield from connection.execute(
        "SELECT object.id, encoding.depth FROM encoding JOIN object ON object.number = encoding.object"
        " LEFT JOIN (SELECT base.encoding AS above, max(least) AS least, max(most) AS most FROM base JOIN"
        " (SELECT object, min(depth) + 1 AS least, max(depth) + 1 AS most FROM encoding GROUP BY object)"
        " AS below ON below.object = base.object GROUP BY base.encoding) ON above = encoding.number"
        " WHERE encoding.depth NOT BETWEEN ifnull(least, 0) AND ifnull(most, 0)"
    )


def renew_depths(connection: Connection) -> None:
    """Let each encoding's depth follow from the encodings that its bases are read from."""
    of = dict(connection.execute("SELECT number, depth FROM encoding"))
    preferred = dict(connection.execute("SELECT object, number FROM preferred"))
    bases: dict[int, list[int]] = {}
    for encoding, base in connection.execute("SELECT encoding, object FROM base"):
        bases.setdefault(encoding, []).append(preferred[base])
    found: dict[int, int] = {}

    def depth(encoding: int) -> int:
        # Encodings are refused that would lie on themselves, or too deep for this to recur far.
        if encoding not in found:
            found[encoding] = max((depth(below) + 1 for below in bases.get(encoding, ())), default=0)
        return found[encoding]

    changed = [(depth(encoding), encoding) for encoding, known in of.items() if depth(encoding) != known]
    connection.executemany("UPDATE encoding SET depth = ? WHERE number = ?", changed)
