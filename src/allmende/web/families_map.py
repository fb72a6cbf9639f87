"""The families of the commons as a map: each base with what comes from it around it, the largest first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import cos, pi, sin, sqrt

from allmende.flows import FamilyLink

__all__ = ["Dot", "FamilyPicture", "Thread", "families"]

_MAX_FAMILIES = 12
_MAX_DOTS = 60
_MAX_DEPTH = 6
_SIDE = 220
_DOT, _LEAST_DOT = 6.0, 2.5
_ROOT_DOT = 9.0
_MARGIN = 14


@dataclass(frozen=True, slots=True)
class Dot:
    """A model in a picture."""

    name: str
    x: float
    y: float
    radius: float
    is_root: bool


@dataclass(frozen=True, slots=True)
class Thread:
    """That one comes from the other."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class FamilyPicture:
    """A family: its root, how many come from it, and the drawing in a square of `side`."""

    root: str
    count: int
    side: int
    dots: tuple[Dot, ...]
    threads: tuple[Thread, ...]
    left_out: int


def families(links: Iterable[FamilyLink]) -> tuple[list[FamilyPicture], int]:
    """The largest families, and how many more there are.

    A model with several bases stands with the first by name. Bases are known by names: where one is not here
    any more, the family hangs on its name.
    """
    bases: dict[str, str] = {}
    for link in sorted(links, key=lambda one: (one.child.full_name, one.base)):
        if link.child.full_name != link.base:
            bases.setdefault(link.child.full_name, link.base)
    children: dict[str, list[str]] = {}
    for child, base in bases.items():
        children.setdefault(base, []).append(child)
    roots = [base for base in children if base not in bases]
    sizes = {root: _size(root, children) for root in roots}
    largest = sorted(roots, key=lambda root: (-sizes[root], root))
    pictures = [_picture(root, sizes[root], children) for root in largest[:_MAX_FAMILIES]]
    return pictures, max(0, len(largest) - _MAX_FAMILIES)


def _size(root: str, children: Mapping[str, list[str]]) -> int:
    """How many come from a root, whatever the way; what goes round in a circle has no root."""
    found: set[str] = set()
    waiting = [root]
    while waiting:
        fresh = [child for child in children.get(waiting.pop(), ()) if child not in found]
        found |= set(fresh)
        waiting += fresh
    return len(found)


def _picture(root: str, count: int, children: Mapping[str, list[str]]) -> FamilyPicture:
    """The root in the middle, each generation on a circle of its own, with room for what comes from it."""
    kept = _kept(root, children)
    circles = _circles([level for _, level, _ in kept])
    radius = max(_LEAST_DOT, min(_DOT, *(round(0.4 * room, 1) for _, room in circles)))
    leaves = _leaves(kept)
    places: dict[str, tuple[float, float, float, float]] = {root: (_SIDE / 2, _SIDE / 2, 0.0, 2 * pi)}
    used: dict[str, float] = {}
    dots = [Dot(root, _SIDE / 2, _SIDE / 2, _ROOT_DOT, is_root=True)]
    threads = []
    for name, level, parent in kept[1:]:
        x, y, begin, width = places[parent]
        share = width * leaves[name] / leaves[parent]
        start = begin + used.get(parent, 0.0)
        used[parent] = used.get(parent, 0.0) + share
        angle = start + share / 2 - pi / 2
        reach, _ = circles[level - 1]
        at = (_SIDE / 2 + reach * cos(angle), _SIDE / 2 + reach * sin(angle))
        places[name] = (*at, start, share)
        dots.append(Dot(name, round(at[0], 1), round(at[1], 1), radius, is_root=False))
        threads.append(Thread(round(x, 1), round(y, 1), round(at[0], 1), round(at[1], 1)))
    return FamilyPicture(root, count, _SIDE, tuple(dots), tuple(threads), count - len(kept) + 1)


def _circles(levels: list[int]) -> list[tuple[float, float]]:
    """For each generation how far from the middle it stands, and how far apart its dots would be, if even.

    A generation of many gets more of the way than one of few, so that the first is no knot in deep families.
    """
    counts = [levels.count(level) for level in range(1, max(levels) + 1)]
    whole = sum(map(sqrt, counts))
    reaches = [
        (_SIDE / 2 - _MARGIN) * sum(map(sqrt, counts[: place + 1])) / whole for place in range(len(counts))
    ]
    return [(reach, 2 * pi * reach / count) for reach, count in zip(reaches, counts, strict=True)]


def _kept(root: str, children: Mapping[str, list[str]]) -> list[tuple[str, int, str]]:
    """What is drawn: name, generation and parent, nearer generations first, up to sixty.

    Those from which most comes are: what has no children of its own tells least of a family.
    """
    listed = [(root, 0, "")]
    for name, level, _ in listed:
        if level < _MAX_DEPTH:
            listed += [(child, level + 1, name) for child in children.get(name, ())]
    below: dict[str, int] = {}
    for name, _, parent in reversed(listed):
        below[parent] = below.get(parent, 0) + below.setdefault(name, 0) + 1
    # Of a parent comes more than of each of its children, so none is kept without its parent.
    chosen = {name for name, _, _ in sorted(listed, key=lambda one: (-below[one[0]], one[1]))[:_MAX_DOTS]}
    return [one for one in listed if one[0] in chosen]


def _leaves(kept: list[tuple[str, int, str]]) -> dict[str, int]:
    leaves: dict[str, int] = {}
    for name, _, parent in reversed(kept):
        leaves.setdefault(name, 1)
        if parent:
            leaves[parent] = leaves.get(parent, 0) + leaves[name]
    return leaves
