"""Which lines of a text changed, by the shortest edit script (Myers 1986), in a bounded number of steps.

Texts come from strangers: a comparison that takes too many steps is given up, and the page says so. Steps are
counted and not timed, so that the same two texts are always told in the same way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

__all__ = ["DiffLine", "Pair", "Steps", "TooManySteps", "changed_lines", "side_by_side"]

_CONTEXT = 3
_MAX_LINE_CHARS = 2000

_UNSEEN = {code: f"⟨U+{code:04X}⟩" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))} | {
    0x0D: "␍",
    0x200B: "⟨U+200B⟩",
    0x200E: "⟨U+200E⟩",
    0x200F: "⟨U+200F⟩",
    0x061C: "⟨U+061C⟩",
    0xFEFF: "⟨U+FEFF⟩",
}
"""Characters that show nothing and may make a line look like another one."""

Kind = Literal["added", "removed", "same", "place"]


class TooManySteps(Exception):
    """Two texts differ too much to be compared line by line within the steps that are left."""


@dataclass(slots=True)
class Steps:
    """How many steps all comparisons of a page may still take."""

    left: int

    def take(self, count: int) -> None:
        """Count steps; raises TooManySteps when there are none left."""
        self.left -= count
        if self.left < 0:
            raise TooManySteps


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a diff with its numbers on both sides, None where it is not there; its mark is its kind."""

    kind: Kind
    text: str
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """What stands side by side; None where one side has nothing. A place stands on both."""

    before: DiffLine | None
    after: DiffLine | None


def changed_lines(before: Sequence[str], after: Sequence[str], steps: Steps) -> list[DiffLine]:
    """The changed lines, each group with three lines around it after a line that says where it is.

    Raises TooManySteps.
    """
    every = list(_lines(before, after, steps))
    changed = [place for place, line in enumerate(every) if line.kind != "same"]
    shown: list[DiffLine] = []
    end = 0
    for first, last in _groups(changed, len(every)):
        if first > end or not shown:
            shown.append(_place(every[first:last]))
        shown += every[first:last]
        end = last
    return shown


def side_by_side(lines: Sequence[DiffLine]) -> list[Pair]:
    """The same lines in two columns: what was removed beside what came in its place."""
    pairs: list[Pair] = []
    for is_changed, group in groupby(lines, lambda line: line.kind in ("added", "removed")):
        if not is_changed:
            pairs += [Pair(line, line) for line in group]
            continue
        listed = list(group)
        removed = [line for line in listed if line.kind == "removed"]
        added = [line for line in listed if line.kind == "added"]
        for place in range(max(len(removed), len(added))):
            pairs.append(
                Pair(
                    removed[place] if place < len(removed) else None,
                    added[place] if place < len(added) else None,
                )
            )
    return pairs


def _groups(changed: Sequence[int], count: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for place in changed:
        first, last = max(0, place - _CONTEXT), min(count, place + _CONTEXT + 1)
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _place(lines: Sequence[DiffLine]) -> DiffLine:
    before = [line.before for line in lines if line.before is not None]
    after = [line.after for line in lines if line.after is not None]
    first = (before[0] if before else 0, after[0] if after else 0)
    return DiffLine("place", f"@@ -{first[0]},{len(before)} +{first[1]},{len(after)} @@")


def _lines(before: Sequence[str], after: Sequence[str], steps: Steps) -> Iterator[DiffLine]:
    """Every line of both; where lines were replaced, the removed ones go first."""
    x = y = 0
    for run_x, run_y, length in [*_runs(before, after, steps), (len(before), len(after), 0)]:
        for place in range(x, run_x):
            yield DiffLine("removed", _shown(before[place]), place + 1, None)
        for place in range(y, run_y):
            yield DiffLine("added", _shown(after[place]), None, place + 1)
        for step in range(length):
            yield DiffLine("same", _shown(before[run_x + step]), run_x + step + 1, run_y + step + 1)
        x, y = run_x + length, run_y + length


def _shown(line: str) -> str:
    text = line if len(line) <= _MAX_LINE_CHARS else f"{line[:_MAX_LINE_CHARS]}…"
    return text.translate(_UNSEEN)


def _runs(before: Sequence[str], after: Sequence[str], steps: Steps) -> list[tuple[int, int, int]]:
    """Runs of equal lines: where they begin in both, and how long they are; in order."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    inner = _middle(before[head : len(before) - tail], after[head : len(after) - tail], steps)
    found = [(0, 0, head)] if head else []
    found += [(x + head, y + head, length) for x, y, length in inner]
    if tail:
        found.append((len(before) - tail, len(after) - tail, tail))
    return found


def _common(before: Sequence[str], after: Sequence[str]) -> int:
    count = 0
    for old, new in zip(before, after, strict=False):
        if old != new:
            break
        count += 1
    return count


def _middle(before: Sequence[str], after: Sequence[str], steps: Steps) -> list[tuple[int, int, int]]:
    if not before or not after:
        return []
    numbers: dict[str, int] = {}
    a = [numbers.setdefault(line, len(numbers)) for line in before]
    b = [numbers.setdefault(line, len(numbers)) for line in after]
    return _backwards(_furthest(a, b, steps), len(a), len(b))


def _furthest(a: Sequence[int], b: Sequence[int], steps: Steps) -> list[dict[int, int]]:
    """For each number of edits how far one comes on each diagonal (x - y); the last reaches the end."""
    n, m = len(a), len(b)
    reached: dict[int, int] = {1: 0}
    trail: list[dict[int, int]] = []
    for edits in range(n + m + 1):
        steps.take(2 * edits + 1)
        trail.append(reached)
        before, reached = reached, {}
        for diagonal in range(-min(edits, 2 * m - edits), min(edits, 2 * n - edits) + 1, 2):
            left, right = before.get(diagonal - 1, -1), before.get(diagonal + 1, -1)
            x = right if diagonal == -edits or (diagonal != edits and left < right) else left + 1
            begin, y = x, x - diagonal
            while x < n and y < m and a[x] == b[y]:
                x += 1
                y += 1
            steps.take(x - begin)
            reached[diagonal] = x
            if x >= n and y >= m:
                trail.append(reached)
                return trail
    raise RuntimeError("no edit script leads from one text to the other")


def _backwards(trail: Sequence[dict[int, int]], n: int, m: int) -> list[tuple[int, int, int]]:
    """The runs of equal lines on the way that `_furthest` found, from the end to the start, then in order."""
    found: list[tuple[int, int, int]] = []
    x, y = n, m
    for edits in range(len(trail) - 2, -1, -1):
        reached = trail[edits]
        diagonal = x - y
        down = diagonal == -edits or (
            diagonal != edits and reached.get(diagonal - 1, -1) < reached.get(diagonal + 1, -1)
        )
        before = diagonal + 1 if down else diagonal - 1
        start = reached[before] if edits else 0
        begin = (start if down else start + 1) if edits else 0
        if x > begin:
            found.append((begin, begin - diagonal, x - begin))
        x, y = start, start - before
    return found[::-1]
