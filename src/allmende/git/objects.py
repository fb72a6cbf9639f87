"""Git objects as bytes with true git ids; dulwich does the serialising and parsing."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dulwich.objects import Commit, Tag, Tree
from dulwich.objects import ObjectID as DulwichId

from allmende.ids import GitOid

__all__ = [
    "DIRECTORY",
    "FILE",
    "GitObject",
    "Signature",
    "TreeEntry",
    "blob_object",
    "commit_object",
    "parse_tree",
    "tag_object",
    "tree_object",
]

Kind = Literal["blob", "tree", "commit", "tag"]

FILE = 0o100644
DIRECTORY = 0o040000


@dataclass(frozen=True, slots=True)
class GitObject:
    """One immutable object; `data` is its body without git's header, `oid` the SHA-1 over both."""

    oid: GitOid
    kind: Kind
    data: bytes


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A name in a folder."""

    name: str
    mode: int
    oid: GitOid

    @property
    def is_directory(self) -> bool:
        """Whether the name stands for a folder."""
        return self.mode == DIRECTORY


@dataclass(frozen=True, slots=True)
class Signature:
    """Who did something in git, and when."""

    name: str
    email: str
    at: datetime


def git_oid(kind: str, data: bytes) -> GitOid:
    """The object id that git gives to a body of this kind."""
    digest = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
    digest.update(data)
    return GitOid(digest.hexdigest())


def blob_object(data: bytes) -> GitObject:
    """The blob of a file's bytes."""
    return GitObject(git_oid("blob", data), "blob", data)


def tree_object(entries: Iterable[TreeEntry]) -> GitObject:
    """The tree of a folder; entries in any order."""
    tree = Tree()
    for entry in entries:
        tree.add(entry.name.encode(), entry.mode, DulwichId(entry.oid.encode()))
    data = tree.as_raw_string()
    return GitObject(git_oid("tree", data), "tree", data)


def parse_tree(data: bytes) -> list[TreeEntry]:
    """The entries of a tree's body, in git's order. Raises ValueError for a name that is not UTF-8."""
    tree = Tree.from_string(data)
    return [TreeEntry(item.path.decode(), item.mode, GitOid(item.sha.decode())) for item in tree.iteritems()]


def commit_object(
    tree_oid: GitOid, parents: Sequence[GitOid], author: Signature, title: str, message: str
) -> GitObject:
    """A commit by `author` (who is the committer too), `message` below the title."""
    commit = Commit()
    commit.tree = DulwichId(tree_oid.encode())
    commit.parents = [DulwichId(parent.encode()) for parent in parents]
    commit.author = commit.committer = _person(author)
    commit.author_time = commit.commit_time = int(author.at.timestamp())
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding = b"UTF-8"
    commit.message = (f"{title}\n\n{message}" if message else title).encode()
    data = commit.as_raw_string()
    return GitObject(git_oid("commit", data), "commit", data)


def tag_object(target: GitOid, name: str, tagger: Signature, message: str) -> GitObject:
    """An annotated tag on a commit."""
    tag = Tag()
    tag.object = (Commit, DulwichId(target.encode()))
    tag.name = name.encode()
    tag.tagger = _person(tagger)
    tag.tag_time = int(tagger.at.timestamp())
    tag.tag_timezone = 0
    tag.message = message.encode()
    data = tag.as_raw_string()
    return GitObject(git_oid("tag", data), "tag", data)


def _person(signature: Signature) -> bytes:
    clean = (
        "".join(" " if character in "<>\n\r\0" else character for character in signature.name).strip()
        or "unknown"
    )
    return f"{clean} <{signature.email}>".encode()
