"""Where the members of an archive land once its links are made: a link may lead through another one.

Each link by itself may point to a plain place inside, and a chain of them still leave the folder: `a` leads
to `.`, and `a/b` to `..`. So every name and every target is walked as a file system walks it, on a tree in
which all links of the archive are there already.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from allmende.scan.budget import Budget
from allmende.scan.containers.member_paths import (
    DUPLICATE_NAME,
    UNSAFE_PATH,
    is_absolute,
    is_climbing,
    is_outside,
    leads_outside,
)
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Scan

__all__ = ["LINK", "RULES", "MemberLink", "check_links"]

LINK = Rule(
    "archive-link",
    Severity.MEDIUM,
    "holds links",
    "Unpacked, the archive makes links to other files.",
    "Pack files instead of links.",
    "CWE-59: link following.",
)
RULES = (LINK,)

_MAX_FOLLOWED: Final = 40
"""Links within one path that a file system follows before it refuses the path."""
_MAX_PARTS: Final = 2048
"""Parts of a path that systems take: it has at most 4,096 bytes."""
_CHAIN: Final = "Links of the archive lead there, one through another."
_THROUGH: Final = "A link of the archive leads it to the place of another member."

_Place = tuple[str, ...]
"""The parts of a path that goes through no link."""


@dataclass(frozen=True, slots=True)
class MemberLink:
    """A link among the members: a symbolic one counts from its folder, a hard one from the top."""

    name: str
    target: str
    is_symbolic: bool


def check_links(links: Sequence[MemberLink], files: Iterable[str], scan: Scan) -> None:
    """Find links that lead outside, by themselves or one through another, and files written through them.

    `links` are in the order of the archive: a hard link shares what its target is by then.

    Raises LimitReached where there is more to follow than an honest archive has.
    """
    if not links:
        return
    tree = _Tree(scan.budget)
    for link in links:
        if link.is_symbolic:
            tree.add(_parts(link.name), link.target)
    for link in links:
        tree.settle(link)
    for link in links:
        itself = leads_outside(link.name, link.target) if link.is_symbolic else is_outside(link.target)
        chained = not itself and tree.leaves(link)
        rule = UNSAFE_PATH if itself or chained else LINK
        scan.found(rule, link.target, detail=_CHAIN if chained else "", inside=link.name)
    _check_files(tree, [name for name in files if not is_outside(name)], scan)


def _check_files(tree: "_Tree", names: list[str], scan: Scan) -> None:
    taken = {_parts(name): name for name in names}
    for name in names:
        own = _parts(name)
        for place in tree.places((), own, follow_last=False):
            if place is None:
                scan.found(UNSAFE_PATH, name, detail=_CHAIN)
            elif place != own and taken.get(place, name) != name:
                scan.found(DUPLICATE_NAME, name, detail=_THROUGH)


class _Tree:
    """The links of an archive by their places. A place that is taken twice has all its links."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._targets: dict[_Place, dict[_Place | None, None]] = {}
        """What a link leads to, from the folder that it is in; None for an absolute path."""

    def add(self, place: _Place, target: str) -> None:
        """There is a symbolic link at `place`."""
        self._targets.setdefault(place, {})[None if is_absolute(target) else _parts(target)] = None

    def settle(self, link: MemberLink) -> None:
        """Put a link where its name leads through others. A hard link to a symbolic one is one more of it."""
        own = _parts(link.name)
        made = self._targets.get(own, {}) if link.is_symbolic else self._shared_by(link.target)
        if not made:
            return
        for place in [own, *self.places((), own, follow_last=False)]:
            if place is not None:
                self._budget.add_link_parts(len(made))
                self._targets.setdefault(place, {}).update(dict(made))

    def _shared_by(self, target: str) -> dict[_Place | None, None]:
        """The targets of the symbolic links that a hard link to `target` shares."""
        if is_absolute(target):
            return {}
        found: dict[_Place | None, None] = {}
        for place in self.places((), _parts(target), follow_last=False):
            if place is not None:
                found |= self._targets.get(place, {})
        return found

    def leaves(self, link: MemberLink) -> bool:
        """Whether the link, or what it shares its target with, leads out of the archive."""
        return any(place is None for place in self.places((), _parts(link.name), follow_last=True)) or (
            not link.is_symbolic
            and any(place is None for place in self.places((), _parts(link.target), follow_last=True))
        )

    def places(self, folder: _Place, path: _Place, *, follow_last: bool) -> Iterator[_Place | None]:
        """Where a path may lead to; None is outside. Raises LimitReached."""
        waiting = [(folder, path, 0)]
        while waiting:
            here, left, followed = waiting.pop()
            while left and len(here) + len(left) <= _MAX_PARTS:
                self._budget.add_link_parts()
                part, left = left[0], left[1:]
                if part == "..":
                    if not here:
                        yield None
                        break
                    here = here[:-1]
                    continue
                targets = self._targets.get((*here, part)) if left or follow_last else None
                if targets is None:
                    here = (*here, part)
                    continue
                if followed < _MAX_FOLLOWED:
                    self._budget.add_link_parts(len(targets))
                    for target in targets:
                        if target is None:
                            yield None
                        else:
                            waiting.append((here, target + left, followed + 1))
                break
            else:
                if not left:
                    yield here


def _parts(path: str) -> _Place:
    """The parts of a path, as a system sees them that does not tell upper from lower case."""
    folded = (
        ".." if is_climbing(part) else unicodedata.normalize("NFKC", part).casefold()
        for part in re.split(r"[/\\]", path)
    )
    return tuple(part for part in folded if part not in {"", "."})
