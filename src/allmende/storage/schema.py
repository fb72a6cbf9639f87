"""What every table of the hub shares: one metadata, one naming rule, one type for moments.

Each room keeps its own tables beside its code and registers them here; migrations are written by hand
and a test compares them with this metadata.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import JSON, TypeDecorator

__all__ = [
    "Document",
    "Moment",
    "RowId",
    "content",
    "metadata",
    "outbox",
    "possession",
    "upload",
    "upload_part",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as microseconds since 1970: it sorts and compares alike everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Raises ValueError for a naive datetime, whose meaning would depend on the machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        return (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The same moment back."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


Document = JSON
"""Structured values that are read whole and never searched inside."""

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only columns that are declared INTEGER."""

content = Table(
    "content",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("representation", String(16), nullable=False, comment="plain, or later recipe"),
    Column("location", Text, nullable=False, comment="where the content store keeps it"),
    Column("created_at", Moment, nullable=False),
    Column("verified_at", Moment, nullable=False, comment="when the bytes were last read and found right"),
    Column("damaged", Text, comment="what the last verification found wrong, if anything"),
    Index("ix_content_verified_at", "verified_at"),
)

possession = Table(
    "possession",
    metadata,
    Column("sha256", String(64), ForeignKey("content.sha256", ondelete="CASCADE"), primary_key=True),
    Column("account_id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    comment="who has shown to have the bytes of a content, by uploading all of them",
)

upload = Table(
    "upload",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account_id", Integer, nullable=False),
    Column("repo_id", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("part_bytes", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_upload_expires_at", "expires_at"),
    comment="uploads in parts that are under way",
)

upload_part = Table(
    "upload_part",
    metadata,
    Column("upload_id", String(32), ForeignKey("upload.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("etag", String(64), nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("actor_id", Integer),
    Column("repo_id", Integer),
    Column("payload", Document, nullable=False),
    Column("salt", LargeBinary(32), comment="blinds the log's commitments; erasure clears it"),
    Column("log_index", BigInteger, comment="the entry of the log that tells of it; NULL: none yet"),
    Index("ix_outbox_repo_id", "repo_id", "id"),
    Index("ix_outbox_actor_id", "actor_id"),
    Index(
        "ix_outbox_unlogged",
        "id",
        sqlite_where=text("log_index IS NULL"),
        postgresql_where=text("log_index IS NULL"),
    ),
    comment="one row for each act, written with it; rows are never deleted",
    sqlite_autoincrement=True,
)
