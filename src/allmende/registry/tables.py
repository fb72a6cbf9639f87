"""Tables of the registry: accounts, tokens, repos, and what repos hold."""

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
    false,
    true,
)

from allmende.storage import Document, Moment, RowId, metadata

__all__ = [
    "access_grant",
    "account",
    "card",
    "content_hint",
    "membership",
    "password",
    "pull_request",
    "repo",
    "repo_content",
    "repo_former_name",
    "repo_tag",
    "scan_override",
    "sign_in_failure",
    "token",
]

account = Table(
    "account",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("name", String(96), nullable=False),
    Column(
        "name_key",
        String(96),
        nullable=False,
        unique=True,
        comment="the name in lower case: names differ in more than case",
    ),
    Column("kind", String(8), nullable=False, comment="user or org"),
    Column("fullname", Text, nullable=False),
    Column("email", Text),
    Column("is_admin", Boolean, nullable=False, comment="administers the hub"),
    Column("default_visibility", String(8), nullable=False, comment="public or private, for new repos"),
    Column("created_at", Moment, nullable=False),
    Column("locked_at", Moment, comment="when it was locked; NULL: it is not"),
    sqlite_autoincrement=True,
)

membership = Table(
    "membership",
    metadata,
    Column("org_id", Integer, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Integer, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(8), nullable=False, comment="admin, write or read"),
    Index("ix_membership_user_id", "user_id"),
)

password = Table(
    "password",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("hashed", Text, nullable=False, comment="Argon2id with its parameters and salt"),
    Column("set_at", Moment, nullable=False),
)

sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("key", String(64), primary_key=True, comment="digest of the name that was tried, and from where"),
    Column("failures", Integer, nullable=False),
    Column("last_at", Moment, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("account_id", Integer, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(96), nullable=False),
    Column(
        "digest",
        String(64),
        nullable=False,
        unique=True,
        comment="SHA-256 of the secret; the secret is not kept",
    ),
    Column("role", String(16), nullable=False, comment="read, write, admin or fine_grained"),
    Column("scopes", Document, nullable=False, comment="of a fine-grained token: what it may do where"),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column(
        "is_session",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="made by a browser's sign-in; nobody knows its secret",
    ),
    Index("uq_token_account_id_name", "account_id", "name", unique=True),
)

repo = Table(
    "repo",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("type", String(8), nullable=False, comment="model, dataset or space"),
    Column("namespace_id", Integer, ForeignKey("account.id"), nullable=False),
    Column("name", String(96), nullable=False),
    Column("full_name", String(200), nullable=False),
    Column("full_name_key", String(200), nullable=False, comment="in lower case"),
    Column("private", Boolean, nullable=False),
    Column("gated", String(8), nullable=False, comment="empty, auto or manual"),
    Column("disabled", Boolean, nullable=False),
    Column(
        "xet_reads",
        Boolean,
        nullable=False,
        server_default=true(),
        comment="whether its files are offered over Xet beside plain HTTP",
    ),
    Column("details", Document, nullable=False, comment="what the type brings: a space's sdk"),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("next_number", Integer, nullable=False, comment="of the next discussion or pull request"),
    Column("downloads", BigInteger, nullable=False),
    Column("pipeline_tag", String(96)),
    Column("library_name", String(96)),
    Column("salt", LargeBinary(32), comment="blinds the repo's subject in the log; erasure clears it"),
    Index("uq_repo_type_full_name_key", "type", "full_name_key", unique=True),
    Index("ix_repo_namespace_id", "namespace_id"),
    Index("ix_repo_updated_at", "type", "updated_at"),
    sqlite_autoincrement=True,
)

repo_former_name = Table(
    "repo_former_name",
    metadata,
    Column("type", String(8), primary_key=True),
    Column("full_name_key", String(200), primary_key=True),
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), nullable=False),
    Column("at", Moment, nullable=False),
)

repo_content = Table(
    "repo_content",
    metadata,
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", String(64), ForeignKey("content.sha256"), primary_key=True),
    Column("filename", Text, nullable=False, comment="the path under which it first came"),
    Column("ref", String(255), nullable=False),
    Column("commit_oid", String(40), nullable=False),
    Column("pushed_at", Moment, nullable=False),
    Column(
        "borrowed",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="linked by somebody who never uploaded the bytes: they could read them elsewhere",
    ),
    Index("ix_repo_content_sha256", "sha256"),
    comment="contents that a repo holds: who may read the repo may read them and link them elsewhere",
)

repo_tag = Table(
    "repo_tag",
    metadata,
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True),
    Column("source", String(16), primary_key=True, comment="declared (the card) or derived (the files)"),
    Column("tag", String(200), primary_key=True),
    Index("ix_repo_tag_tag", "tag"),
)

card = Table(
    "card",
    metadata,
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True),
    Column("blob_oid", String(40), nullable=False),
    Column("data", Document, nullable=False, comment="front matter of the README at the head of main"),
)

pull_request = Table(
    "pull_request",
    metadata,
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("author_id", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("target", String(255), nullable=False, comment="the ref that it proposes to change"),
    Column("created_at", Moment, nullable=False),
)

access_grant = Table(
    "access_grant",
    metadata,
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True),
    Column("account_id", Integer, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("at", Moment, nullable=False),
    comment="who may read the files of a gated repo",
)

content_hint = Table(
    "content_hint",
    metadata,
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("hint", String(16), primary_key=True),
    comment="what the names promise that a repo gives to a content: verdicts are by bytes and hint",
)

scan_override = Table(
    "scan_override",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), nullable=False),
    Column("content_key", String(64), nullable=False, comment="SHA-256, or git id of a small file"),
    Column("path", Text, nullable=False, comment="where the file was when it was decided"),
    Column("rules", Document, nullable=False, comment="the rules that are lifted; found later ones are not"),
    Column("reason", Text, nullable=False),
    Column("by_auditor", Boolean, nullable=False, comment="else what stopped the file still warns"),
    Column("actor_id", Integer, comment="NULL: the operator, at the command line"),
    Column("actor_name", String(96), nullable=False),
    Column("at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("revoked_by", String(96)),
    Index("ix_scan_override_repo_id", "repo_id", "content_key"),
    sqlite_autoincrement=True,
    comment="verdicts that somebody lifted for a repo; rows are revoked and never changed otherwise",
)
