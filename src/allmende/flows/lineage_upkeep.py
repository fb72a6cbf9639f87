"""Keeping lineage true when repos change: seen by others, renamed, deleted; and measuring all anew.

A repo that is seen by fewer people must not be named any more at that very moment: its name leaves the tags
of others in the same transaction. What was measured with it is measured again behind that.
"""

import logging
from collections.abc import Iterable

from allmende.errors import NotFound
from allmende.facts import (
    ContentKey,
    advance_lineage_run,
    begin_lineage_run,
    children_of,
    find_lineage_run,
    finish_lineage_run,
    forget_weights,
    forget_weights_of_repo,
    holders_in,
    last_lineage_run,
    release_weights,
    weights_of,
)
from allmende.flows.examine import examine_revision
from allmende.flows.kin_search import LINEAGE_TOOL_VERSION
from allmende.flows.lineage_candidates import neighbours_of
from allmende.flows.lineage_tracing import enqueue_retraces, enqueue_trace
from allmende.flows.record_queue import note_record_subject_changed
from allmende.flows.services import Services
from allmende.git import owns
from allmende.ids import RepoId, WeightsId
from allmende.jobs import JobContext
from allmende.registry import Repo, find_repo_by_id, forget_measured_base, list_refs, next_repo_id
from allmende.storage import UnitOfWork

__all__ = [
    "forget_lineage_of_contents",
    "forget_lineage_of_repo",
    "note_repo_changed",
    "notice_new_lineage",
    "relineage",
    "start_relineage",
]

_log = logging.getLogger(__name__)

_PRIORITY = -10
_MAX_AFFECTED = 1000


def note_repo_changed(services: Services, uow: UnitOfWork, before: Repo) -> None:
    """Others see the repo than `before`, or it has another name: part of the transaction that changes it."""
    note_record_subject_changed(services, uow, before.id)
    if before.type != "model":
        return
    forget_measured_base(uow, before.full_name)
    held = list(dict.fromkeys(found.weights_id for found in holders_in(uow, before.id)))
    for weights_id in held[:_MAX_AFFECTED]:
        enqueue_trace(services, uow, weights_id)
    enqueue_retraces(services, uow, sorted(children_of(uow, held, _MAX_AFFECTED)))


def forget_lineage_of_repo(services: Services, uow: UnitOfWork, repo: Repo) -> None:
    """The repo is deleted: part of that transaction, before its rows go."""
    if repo.type != "model":
        return
    forget_measured_base(uow, repo.full_name)
    held = [found.weights_id for found in holders_in(uow, repo.id)]
    affected = _affected(services, uow, held)
    forget_weights_of_repo(uow, repo.id)
    enqueue_retraces(services, uow, affected)


def forget_lineage_of_contents(
    services: Services, uow: UnitOfWork, repo: Repo, keys: Iterable[ContentKey]
) -> None:
    """Contents were taken out of a repo for good, and with them the weights that they were part of."""
    doomed = set(keys)
    # Where history was rewritten, the repo has some of the revisions no more.
    gone = [
        found
        for found in holders_in(uow, repo.id)
        if doomed & {file.key for file in found.files} or not owns(uow, repo.id, found.commit_oid)
    ]
    if not gone:
        return
    forget_measured_base(uow, repo.full_name)
    held = [found.weights_id for found in gone]
    affected = _affected(services, uow, held)
    for found in gone:
        release_weights(uow, repo.id, found.commit_oid)
    forget_weights(uow, held)
    enqueue_retraces(services, uow, affected)


def _affected(services: Services, uow: UnitOfWork, held: Iterable[WeightsId]) -> list[WeightsId]:
    """Whose lineage may change when these go from a repo: their own too, since other repos may have them."""
    distinct = list(dict.fromkeys(held))
    found = dict.fromkeys(distinct)
    for weights in weights_of(uow, distinct[:_MAX_AFFECTED]).values():
        found |= dict.fromkeys(neighbours_of(services, uow, weights))
        if len(found) > _MAX_AFFECTED:
            break
    found |= dict.fromkeys(sorted(children_of(uow, distinct, _MAX_AFFECTED)))
    return list(found)


# --- measuring everything ----------------------------------------------------------------------------------


def notice_new_lineage(services: Services) -> bool:
    """At a start: have everything measured if another version of the tool did it last, or none."""
    with services.database.write() as uow:
        last = last_lineage_run(uow)
        if last is not None and last.tool_version == LINEAGE_TOOL_VERSION:
            return False
        _begin(services, uow)
        return True


def start_relineage(services: Services) -> int:
    """Have everything measured; returns the number of the run."""
    with services.database.write() as uow:
        return _begin(services, uow)


def relineage(services: Services, context: JobContext) -> None:
    """The job of that name: look at the next repo of a run, and put the one after it into the queue.

    A run that a newer one replaced ends. Raises JobInterrupted when the job should stop.
    """
    run_id = int(context.payload["run_id"])
    with services.database.read() as uow:
        run, last = find_lineage_run(uow, run_id), last_lineage_run(uow)
        if run is None or run.finished_at is not None:
            return
        replaced = last is not None and last.id != run_id
        repo_id = None if replaced else next_repo_id(uow, run.last_repo_id)
    if repo_id is None:
        with services.database.write() as uow:
            finish_lineage_run(uow, run_id)
        return
    _look_at(services, context, repo_id)
    with services.database.write() as uow:
        advance_lineage_run(uow, run_id, repo_id)
        _enqueue(services, uow, run_id)


def _begin(services: Services, uow: UnitOfWork) -> int:
    run_id = begin_lineage_run(uow, LINEAGE_TOOL_VERSION)
    if next_repo_id(uow, RepoId(0)) is None:
        finish_lineage_run(uow, run_id)
    else:
        _enqueue(services, uow, run_id)
    return run_id


def _enqueue(services: Services, uow: UnitOfWork, run_id: int) -> None:
    services.queue.enqueue(
        uow, "relineage", {"run_id": run_id}, key=f"relineage:{run_id}", priority=_PRIORITY
    )


def _look_at(services: Services, context: JobContext, repo_id: RepoId) -> None:
    """Examine the revisions of a model that refs lead to; what older ones hold is traced as it is."""
    with services.database.read() as uow:
        repo = find_repo_by_id(uow, repo_id)
        commits = sorted({ref.commit_oid for ref in list_refs(uow, repo_id)})
        held = {found.weights_id for found in holders_in(uow, repo_id)}
    if repo is None or repo.type != "model":
        return
    for commit_oid in commits:
        context.checkpoint()
        try:
            examine_revision(services, context, repo_id, commit_oid)
        except NotFound as error:
            _log.warning("revision %s of repo %s was not measured again: %s", commit_oid, repo_id, error)
    with services.database.write() as uow:
        for weights_id in sorted(held):
            enqueue_trace(services, uow, weights_id)
