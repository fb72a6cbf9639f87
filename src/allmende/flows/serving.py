"""Whether bytes may be given to somebody: the one place that every door asks.

Blocked and quarantined files are given to nobody by accident: only to those who may write their repo and to
the hub's auditors, and to them only if they ask for it expressly. Files with secrets in them are for those
who may write the repo. What was not examined yet is given with a warning, or in strict mode later.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from allmende.errors import Forbidden, Unavailable
from allmende.facts import ContentKey, examined_value
from allmende.flows.file_verdicts import FileVerdict, content_verdict, file_verdict, known_rule
from allmende.flows.scan_policy import is_auditor
from allmende.flows.services import Services
from allmende.formats import JsonValue
from allmende.ids import GitOid, Sha256
from allmende.registry import Actor, Repo, first_names, is_borrowed
from allmende.scan import Status
from allmende.storage import UnitOfWork

__all__ = [
    "ALLOW_UNSAFE_HEADER",
    "ALLOW_UNSAFE_PARAMETER",
    "Door",
    "FileBlocked",
    "FileHoldsSecret",
    "FileQuarantined",
    "FileUnexamined",
    "Passed",
    "repository_rules",
]

ALLOW_UNSAFE_HEADER = "X-Allmende-Allow-Unsafe"
ALLOW_UNSAFE_PARAMETER = "allow_unsafe"

_HOW_TO_ASK = (
    f"You may have it all the same: add ?{ALLOW_UNSAFE_PARAMETER}=true to the address, or send the header "
    f"{ALLOW_UNSAFE_HEADER}: 1."
)
_WITHOUT_IT = (
    "The other files of the repo can be downloaded without it: name them, or leave it out by ignore_patterns."
)
_MAX_PATH_CHARS = 120
_UNEXAMINED = "unexamined; This revision has not been examined yet."


class FileBlocked(Forbidden):
    """The scan found that the file harms whoever loads it."""

    code = "file_blocked"


class FileQuarantined(Forbidden):
    """The scan could not find out what the file does."""

    code = "file_quarantined"


class FileHoldsSecret(Forbidden):
    """There is a secret in the file that its owner surely did not want to publish."""

    code = "file_holds_secret"


class FileUnexamined(Unavailable):
    """The hub gives nothing that it has not examined, and will have done so soon."""

    code = "file_unexamined"

    def __init__(self, named: str) -> None:
        """`named` is the path as people read it."""
        super().__init__(
            f"{named} has not been examined yet; this hub gives out what it has examined.",
            hint="Try again in a little while.",
        )


@dataclass(frozen=True, slots=True)
class Passed:
    """A file that may be given; `warning` is what to say with it, as `topic; words`."""

    warning: str | None
    is_stopped: bool
    """It is given only because it was asked for expressly: by no other way than this."""


@dataclass(frozen=True, slots=True)
class Door:
    """Somebody at a repo's files, with or without the express wish to have unsafe ones."""

    services: Services
    actor: Actor
    repo: Repo
    unsafe: bool = False

    @property
    def may_write(self) -> bool:
        """Whether they are of those who may write the repo, whatever token they use to read."""
        repo = self.repo
        sees = self.actor.may_see(repo.namespace_id, repo.type, repo.full_name)
        return sees and self.actor.role_in(repo.namespace_id) in ("admin", "write")

    @property
    def may_have_unsafe(self) -> bool:
        """Whether they may have files that are stopped, if they ask for it and the files are theirs."""
        return self.may_write or is_auditor(self.services.settings, self.actor)

    def check_file(self, uow: UnitOfWork, commit_oid: GitOid, path: str, key: ContentKey) -> Passed:
        """Let a file of a revision pass.

        Raises FileBlocked, FileQuarantined, FileHoldsSecret, and in strict mode FileUnexamined.
        """
        examined = examined_value(uow, self.repo.id, commit_oid)
        also = repository_rules(examined).get(path)
        verdict = file_verdict(self.services, uow, self.repo.id, path, key, also)
        self._check(uow, verdict, path)
        if examined is None or verdict.status is None:
            self._await_examination(path)
            if not verdict.is_stopped:
                return Passed(_UNEXAMINED, is_stopped=False)
        return Passed(_warning(verdict, path), verdict.is_stopped)

    def check_content(self, uow: UnitOfWork, sha256: Sha256) -> None:
        """Let a content pass that is asked for by its hash. Raises what `check_file` raises."""
        verdict = content_verdict(self.services, uow, self.repo.id, sha256)
        if verdict.status is None or verdict.is_stopped or verdict.holds_secret:
            path = first_names(uow, self.repo.id, [sha256]).get(sha256, sha256)
            self._check(uow, verdict, path)
            if verdict.status is None:
                self._await_examination(path)

    def shows(self, uow: UnitOfWork, verdict: FileVerdict) -> bool:
        """Whether a file with this verdict would pass."""
        return self._objection(uow, verdict, "") is None

    def may_have(self, uow: UnitOfWork, verdict: FileVerdict) -> bool:
        """Whether they may have a file although the scan stopped it, if they ask for it expressly."""
        return is_auditor(self.services.settings, self.actor) or self._owns(uow, verdict)

    def _owns(self, uow: UnitOfWork, verdict: FileVerdict) -> bool:
        """Whether it is theirs: to copy what one may read into a repo of one's own does not make it so."""
        if not self.may_write:
            return False
        key = verdict.key
        return key is None or not is_borrowed(uow, self.repo.id, key, self.actor.account_id)

    def _await_examination(self, path: str) -> None:
        if self.services.settings.strict_serving and not (self.unsafe and self.may_have_unsafe):
            raise FileUnexamined(_named(path))

    def _check(self, uow: UnitOfWork, verdict: FileVerdict, path: str) -> None:
        objection = self._objection(uow, verdict, path)
        if objection is not None:
            raise objection

    def _objection(self, uow: UnitOfWork, verdict: FileVerdict, path: str) -> Forbidden | None:
        held_back = verdict.holds_secret and self.services.settings.hold_back_secrets
        if not verdict.is_stopped and not held_back:
            return None
        may_have = self.may_have(uow, verdict)
        if verdict.is_stopped:
            return None if self.unsafe and may_have else _stop(verdict, path, may_have=may_have)
        if self._owns(uow, verdict) or (self.unsafe and may_have):
            return None
        return FileHoldsSecret(
            f"{_named(path)} is held back from public view, because there is a secret in it "
            f"({_secret_rule(verdict)}). {_WITHOUT_IT}"
        )


def _stop(verdict: FileVerdict, path: str, *, may_have: bool) -> Forbidden:
    hint = _HOW_TO_ASK if may_have else _WITHOUT_IT
    if verdict.status is Status.BLOCKED:
        return FileBlocked(f"{_named(path)} is blocked by the scan: {_reason(verdict)}. {hint}")
    return FileQuarantined(f"{_named(path)} is quarantined by the scan: {_reason(verdict)}. {hint}")


def repository_rules(examined: JsonValue) -> Mapping[str, Mapping[str, str]]:
    """What a repo as a whole breaks at which of its paths, from the value of the fact `examined`."""
    listed = examined.get("repository") if isinstance(examined, dict) else None
    found: dict[str, Mapping[str, str]] = {}
    for path, rules in listed.items() if isinstance(listed, dict) else ():
        if isinstance(rules, dict):
            found[path] = {rule: str(severity) for rule, severity in rules.items()}
    return found


def _warning(verdict: FileVerdict, path: str) -> str | None:
    if verdict.is_stopped:
        return f"unsafe; {_named(path)} is {verdict.word} by the scan: {_reason(verdict)}."
    if verdict.holds_secret:
        return f"secret; There is a secret in {_named(path)} ({_secret_rule(verdict)})."
    if verdict.status is Status.WARNED:
        return f"scan; {_named(path)}: {_reason(verdict)}."
    return None


def _named(path: str) -> str:
    """The path as a header has room for it."""
    return repr(path if len(path) <= _MAX_PATH_CHARS else f"…{path[-_MAX_PATH_CHARS:]}")


def _reason(verdict: FileVerdict) -> str:
    if not verdict.rules:
        return "no reason is kept"
    first = verdict.rules[0]
    return f"{known_rule(first, 'info').title} ({first})"


def _secret_rule(verdict: FileVerdict) -> str:
    return next(rule for rule in verdict.rules if rule.startswith("secret-"))
