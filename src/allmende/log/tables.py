"""Tables of the log: its entries, how far it is, its peers, what it cosigned, evidence against others."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from allmende.storage import Moment, RowId, metadata

__all__ = ["log_entry", "log_evidence", "log_peer", "log_state", "witness_state"]

log_entry = Table(
    "log_entry",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="from 0 on"),
    Column("outbox_id", BigInteger, ForeignKey("outbox.id"), nullable=False),
    Column("at", Moment, nullable=False, comment="when the act was done"),
    Column("kind", String(16), nullable=False, comment="of the act, veiled or not"),
    Column("veiled", Boolean, nullable=False, comment="whether the entry hides what it is of"),
    Column("repo_id", Integer),
    Column("commit_oid", String(40)),
    Column("entry", LargeBinary, nullable=False, comment="the leaf, canonical JSON"),
    Column("statement", LargeBinary, comment="canonical JSON; erasure deletes it"),
    Index("uq_log_entry_outbox_id", "outbox_id", unique=True),
    Index("ix_log_entry_repo_id", "repo_id", "commit_oid"),
    Index("ix_log_entry_kind", "kind", "number"),
    comment="the entries of the transparency log; rows are never deleted",
)

log_state = Table(
    "log_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("frontier", LargeBinary, nullable=False, comment="complete subtrees, largest first"),
    Column("keys_digest", String(64), comment="of the keys last logged"),
    Column("at", Moment, nullable=False),
    comment="how far the acts of the outbox are integrated",
)

log_peer = Table(
    "log_peer",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("role", String(8), nullable=False, comment="log: witnessed here; witness: asked"),
    Column("name", String(255), nullable=False, comment="the origin, or the key's name"),
    Column("key", Text, nullable=False, comment="verifier key"),
    Column("url", Text, comment="of a witness: where it is asked"),
    Column("added_at", Moment, nullable=False),
    Column("size", BigInteger, comment="of a witness: what it cosigned last"),
    Column("answered_at", Moment),
    Column("failed", Text, comment="what went wrong last, if anything"),
    Index("uq_log_peer_role_key", "role", "key", unique=True),
    sqlite_autoincrement=True,
)

witness_state = Table(
    "witness_state",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", LargeBinary, nullable=False, comment="signed by the log and cosigned here"),
    Column("at", Moment, nullable=False),
    comment="the newest checkpoint of another log that this hub cosigned",
)

log_evidence = Table(
    "log_evidence",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("origin", String(255), nullable=False),
    Column("evidence", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
    comment="proofs that a log has signed two histories",
)
