"""Scanning: overrides, hints and origin of held contents, scans of everything with what they changed."""

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Document, Moment, RowId

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "scan_override",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("repo_id", sa.Integer(), nullable=False),
        sa.Column(
            "content_key", sa.String(length=64), nullable=False, comment="SHA-256, or git id of a small file"
        ),
        sa.Column("path", sa.Text(), nullable=False, comment="where the file was when it was decided"),
        sa.Column(
            "rules", Document(), nullable=False, comment="the rules that are lifted; found later ones are not"
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "by_auditor", sa.Boolean(), nullable=False, comment="else what stopped the file still warns"
        ),
        sa.Column("actor_id", sa.Integer(), nullable=True, comment="NULL: the operator, at the command line"),
        sa.Column("actor_name", sa.String(length=96), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("revoked_by", sa.String(length=96), nullable=True),
        sa.ForeignKeyConstraint(
            ["repo_id"], ["repo.id"], name=op.f("fk_scan_override_repo_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_override")),
        sqlite_autoincrement=True,
        comment="verdicts that somebody lifted for a repo; rows are revoked and never changed otherwise",
    )
    op.create_index("ix_scan_override_repo_id", "scan_override", ["repo_id", "content_key"], unique=False)
    op.create_table(
        "content_hint",
        sa.Column("repo_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["repo_id"], ["repo.id"], name=op.f("fk_content_hint_repo_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repo_id", "sha256", "hint", name=op.f("pk_content_hint")),
        comment="what the names promise that a repo gives to a content: verdicts are by bytes and hint",
    )
    op.create_table(
        "scan_run",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("rule_set", sa.String(length=32), nullable=False),
        sa.Column(
            "policy", sa.String(length=64), nullable=False, comment="digest of the policy of that moment"
        ),
        sa.Column(
            "cause",
            sa.String(length=16),
            nullable=False,
            comment="start (the rules or the policy are new) or asked",
        ),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("last_repo_id", sa.Integer(), nullable=False, comment="repos up to this one are done"),
        sa.Column("repos", sa.Integer(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False, comment="files of revisions that were looked at"),
        sa.Column(
            "changed",
            sa.Integer(),
            nullable=False,
            comment="of them with another status; more than are listed",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_run")),
        sqlite_autoincrement=True,
        comment="one scan of everything",
    )
    op.create_table(
        "scan_change",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("repo_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("before", sa.String(length=16), nullable=False),
        sa.Column("after", sa.String(length=16), nullable=False),
        sa.Column(
            "rules", Document(), nullable=False, comment="the rules that only one of both verdicts has"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["scan_run.id"], name=op.f("fk_scan_change_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_change")),
        sqlite_autoincrement=True,
        comment="files that a scan of everything gave another status",
    )
    op.create_index("ix_scan_change_run_id", "scan_change", ["run_id", "id"], unique=False)
    op.add_column(
        "repo_content",
        sa.Column(
            "borrowed",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="linked by somebody who never uploaded the bytes: they could read them elsewhere",
        ),
    )
