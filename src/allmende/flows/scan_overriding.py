"""Lifting a verdict of the scan for one repo: who may, and what it means.

Whoever may write a repo lifts warnings, quarantine and what is held back for a secret; a file that was
quarantined is then given out and still warned of. What is blocked is lifted by the hub's auditors and its
administrator alone: a publisher must not be able to declare their own attack harmless. So is what came from
another repo by copying: what its owners keep back is not for others to show. Everything needs a
reason, is on record, and holds for the rules that were known then.
"""

from dataclasses import dataclass

from allmende.errors import BadRequest, Conflict, Forbidden
from allmende.facts import ContentKey, examined_value
from allmende.flows.file_verdicts import FileVerdict, content_verdict, file_verdict
from allmende.flows.scan_policy import is_auditor
from allmende.flows.services import Services
from allmende.flows.serving import repository_rules
from allmende.ids import RepoId, Sha256
from allmende.registry import (
    AccessDenied,
    Actor,
    EntryNotFound,
    Repo,
    Revision,
    ScanOverride,
    add_override,
    enqueue_examination,
    file_at,
    find_override,
    first_names,
    held_content,
    is_borrowed,
    list_refs,
    revoke_override,
)
from allmende.storage import UnitOfWork

__all__ = [
    "Judge",
    "NeedsAuditor",
    "NothingToLift",
    "Subject",
    "end_override",
    "lift_verdict",
    "subject_at",
    "subject_of",
]

_MAX_REASON_CHARS = 2000
_MAX_REVISIONS = 100


class NothingToLift(Conflict):
    """No such rule stands against the file."""

    code = "nothing_to_lift"


class NeedsAuditor(Forbidden):
    """What blocks a file is lifted by auditors alone."""

    code = "needs_auditor"


@dataclass(frozen=True, slots=True)
class Judge:
    """Who decides: somebody with a token, or (without an actor) the operator at the command line."""

    name: str
    actor: Actor | None = None

    def is_auditor(self, services: Services) -> bool:
        """Whether they decide for the hub and not for a repo."""
        return self.actor is None or is_auditor(services.settings, self.actor)

    def require(self, services: Services, repo: Repo, *, blocked: bool) -> None:
        """Raises SignInRequired, AccessDenied, NeedsAuditor."""
        if self.actor is None:
            return
        self.actor.require_account()
        if self.is_auditor(services):
            if not self.actor.may_propose:
                raise AccessDenied("Your token may not change anything.", hint="Use one with the role write.")
            return
        self.actor.require_change(repo.namespace_id, repo.type, repo.full_name)
        if blocked:
            raise NeedsAuditor(
                "What blocks a file is lifted by an auditor of this hub, and not by those who publish it.",
                hint="Replace the file as the findings say, or ask the operator to look at it.",
            )


@dataclass(frozen=True, slots=True)
class Subject:
    """The bytes that a decision is about, and the verdict on them."""

    path: str
    key: ContentKey
    verdict: FileVerdict


def subject_at(services: Services, uow: UnitOfWork, repo: Repo, revision: Revision, path: str) -> Subject:
    """The file at a path. Raises EntryNotFound, also where the repo does not hold its bytes."""
    entry = file_at(uow, revision, path)
    key: ContentKey = entry.oid
    if entry.pointer is not None:
        if held_content(uow, repo.id, entry.pointer.oid) is None:
            raise EntryNotFound(commit_oid=revision.oid)
        key = entry.pointer.oid
    also = repository_rules(examined_value(uow, repo.id, revision.oid)).get(path)
    return Subject(path, key, file_verdict(services, uow, repo.id, path, key, also))


def subject_of(services: Services, uow: UnitOfWork, repo: Repo, sha256: Sha256) -> Subject:
    """The content of this SHA-256. Raises EntryNotFound where the repo does not hold it."""
    if held_content(uow, repo.id, sha256) is None:
        raise EntryNotFound
    path = first_names(uow, repo.id, [sha256])[sha256]
    return Subject(path, sha256, content_verdict(services, uow, repo.id, sha256))


def lift_verdict(
    services: Services,
    uow: UnitOfWork,
    judge: Judge,
    repo: Repo,
    subject: Subject,
    rule: str | None,
    reason: str,
) -> int:
    """Lift one rule, or all that stand against the file now; returns the number of the decision.

    Raises BadRequest without a reason, NothingToLift, and what `Judge.require` raises.
    """
    words = reason.strip()
    if not words or len(words) > _MAX_REASON_CHARS:
        raise BadRequest(
            f"A reason is needed, of at most {_MAX_REASON_CHARS} characters.",
            code="reason_missing",
            places={"most": _MAX_REASON_CHARS},
        )
    rules = [found for found in subject.verdict.rules if rule in (None, found)]
    blocked = not subject.verdict.blocking.isdisjoint(rules)
    foreign = judge.actor is not None and is_borrowed(uow, repo.id, subject.key, judge.actor.account_id)
    judge.require(services, repo, blocked=blocked or foreign)
    if not rules:
        raise NothingToLift("Nothing of that kind stands against this file.")
    number = add_override(
        uow,
        repo.id,
        subject.key,
        subject.path,
        rules,
        words,
        by_auditor=judge.is_auditor(services),
        actor_id=None if judge.actor is None else judge.actor.account_id,
        actor_name=judge.name,
    )
    _examine_anew(services, uow, repo.id)
    return number


def end_override(services: Services, uow: UnitOfWork, judge: Judge, repo: Repo, number: int) -> ScanOverride:
    """Take a decision back. Whoever may write the repo may, whoever made it; raises OverrideUnknown."""
    found = find_override(uow, repo.id, number)
    judge.require(services, repo, blocked=False)
    actor_id = None if judge.actor is None else judge.actor.account_id
    revoke_override(uow, found, actor_id=actor_id, actor_name=judge.name)
    _examine_anew(services, uow, repo.id)
    return found


def _examine_anew(services: Services, uow: UnitOfWork, repo_id: RepoId) -> None:
    """Have the facts of the repo's revisions say what holds now; nothing is scanned again for that."""
    commits = sorted({ref.commit_oid for ref in list_refs(uow, repo_id)})
    for commit_oid in commits[:_MAX_REVISIONS]:
        enqueue_examination(uow, services.queue, repo_id, commit_oid)
