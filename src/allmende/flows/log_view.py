"""What the log shows to whom: statements of what is public, proofs, keys, and how the log stands."""

from dataclasses import dataclass
from datetime import datetime

from allmende.errors import AllmendeError
from allmende.flows.services import Services
from allmende.git import owns
from allmende.ids import GitOid, RepoId
from allmende.log import (
    EntryNotFound,
    LogEntry,
    entries_of_repo,
    list_peers,
    log_size,
    read_entry,
    waiting_acts,
)
from allmende.registry import log_subjects
from allmende.storage import UnitOfWork

__all__ = ["LogStatus", "log_status", "policy_text", "shown_entries", "shown_entry"]

_OF_REVISIONS = frozenset(["attest", "publish", "record", "scan", "signature"])
"""Kinds about a revision, which are told of it even if it was veiled once: the repo is public now."""


@dataclass(frozen=True, slots=True)
class LogStatus:
    """How the log stands. Sizes count entries; `lag_s` is the age of the oldest act that is no entry yet."""

    origin: str
    entries: int
    waiting: int
    lag_s: float
    signed_size: int
    signed_root: bytes | None
    signed_at: datetime | None
    refused: AllmendeError | None
    """Why nothing is signed, if so."""


def shown_entry(uow: UnitOfWork, number: int) -> LogEntry:
    """An entry with a statement that anybody may read.

    Raises EntryNotFound, also for one whose statement is erased, or is of a private repo.
    """
    entry = read_entry(uow, number)
    if entry.statement is None or not _is_shown(uow, entry):
        raise EntryNotFound
    return entry


def shown_entries(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid | None = None) -> list[LogEntry]:
    """The newest entries about a repo, or one revision of it, for those who may read the repo.

    The caller has asked who may. Entries whose statements are erased are left out.
    """
    return [entry for entry in entries_of_repo(uow, repo_id, commit_oid) if entry.statement is not None]


def log_status(services: Services) -> LogStatus:
    """How the log stands now; raises KeysDamaged."""
    log = services.log
    with services.database.read() as uow:
        entries = log_size(uow).size
        waiting, oldest = waiting_acts(uow)
    signed = log.signed()
    refused: AllmendeError | None = None
    try:
        log.publisher.check()
    except AllmendeError as error:
        refused = error
    return LogStatus(
        origin=log.origin,
        entries=entries,
        waiting=waiting,
        lag_s=_age_s(services.database.clock(), oldest),
        signed_size=0 if signed is None else signed.size,
        signed_root=None if signed is None else signed.root,
        signed_at=log.publisher.checkpoints.signed_at(),
        refused=refused,
    )


def policy_text(services: Services) -> str:
    """A policy for readers who trust this hub's log and the witnesses that it asks, one of them at least.

    What it says of keys is only as good as the way by which it came.
    """
    address = services.settings.public_url
    at = "" if address is None else f" {address.rstrip('/')}/log"
    lines = [f"log {key.public}{at}" for key in services.log.keys.read().log if key.signs]
    with services.database.read() as uow:
        witnesses = list_peers(uow, "witness")
    names = [f"w{number}" for number, _ in enumerate(witnesses, 1)]
    lines += [
        f"witness {name} {peer.key.text} {peer.url}" for name, peer in zip(names, witnesses, strict=True)
    ]
    if names:
        lines += [f"group witnesses any {' '.join(names)}", "quorum witnesses"]
    else:
        lines += ["quorum none"]
    return "".join(f"{line}\n" for line in lines)


def _age_s(now: datetime, oldest: datetime | None) -> float:
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


def _is_shown(uow: UnitOfWork, entry: LogEntry) -> bool:
    if entry.kind == "key":
        return True
    if entry.repo_id is None:
        return False
    subject = log_subjects(uow, [entry.repo_id]).get(entry.repo_id)
    if subject is None or subject.hidden:
        return False
    if not entry.veiled:
        return True
    commit = entry.commit_oid
    return entry.kind in _OF_REVISIONS and commit is not None and owns(uow, entry.repo_id, commit)
