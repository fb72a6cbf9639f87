"""Tables of packed contents: objects, their encodings in packs, and the recipes made of them.

A *scope* is 0 for what everybody may build upon, else the id of a namespace. It is part of an object's key:
the same bytes in two scopes are two rows, so that neither tells of the other.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from allmende.storage.schema import Moment, RowId, metadata

__all__ = [
    "chunk_place",
    "content_recipe",
    "encoding_base",
    "object_encoding",
    "object_pack",
    "packing_attempt",
    "packing_switch",
    "recipe_object",
    "stored_object",
]

object_pack = Table(
    "object_pack",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("location", Text, nullable=False, comment="where the pack store keeps it"),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("uq_object_pack_location", "location", unique=True),
    comment="a file of many encodings, one after another",
    sqlite_autoincrement=True,
)

stored_object = Table(
    "stored_object",
    metadata,
    Column("number", RowId, primary_key=True, autoincrement=True),
    Column("scope", Integer, nullable=False, comment="0: public; else the namespace whose own it is"),
    Column("id", String(64), nullable=False, comment="BLAKE3 of its plain bytes"),
    Column("size_bytes", BigInteger, nullable=False),
    Index("uq_stored_object_id_scope", "id", "scope", unique=True),
    sqlite_autoincrement=True,
)

object_encoding = Table(
    "object_encoding",
    metadata,
    Column("number", RowId, primary_key=True, autoincrement=True),
    Column(
        "object_number",
        BigInteger,
        ForeignKey("stored_object.number", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("pack_id", BigInteger, ForeignKey("object_pack.id"), nullable=False),
    Column("offset_bytes", BigInteger, nullable=False, comment="in the pack"),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", LargeBinary(16), nullable=False, comment="BLAKE2b of the stored bytes"),
    Column(
        "depth", Integer, nullable=False, comment="0: without a base; else one more than its deepest base"
    ),
    Column("created_at", Moment, nullable=False),
    Column("damaged", Text, comment="what was found wrong with it, if anything"),
    Index("ix_object_encoding_object_number", "object_number"),
    Index("ix_object_encoding_pack_id", "pack_id"),
    sqlite_autoincrement=True,
)

encoding_base = Table(
    "encoding_base",
    metadata,
    Column(
        "encoding_number",
        BigInteger,
        ForeignKey("object_encoding.number", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("base_number", BigInteger, ForeignKey("stored_object.number"), primary_key=True),
    Index("ix_encoding_base_base_number", "base_number"),
    comment="what has to be there to decode an encoding",
)

chunk_place = Table(
    "chunk_place",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column(
        "object_number",
        BigInteger,
        ForeignKey("stored_object.number", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("start_bytes", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Index("ix_chunk_place_object_number", "object_number"),
    comment="where chunks of what is no tensor lie",
)

content_recipe = Table(
    "content_recipe",
    metadata,
    Column("sha256", String(64), ForeignKey("content.sha256", ondelete="CASCADE"), primary_key=True),
    Column("scope", Integer, primary_key=True, comment="of the shelf through which it is read"),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    comment="of what a content consists; one for each scope that has it",
)

recipe_object = Table(
    "recipe_object",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("scope", Integer, primary_key=True),
    Column("object_number", BigInteger, ForeignKey("stored_object.number"), primary_key=True),
    ForeignKeyConstraint(
        ["sha256", "scope"], ["content_recipe.sha256", "content_recipe.scope"], ondelete="CASCADE"
    ),
    Index("ix_recipe_object_object_number", "object_number"),
)

packing_attempt = Table(
    "packing_attempt",
    metadata,
    Column("sha256", String(64), ForeignKey("content.sha256", ondelete="CASCADE"), primary_key=True),
    Column("scope", Integer, primary_key=True),
    Column(
        "basis", String(64), nullable=False, comment="digest of the tool and of the bases that were tried"
    ),
    Column("at", Moment, nullable=False),
    Column("kept_plain", Text, comment="why it was not packed, if so"),
    comment="what packing a content came to; on the same basis it would come to the same",
)

packing_switch = Table(
    "packing_switch",
    metadata,
    Column("id", Integer, primary_key=True, comment="always 1"),
    Column("paused", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    comment="whether an operator paused the packing",
)
