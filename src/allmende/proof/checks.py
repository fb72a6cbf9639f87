"""What a verdict rests on, step by step, and what was not looked at: for whoever has to rely on it.

A verdict says yes or no. An auditor asks first what the yes covers: which files, whose word, seen by whom.
Each line here is one step of that, and says also where there is nothing.
"""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from allmende.proof.canonical import JsonObject
from allmende.proof.revision_checking import CheckedBundle
from allmende.proof.verdicts import Verdict, moment_text

__all__ = ["Check", "CheckState", "check_lines", "checks_of", "wrapped"]

CheckState = Literal["held", "absent", "not_checked"]
"""`held`: looked at, and right. `absent`: there is none. `not_checked`: not looked at."""

_MARKS = {"held": "+", "absent": "-", "not_checked": "?"}
_LABEL_CHARS = 12


@dataclass(frozen=True, slots=True)
class Check:
    """One step: its name, how it came out, and a sentence."""

    name: str
    state: CheckState
    says: str

    @property
    def json(self) -> JsonObject:
        """For programs."""
        return {"name": self.name, "state": self.state, "says": self.says}


def checks_of(verdict: Verdict, *, bytes_read: bool = True) -> tuple[Check, ...]:
    """The steps behind a verdict that refuses nothing; empty for others, whose first line says why.

    `bytes_read` is False where the files are those that a hub lists.
    """
    checked = verdict.checked
    if checked is None:
        return ()
    return (
        _files(verdict, checked, bytes_read=bytes_read),
        _log(verdict, checked),
        _witnesses(checked),
        _record(checked),
        _statements(checked),
    )


def check_lines(checks: Iterable[Check], width: int = 80) -> Iterator[str]:
    """The steps in lines of at most so many signs, where words allow it; the mark says how each came out."""
    for one in checks:
        yield from wrapped(f"{_MARKS[one.state]} {one.name}", one.says, width)


def wrapped(label: str, text: str, width: int = 80) -> list[str]:
    """A label and a text beside it, in lines of at most so many signs where words allow it."""
    begin = f"  {label:<{_LABEL_CHARS}} "
    return textwrap.wrap(
        text,
        width,
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _files(verdict: Verdict, checked: CheckedBundle, *, bytes_read: bool) -> Check:
    every = len(checked.bundle.files)
    if verdict.files is None:
        return Check("files", "not_checked", f"The proof is of {every} files; none was looked at.")
    right = len(verdict.files.right)
    missing = f" {every - right} are not here." if right < every else ""
    if bytes_read:
        return Check("files", "held", f"{right} of {every}, every byte read.{missing}")
    return Check(
        "files",
        "held",
        f"{right} of {every} by the hub's list: large ones by their SHA-256, unread; small ones were read.",
    )


def _log(verdict: Verdict, checked: CheckedBundle) -> Check:
    checkpoint = checked.accepted.checkpoint
    where = f"{checkpoint.origin}, {checkpoint.size} entries, says: published {checked.published.time}."
    if verdict.state == "verified":
        return Check("log", "held", where)
    return Check("log", "not_checked", f"{where} Nobody whom you trust vouches for its key.")


def _witnesses(checked: CheckedBundle) -> Check:
    seen = checked.accepted.witnesses
    if not seen:
        return Check("witnesses", "absent", "Only the hub says that it shows everybody the same log.")
    told = ", ".join(f"{name} at {moment_text(at_s)}" for name, at_s in sorted(seen.items()))
    return Check("witnesses", "held", f"The same log was seen by {told}.")


def _record(checked: CheckedBundle) -> Check:
    record = checked.record
    if record is None:
        return Check("record", "absent", "When the proof was made, the hub had not examined the files yet.")
    predicate = record.statement.predicate
    version, at = predicate.get("version"), predicate.get("made_at")
    named = f"version {version} of {at}, " if version is not None and at is not None else ""
    return Check("record", "held", f"The hub's own, {named}signed by it and in the log.")


def _statements(checked: CheckedBundle) -> Check:
    others = [one for one in checked.envelopes if one is not checked.record]
    if not others:
        return Check("statements", "absent", "No others about this revision.")
    own = sum(one.signed_by_hub for one in others)
    told = f"{own} more by the hub" + (f", {len(others) - own} by others" if own < len(others) else "")
    state: CheckState = "held" if own == len(others) else "not_checked"
    rest = "" if own == len(others) else "; that these are in the log is checked, their signers are not"
    return Check("statements", state, f"{told}{rest}.")
