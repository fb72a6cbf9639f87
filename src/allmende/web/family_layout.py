"""Where the boxes and lines of a family graph go: parents above their children, in rows, without a script.

A layered drawing after Sugiyama, Tagawa and Toda (1981): the rows are given; a line that passes a row gets a
bend there; the order within the rows is settled by the means of the neighbours; the places follow from that
order, each as near to its neighbours as the widths allow. Everything is in pixels at the natural size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

__all__ = ["BOX_HEIGHT", "BOX_WIDTH", "Drawing", "Line", "Link", "Place", "draw", "shortened", "text_width"]

BOX_WIDTH = 196
BOX_HEIGHT = 56

_BEND_WIDTH = 60
_GAP = 24
_ROW_HEIGHT = BOX_HEIGHT + 100
_MARGIN = 16
_SWEEPS = 6
_SETTLINGS = 10
_WIDE_SIGNS, _NARROW_SIGNS = frozenset("MWmw@%…"), frozenset("fijlrtI1.,:;|!'()-/ ")
_WIDE, _USUAL, _NARROW = 0.92, 0.6, 0.38
_WORDS_HEIGHT = 24
_NEAR_CHILD = (0.7, 0.58, 0.8, 0.46, 0.34, 0.22)
_NEAR_PARENT = (0.3, 0.42, 0.2, 0.54, 0.66, 0.78)
_MIDDLE = (0.5, 0.38, 0.62, 0.28, 0.72, 0.2, 0.8)


@dataclass(frozen=True, slots=True)
class Link:
    """A line from a parent's box to a child's, by their keys, and how wide its words are."""

    parent: str
    child: str
    words_px: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """The upper left corner of a box."""

    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the `d` of an SVG path, and the middle of its words."""

    path: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """All places: of boxes by key, of lines in the order of the links that were given."""

    width: int
    height: int
    boxes: Mapping[str, Place]
    lines: tuple[Line, ...]


@dataclass(slots=True)
class _Slot:
    """A box or a bend in its row; `x` is its middle."""

    row: int
    width: int
    above: list["_Slot"]
    below: list["_Slot"]
    rank: float = 0.0
    x: float = 0.0


def draw(rows: Sequence[Sequence[str]], links: Sequence[Link]) -> Drawing:
    """The drawing of boxes that stand in those rows, the uppermost first.

    Raises KeyError for a link to a box that is in no row, and ValueError for a parent that is not above its
    child.
    """
    boxes = {key: _Slot(row, BOX_WIDTH, [], []) for row, keys in enumerate(rows) for key in keys}
    table: list[list[_Slot]] = [[boxes[key] for key in keys] for keys in rows]
    ways = [_way(table, boxes[link.parent], boxes[link.child]) for link in links]
    _settle_order(table)
    _settle_places(table)
    left = min((slot.x - slot.width / 2 for row in table for slot in row), default=0.0) - _MARGIN
    right = max((slot.x + slot.width / 2 for row in table for slot in row), default=0.0) + _MARGIN
    for row in table:
        for slot in row:
            slot.x -= left
    places = {
        key: Place(round(slot.x - BOX_WIDTH / 2), _MARGIN + slot.row * _ROW_HEIGHT)
        for key, slot in boxes.items()
    }
    height = 2 * _MARGIN + max(0, len(table) - 1) * _ROW_HEIGHT + BOX_HEIGHT
    return Drawing(round(right - left), height, places, _lines(ways, [link.words_px for link in links]))


def text_width(text: str, size_px: int) -> float:
    """About how wide a text is in the fonts of the pages; nobody can ask the browser before it draws."""
    ems = sum(_WIDE if sign in _WIDE_SIGNS else _NARROW if sign in _NARROW_SIGNS else _USUAL for sign in text)
    return ems * size_px


def shortened(text: str, width_px: float, size_px: int) -> str:
    """The text, or so much of its beginning and its end as fits: the ends of names tell relatives apart."""
    kept = text
    for left in range(len(text) - 1, 0, -1):
        if text_width(kept, size_px) <= width_px:
            break
        end = left // 2
        kept = f"{text[: left - end]}…{text[len(text) - end :]}"
    return kept


def _way(table: list[list[_Slot]], parent: _Slot, child: _Slot) -> list[_Slot]:
    """The slots from a parent to its child; the bends between are put into the rows."""
    if parent.row >= child.row:
        raise ValueError("A parent stands above its child.")
    way = [parent]
    for row in range(parent.row + 1, child.row):
        bend = _Slot(row, _BEND_WIDTH, [], [])
        table[row].append(bend)
        way.append(bend)
    way.append(child)
    for upper, lower in pairwise(way):
        upper.below.append(lower)
        lower.above.append(upper)
    return way


def _settle_order(table: list[list[_Slot]]) -> None:
    """Fewer crossings: by turns down and up, each row is sorted by the means of the row before."""
    for row in table:
        _number(row)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in table if down else reversed(table):
            for slot in row:
                near = slot.above if down else slot.below
                if near:
                    slot.rank = sum(other.rank for other in near) / len(near)
            row.sort(key=lambda slot: slot.rank)
            _number(row)


def _number(row: list[_Slot]) -> None:
    """Ranks are shares of the row, so that rows of different lengths can be compared."""
    for place, slot in enumerate(row):
        slot.rank = (place + 0.5) / len(row)


def _settle_places(table: list[list[_Slot]]) -> None:
    for row in table:
        _spread(row, [0.0] * len(row))
    for turn in range(_SETTLINGS):
        for row in table if turn % 2 == 0 else reversed(table):
            _spread(row, [_wanted(slot) for slot in row])


def _wanted(slot: _Slot) -> float:
    near = slot.above + slot.below
    return sum(other.x for other in near) / len(near) if near else slot.x


def _spread(row: list[_Slot], wanted: Sequence[float]) -> None:
    """The places nearest to the wanted ones (least squares) that keep the order and the gaps.

    Isotonic regression by pooling neighbours that violate the order (Ayer and others, 1955), on places from
    which the least distances are taken out.
    """
    offsets, offset = [], 0.0
    for place, slot in enumerate(row):
        if place:
            offset += (row[place - 1].width + slot.width) / 2 + _GAP
        offsets.append(offset)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean = (mean * count + other * others) / (count + others)
            count += others
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    for slot, mean, offset in zip(row, means, offsets, strict=True):
        slot.x = mean + offset


_Leg: TypeAlias = tuple[float, float, float, float]
"""From one place to another: x and y of both."""

_Words: TypeAlias = tuple[float, float, int]
"""The middle of some words, and their width."""


def _lines(ways: Sequence[Sequence[_Slot]], widths: Sequence[int]) -> tuple[Line, ...]:
    """Smooth lines; the words of each stand where they cover the least of the words before them."""
    lines: list[Line] = []
    taken: list[_Words] = []
    for way, width in zip(ways, widths, strict=True):
        legs = [(upper.x, _top(upper) + BOX_HEIGHT, lower.x, _top(lower)) for upper, lower in pairwise(way)]
        spots = _spots(way, legs)
        x, y = min(spots, key=lambda spot: sum(_covered((*spot, width), other) for other in taken))
        if width:
            taken.append((x, y, width))
        lines.append(Line(_path(legs), round(x), round(y)))
    return tuple(lines)


def _path(legs: Sequence[_Leg]) -> str:
    path = f"M{legs[0][0]:.0f} {legs[0][1]:.0f}"
    for place, (x0, y0, x1, y1) in enumerate(legs):
        past = "" if place == len(legs) - 1 else f"V{y1 + BOX_HEIGHT:.0f}"
        path += f"{_curve(x0, y0, x1, y1)}{past}"
    return path


def _spots(way: Sequence[_Slot], legs: Sequence[_Leg]) -> list[tuple[float, float]]:
    """Where words may stand, the best first: where lines have parted, near the end that has one of them."""
    if len(way[-1].above) == 1:
        return [_on_curve(*legs[-1], share) for share in _NEAR_CHILD]
    if len(way[0].below) == 1:
        return [_on_curve(*legs[0], share) for share in _NEAR_PARENT]
    return [_on_curve(*leg, share) for leg in reversed(legs) for share in _MIDDLE]


def _covered(words: _Words, other: _Words) -> float:
    """The area that two words share."""
    beside = (words[2] + other[2]) / 2 - abs(words[0] - other[0])
    above = _WORDS_HEIGHT - abs(words[1] - other[1])
    return max(0.0, beside) * max(0.0, above)


def _top(slot: _Slot) -> float:
    return float(_MARGIN + slot.row * _ROW_HEIGHT)


def _curve(x0: float, y0: float, x1: float, y1: float) -> str:
    middle = (y0 + y1) / 2
    return f"C{x0:.0f} {middle:.0f} {x1:.0f} {middle:.0f} {x1:.0f} {y1:.0f}"


def _on_curve(x0: float, y0: float, x1: float, y1: float, share: float) -> tuple[float, float]:
    """The point of `_curve` at a share of its way."""
    rest = 1 - share
    middle = (y0 + y1) / 2
    start, early, late, end = rest**3, 3 * rest**2 * share, 3 * rest * share**2, share**3
    return (
        (start + early) * x0 + (late + end) * x1,
        start * y0 + (early + late) * middle + end * y1,
    )
