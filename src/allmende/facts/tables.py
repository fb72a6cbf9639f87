"""Tables of facts: about contents (once per tool version), about revisions, and what new rules changed."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from allmende.storage import Document, Moment, RowId, metadata

__all__ = ["content_fact", "revision_fact", "scan_change", "scan_run"]


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

scan_run = Table(
    "scan_run",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("rule_set", String(32), nullable=False),
    Column("policy", String(64), nullable=False, comment="digest of the policy of that moment"),
    Column("cause", String(16), nullable=False, comment="start (the rules or the policy are new) or asked"),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("last_repo_id", Integer, nullable=False, comment="repos up to this one are done"),
    Column("repos", Integer, nullable=False),
    Column("files", Integer, nullable=False, comment="files of revisions that were looked at"),
    Column("changed", Integer, nullable=False, comment="of them with another status; more than are listed"),
    sqlite_autoincrement=True,
    comment="one scan of everything",
)

scan_change = Table(
    "scan_change",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("run_id", Integer, ForeignKey("scan_run.id", ondelete="CASCADE"), nullable=False),
    Column("repo_id", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("before", String(16), nullable=False),
    Column("after", String(16), nullable=False),
    Column("rules", Document, nullable=False, comment="the rules that only one of both verdicts has"),
    Index("ix_scan_change_run_id", "run_id", "id"),
    sqlite_autoincrement=True,
    comment="files that a scan of everything gave another status",
)
