"""Watching a log for repos: every entry about them, each checked to be in the log, in its order.

An entry names its repo only by a subject, an HMAC over the repo's id under its salt. The hub tells it of
a public repo to everyone, and of a private one to its readers. A watcher asks once, and after that needs
nothing from the hub but the log itself, or a mirror of it: an entry that the hub would rather not show is
there all the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from allmende.client.connection import Connection
from allmende.client.errors import LogForked, UnexpectedAnswer
from allmende.client.log_sources import LogSource, read_statement_file
from allmende.errors import BadRequest
from allmende.ids import RepoType
from allmende.merkle import (
    MAX_NOTE_BYTES,
    Checkpoint,
    Equivocation,
    Note,
    Policy,
    ProofRefused,
    TiledLog,
    find_equivocation,
    read_checkpoint,
    read_note,
)
from allmende.proof import PRIVATE, LogEntry, LoggedAct, MalformedEntry, read_entry

__all__ = ["LogWatch", "SeenEntry", "find_subjects"]

_MAX_REPOS = 10_000
_TYPES: tuple[RepoType, ...] = ("model", "dataset", "space")


@dataclass(frozen=True, slots=True)
class SeenEntry:
    """An entry about a repo that is watched. `act` is there where its statement could be had."""

    index: int
    repo: str
    entry: LogEntry
    act: LoggedAct | None = field(default=None, repr=False)


class LogWatch:
    """Goes through a log, from one checkpoint to the next, each of which has to contain the one before."""

    def __init__(self, source: LogSource, policy: Policy) -> None:
        self._source = source
        self._policy = policy
        self._last: Note | None = None
        self.evidence: Equivocation | None = None

    def entries(self, subjects: Mapping[str, str], since: int) -> Iterator[SeenEntry]:
        """The entries from an index on that are about these subjects (each with a name for it).

        Raises SignatureRefused, QuorumMissed, TileRefused, and LogForked when the log contradicts what it
        signed before; `evidence` then shows it.
        """
        note = read_note(self._source.fetch("checkpoint", MAX_NOTE_BYTES))
        tree = self._policy.check(note).checkpoint
        if self._last is not None and tree.size < read_checkpoint(self._last.text).size:
            return
        log = TiledLog(self._source.fetch, tree)
        self._check_extends(log, note)
        for index, data in enumerate(log.entries(min(since, tree.size), tree.size), start=since):
            found = _read(data)
            if found is not None and found.subject is not None and found.subject in subjects:
                yield SeenEntry(index, subjects[found.subject], found, self._act(index, found, data, tree))

    @property
    def size(self) -> int:
        """How many entries the log had when it was last looked at."""
        return 0 if self._last is None else read_checkpoint(self._last.text).size

    def _check_extends(self, log: TiledLog, note: Note) -> None:
        if self._last is not None:
            try:
                log.check_extends(read_checkpoint(self._last.text))
            except ProofRefused as error:
                self.evidence = find_equivocation(self._last, note, log.tree)
                raise LogForked("The log has signed two histories that do not agree.") from error
        self._last = note

    def _act(self, index: int, entry: LogEntry, data: bytes, tree: Checkpoint) -> LoggedAct | None:
        served = None if entry.kind == PRIVATE else self._source.statement(index)
        return None if served is None else read_statement_file(served, index, data, tree.origin)


def find_subjects(hub: Connection, whom: str) -> dict[str, str]:
    """The subjects of a repo (`namespace/name`, `datasets/namespace/name`), or of all repos of a namespace.

    By subject, with the repo's type and name. Raises NotFound, UnexpectedAnswer.
    """
    parts = whom.split("/")
    if len(parts) == 1:
        found: list[tuple[str, str]] = [(kind, name) for kind in _TYPES for name in _names(hub, kind, whom)]
    elif len(parts) == 2:
        found = [("model", whom)]
    elif len(parts) == 3 and parts[0] in {"models", "datasets", "spaces"}:
        found = [(parts[0][:-1], "/".join(parts[1:]))]
    else:
        raise BadRequest(f"{whom} is neither a namespace nor a repo.", hint="Such as lab or lab/base")
    return {_subject(hub, kind, name): f"{kind} {name}" for kind, name in found}


def _names(hub: Connection, kind: RepoType, namespace: str) -> list[str]:
    listed, _ = hub.json("GET", f"/api/{kind}s?author={quote(namespace, safe='')}&limit={_MAX_REPOS}")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise UnexpectedAnswer("The hub's list of repos cannot be read.")
    return [str(one.get("id")) for one in listed]


def _subject(hub: Connection, kind: str, name: str) -> str:
    answer, _ = hub.json("GET", f"/api/allmende/v1/{kind}s/{name}/log-subject")
    subject = answer.get("subject") if isinstance(answer, dict) else None
    if not isinstance(subject, str):
        raise UnexpectedAnswer(f"The hub does not say the subject of {name}.")
    return subject


def _read(data: bytes) -> LogEntry | None:
    try:
        return read_entry(data)
    except MalformedEntry:
        return None
