"""What is known of a file when it is asked for: rules that it breaks, the policy, what a repo had lifted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from allmende.facts import ContentKey, content_fact_value, content_facts
from allmende.flows.file_scanning import VERDICT_FACTS, verdict_fact, verdict_fact_of_hint
from allmende.flows.services import Services
from allmende.formats import JsonValue
from allmende.ids import RepoId, Sha256
from allmende.registry import FileEntry, Lifted, first_names, held_contents, hints_of, lifted_rules
from allmende.scan import RULES, Finding, Policy, Rule, Severity, Status, name_hint, worst
from allmende.storage import UnitOfWork

__all__ = [
    "UNEXAMINED",
    "FileVerdict",
    "content_verdict",
    "entry_verdicts",
    "file_verdict",
    "file_verdicts",
    "judged",
    "known_rule",
]

UNEXAMINED = "unexamined"
SECRET_PREFIX = "secret-"  # noqa: S105  # what the ids of rules about secrets begin with

_STOPPING = (Status.QUARANTINED, Status.BLOCKED)
_NOTHING_LIFTED = Lifted()

Broken = Mapping[str, str]
"""Rules that are broken, and the word of each one's severity."""


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What the hub thinks of bytes under a name, in one repo.

    `status` is None as long as they were not scanned. `rules` are those that stand and are acted upon, worst
    first, `blocking` those among them that block; `lifted` are those that an override speaks of.
    """

    status: Status | None
    rules: tuple[str, ...] = ()
    blocking: frozenset[str] = frozenset()
    lifted: tuple[str, ...] = ()
    holds_secret: bool = False
    key: ContentKey | None = None
    """The name of the bytes."""

    @property
    def word(self) -> str:
        """The status for programs."""
        return UNEXAMINED if self.status is None else self.status.word

    @property
    def is_stopped(self) -> bool:
        """Whether the file is given to nobody who does not ask for it expressly."""
        return self.status in _STOPPING


def known_rule(rule_id: str, severity: str) -> Rule:
    """The rule of this id; one that newer rule sets do not have is known by its severity alone."""
    return RULES.get(rule_id) or _former_rule(rule_id, severity)


def judged(
    policy: Policy, broken: Broken, lifted: Lifted = _NOTHING_LIFTED, *, unread: bool = False
) -> FileVerdict:
    """The verdict that follows from broken rules."""
    standing: list[tuple[Status, str]] = []
    for rule_id, severity in broken.items():
        status = policy.status([Finding(known_rule(rule_id, severity))])
        if rule_id in lifted.by_auditors:
            continue
        if rule_id in lifted.by_owners:
            if status not in _STOPPING:
                continue
            status = Status.WARNED
        if status is not Status.CLEAN:
            standing.append((status, rule_id))
    standing.sort(key=lambda item: (-item[0], item[1]))
    of_unread = Status.NOT_SCANNED if unread else Status.CLEAN
    return FileVerdict(
        worst([of_unread, *(status for status, _rule in standing)]),
        tuple(rule_id for _status, rule_id in standing),
        frozenset(rule_id for status, rule_id in standing if status is Status.BLOCKED),
        tuple(sorted((lifted.by_auditors | lifted.by_owners) & broken.keys())),
        any(rule.startswith(SECRET_PREFIX) and status >= Status.WARNED for status, rule in standing),
    )


def file_verdict(
    services: Services,
    uow: UnitOfWork,
    repo_id: RepoId,
    path: str,
    key: ContentKey,
    also: Broken | None = None,
) -> FileVerdict:
    """The verdict on one file: one look-up by primary key where nothing is wrong with it.

    `also` is what its repo breaks at this path. What was not scanned under this name yet is stopped by what
    is known of the same bytes under any other.
    """
    found = content_fact_value(uow, key, verdict_fact(path))
    return _combined(services, uow, repo_id, key, [] if found is None else [found], also or {})


def content_verdict(services: Services, uow: UnitOfWork, repo_id: RepoId, sha256: Sha256) -> FileVerdict:
    """The verdict on a content that is asked for by its hash: the worst of all its names in the repo."""
    hints = hints_of(uow, repo_id, sha256)
    hints.update(name_hint(name) for name in first_names(uow, repo_id, [sha256]).values())
    names = [verdict_fact_of_hint(hint) for hint in hints]
    facts = content_facts(uow, [sha256], names).get(sha256, {}) if names else {}
    return _combined(services, uow, repo_id, sha256, [fact.value for fact in facts.values()], {})


def file_verdicts(
    services: Services,
    uow: UnitOfWork,
    repo_id: RepoId,
    files: Iterable[tuple[str, ContentKey]],
    also: Mapping[str, Broken] | None = None,
) -> dict[str, FileVerdict]:
    """The same of many files, by path, in few queries."""
    wanted = dict(files)
    if not wanted:
        return {}
    facts = content_facts(uow, wanted.values(), {verdict_fact(path) for path in wanted})
    unscanned = {key for path, key in wanted.items() if verdict_fact(path) not in facts.get(key, {})}
    elsewhere = content_facts(uow, unscanned, VERDICT_FACTS) if unscanned else {}
    lifted = lifted_rules(uow, repo_id)
    found: dict[str, FileVerdict] = {}
    for path, key in wanted.items():
        fact = facts.get(key, {}).get(verdict_fact(path))
        known = [fact] if fact is not None else list(elsewhere.get(key, {}).values())
        broken, unread = _broken([each.value for each in known])
        broken = {**(also or {}).get(path, {}), **broken}
        verdict = judged(services.policy, broken, lifted.get(key, _NOTHING_LIFTED), unread=unread)
        counts = fact is not None or _stops(verdict)
        found[path] = replace(verdict if counts else FileVerdict(None), key=key)
    return found


def entry_verdicts(
    services: Services,
    uow: UnitOfWork,
    repo_id: RepoId,
    entries: Iterable[FileEntry],
    also: Mapping[str, Broken] | None = None,
) -> dict[str, FileVerdict]:
    """The same of entries of a revision. Those whose bytes the repo does not hold are left out.

    A pointer alone opens nothing: what the hub knows of bytes that the repo does not hold stays unsaid.
    """
    listed = [entry for entry in entries if not entry.is_directory]
    held = held_contents(uow, repo_id, (entry.pointer.oid for entry in listed if entry.pointer is not None))
    files: list[tuple[str, ContentKey]] = []
    for entry in listed:
        if entry.pointer is None:
            files.append((entry.path, entry.oid))
        elif entry.pointer.oid in held:
            files.append((entry.path, entry.pointer.oid))
    return file_verdicts(services, uow, repo_id, files, also)


def _combined(
    services: Services,
    uow: UnitOfWork,
    repo_id: RepoId,
    key: ContentKey,
    found: Sequence[JsonValue],
    also: Broken,
) -> FileVerdict:
    scanned = bool(found)
    if not scanned:
        found = [fact.value for fact in content_facts(uow, [key], VERDICT_FACTS).get(key, {}).values()]
    broken, unread = _broken(found)
    verdict = judged(services.policy, {**also, **broken}, unread=unread)
    if verdict.rules:
        lifted = lifted_rules(uow, repo_id).get(key)
        if lifted:
            verdict = judged(services.policy, {**also, **broken}, lifted, unread=unread)
    return replace(verdict if scanned or _stops(verdict) else FileVerdict(None), key=key)


def _stops(verdict: FileVerdict) -> bool:
    """What is known of bytes under another name counts where it keeps them from somebody, and only there."""
    return verdict.is_stopped or verdict.holds_secret


def _broken(values: Iterable[JsonValue]) -> tuple[Broken, bool]:
    """The broken rules that these verdicts name, and whether anything in the bytes was left unread."""
    broken: dict[str, str] = {}
    unread = False
    for found in values:
        value = found if isinstance(found, dict) else {}
        rules = value.get("rules")
        for rule_id, severity in rules.items() if isinstance(rules, dict) else ():
            broken[rule_id] = str(severity)
        unread = unread or value.get("unread") is True
    return broken, unread


@lru_cache(maxsize=256)
def _former_rule(rule_id: str, severity: str) -> Rule:
    return Rule(rule_id, Severity[severity.upper()], rule_id, "", "", "")
