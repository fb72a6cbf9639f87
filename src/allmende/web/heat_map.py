"""The picture of what changed in a model: a line for each layer, a column for each kind of tensor.

Plain SVG without script. Its colours are classes of the style sheet, for light and dark; they are even in
lightness, so that the scale holds for people who see few colours. Where there is no number, a cell has a sign
and not a colour. The table beneath holds the numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from allmende.formats import JsonObject, JsonValue
from allmende.web.messages import Catalogue
from allmende.weights import KINDS, LogScale

__all__ = ["COLOURS", "Cell", "Drawn", "HeatMap", "Row", "heat_map_of", "kind_word"]

COLOURS = 12

_CELL_WIDTH, _CELL_HEIGHT, _HEAD = 46, 18, 40
_LABEL_CHAR_WIDTH, _LEAST_LABEL = 7, 64
_MAX_LABEL_CHARS = 32


@dataclass(frozen=True, slots=True)
class Cell:
    """The tensors of a kind in a layer: the number as the table says it, and how that came about.

    `mark` is the class of its colour, `zero` for no change at all, or `odd` where nothing can be compared.
    """

    mark: str
    says: str
    share: str
    told: str


@dataclass(frozen=True, slots=True)
class Row:
    """A layer; None where it has nothing of a kind."""

    label: str
    cells: tuple[Cell | None, ...]
    whole: Cell


@dataclass(frozen=True, slots=True)
class Drawn:
    """A cell with its place in the picture."""

    x: int
    y: int
    mark: str
    title: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """All of it. `ticks` are the numbers at the legend with their places from 0 to 1."""

    kinds: tuple[str, ...]
    """In the words of the page."""
    rows: tuple[Row, ...]
    whole: Cell
    left_out: int
    drawn: tuple[Drawn, ...]
    label_width: int
    width: int
    height: int
    ticks: tuple[tuple[float, str], ...]
    cell_width: int = _CELL_WIDTH
    cell_height: int = _CELL_HEIGHT
    head: int = _HEAD


def heat_map_of(found: Mapping[str, JsonValue], t: Catalogue) -> HeatMap:
    """The map of what `flows.change_between` gives."""
    rows = _objects(found.get("rows"))
    told = [_object(row.get("kinds")) for row in rows]
    kinds = tuple(kind for kind in KINDS if any(kind in cells for cells in told))
    scale = LogScale.over([value for cells in told for cell in cells.values() if (value := _relative(cell))])
    labels = [_label(row, t) for row in rows]
    made = tuple(
        Row(
            label,
            tuple(_cell(_object(cells[kind]), scale, t) if kind in cells else None for kind in kinds),
            _cell(_object(row.get("all")), scale, t),
        )
        for label, row, cells in zip(labels, rows, told, strict=True)
    )
    label_width = max([_LEAST_LABEL, *(len(label) * _LABEL_CHAR_WIDTH + 12 for label in labels)])
    decades = scale.last - scale.first
    left_out = found.get("rows_left_out")
    return HeatMap(
        tuple(kind_word(kind, t) for kind in kinds),
        made,
        _cell(_object(found.get("all")), scale, t),
        left_out if isinstance(left_out, int) else 0,
        tuple(_drawn(made, kinds, label_width, t)),
        label_width,
        label_width + _CELL_WIDTH * len(kinds) + 4,
        _HEAD + _CELL_HEIGHT * len(made) + 4,
        tuple((place / decades, f"1e{scale.first + place}") for place in range(decades + 1)),
    )


def kind_word(kind: str, t: Catalogue) -> str:
    """A kind of tensor in one short word: names that engineers use in every language stay as they are."""
    return t.word(f"layers.kind.{kind.replace(' ', '_')}", kind)


def _drawn(rows: Sequence[Row], kinds: Sequence[str], left: int, t: Catalogue) -> list[Drawn]:
    return [
        Drawn(
            left + _CELL_WIDTH * column,
            _HEAD + _CELL_HEIGHT * line,
            cell.mark,
            f"{row.label}, {t.word(f'layers.kind.{kind}', kind)}: {cell.told}",
        )
        for line, row in enumerate(rows)
        for column, (kind, cell) in enumerate(zip(kinds, row.cells, strict=True))
        if cell is not None
    ]


def _cell(cell: JsonObject, scale: LogScale, t: Catalogue) -> Cell:
    relative, share = _relative(cell), cell.get("share")
    counts = [
        t(f"layers.{word}", count=t.number(count))
        for word in ("added", "removed", "reshaped")
        if (count := _count(cell, word))
    ]
    if relative is None:
        words = "; ".join(counts) or t("layers.nothing_to_compare")
        return Cell("odd", t("layers.no_number"), "", words)
    says = t.decimal(relative) if relative else "0"
    mark = f"heat-{min(COLOURS - 1, int(scale.place(relative) * COLOURS))}" if relative else "zero"
    changed = t.share(float(share)) if isinstance(share, (int, float)) else ""
    told = t("layers.told", change=says, share=changed) if relative else t("layers.unchanged")
    return Cell(mark, says, changed, "; ".join([told, *counts]))


def _label(row: JsonObject, t: Catalogue) -> str:
    label = str(row.get("label", ""))
    if row.get("layer") is None:
        label = t.word(f"layers.row.{label}", label)
    elif label == f"layer {row['layer']}":
        label = t("layers.row.layer", number=row["layer"])
    return label if len(label) <= _MAX_LABEL_CHARS else f"{label[: _MAX_LABEL_CHARS - 1]}…"


def _relative(cell: JsonValue) -> float | None:
    value = cell.get("relative") if isinstance(cell, dict) else None
    return float(value) if isinstance(value, (int, float)) else None


def _count(cell: JsonObject, word: str) -> int:
    value = cell.get(word)
    return value if isinstance(value, int) else 0


def _object(value: "JsonValue | None") -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: "JsonValue | None") -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
