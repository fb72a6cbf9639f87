"""When the transparency record of a revision is to be made anew: part of the transactions that change facts.

Asking is cheap and may be repeated: where nothing that the record says has changed, no new version is made.
"""

from allmende.facts import erase_records_naming, records_naming, revisions_with_record
from allmende.flows.services import Services
from allmende.ids import GitOid, RepoId
from allmende.registry import find_repo_by_id
from allmende.storage import UnitOfWork

__all__ = ["RECORD_JOB", "enqueue_record", "note_record_subject_changed", "note_record_subject_gone"]

RECORD_JOB = "record"

_PRIORITY = -6
"""Behind what measures, so that a new revision gets its record once; before what goes through everything."""
_MAX_AFFECTED = 1000


def enqueue_record(services: Services, uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> None:
    """Have the record of a revision made, once however often it is asked for meanwhile."""
    services.queue.enqueue(
        uow,
        RECORD_JOB,
        {"repo_id": repo_id, "commit_oid": commit_oid},
        key=f"{RECORD_JOB}:{repo_id}:{commit_oid}",
        priority=_PRIORITY,
    )


def note_record_subject_changed(services: Services, uow: UnitOfWork, repo_id: RepoId) -> None:
    """A repo has another name, or others see it: its own records say so, and those that name it.

    Where not everybody may see it any more, what was said of it elsewhere goes at this very moment.
    """
    repo = find_repo_by_id(uow, repo_id)
    naming = records_naming(uow, repo_id, _MAX_AFFECTED)
    if repo is None or repo.private or repo.disabled:
        erase_records_naming(uow, repo_id)
    own = [(repo_id, commit) for commit in revisions_with_record(uow, repo_id)]
    for other, commit in [*own[-_MAX_AFFECTED:], *naming]:
        enqueue_record(services, uow, other, commit)


def note_record_subject_gone(services: Services, uow: UnitOfWork, repo_id: RepoId) -> None:
    """A repo is deleted: no record names it any more."""
    naming = records_naming(uow, repo_id, _MAX_AFFECTED)
    erase_records_naming(uow, repo_id)
    for other, commit in naming:
        if other != repo_id:
            enqueue_record(services, uow, other, commit)
