"""The picture of a comparison: a line for each layer, on it a heat map by kind of tensor, and bars.

Plain SVG, without script; every mark has its numbers as title.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from allmende.weights.colour_scale import STEPS, LogScale
from allmende.weights.diff_rows import Cell, Row
from allmende.weights.diff_words import cell_text, number_text, share_text

__all__ = ["MOST_ROWS", "chart", "legend"]

MOST_ROWS = 320
"""More would make a picture that nobody reads and no browser likes; the table holds them all."""

_LABEL_CHAR, _LABEL_LEAST = 7.2, 64
_CELL, _LINE, _HEAD, _GAP = 54, 23, 52, 24
_SHORT = {"embeddings": "embed.", "attention": "attn."}
_BARS = (("relative change", 150), ("weights changed", 104), ("rank used", 104))
_NAMES = """<title id="chart-title">Relative change by layer and kind of tensor</title>
<desc id="chart-text">A heat map: a row for each layer, a column for each kind of tensor. Beside it bars for
each layer: relative change, share of changed weights, rank used by the change. The table below holds the same
numbers.</desc>"""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the panels begin, in units of the picture."""

    rows: list[Row]
    kinds: list[str]
    scale: LogScale
    label: float
    largest: float

    @property
    def bars(self) -> list[float]:
        """Where each panel of bars begins; behind them the picture ends."""
        edges = [self.label + _CELL * len(self.kinds) + _GAP]
        for _, width in _BARS:
            edges.append(edges[-1] + width + _GAP)
        return edges

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return self.bars[-1] - _GAP + 6, _HEAD + _LINE * len(self.rows) + 6


def chart(rows: list[Row], kinds: list[str], scale: LogScale) -> str:
    """The picture of at most MOST_ROWS rows; all text in it is escaped."""
    rows = rows[:MOST_ROWS]
    longest = max((len(row.label) for row in rows), default=0)
    largest = max((row.figures.relative or 0.0 for row in rows), default=0.0)
    frame = _Frame(rows, kinds, scale, max(_LABEL_LEAST, longest * _LABEL_CHAR + 14), largest)
    lines = [part for place, row in enumerate(rows) for part in _row(frame, row, _HEAD + _LINE * place)]
    naming = 'role="img" aria-labelledby="chart-title chart-text"'
    return "\n".join([_svg("chart", *frame.size, naming), _NAMES, *_headings(frame), *lines, "</svg>"])


def legend(scale: LogScale) -> str:
    """The colours with their numbers."""
    left, width = 20, 336
    step = width / STEPS
    told = f"Colours run evenly from a relative change of 1e{scale.first} to 1e{scale.last}"
    parts = [_svg("legend", width + 2 * left, 40, f'role="img" aria-label="{told}"')]
    parts += [_rect(f"c{number}", left + number * step, 2, step + 0.3, 14) for number in range(STEPS)]
    decades = scale.last - scale.first
    for number in range(decades + 1):
        x = left + width * number / decades
        parts.append(f'<path class="axis" d="M{x:.1f} 16v5"/>')
        parts.append(_text("tick", x, 34, f"1e{scale.first + number}", "middle"))
    return "\n".join([*parts, "</svg>"])


def _headings(frame: _Frame) -> Iterator[str]:
    bottom, end = _HEAD - 10, _HEAD + _LINE * len(frame.rows)
    for number, kind in enumerate(frame.kinds):
        for line, word in enumerate(reversed(kind.split())):
            x = frame.label + _CELL * (number + 0.5)
            yield _text("head", x, bottom - 14 * line, _SHORT.get(word, word), "middle")
    tops = (number_text(frame.largest), "100%", "100%")
    for (name, width), top, x in zip(_BARS, tops, frame.bars, strict=False):
        yield _text("head", x, bottom - 16, name)
        yield _text("tick", x, bottom, "0")
        yield _text("tick", x + width, bottom, top, "end")
        for part in (0.0, 0.5, 1.0):
            yield f'<path class="grid" d="M{x + width * part:.1f} {_HEAD - 4}V{end}"/>'


def _row(frame: _Frame, row: Row, y: float) -> Iterator[str]:
    yield f'<g class="line">{_rect("ground", 0, y, frame.size[0], _LINE)}'
    yield _text("label", frame.label - 8, y + _LINE / 2 + 4, row.label, "end")
    for number, kind in enumerate(frame.kinds):
        if kind in row.cells:
            yield _cell(row, kind, frame.scale, frame.label + _CELL * number, y)
    yield from _bars(frame, row, y)
    yield "</g>"


def _cell(row: Row, kind: str, scale: LogScale, x: float, y: float) -> str:
    cell = row.cells[kind]
    mark = _mark(cell, scale)
    ground = _rect(f"cell {mark}", x + 1, y + 1, _CELL - 2, _LINE - 2)
    value = _text(f"value {mark}", x + _CELL / 2, y + _LINE / 2 + 4, cell_text(cell), "middle")
    return f"<g><title>{escape(f'{row.label}, {kind}: {_told(cell)}')}</title>{ground}{value}</g>"


def _mark(cell: Cell, scale: LogScale) -> str:
    """The class of a cell: its colour, `zero`, or `odd` where there is no number."""
    if cell_text(cell) == "0":
        return "zero"
    relative = cell.figures.relative if cell.compared else None
    return "odd" if relative is None else f"c{scale.step(relative)}"


def _told(cell: Cell) -> str:
    words = []
    if cell.compared:
        figures = cell.figures
        words.append(
            f"relative change {number_text(figures.relative)}, {share_text(figures.share_changed)} of "
            f"{figures.elements:,} weights changed, cosine {_cosine(figures.cosine)}, "
            f"largest change {number_text(figures.largest)}"
        )
    reshaped = sum(tensor.status == "reshaped" for tensor in cell.tensors)
    counts = (
        (len(cell.added), "only in B"),
        (len(cell.removed), "only in A"),
        (reshaped, "of another shape"),
    )
    words += [f"{count} tensor{'' if count == 1 else 's'} {what}" for count, what in counts if count]
    exact = [tensor for tensor in cell.tensors if tensor.exact]
    if exact:
        words.append(
            f"{sum(tensor.status != 'same' for tensor in exact)} of {len(exact)} integer tensors changed"
        )
    return "; ".join(words)


def _cosine(cosine: float | None) -> str:
    return "without meaning" if cosine is None else f"{cosine:.6f}"


def _bars(frame: _Frame, row: Row, y: float) -> Iterator[str]:
    figures = row.figures
    if not figures.elements:
        return
    relative, rank = figures.relative, row.rank_share
    parts = (
        (None if relative is None else relative / (frame.largest or 1.0), number_text(relative)),
        (figures.share_changed, share_text(figures.share_changed)),
        (rank, "" if rank is None else share_text(rank)),
    )
    for (part, text), (name, width), x in zip(parts, _BARS, frame.bars, strict=False):
        if part is not None:
            track = _rect("track", x, y + 2, width, _LINE - 4)
            bar = _rect("bar", x, y + 6, width * part, _LINE - 12)
            yield f"<g><title>{escape(f'{row.label}: {name} {text}')}</title>{track}{bar}</g>"


def _svg(kind: str, width: float, height: float, naming: str) -> str:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<svg class="{kind}" {size} {naming}>'


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _text(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
