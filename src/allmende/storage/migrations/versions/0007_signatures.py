"""Signatures: statements about revisions, what the publisher's signatures say, and whom to trust."""

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Document, Moment, RowId

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "attestation",
        sa.Column("number", RowId, autoincrement=True, nullable=False),
        sa.Column("repo_id", sa.Integer(), nullable=False),
        sa.Column("commit_oid", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the envelope"),
        sa.Column("predicate_type", sa.String(length=512), nullable=False),
        sa.Column(
            "basis",
            sa.String(length=64),
            nullable=False,
            comment="SHA-256 of what it says, its times left out",
        ),
        sa.Column("envelope", sa.LargeBinary(), nullable=False, comment="DSSE, as canonical JSON"),
        sa.Column(
            "signers", Document(), nullable=False, comment="id and name of each key that was found to sign it"
        ),
        sa.Column(
            "maker", sa.String(length=32), nullable=False, comment="upload, or which step of the hub made it"
        ),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("added_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_attestation")),
        sqlite_autoincrement=True,
        comment="signed statements about revisions",
    )
    op.create_index(
        "uq_attestation_repo_id_commit_oid_digest",
        "attestation",
        ["repo_id", "commit_oid", "digest"],
        unique=True,
    )
    op.create_table(
        "model_signature",
        sa.Column("repo_id", sa.Integer(), nullable=False),
        sa.Column("commit_oid", sa.String(length=40), nullable=False),
        sa.Column("path_digest", sa.String(length=64), nullable=False, comment="SHA-256 of the path"),
        sa.Column("path", sa.Text(), nullable=False, comment="where in the tree the signature lies"),
        sa.Column("bundle", sa.String(length=64), nullable=False, comment="SHA-256 of the signature file"),
        sa.Column("basis", sa.String(length=64), nullable=False, comment="what it was checked with"),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("report", Document(), nullable=False),
        sa.Column("first_seen_at", Moment(), nullable=False),
        sa.Column("checked_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "commit_oid", "path_digest", name=op.f("pk_model_signature")),
        comment="what was found of the signatures of models that lie in revisions",
    )
    op.create_table(
        "trust_policy",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts up with each change"),
        sa.Column("document", sa.Text(), nullable=False, comment="as it was set"),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the document"),
        sa.Column("set_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_trust_policy")),
        comment="who may sign for a namespace, as its admins say",
    )
