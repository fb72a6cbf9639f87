"""How the log names repos: by a hash that only those can tie to a name who know the repo's salt.

`subject` is HMAC-SHA-256, keyed by the repo's salt, over `type/id` with the id that clients see. The salt of
a public repo may be told to anybody, so that its name can be watched in the log; that of a private one is
its owner's. With the salt goes the tie.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from allmende.ids import RepoId, RepoType
from allmende.registry.repos import public_id_of, subject_of
from allmende.registry.tables import repo
from allmende.storage import UnitOfWork, batches

__all__ = ["LogSubject", "log_subjects"]


@dataclass(frozen=True, slots=True)
class LogSubject:
    """A repo as the log has it. `hidden`: it may not be told of, as it is private or switched off."""

    type: RepoType
    public_id: str
    subject: str
    hidden: bool


def log_subjects(uow: UnitOfWork, repo_ids: Iterable[RepoId]) -> dict[RepoId, LogSubject]:
    """The subjects of those of these repos that are there."""
    found: dict[RepoId, LogSubject] = {}
    columns = (repo.c.id, repo.c.type, repo.c.full_name, repo.c.salt, repo.c.private, repo.c.disabled)
    for batch in batches(sorted(set(repo_ids))):
        for row in uow.all(select(*columns).where(repo.c.id.in_(batch))):
            secret = bytes(row.salt) if row.salt else row.full_name.encode()
            public_id = public_id_of(secret)
            subject = subject_of(secret, row.type, public_id)
            found[RepoId(row.id)] = LogSubject(row.type, public_id, subject, row.private or row.disabled)
    return found
