"""Lineage: weights, which revisions hold them, and how they descend from each other."""

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Document, Moment, RowId

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "weights",
        sa.Column("number", RowId, autoincrement=True, nullable=False),
        sa.Column(
            "id", sa.String(length=64), nullable=False, comment="SHA-256 over the names of the contents"
        ),
        sa.Column(
            "tool_version",
            sa.String(length=32),
            nullable=True,
            comment="of what measured them; NULL: not measured yet",
        ),
        sa.Column("measured_at", Moment(), nullable=True),
        sa.Column("sketch", sa.LargeBinary(), nullable=True),
        sa.Column(
            "search_key",
            sa.LargeBinary(),
            nullable=True,
            comment="signs to find kin by; NULL: the weights tell nothing",
        ),
        sa.Column(
            "build",
            sa.String(length=64),
            nullable=True,
            comment="digest of the names and shapes of all tensors",
        ),
        sa.Column(
            "layout",
            sa.String(length=16),
            nullable=True,
            comment="whose names the tensors have: safetensors, gguf, ...",
        ),
        sa.Column("parameters", sa.BigInteger(), nullable=True),
        sa.Column("problems", Document(), nullable=False, comment="sentences about what could not be read"),
        sa.Column("error", sa.Text(), nullable=True, comment="why nothing could be measured, if so"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_weights")),
        sa.UniqueConstraint("id", name=op.f("uq_weights_id")),
        sqlite_autoincrement=True,
        comment="sets of weight files that are a model together, each kept once, wherever it lies",
    )
    op.create_index("ix_weights_build", "weights", ["build"], unique=False)
    op.create_index("ix_weights_measured_at", "weights", ["measured_at", "number"], unique=False)
    op.create_table(
        "weights_content",
        sa.Column("weights_id", sa.String(length=64), nullable=False),
        sa.Column(
            "content_key", sa.String(length=64), nullable=False, comment="SHA-256, or git id of a small file"
        ),
        sa.ForeignKeyConstraint(
            ["weights_id"], ["weights.id"], name=op.f("fk_weights_content_weights_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("weights_id", "content_key", name=op.f("pk_weights_content")),
    )
    op.create_index("ix_weights_content_content_key", "weights_content", ["content_key"], unique=False)
    op.create_table(
        "revision_weights",
        sa.Column(
            "number", RowId, autoincrement=True, nullable=False, comment="the order of being first seen"
        ),
        sa.Column("repo_id", sa.Integer(), nullable=False),
        sa.Column("commit_oid", sa.String(length=40), nullable=False),
        sa.Column("weights_id", sa.String(length=64), nullable=False),
        sa.Column(
            "files", Document(), nullable=False, comment="path, content key and size of each weight file"
        ),
        sa.Column(
            "config",
            Document(),
            nullable=True,
            comment="path and content key of the configuration that goes with them",
        ),
        sa.ForeignKeyConstraint(
            ["weights_id"], ["weights.id"], name=op.f("fk_revision_weights_weights_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_revision_weights")),
        sqlite_autoincrement=True,
        comment="which revisions hold which weights",
    )
    op.create_index("ix_revision_weights_weights_id", "revision_weights", ["weights_id"], unique=False)
    op.create_index(
        "uq_revision_weights_repo_id_commit_oid", "revision_weights", ["repo_id", "commit_oid"], unique=True
    )
    op.create_table(
        "declared_base",
        sa.Column("holder", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False, comment="as declared"),
        sa.Column("name_key", sa.String(length=200), nullable=False, comment="in lower case"),
        sa.Column("relation", sa.String(length=16), nullable=True, comment="as declared, if it is"),
        sa.ForeignKeyConstraint(
            ["holder"], ["revision_weights.number"], name=op.f("fk_declared_base_holder"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("holder", "ordinal", name=op.f("pk_declared_base")),
        comment="what a revision says of its base, in its card or the configuration of an adapter",
    )
    op.create_index("ix_declared_base_name_key", "declared_base", ["name_key"], unique=False)
    op.create_table(
        "lineage_trace",
        sa.Column("weights_id", sa.String(length=64), nullable=False),
        sa.Column(
            "scope",
            sa.Integer(),
            nullable=False,
            comment="0: among public models; else a namespace's own as well",
        ),
        sa.Column(
            "basis", sa.String(length=64), nullable=False, comment="digest of all that the answer rests on"
        ),
        sa.Column("tool_version", sa.String(length=32), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("compared", Document(), nullable=False, comment="the weights that were looked into"),
        sa.Column("relatives", Document(), nullable=False),
        sa.Column("descendants", Document(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True, comment="why nothing could be compared, if so"),
        sa.ForeignKeyConstraint(
            ["weights_id"], ["weights.id"], name=op.f("fk_lineage_trace_weights_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("weights_id", "scope", name=op.f("pk_lineage_trace")),
        comment="one measurement of where weights come from",
    )
    op.create_table(
        "lineage_edge",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("weights_id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="the best first"),
        sa.Column("chain", Document(), nullable=False, comment="all that was done, the last first"),
        sa.Column("grade", sa.String(length=16), nullable=False),
        sa.Column(
            "direction", sa.String(length=16), nullable=False, comment="how it was told who came first"
        ),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("evidence", Document(), nullable=False),
        sa.ForeignKeyConstraint(
            ["weights_id"], ["weights.id"], name=op.f("fk_lineage_edge_weights_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_edge")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_lineage_edge_weights_id_scope_ordinal",
        "lineage_edge",
        ["weights_id", "scope", "ordinal"],
        unique=True,
    )
    op.create_table(
        "lineage_parent",
        sa.Column("edge_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column(
            "parent_id", sa.String(length=64), nullable=False, comment="weights that may have gone since"
        ),
        sa.Column("weight", sa.Float(), nullable=True, comment="its share, where it is one of several"),
        sa.ForeignKeyConstraint(
            ["edge_id"], ["lineage_edge.id"], name=op.f("fk_lineage_parent_edge_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("edge_id", "ordinal", name=op.f("pk_lineage_parent")),
    )
    op.create_index("ix_lineage_parent_parent_id", "lineage_parent", ["parent_id"], unique=False)
    op.create_table(
        "lineage_run",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("tool_version", sa.String(length=32), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("last_repo_id", sa.Integer(), nullable=False, comment="repos up to this one are done"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_run")),
        sqlite_autoincrement=True,
        comment="one measurement of everything",
    )
