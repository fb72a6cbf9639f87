"""Changed files as pages show them: lines of texts, tensors of weight files, sizes of everything else.

What a page reads and compares is bounded for all its files together; where a bound is reached, or the visitor
may not have a file, the page says so.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Literal

from allmende.flows import entry_verdicts, open_content
from allmende.formats import Malformed
from allmende.http import door_of
from allmende.registry import FileEntry, RepoGated, check_gate, held_contents, read_blob
from allmende.storage import Content, UnitOfWork
from allmende.web.changes import Change
from allmende.web.diff_lines import DiffLine, Pair, Steps, TooManySteps, changed_lines, side_by_side
from allmende.web.diff_weights import Allowance, WeightsDiff, compare_weight_files
from allmende.web.repo_views import View
from allmende.web.visits import Visit
from allmende.web.weight_headers import HEADER_SUFFIXES

__all__ = ["FileDiff", "Gathered", "compared", "gathered"]

_MAX_TEXT_BYTES = 256 * 1024
_MAX_PAGE_BYTES = 4 * 1024 * 1024
_MAX_LINES = 10_000
_MAX_SHOWN_LINES = 1000
_MAX_PAGE_LINES = 4000
_STEPS_OF_PAGE = 1_000_000
"""About half a second."""
_STEPS_OF_FILE = 400_000
_MAX_WEIGHT_FILES = 4
_WEIGHT_BYTES = 32 * 1024 * 1024

Why = Literal[
    "", "gated", "stopped", "large", "binary", "costly", "full", "bytes", "absent", "unreadable", "line_end"
]
"""Why a file is not shown: behind the gate, stopped or held back by the scan, larger than texts that are
compared, no text, too different, beyond what fits on the page, bytes behind a pointer, bytes that the repo
does not hold, a header that cannot be read; or that only the end of the last line differs."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A change with what is needed to compare it; the rest happens while no unit of work is open."""

    change: Change
    why: Why
    kind: Literal["text", "weights", "none"] = "none"
    before: bytes | Content | None = None
    after: bytes | Content | None = None


@dataclass(frozen=True, slots=True)
class FileDiff:
    """A change as it is shown. `left_out` lines did not fit."""

    change: Change
    why: Why = ""
    lines: tuple[DiffLine, ...] = ()
    pairs: tuple[Pair, ...] = ()
    left_out: int = 0
    weights: WeightsDiff | None = None


def gathered(visit: Visit, uow: UnitOfWork, view: View, changes: Sequence[Change]) -> list[Gathered]:
    """Read what the visitor may have of these changes, within the bounds of a page.

    Lines of files are file contents: behind a gate they are for those who were let in, and what the scan
    stops or holds back is left out, on either side.
    """
    try:
        check_gate(uow, visit.actor, view.repo)
    except RepoGated:
        return [Gathered(change, "gated") for change in changes]
    hidden = _hidden(visit, uow, view, changes)
    entries = [entry for change in changes for entry in (change.before, change.after) if entry is not None]
    pointers = [entry.pointer.oid for entry in entries if entry.pointer is not None]
    contents = {str(one): content for one, content in held_contents(uow, view.repo.id, pointers).items()}
    reading = _Reading(uow, view, contents, _MAX_PAGE_BYTES, _MAX_WEIGHT_FILES)
    return [Gathered(change, "stopped") if change in hidden else reading.of(change) for change in changes]


def compared(visit: Visit, found: Iterable[Gathered], *, in_columns: bool) -> list[FileDiff]:
    """Compare them. No unit of work may be open."""
    steps, allowance, room = Steps(_STEPS_OF_PAGE), Allowance(_WEIGHT_BYTES), _MAX_PAGE_LINES
    shown = []
    for one in found:
        if one.kind == "weights":
            shown.append(_weights(visit, one, allowance))
        elif one.kind == "text" and room > 0:
            diff = _text(one, steps, min(room, _MAX_SHOWN_LINES), in_columns=in_columns)
            room -= max(len(diff.lines), len(diff.pairs))
            shown.append(diff)
        else:
            shown.append(FileDiff(one.change, "full" if one.kind == "text" else one.why))
    return shown


def _hidden(visit: Visit, uow: UnitOfWork, view: View, changes: Iterable[Change]) -> set[Change]:
    door = door_of(visit.request, visit.actor, view.repo)
    listed = list(changes)
    hidden: set[Change] = set()
    for side in ("before", "after"):
        entries: list[FileEntry] = [
            entry for change in listed if (entry := getattr(change, side)) is not None
        ]
        verdicts = entry_verdicts(visit.services, uow, view.repo.id, entries)
        stopped = {path for path, verdict in verdicts.items() if not door.shows(uow, verdict)}
        hidden.update(
            change
            for change in listed
            if (entry := getattr(change, side)) is not None and entry.path in stopped
        )
    return hidden


@dataclass(slots=True)
class _Reading:
    """What is still to be read for a page."""

    uow: UnitOfWork
    view: View
    contents: dict[str, Content]
    left_bytes: int
    left_weights: int

    def of(self, change: Change) -> Gathered:
        """The bytes of a change, if they are worth comparing."""
        sides = [entry for entry in (change.before, change.after) if entry is not None]
        if change.kind == "renamed":
            return Gathered(change, "")
        if any(entry.pointer is not None and entry.pointer.oid not in self.contents for entry in sides):
            return Gathered(change, "absent")
        if change.path.lower().endswith(HEADER_SUFFIXES) and change.kind == "modified":
            if not self.left_weights:
                return Gathered(change, "full")
            self.left_weights -= 1
            return Gathered(change, "", "weights", self._side(change.before), self._side(change.after))
        if any(entry.pointer is not None for entry in sides):
            return Gathered(change, "bytes")
        if any(entry.size_bytes > _MAX_TEXT_BYTES for entry in sides):
            return Gathered(change, "large")
        size_bytes = sum(entry.size_bytes for entry in sides)
        if size_bytes > self.left_bytes:
            return Gathered(change, "full")
        self.left_bytes -= size_bytes
        return Gathered(change, "", "text", self._side(change.before), self._side(change.after))

    def _side(self, entry: FileEntry | None) -> bytes | Content | None:
        if entry is None:
            return None
        if entry.pointer is not None:
            return self.contents[entry.pointer.oid]
        return read_blob(self.uow, self.view.repo.id, entry.oid)


def _text(found: Gathered, steps: Steps, room: int, *, in_columns: bool) -> FileDiff:
    before, after = _lines_of(found.before), _lines_of(found.after)
    if before is None or after is None:
        return FileDiff(found.change, "binary")
    if max(len(before), len(after)) > _MAX_LINES:
        return FileDiff(found.change, "large")
    own = Steps(min(steps.left, _STEPS_OF_FILE))
    given = own.left
    try:
        lines = changed_lines(before, after, own)
    except TooManySteps:
        return FileDiff(found.change, "costly")
    finally:
        steps.left -= given - max(0, own.left)
    if not lines:
        return FileDiff(found.change, "line_end" if found.change.kind == "modified" else "")
    if in_columns:
        pairs = side_by_side(lines)
        return FileDiff(found.change, pairs=tuple(pairs[:room]), left_out=max(0, len(pairs) - room))
    return FileDiff(found.change, lines=tuple(lines[:room]), left_out=max(0, len(lines) - room))


def _lines_of(data: bytes | Content | None) -> list[str] | None:
    """The lines of a text; none for a file that is not there, None for what is no text."""
    if data is None:
        return []
    if isinstance(data, Content) or b"\0" in data:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text.removesuffix("\n").split("\n") if text else []


def _weights(visit: Visit, found: Gathered, allowance: Allowance) -> FileDiff:
    if found.before is None or found.after is None:
        raise ValueError("weights are compared where they are on both sides")
    with ExitStack() as stack:
        before, after = (_opened(visit, stack, side) for side in (found.before, found.after))
        try:
            diff = compare_weight_files(before, after, found.change.path, allowance)
        except Malformed:
            return FileDiff(found.change, "unreadable")
    return FileDiff(found.change, weights=diff)


def _opened(visit: Visit, stack: ExitStack, side: bytes | Content) -> tuple[BinaryIO, int]:
    if isinstance(side, bytes):
        return BytesIO(side), len(side)
    return stack.enter_context(open_content(visit.services, side)), side.size_bytes
