"""Transparency records: what was signed of a revision, version by version, and whom it names."""

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Moment, RowId

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "record",
        sa.Column("number", RowId, autoincrement=True, nullable=False),
        sa.Column("repo_id", sa.Integer(), nullable=False),
        sa.Column("commit_oid", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts up from 1 for each revision"),
        sa.Column(
            "basis", sa.String(length=64), nullable=False, comment="SHA-256 of what it says, without times"
        ),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the envelope"),
        sa.Column(
            "envelope",
            sa.LargeBinary(),
            nullable=True,
            comment="DSSE, as canonical JSON; NULL: not kept any more",
        ),
        sa.Column("made_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_record")),
        sqlite_autoincrement=True,
        comment="signed transparency records; a newer version supersedes the one before",
    )
    op.create_index(
        "uq_record_repo_id_commit_oid_version", "record", ["repo_id", "commit_oid", "version"], unique=True
    )
    op.create_table(
        "record_mention",
        sa.Column("record", RowId, autoincrement=False, nullable=False),
        sa.Column("repo_id", sa.Integer(), nullable=False, comment="another repo that the record names"),
        sa.ForeignKeyConstraint(
            ["record"], ["record.number"], name=op.f("fk_record_mention_record"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("record", "repo_id", name=op.f("pk_record_mention")),
        comment="a record is shown while everybody may see all repos that it names",
    )
    op.create_index("ix_record_mention_repo_id", "record_mention", ["repo_id"], unique=False)
