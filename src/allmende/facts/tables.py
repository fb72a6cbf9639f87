"""Tables of facts: about contents (once per tool version) and about revisions."""

from sqlalchemy import Column, Integer, String, Table

from allmende.storage import Document, Moment, metadata

__all__ = ["content_fact", "revision_fact"]


def _fact_columns() -> list[Column[object]]:
    return [
        Column("name", String(96), primary_key=True),
        Column("value", Document, nullable=False),
        Column("source", String(16), nullable=False, comment="declared, measured, derived or attested"),
        Column("evidence", Document, nullable=False),
        Column("tool", String(64), nullable=False),
        Column("tool_version", String(32), nullable=False),
        Column("at", Moment, nullable=False),
    ]


content_fact = Table(
    "content_fact",
    metadata,
    Column("content_key", String(64), primary_key=True, comment="SHA-256, or git id of a small file"),
    *_fact_columns(),
    comment="facts about bytes; true wherever the bytes lie, shown only through a repo that holds them",
)

revision_fact = Table(
    "revision_fact",
    metadata,
    Column("repo_id", Integer, primary_key=True),
    Column("commit_oid", String(40), primary_key=True),
    *_fact_columns(),
)
