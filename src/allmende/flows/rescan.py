"""Scanning everything again when the rules or the policy are new: the job `rescan`, and the report it leaves.

One job looks at one repo and puts the next one into the queue, so that new revisions never wait for long and
a crash costs at most one repo. What is looked at: every revision that a ref leads to, and every other content
that the repo holds. Bytes that were scanned by the same rules already are not read again.
"""

import logging
from dataclasses import dataclass

from allmende.errors import NotFound
from allmende.facts import (
    Cause,
    ContentKey,
    Fact,
    ScanChange,
    ScanRun,
    advance_scan_run,
    begin_scan_run,
    content_facts,
    find_scan_run,
    finish_scan_run,
    last_scan_run,
)
from allmende.flows.content_examination import HeldFile
from allmende.flows.examine import examine_revision
from allmende.flows.file_scanning import SCAN_TOOL, scan_files, verdict_fact
from allmende.flows.file_verdicts import UNEXAMINED, judged
from allmende.flows.scan_policy import policy_digest
from allmende.flows.services import Services
from allmende.formats import JsonValue, Pointer
from allmende.ids import GitOid, RepoId, Sha256
from allmende.jobs import JobContext
from allmende.registry import FileEntry, find_repo_by_id, held_contents, list_held, list_refs, next_repo_id
from allmende.scan import RULE_SET, Status
from allmende.storage import UnitOfWork

__all__ = ["notice_new_rules", "rescan", "start_rescan"]

_log = logging.getLogger(__name__)

_PRIORITY = -10
_PAGE = 500
_FILE_MODE = 0o100644
_WORTH_TELLING = frozenset({Status.WARNED.word, Status.QUARANTINED.word, Status.BLOCKED.word})


@dataclass(frozen=True, slots=True)
class _Place:
    """A name under which a repo has some bytes."""

    path: str
    key: ContentKey


def notice_new_rules(services: Services) -> bool:
    """At a start: put a scan of everything into the queue if the rules or the policy are new to this hub."""
    digest = policy_digest(services.policy)
    with services.database.write() as uow:
        last = last_scan_run(uow)
        if last is not None and (last.rule_set, last.policy) == (RULE_SET, digest):
            return False
        _begin(services, uow, "start")
        return True


def start_rescan(services: Services) -> int:
    """Put a scan of everything into the queue; returns the number of the run."""
    with services.database.write() as uow:
        return _begin(services, uow, "asked")


def rescan(services: Services, context: JobContext) -> None:
    """Look at the next repo of a run, and put the one after it into the queue.

    A run that a newer one replaced ends. Raises JobInterrupted when the job should stop.
    """
    run_id = int(context.payload["run_id"])
    with services.database.read() as uow:
        run, last = find_scan_run(uow, run_id), last_scan_run(uow)
        if run is None or run.finished_at is not None:
            return
        replaced = last is not None and last.id != run_id
        repo_id = None if replaced else next_repo_id(uow, run.last_repo_id)
    if repo_id is None:
        with services.database.write() as uow:
            finish_scan_run(uow, run_id)
        _log.info("scan %s of everything is done: %s files, %s changed", run_id, run.files, run.changed)
        return
    places = _look_at(services, context, repo_id)
    with services.database.read() as uow:
        changes = _changes(services, uow, run, repo_id, places)
    with services.database.write() as uow:
        advance_scan_run(uow, run_id, repo_id, len(places), changes)
        _enqueue(services, uow, run_id)


def _begin(services: Services, uow: UnitOfWork, cause: Cause) -> int:
    run_id = begin_scan_run(uow, RULE_SET, policy_digest(services.policy), cause)
    if next_repo_id(uow, RepoId(0)) is None:
        finish_scan_run(uow, run_id)
    else:
        _enqueue(services, uow, run_id)
    return run_id


def _enqueue(services: Services, uow: UnitOfWork, run_id: int) -> None:
    services.queue.enqueue(uow, "rescan", {"run_id": run_id}, key=f"rescan:{run_id}", priority=_PRIORITY)


def _look_at(services: Services, context: JobContext, repo_id: RepoId) -> list[_Place]:
    """Scan what a repo has; returns what was looked at. Lost bytes are the business of `fsck`."""
    with services.database.read() as uow:
        commits = sorted({ref.commit_oid for ref in list_refs(uow, repo_id)})
    places: dict[_Place, None] = {}
    for commit_oid in commits:
        context.checkpoint()
        try:
            files = examine_revision(services, context, repo_id, commit_oid)
        except NotFound as error:
            _log.warning("revision %s of repo %s was not scanned again: %s", commit_oid, repo_id, error)
            continue
        places.update((_Place(file.entry.path, file.key), None) for file in files)
    places.update((place, None) for place in _scan_older(services, context, repo_id))
    return list(places)


def _scan_older(services: Services, context: JobContext, repo_id: RepoId) -> list[_Place]:
    """Scan the contents that only revisions have to which no ref leads directly."""
    after: Sha256 | None = None
    places: list[_Place] = []
    while True:
        with services.database.read() as uow:
            if find_repo_by_id(uow, repo_id) is None:
                return places
            held = list_held(uow, repo_id, after, _PAGE)
            contents = held_contents(uow, repo_id, (found.sha256 for found in held))
        files = [
            HeldFile(_entry(found.filename, found.sha256, found.size_bytes), contents[found.sha256])
            for found in held
            if found.sha256 in contents
        ]
        try:
            scan_files(services, context, repo_id, files)
        except NotFound as error:
            _log.warning("contents of repo %s were not scanned again: %s", repo_id, error)
        places += [_Place(file.entry.path, file.key) for file in files]
        if len(held) < _PAGE:
            return places
        after = held[-1].sha256


def _entry(path: str, sha256: Sha256, size_bytes: int) -> FileEntry:
    """A content as if it lay in a tree under the name by which it came."""
    return FileEntry(path, _FILE_MODE, GitOid(""), size_bytes, Pointer(sha256, size_bytes), 0)


def _changes(
    services: Services, uow: UnitOfWork, run: ScanRun, repo_id: RepoId, places: list[_Place]
) -> list[ScanChange]:
    """What is judged otherwise than before this run. A file's first verdict is told where it matters."""
    facts = content_facts(
        uow, (place.key for place in places), {verdict_fact(place.path) for place in places}
    )
    found: list[ScanChange] = []
    for place in places:
        fact = facts.get(place.key, {}).get(verdict_fact(place.path))
        if fact is None or fact.tool != SCAN_TOOL or fact.at < run.started_at:
            continue
        change = _change(services, repo_id, place.path, fact)
        if change is not None:
            found.append(change)
    return found


def _change(services: Services, repo_id: RepoId, path: str, fact: Fact) -> ScanChange | None:
    value = fact.value if isinstance(fact.value, dict) else {}
    former = value.get("former")
    after, rules_after = _judged(services, value)
    before, rules_before = (UNEXAMINED, frozenset()) if former is None else _judged(services, former)
    differs = before != after and (former is not None or after in _WORTH_TELLING)
    if not differs:
        return None
    return ScanChange(repo_id, path, before, after, tuple(sorted(rules_after ^ rules_before)))


def _judged(services: Services, value: JsonValue) -> tuple[str, frozenset[str]]:
    listed = value.get("rules") if isinstance(value, dict) else None
    broken = {rule: str(severity) for rule, severity in (listed if isinstance(listed, dict) else {}).items()}
    unread = isinstance(value, dict) and value.get("unread") is True
    verdict = judged(services.policy, broken, unread=unread)
    return verdict.word, frozenset(verdict.rules)
