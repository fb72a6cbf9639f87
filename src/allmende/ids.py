"""Identifiers as distinct types, so that one kind of id cannot be passed for another."""

import re
from typing import Literal, NewType

__all__ = [
    "COMMIT_OID",
    "NAME",
    "AccountId",
    "GitOid",
    "JobId",
    "RepoId",
    "RepoType",
    "Sha256",
    "TokenId",
    "WeightsId",
    "XetHash",
    "is_git_oid",
    "is_sha256",
    "is_xet_hash",
]

Sha256 = NewType("Sha256", str)
"""The SHA-256 of a content, 64 lowercase hexadecimal digits: its name everywhere."""

GitOid = NewType("GitOid", str)
"""The SHA-1 of a git object, 40 lowercase hexadecimal digits, as git itself computes it."""

XetHash = NewType("XetHash", str)
"""A hash of a chunk, xorb or file, 64 lowercase hexadecimal digits as the Xet protocol writes them."""

AccountId = NewType("AccountId", int)
"""A namespace's row: a user or an organisation."""

RepoId = NewType("RepoId", int)
"""A repo's row; it stays when the repo is renamed."""

TokenId = NewType("TokenId", int)
JobId = NewType("JobId", int)

WeightsId = NewType("WeightsId", str)
"""SHA-256 over the names of the contents that hold a model's weights, 64 lowercase hexadecimal digits."""

RepoType = Literal["model", "dataset", "space"]

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
"""What a namespace or repo name looks like (match the whole string; see `registry.names` for the rest)."""

COMMIT_OID = re.compile(r"[0-9a-f]{40}")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_XET_HASH = re.compile(r"[0-9a-f]{64}")


def is_sha256(text: str) -> bool:
    """Whether `text` has the form of a `Sha256`."""
    return _SHA256.fullmatch(text) is not None


def is_git_oid(text: str) -> bool:
    """Whether `text` has the form of a `GitOid`."""
    return COMMIT_OID.fullmatch(text) is not None


def is_xet_hash(text: str) -> bool:
    """Whether `text` has the form of a `XetHash`."""
    return _XET_HASH.fullmatch(text) is not None
