"""The register of applications: descriptions in versions, the models they use, assessments."""

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Moment

revision = "0011"
down_revision = "0010"

_OF = "application.id"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "application",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("namespace_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("name_key", sa.String(length=96), nullable=False, comment="in lower case"),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column(
            "salt", sa.LargeBinary(length=32), nullable=False, comment="blinds the application in the log"
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the newest description"),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["namespace_id"],
            ["account.id"],
            name=op.f("fk_application_namespace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_application_namespace_id_name_key", "application", ["namespace_id", "name_key"], unique=True
    )
    _versions()
    _models()
    _assessments()


def _versions() -> None:
    op.create_table(
        "application_version",
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("description", sa.Text(), nullable=False, comment="YAML as it was given"),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the description"),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], [_OF], name=op.f("fk_application_version_application_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("application_id", "version", name=op.f("pk_application_version")),
    )


def _models() -> None:
    op.create_table(
        "application_model",
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column(
            "model", sa.String(length=200), nullable=False, comment="what the newest description calls it"
        ),
        sa.Column(
            "repo_id",
            sa.Integer(),
            nullable=True,
            comment="NULL: it is not on this hub; a repo that is gone stays named",
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], [_OF], name=op.f("fk_application_model_application_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("application_id", "model", name=op.f("pk_application_model")),
    )
    op.create_index("ix_application_model_repo_id", "application_model", ["repo_id"])


def _assessments() -> None:
    op.create_table(
        "application_assessment",
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the description"),
        sa.Column("pack_digest", sa.String(length=64), nullable=False, comment="of the law pack"),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the assessment's JSON"),
        sa.Column(
            "document",
            sa.LargeBinary(),
            nullable=False,
            comment="the assessment in English, JSON, deflated",
        ),
        sa.Column(
            "inputs",
            sa.LargeBinary(),
            nullable=False,
            comment="description and facts of the hub, JSON, deflated",
        ),
        sa.Column("basis", sa.JSON(), nullable=False, comment="what the hub knew of the models"),
        sa.Column(
            "moved", sa.JSON(), nullable=False, comment="what is different from the one before, and why"
        ),
        sa.Column("repos", sa.JSON(), nullable=False, comment="ids of the repos whose facts are in it"),
        sa.ForeignKeyConstraint(
            ["application_id"],
            [_OF],
            name=op.f("fk_application_assessment_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("application_id", "number", name=op.f("pk_application_assessment")),
    )
