"""A comparison of two models as one page of HTML that needs nothing else: no script, no font, no other file.

Whatever comes from the models' files is escaped; tables are cut where a page would become too large to read,
and say so.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from allmende.weights.colour_scale import LogScale
from allmende.weights.diff import ModelDiff, TensorDiff
from allmende.weights.diff_chart import MOST_ROWS, chart, legend
from allmende.weights.diff_report_texts import texts_section
from allmende.weights.diff_rows import Row, kinds_in, rows_of
from allmende.weights.diff_style import style_sheet
from allmende.weights.diff_texts import TextsDiff
from allmende.weights.diff_words import cell_text, findings, number_text, shape_text, share_text
from allmende.weights.models import Model

__all__ = ["diff_report"]

_MOST_TENSORS = 3000
_MOST_TABLE_ROWS = 1000
_MOST_NAME_CHARS = 300
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Even if a mark slipped through, a browser would run nothing and fetch nothing."""

_TENSOR_HEADS = (
    "tensor", "shape", "type", "relative change", "changed", "cosine", "effective rank", "rank", "largest",
)  # fmt: skip
_TERMS = {
    "relative change": "The norm of the difference by the norm of A, over all weights of a tensor or layer: "
    "‖B \N{MINUS SIGN} A‖ / ‖A‖. 1e-3 is a thousandth.",
    "weights changed": "The share of the values that are not equal.",
    "cosine": "Of the angle between A and B as vectors; 1 is the same direction.",
    "effective rank": "In how many directions the change of a matrix goes: exp of the entropy of its squared "
    "singular values. 1 is a single direction; a change like noise comes near the smaller side.",
    "rank": "Where the singular values of the change fall off a cliff (to a third or less), if they do: "
    "the rank of a merged adapter.",
}


def diff_report(diff: ModelDiff, texts: TextsDiff | None) -> str:
    """The page, as text to be written in UTF-8."""
    rows = rows_of(diff)
    title = escape(f"{diff.a.name} → {diff.b.name}")
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>\n<style>{style_sheet()}</style>\n</head>\n<body>",
        f"<header>{_header(diff)}</header>\n<main>",
        _tiles(diff),
        _list("In short", findings(diff), "findings"),
        _list("What could not be read", [*diff.a.problems, *diff.b.problems], "problems"),
        _map(rows),
        _table_of_rows(rows),
        _table_of_tensors(diff),
        "" if texts is None else texts_section(texts),
        _terms(),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _header(diff: ModelDiff) -> str:
    names = f'{escape(diff.a.name)} <span class="arrow">→</span> {escape(diff.b.name)}'
    sides = "".join(
        f"<dt>{side}</dt><dd>{_model(model)}</dd>" for side, model in (("A", diff.a), ("B", diff.b))
    )
    matched = "" if diff.names == "plain" else '<p class="quiet">Tensors were matched by canonical names.</p>'
    what = '<p class="quiet">What changed between two models</p>'
    return f'{what}<h1>{names}</h1><dl class="sides">{sides}</dl>{matched}'


def _model(model: Model) -> str:
    count = f"{model.parameters:,} parameters in {len(model.tensors):,} tensors"
    return f"{escape(model.name)} <span class='quiet'>({count}, {escape(model.layout)})</span>"


def _tiles(diff: ModelDiff) -> str:
    total = diff.total
    changed = sum(tensor.status != "same" for tensor in diff.tensors)
    cosine = "\N{EN DASH}" if total.cosine is None else f"{total.cosine:.6f}"
    tiles = (
        (number_text(total.relative), "relative change"),
        (share_text(total.share_changed), "of the weights changed"),
        (cosine, "cosine of A and B"),
        (number_text(total.largest), "largest change"),
        (f"{changed:,} / {len(diff.tensors):,}", "tensors changed"),
        (f"+{len(diff.added):,} \N{MINUS SIGN}{len(diff.removed):,}", "tensors added, removed"),
    )
    listed = "".join(f"<li><b>{escape(value)}</b><span>{what}</span></li>" for value, what in tiles)
    return f'<ul class="tiles">{listed}</ul>'


def _list(heading: str, sentences: Sequence[str], ident: str) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return _section(ident, heading, f"<ul>{items}</ul>")


def _map(rows: list[Row]) -> str:
    relative = [cell.figures.relative for row in rows for cell in row.cells.values() if cell.compared]
    scale = LogScale.over([value for value in relative if value])
    keys = (
        f'<div class="keys">{legend(scale)}<span><i></i>unchanged</span>'
        '<span><i class="odd"></i>only in one, of another shape, or zero in A</span></div>'
    )
    told = (
        "A row is a layer, a column a kind of tensor; the colour is the relative change, on a logarithmic "
        f"scale. Point at a cell for its numbers.{_cut(len(rows), MOST_ROWS)}"
    )
    picture = _sheet("Chart; scrolls sideways", f"{keys}{chart(rows, kinds_in(rows), scale)}")
    return _section("map", "Where it changed", f'<p class="quiet">{told}</p>{picture}')


def _table_of_rows(rows: list[Row]) -> str:
    kinds = kinds_in(rows)
    heads = ["layer", "relative change", "weights changed", "cosine", "rank used", *kinds]
    lines = [_line(row.label, _row_cells(row, kinds)) for row in rows[:_MOST_TABLE_ROWS]]
    told = (
        "Relative change of each layer, and of each kind of tensor in it. Rank used: the median effective "
        f"rank of the changes of its matrices, of the possible.{_cut(len(rows), _MOST_TABLE_ROWS)}"
    )
    table = _table(told, heads, lines)
    return _section("numbers", "The same in numbers", _sheet("Table by layer; scrolls sideways", table))


def _row_cells(row: Row, kinds: list[str]) -> Iterator[str]:
    figures, rank = row.figures, row.rank_share
    known = figures.elements > 0
    yield number_text(figures.relative if known else None)
    yield share_text(figures.share_changed) if known else ""
    yield "" if figures.cosine is None else f"{figures.cosine:.6f}"
    yield "" if rank is None else share_text(rank)
    for kind in kinds:
        yield cell_text(row.cells[kind]) if kind in row.cells else ""


def _table_of_tensors(diff: ModelDiff) -> str:
    both = diff.tensors[:_MOST_TENSORS]
    lines = [_line(tensor.name, _tensor_cells(tensor), name=True) for tensor in both]
    for word, only in (("only in B", diff.added), ("only in A", diff.removed)):
        for tensor in only[:_MOST_TENSORS]:
            cells = [shape_text(tensor.shape), tensor.dtype, word, *[""] * 5]
            lines.append(_line(tensor.name, cells, name=True))
    counts = len(diff.tensors), len(diff.added), len(diff.removed)
    told = f"Ranks with * were measured on 512 rows and 512 columns.{_cut(max(counts), _MOST_TENSORS)}"
    table = _table(told, _TENSOR_HEADS, lines)
    sheet = _sheet("Table of tensors; scrolls sideways", table)
    return f"<details><summary>All {sum(counts):,} tensors</summary>{sheet}</details>"


def _tensor_cells(tensor: TensorDiff) -> Iterator[str]:
    yield _both(shape_text(tensor.shape_a), shape_text(tensor.shape_b))
    yield _both(tensor.dtype_a, tensor.dtype_b)
    figures, spectrum = tensor.figures, tensor.spectrum
    if figures is None:
        yield from ("other shape", "", "", "", "", "")
        return
    yield "integers" if tensor.exact else number_text(figures.relative)
    yield share_text(figures.share_changed)
    yield "" if tensor.exact or figures.cosine is None else f"{figures.cosine:.6f}"
    star = "*" if spectrum is not None and spectrum.sampled else ""
    yield "" if spectrum is None else f"{spectrum.effective_rank:.1f} of {spectrum.of}{star}"
    yield "" if spectrum is None or spectrum.rank is None else f"{spectrum.rank}{star}"
    yield number_text(figures.largest)


def _both(a: str, b: str) -> str:
    return a if a == b else f"{a} → {b}"


def _section(ident: str, heading: str, body: str) -> str:
    return f'<section aria-labelledby="{ident}"><h2 id="{ident}">{heading}</h2>{body}</section>'


def _sheet(label: str, body: str) -> str:
    # What scrolls must be reachable by keyboard.
    return f'<div class="sheet" tabindex="0" role="group" aria-label="{label}">{body}</div>'


def _table(told: str, heads: Iterable[str], lines: Iterable[str]) -> str:
    first, *others = heads
    cells = "".join(f'<th scope="col" class="n">{head}</th>' for head in others)
    head = f'<thead><tr><th scope="col">{first}</th>{cells}</tr></thead>'
    return f"<table><caption>{told}</caption>{head}<tbody>{''.join(lines)}</tbody></table>"


def _line(label: str, cells: Iterable[str], *, name: bool = False) -> str:
    kind = ' class="mono"' if name else ""
    others = "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells)
    return f'<tr><th scope="row"{kind}>{escape(label[:_MOST_NAME_CHARS])}</th>{others}</tr>'


def _cut(count: int, most: int) -> str:
    return f" The first {most:,} of {count:,}." if count > most else ""


def _terms() -> str:
    listed = "".join(f"<dt>{term}</dt><dd>{meaning}</dd>" for term, meaning in _TERMS.items())
    return _section("terms", "What the numbers mean", f'<dl class="terms">{listed}</dl>')
