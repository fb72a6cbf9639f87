"""Tables of the register: applications, versions of their descriptions, the models they use, assessments."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from allmende.storage import Document, Moment, RowId, metadata

__all__ = ["application", "application_assessment", "application_model", "application_version"]

application = Table(
    "application",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("namespace_id", Integer, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(96), nullable=False),
    Column("name_key", String(96), nullable=False, comment="in lower case"),
    Column("private", Boolean, nullable=False),
    Column("salt", LargeBinary(32), nullable=False, comment="blinds the application in the log"),
    Column("version", Integer, nullable=False, comment="of the newest description"),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("uq_application_namespace_id_name_key", "namespace_id", "name_key", unique=True),
    sqlite_autoincrement=True,
)

application_version = Table(
    "application_version",
    metadata,
    Column("application_id", Integer, ForeignKey("application.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("description", Text, nullable=False, comment="YAML as it was given"),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the description"),
    Column("at", Moment, nullable=False),
)

application_model = Table(
    "application_model",
    metadata,
    Column("application_id", Integer, ForeignKey("application.id", ondelete="CASCADE"), primary_key=True),
    Column("model", String(200), primary_key=True, comment="what the newest description calls it"),
    Column("repo_id", Integer, comment="NULL: it is not on this hub; a repo that is gone stays named"),
    Index("ix_application_model_repo_id", "repo_id"),
)

application_assessment = Table(
    "application_assessment",
    metadata,
    Column("application_id", Integer, ForeignKey("application.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False, comment="of the description"),
    Column("pack_digest", String(64), nullable=False, comment="of the law pack"),
    Column("at", Moment, nullable=False),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the assessment's JSON"),
    Column("document", LargeBinary, nullable=False, comment="the assessment in English, JSON, deflated"),
    Column("inputs", LargeBinary, nullable=False, comment="description and facts of the hub, JSON, deflated"),
    Column("basis", Document, nullable=False, comment="what the hub knew of the models"),
    Column("moved", Document, nullable=False, comment="what is different from the one before, and why"),
    Column("repos", Document, nullable=False, comment="ids of the repos whose facts are in it"),
)
