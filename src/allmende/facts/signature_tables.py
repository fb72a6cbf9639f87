"""Tables of signatures: statements about revisions, signatures of models, and whom to trust."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from allmende.storage import Document, Moment, RowId, metadata

__all__ = ["attestation", "model_signature", "trust_policy"]

attestation = Table(
    "attestation",
    metadata,
    Column("number", RowId, primary_key=True, autoincrement=True),
    Column("repo_id", Integer, nullable=False),
    Column("commit_oid", String(40), nullable=False),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the envelope"),
    Column("predicate_type", String(512), nullable=False),
    Column("basis", String(64), nullable=False, comment="SHA-256 of what it says, its times left out"),
    Column("envelope", LargeBinary, nullable=False, comment="DSSE, as canonical JSON"),
    Column("signers", Document, nullable=False, comment="id and name of each key that was found to sign it"),
    Column("maker", String(32), nullable=False, comment="upload, or which step of the hub made it"),
    Column("actor_id", Integer),
    Column("added_at", Moment, nullable=False),
    Index("uq_attestation_repo_id_commit_oid_digest", "repo_id", "commit_oid", "digest", unique=True),
    sqlite_autoincrement=True,
    comment="signed statements about revisions",
)

model_signature = Table(
    "model_signature",
    metadata,
    Column("repo_id", Integer, primary_key=True),
    Column("commit_oid", String(40), primary_key=True),
    Column("path_digest", String(64), primary_key=True, comment="SHA-256 of the path"),
    Column("path", Text, nullable=False, comment="where in the tree the signature lies"),
    Column("bundle", String(64), nullable=False, comment="SHA-256 of the signature file"),
    Column("basis", String(64), nullable=False, comment="what it was checked with"),
    Column("state", String(32), nullable=False),
    Column("report", Document, nullable=False),
    Column("first_seen_at", Moment, nullable=False),
    Column("checked_at", Moment, nullable=False),
    comment="what was found of the signatures of models that lie in revisions",
)

trust_policy = Table(
    "trust_policy",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False, comment="counts up with each change"),
    Column("document", Text, nullable=False, comment="as it was set"),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the document"),
    Column("set_at", Moment, nullable=False),
    comment="who may sign for a namespace, as its admins say",
)
