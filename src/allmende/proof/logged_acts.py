"""What a hub says that it did, and what its log has of that: the statement, the salt and the entry.

The log is for ever, so it has no statement in it. An entry has a *commitment*, SHA-256 over 32 random bytes
and the statement; who is shown the statement and the salt sees that it is the one that was meant. When both
are erased, the entry stays and tells nothing any more. Entries about public repos say beside it what everyone
may know: the commit, the `dirHash` of its files, the digest of an envelope. Those about private repos have
the kind `private`, and of the time only the day.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from allmende.proof.canonical import JsonObject, JsonValue, read_canonical_json
from allmende.proof.errors import MalformedEntry, MalformedStatementOfAct, NotCanonical, Refused
from allmende.proof.strict import Fields

__all__ = [
    "MAX_ENTRY_BYTES",
    "MAX_STATEMENT_BYTES",
    "PRIVATE",
    "SALT_BYTES",
    "CommitmentRefused",
    "LogEntry",
    "LoggedAct",
    "open_act",
    "read_entry",
]

MAX_ENTRY_BYTES = 4096
MAX_STATEMENT_BYTES = 1024 * 1024
SALT_BYTES = 32

PRIVATE = "private"
"""The kind of an entry that says nothing but that something was done."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_KIND = re.compile(r"[a-z][a-z-]{0,31}")
_DAY_CHARS = len("2026-11-28")
_DATED = (PRIVATE, "account")
"""Kinds whose entries say the day alone."""

_OWN = ("v", "kind", "time", "subject", "commitment")
"""What an entry has for itself; everything else in it stands in the statement too."""


class CommitmentRefused(Refused):
    """A statement is not the one that an entry of the log was made for."""

    code = "commitment_refused"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of the log. `subject` names the repo for who knows its salt; None where there is no repo."""

    kind: str
    time: str
    subject: str | None
    commitment: str
    told: Mapping[str, JsonValue] = field(repr=False)
    """What it says beside these, of a public repo: `commit`, `dirHash`, `envelope` and the like."""


@dataclass(frozen=True, slots=True)
class LoggedAct:
    """An entry and its statement, which belong together."""

    entry: LogEntry
    statement: JsonObject = field(repr=False)

    @property
    def kind(self) -> str:
        """What was done, also where the entry says no more than `private`."""
        return str(self.statement["kind"])

    @property
    def time(self) -> str:
        """When the hub says that it was done, RFC 3339 in UTC."""
        return str(self.statement["time"])

    @property
    def repo(self) -> tuple[str, str] | None:
        """Type and id of the repo."""
        repo = self.statement.get("repo")
        return (str(repo["type"]), str(repo["id"])) if isinstance(repo, dict) else None

    def text(self, name: str) -> str | None:
        """What the statement says under a name, if it is a string."""
        value = self.statement.get(name)
        return value if isinstance(value, str) else None


def read_entry(data: bytes) -> LogEntry:
    """An entry from its bytes in the log; raises MalformedEntry, also for a second way to write the same."""
    value = _canonical(data, MAX_ENTRY_BYTES, MalformedEntry)
    fields = Fields(value, "entry", MalformedEntry)
    kind, time, commitment = fields.text("kind"), fields.text("time"), fields.text("commitment")
    subject = fields.text("subject") if "subject" in value else None
    if value.get("v") != 1 or isinstance(value["v"], bool):
        raise MalformedEntry("The entry is of a version that is not known here.")
    if _KIND.fullmatch(kind) is None:
        raise MalformedEntry(f"{kind[:40]!r} is no kind of an entry.")
    if not all(_DIGEST.fullmatch(each) for each in (commitment, subject) if each is not None):
        raise MalformedEntry("A commitment or subject of an entry has 64 hexadecimal digits.")
    told = {name: each for name, each in value.items() if name not in _OWN}
    if kind == PRIVATE and told:
        raise MalformedEntry(f"A private entry says {min(told)[:40]!r}.")
    return LogEntry(kind, time, subject, commitment, told)


def open_act(entry_data: bytes, statement_data: bytes, salt: bytes, hub: str) -> LoggedAct:
    """The act that an entry is about, from the statement that was committed to.

    Raises MalformedEntry, MalformedStatementOfAct, and CommitmentRefused when statement and salt are not
    those of the entry, or say something else than the entry or of another hub.
    """
    entry = read_entry(entry_data)
    if len(salt) != SALT_BYTES or sha256(salt + statement_data).hexdigest() != entry.commitment:
        raise CommitmentRefused("The statement and its salt are not what the log's entry commits to.")
    statement = _canonical(statement_data, MAX_STATEMENT_BYTES, MalformedStatementOfAct)
    fields = Fields(statement, "statement", MalformedStatementOfAct)
    if statement.get("v") != 1:
        raise MalformedStatementOfAct("The statement is of a version that is not known here.")
    if fields.text("hub") != hub:
        raise CommitmentRefused(
            f"The statement is of the hub {fields.text('hub')[:80]!r} and not of {hub!r}."
        )
    kind, time = fields.text("kind"), fields.text("time")
    expected = (
        kind if entry.kind != PRIVATE else PRIVATE,
        time[:_DAY_CHARS] if entry.kind in _DATED else time,
    )
    if (entry.kind, entry.time) != expected:
        raise CommitmentRefused("The entry has another kind or time than its statement.")
    if _subject(fields) != entry.subject:
        raise CommitmentRefused("The entry has another subject than the repo of its statement.")
    for name, told in entry.told.items():
        if name not in statement or statement[name] != told:
            raise CommitmentRefused(f"The entry has another {name} than its statement.")
    return LoggedAct(entry, statement)


def _subject(fields: Fields) -> str | None:
    if "repo" not in fields:
        return None
    repo = fields.fields("repo")
    repo.text("type"), repo.text("id")
    return repo.text("subject")


def _canonical(
    data: bytes, at_most: int, wrong: type[MalformedEntry | MalformedStatementOfAct]
) -> JsonObject:
    if len(data) > at_most:
        raise wrong(f"It has {len(data)} bytes; at most {at_most} are read.")
    try:
        value = read_canonical_json(data, at_most)
    except NotCanonical as error:
        raise wrong(error.message) from error
    if not isinstance(value, dict):
        raise wrong("It is not a JSON object.")
    return value
