"""The tables of a store's database. All they say can be read off the packs again.

A content's recipe and an object's encodings lie in packs, at `start`; rows say where, and what is needed to
choose among them. A number of a pack is never given twice, so that a reader cannot take one for another.
`covers` says how many bytes of a content an object gives, counted as often as they come.
"""

__all__ = ["APPLICATION_ID", "SCHEMA", "SCHEMA_VERSION"]

APPLICATION_ID = 0x416C6D41
SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE pack (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0)
) STRICT;

CREATE TABLE object (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE CHECK (length(id) = 64),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0)
) STRICT;

CREATE TABLE encoding (
    number INTEGER PRIMARY KEY,
    object INTEGER NOT NULL REFERENCES object,
    pack INTEGER NOT NULL REFERENCES pack,
    start INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    depth INTEGER NOT NULL CHECK (depth >= 0),
    problem TEXT,
    UNIQUE (pack, start)
) STRICT;
CREATE INDEX encoding_of_object ON encoding (object);

CREATE TABLE base (
    encoding INTEGER NOT NULL REFERENCES encoding ON DELETE CASCADE,
    object INTEGER NOT NULL REFERENCES object,
    PRIMARY KEY (encoding, object)
) STRICT, WITHOUT ROWID;
CREATE INDEX base_of_object ON base (object);

CREATE TABLE chunk (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    object INTEGER NOT NULL REFERENCES object,
    start INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX chunk_of_object ON chunk (object);

CREATE TABLE recipe (
    number INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
    size_bytes INTEGER NOT NULL,
    literal_bytes INTEGER NOT NULL,
    pack INTEGER NOT NULL REFERENCES pack,
    start INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    UNIQUE (pack, start)
) STRICT;

CREATE TABLE covers (
    recipe INTEGER NOT NULL REFERENCES recipe ON DELETE CASCADE,
    object INTEGER NOT NULL REFERENCES object,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (recipe, object)
) STRICT, WITHOUT ROWID;
CREATE INDEX covers_of_object ON covers (object);

CREATE TABLE entry (
    name TEXT PRIMARY KEY,
    recipe INTEGER NOT NULL REFERENCES recipe,
    at TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    key BLOB CHECK (key IS NULL OR length(key) = 256)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_of_recipe ON entry (recipe);
CREATE INDEX entry_by_sequence ON entry (sequence);

CREATE VIEW listed AS
SELECT name, sha256, size_bytes, at, sequence, key FROM entry JOIN recipe ON recipe.number = entry.recipe;

CREATE VIEW preferred AS
SELECT object, number, size_bytes, depth, problem FROM (
    SELECT *, row_number() OVER (PARTITION BY object ORDER BY problem IS NOT NULL, size_bytes, number) AS rank
    FROM encoding
) WHERE rank = 1;
"""
