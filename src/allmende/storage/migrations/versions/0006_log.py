"""The transparency log: its entries, how far it got, who witnesses it, and whom this hub witnesses."""

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Moment, RowId

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables, and the column that says which entry of the log an act became."""
    op.add_column(
        "outbox",
        sa.Column(
            "log_index",
            sa.BigInteger(),
            nullable=True,
            comment="the entry of the log that tells of it; NULL: none yet",
        ),
    )
    op.create_index(
        "ix_outbox_unlogged",
        "outbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("log_index IS NULL"),
        postgresql_where=sa.text("log_index IS NULL"),
    )
    op.create_index("ix_outbox_actor_id", "outbox", ["actor_id"], unique=False)
    _entries()
    _peers()


def _entries() -> None:
    op.create_table(
        "log_entry",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False, comment="from 0 on"),
        sa.Column("outbox_id", sa.BigInteger(), nullable=False),
        sa.Column("at", Moment(), nullable=False, comment="when the act was done"),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="of the act, veiled or not"),
        sa.Column("veiled", sa.Boolean(), nullable=False, comment="whether the entry hides what it is of"),
        sa.Column("repo_id", sa.Integer(), nullable=True),
        sa.Column("commit_oid", sa.String(length=40), nullable=True),
        sa.Column("entry", sa.LargeBinary(), nullable=False, comment="the leaf, canonical JSON"),
        sa.Column("statement", sa.LargeBinary(), nullable=True, comment="canonical JSON; erasure deletes it"),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], name=op.f("fk_log_entry_outbox_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_log_entry")),
        comment="the entries of the transparency log; rows are never deleted",
    )
    op.create_index("uq_log_entry_outbox_id", "log_entry", ["outbox_id"], unique=True)
    op.create_index("ix_log_entry_repo_id", "log_entry", ["repo_id", "commit_oid"], unique=False)
    op.create_index("ix_log_entry_kind", "log_entry", ["kind", "number"], unique=False)
    op.create_table(
        "log_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False, comment="complete subtrees, largest first"),
        sa.Column("keys_digest", sa.String(length=64), nullable=True, comment="of the keys last logged"),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_state")),
        comment="how far the acts of the outbox are integrated",
    )


def _peers() -> None:
    op.create_table(
        "log_peer",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False, comment="log: witnessed here; witness: asked"),
        sa.Column("name", sa.String(length=255), nullable=False, comment="the origin, or the key's name"),
        sa.Column("key", sa.Text(), nullable=False, comment="verifier key"),
        sa.Column("url", sa.Text(), nullable=True, comment="of a witness: where it is asked"),
        sa.Column("added_at", Moment(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True, comment="of a witness: what it cosigned last"),
        sa.Column("answered_at", Moment(), nullable=True),
        sa.Column("failed", sa.Text(), nullable=True, comment="what went wrong last, if anything"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_peer")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_log_peer_role_key", "log_peer", ["role", "key"], unique=True)
    op.create_table(
        "witness_state",
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False, comment="signed by the log and cosigned here"),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_witness_state")),
        comment="the newest checkpoint of another log that this hub cosigned",
    )
    op.create_table(
        "log_evidence",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_log_evidence")),
        comment="proofs that a log has signed two histories",
    )
