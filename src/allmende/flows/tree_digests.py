"""The SHA-256 of every file of a revision: what a `dirHash`, a signature and a proof are checked against.

Files that lie as contents bear it as their name. Those inside git are named by SHA-1 there, so they are read
once and the SHA-256 of their bytes is kept as the fact `sha256` about them, whichever revisions hold them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from allmende.facts import ContentKey, Fact, content_facts, put_content_facts
from allmende.flows.services import Services
from allmende.ids import GitOid, RepoId, Sha256
from allmende.registry import FileEntry, RevisionNotFound, find_repo_by_id, list_files, read_blob
from allmende.storage import UnitOfWork, batches

__all__ = ["TreeFile", "known_tree_digests", "tree_digests"]

_FACT = "sha256"
_TOOL = "allmende.tree"
_TOOL_VERSION = "1"
_LINK_MODE = 0o120000
_READ_BATCH = 200


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file of a revision and the SHA-256 of its bytes; of a symbolic link these are its target's path."""

    path: str
    sha256: Sha256
    size_bytes: int
    is_link: bool
    key: ContentKey
    """Under which name the hub has the bytes."""


def tree_digests(services: Services, repo_id: RepoId, commit_oid: GitOid) -> tuple[TreeFile, ...]:
    """Every file of a revision, by path; raises RevisionNotFound, also when the repo is gone.

    Reads what was not read before, in transactions of its own.
    """
    with services.database.read() as uow:
        entries = _entries(uow, repo_id, commit_oid)
        digests = _known(uow, entries)
    missing = sorted({entry.oid for entry in entries if entry.pointer is None} - digests.keys())
    for batch in batches(missing, _READ_BATCH):
        with services.database.read() as uow:
            fresh = {oid: Sha256(sha256(read_blob(uow, repo_id, oid)).hexdigest()) for oid in batch}
        now = services.database.clock()
        with services.database.write() as uow:
            put_content_facts(
                uow,
                {
                    oid: [Fact(_FACT, digest, "measured", _TOOL, _TOOL_VERSION, now)]
                    for oid, digest in fresh.items()
                },
            )
        digests |= fresh
    return tuple(_file(entry, digests) for entry in entries)


def known_tree_digests(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> tuple[TreeFile, ...] | None:
    """The same from what is known already, inside the caller's transaction; raises RevisionNotFound.

    None when a file was not read yet.
    """
    entries = _entries(uow, repo_id, commit_oid)
    digests = _known(uow, entries)
    if any(entry.pointer is None and entry.oid not in digests for entry in entries):
        return None
    return tuple(_file(entry, digests) for entry in entries)


def _entries(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> list[FileEntry]:
    repo = find_repo_by_id(uow, repo_id)
    if repo is None:
        raise RevisionNotFound(commit_oid)
    return list_files(uow, repo, commit_oid)


def _known(uow: UnitOfWork, entries: Iterable[FileEntry]) -> dict[GitOid, Sha256]:
    oids = {entry.oid for entry in entries if entry.pointer is None}
    found = content_facts(uow, oids, [_FACT])
    return {
        GitOid(key): Sha256(str(facts[_FACT].value))
        for key, facts in found.items()
        if facts[_FACT].tool_version == _TOOL_VERSION
    }


def _file(entry: FileEntry, digests: dict[GitOid, Sha256]) -> TreeFile:
    digest = digests[entry.oid] if entry.pointer is None else entry.pointer.oid
    key: ContentKey = entry.oid if entry.pointer is None else entry.pointer.oid
    return TreeFile(entry.path, digest, entry.size_bytes, entry.mode == _LINK_MODE, key)
