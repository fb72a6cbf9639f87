"""Tables of git: objects as git makes them, which repo may read which, and what is derived from them.

`git_object` is the truth and immutable; an object is readable only through a repo that owns it
(`repo_object`), never by bare id. `tree_entry`, `commit_meta`, `commit_parent` and `lfs_pointer` are
derived, so that listings are SQL, and can be rebuilt from the objects.
"""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text
from sqlalchemy.types import BigInteger

from allmende.storage import Moment, metadata

__all__ = ["commit_meta", "commit_parent", "git_object", "lfs_pointer", "ref", "repo_object", "tree_entry"]

git_object = Table(
    "git_object",
    metadata,
    Column("oid", String(40), primary_key=True),
    Column("kind", String(6), nullable=False, comment="blob, tree, commit or tag"),
    Column("size_bytes", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False, comment="the object's body, without git's header"),
)

repo_object = Table(
    "repo_object",
    metadata,
    Column("repo_id", Integer, primary_key=True),
    Column("oid", String(40), ForeignKey("git_object.oid"), primary_key=True),
    Index("ix_repo_object_oid", "oid"),
)

tree_entry = Table(
    "tree_entry",
    metadata,
    Column("tree_oid", String(40), ForeignKey("git_object.oid", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("mode", Integer, nullable=False),
    Column("child_oid", String(40), nullable=False),
)

commit_meta = Table(
    "commit_meta",
    metadata,
    Column("oid", String(40), ForeignKey("git_object.oid", ondelete="CASCADE"), primary_key=True),
    Column("tree_oid", String(40), nullable=False),
    Column("author_name", Text, nullable=False),
    Column("author_email", Text, nullable=False),
    Column("committed_at", Moment, nullable=False),
    Column("title", Text, nullable=False),
    Column("message", Text, nullable=False, comment="what follows the title"),
)

commit_parent = Table(
    "commit_parent",
    metadata,
    Column("oid", String(40), ForeignKey("git_object.oid", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("parent_oid", String(40), nullable=False),
)

lfs_pointer = Table(
    "lfs_pointer",
    metadata,
    Column("oid", String(40), ForeignKey("git_object.oid", ondelete="CASCADE"), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Index("ix_lfs_pointer_sha256", "sha256"),
    comment="blobs that are pointers to contents",
)

ref = Table(
    "ref",
    metadata,
    Column("repo_id", Integer, primary_key=True),
    Column("name", String(255), primary_key=True, comment="the full name, such as refs/heads/main"),
    Column("oid", String(40), nullable=False, comment="a commit, or an annotated tag"),
    Column("commit_oid", String(40), nullable=False, comment="the commit that it comes down to"),
    Column("version", Integer, nullable=False),
    Column("updated_at", Moment, nullable=False),
)
