"""Tables of transparency records: what was signed of a revision, version by version, and whom it names."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from allmende.storage import Moment, RowId, metadata

__all__ = ["record", "record_mention"]

record = Table(
    "record",
    metadata,
    Column("number", RowId, primary_key=True, autoincrement=True),
    Column("repo_id", Integer, nullable=False),
    Column("commit_oid", String(40), nullable=False),
    Column("version", Integer, nullable=False, comment="counts up from 1 for each revision"),
    Column("basis", String(64), nullable=False, comment="SHA-256 of what it says, without times"),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the envelope"),
    Column("envelope", LargeBinary, comment="DSSE, as canonical JSON; NULL: not kept any more"),
    Column("made_at", Moment, nullable=False),
    Index("uq_record_repo_id_commit_oid_version", "repo_id", "commit_oid", "version", unique=True),
    sqlite_autoincrement=True,
    comment="signed transparency records; a newer version supersedes the one before",
)

record_mention = Table(
    "record_mention",
    metadata,
    Column(
        "record",
        RowId,
        ForeignKey("record.number", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("repo_id", Integer, primary_key=True, comment="another repo that the record names"),
    Index("ix_record_mention_repo_id", "repo_id"),
    comment="a record is shown while everybody may see all repos that it names",
)
