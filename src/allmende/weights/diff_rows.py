"""A comparison summed up by layer and by kind of tensor: what a table or a heat map of it shows."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from allmende.weights.diff import ModelDiff, TensorDiff, TensorOnly, sum_of
from allmende.weights.figures import Figures
from allmende.weights.layers import INPUT, KINDS, OUTPUT

__all__ = ["Cell", "Row", "kinds_in", "rows_of"]

_MAX_STACK_CHARS = 24

Held = TypeVar("Held", TensorDiff, TensorOnly)


@dataclass(frozen=True, slots=True)
class Cell:
    """The tensors of one kind in one layer. Not all need be comparable."""

    tensors: tuple[TensorDiff, ...]
    added: tuple[TensorOnly, ...]
    removed: tuple[TensorOnly, ...]

    @property
    def figures(self) -> Figures:
        """Over those that were compared as numbers."""
        return sum_of(self.tensors)

    @property
    def compared(self) -> bool:
        """Whether there are any."""
        return any(tensor.figures is not None and not tensor.exact for tensor in self.tensors)


@dataclass(frozen=True, slots=True)
class Row:
    """A layer, or what stands before or behind the layers (`layer` is None then)."""

    label: str
    stack: str
    layer: int | None
    cells: Mapping[str, Cell]

    @property
    def tensors(self) -> tuple[TensorDiff, ...]:
        """All tensors of it that both models have."""
        return tuple(tensor for cell in self.cells.values() for tensor in cell.tensors)

    @property
    def figures(self) -> Figures:
        """Over all of them that were compared as numbers."""
        return sum_of(self.tensors)

    @property
    def rank_share(self) -> float | None:
        """The median, over its changed matrices, of the effective rank of the change by its possible rank."""
        shares = [
            tensor.spectrum.effective_rank / tensor.spectrum.of
            for tensor in self.tensors
            if tensor.spectrum is not None
        ]
        return statistics.median(shares) if shares else None


def rows_of(diff: ModelDiff) -> list[Row]:
    """Input, then the layers of each stack in their order, then output; rows without tensors are left out."""
    tensors, added, removed = _by_place(diff.tensors), _by_place(diff.added), _by_place(diff.removed)
    places = list(dict.fromkeys([*tensors, *added, *removed]))
    stacks = list(dict.fromkeys(stack for stack, _, _ in places))
    order = {stack: place for place, stack in enumerate(stacks)} | {INPUT: -1, OUTPUT: len(stacks)}
    several = len(set(stacks) - {INPUT, OUTPUT}) > 1
    rows: dict[tuple[str, int | None], dict[str, Cell]] = {}
    for place in places:
        cell = Cell(tuple(tensors[place]), tuple(added[place]), tuple(removed[place]))
        rows.setdefault(place[:2], {})[place[2]] = cell
    return [
        Row(_label(stack, layer, several=several), stack, layer, rows[stack, layer])
        for stack, layer in sorted(rows, key=lambda key: (order[key[0]], key[1] or 0))
    ]


def kinds_in(rows: Iterable[Row]) -> list[str]:
    """The kinds of tensor that occur, in the order of KINDS."""
    found = {kind for row in rows for kind in row.cells}
    return [kind for kind in KINDS if kind in found]


def _by_place(tensors: Iterable[Held]) -> defaultdict[tuple[str, int | None, str], list[Held]]:
    found: defaultdict[tuple[str, int | None, str], list[Held]] = defaultdict(list)
    for tensor in tensors:
        standing = tensor.standing
        found[standing.stack, standing.layer, standing.kind].append(tensor)
    return found


def _label(stack: str, layer: int | None, *, several: bool) -> str:
    if layer is None:
        return stack
    if not several:
        return f"layer {layer}"
    shown = stack if len(stack) <= _MAX_STACK_CHARS else "…" + stack[1 - _MAX_STACK_CHARS :]
    return f"{shown} {layer}"
