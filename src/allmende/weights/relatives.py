"""One candidate beside the query: which tensors correspond, what was done to the model's build, and its
numbers.

The build (vocabulary, layers, order of rows, names) and the precision (cast, quantised, pruned) are read
here, each with its evidence. What remains is whether the values themselves changed, and where.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from allmende.formats import JsonValue
from allmende.weights.comparison import (
    PairedTensor,
    QueryTensor,
    cells_at,
    compare,
    compare_values,
    narrowest,
)
from allmende.weights.kinship import AGREES, Kinship, kinship
from allmende.weights.layers import OUTPUT, layer_of, standing_of
from allmende.weights.matching import match
from allmende.weights.moved import Moved, Places, find_moved
from allmende.weights.number_types import round_through
from allmende.weights.relations import Relation
from allmende.weights.specimens import Specimen, is_matrix, sample_positions
from allmende.weights.tensors import WeightTensor

__all__ = ["Relative", "relate"]

_NUMBER = re.compile(r"\d+")
_BUFFERS = ("position_ids", "inv_freq", "masked_bias", "attn.bias", "num_batches_tracked", "rotary_emb")
_PRUNED_SHARE = 0.05
_MIN_MOVED_TRIED = 4
_ALIKE = 0.15
_SURE = 0.85
_WIDTHS: Mapping[str, int] = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 15, "F8_E4M3": 8, "F8_E5M2": 7, "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 7,
}  # fmt: skip


@dataclass(slots=True)
class Relative:
    """A candidate that was compared with the query. `moved` holds what was found in another order."""

    specimen: Specimen
    pairs: Mapping[str, PairedTensor]
    kin: Kinship
    moved: Mapping[str, Moved] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The candidate's name."""
        return self.specimen.name

    @property
    def body_added(self) -> int:
        """How many tensors before the head the query has and this one has not."""
        return sum(standing_of(name).stack != OUTPUT for name in self.added)

    @property
    def body_dropped(self) -> int:
        """How many tensors before the head this one has and the query has not."""
        return sum(standing_of(name).stack != OUTPUT for name in self.dropped)

    @property
    def matrices(self) -> list[PairedTensor]:
        """The pairs that kinship is read from."""
        return [pair for pair in self.pairs.values() if pair.query.matrix and not pair.query.degenerate]

    @property
    def distance(self) -> float:
        """Mean square of the relative change over the matrices that are akin; zeros count as changes."""
        told = [pair for pair in self.matrices if pair.agreement >= AGREES] or self.matrices
        return float(np.mean([min(pair.relative, 2.0) ** 2 for pair in told])) if told else float("inf")

    @property
    def distance_of_kin(self) -> float:
        """The same over those matrices alone that agree beyond doubt: a head that is new lies nowhere."""
        told = [pair.relative**2 for pair in self.matrices if pair.agreement >= _SURE]
        return float(np.mean(told)) if told else float("inf")

    @property
    def width(self) -> int:
        """Bits of the numbers that most of its matrices are in; 0 for quantised ones."""
        widths = sorted(_WIDTHS.get(self.specimen.tensors[pair.partner].dtype, 0) for pair in self.matrices)
        return widths[len(widths) // 2] if widths else 0

    @property
    def sparse(self) -> bool:
        """Whether many of the candidate's own values are zero: it was pruned."""
        told = self.matrices
        zeros = [float(np.mean(pair.values == 0)) for pair in told]
        return bool(zeros) and float(np.median(zeros)) >= _PRUNED_SHARE

    @property
    def equal_share(self) -> float:
        """The share of values that are equal bit for bit, each tensor counting by its size.

        Of a quantised tensor those count that round to its levels: another quantised form of the same values
        is no nearer than their original.
        """
        sizes = [pair.query.tensor.elements for pair in self.pairs.values()]
        equal = [
            (pair.rounded if pair.follows else 0.0) if pair.query.precision == "quantized" else pair.equal
            for pair in self.pairs.values()
        ]
        return float(np.average(equal, weights=sizes)) if sizes else 0.0

    def comes_from_query(self) -> bool:
        """Whether the candidate is a rounded, pruned or shortened form of the query, which cannot be
        undone.
        """
        lesser = False
        for pair in self.pairs.values():
            if pair.same:
                continue
            if not _is_lesser(pair, self.specimen.tensors[pair.partner], self.runs):
                return False
            lesser = True
        return bool(self.pairs) and (lesser or self._has_fewer_layers())

    def _has_fewer_layers(self) -> bool:
        if self.structure()[0]:
            return False
        return 0 < len(_layers_of(self.specimen.tensors)) < len(_layers_of(self.specimen_query))

    @property
    def pruned(self) -> bool:
        """Whether the query has zeros in many matrices where the candidate has none, and they are no
        underflow.
        """
        told = [pair for pair in self.matrices if pair.query.precision != "quantized"]
        zeroed = [pair for pair in told if pair.zeroed >= _PRUNED_SHARE and pair.rounded < 0.999]
        return len(zeroed) >= max(1, 0.3 * len(told))

    def changed(self) -> list[PairedTensor]:
        """The tensors whose values are not the candidate's, rounding and zeros apart."""
        pruned = self.pruned
        return [
            pair
            for pair in self.pairs.values()
            if not (pair.kept >= 0.999 if pruned and pair.zeroed > 0 else pair.follows)
        ]

    def precision(self, *, changed: bool) -> list[Relation]:
        """What was done to the numbers: cast, quantised, pruned, the last first."""
        found: list[Relation] = []
        told = [pair for pair in self.pairs.values() if pair.query.matrix]
        levels = [pair for pair in told if pair.query.precision == "quantized" and not pair.same]
        if levels:
            found.append("quantized")
        elif any(self._cast(pair, changed=changed) for pair in told):
            found.append("cast")
        if self.pruned:
            found.append("pruned")
        return found

    def _cast(self, pair: PairedTensor, *, changed: bool) -> bool:
        ours, theirs = pair.query.tensor.dtype, self.specimen.tensors[pair.partner].dtype
        narrow = _WIDTHS.get(pair.query.precision, 0)
        wide = _WIDTHS.get(theirs, 0)
        if not narrow or not wide:
            return False
        if narrow < wide and not pair.same:
            return True
        return not changed and ours != theirs

    def structure(self) -> tuple[list[Relation], dict[str, JsonValue]]:
        """What was done to the build, and the evidence for it."""
        found: list[Relation] = []
        evidence: dict[str, JsonValue] = {}
        for check in (self._vocabulary, self._layers, self._order):
            relation, said = check()
            if relation is not None:
                found.append(relation)
                evidence |= said
        return found, evidence

    def _vocabulary(self) -> tuple[Relation | None, dict[str, JsonValue]]:
        rows: dict[str, int] = {}
        for name, pair in self.pairs.items():
            ours, theirs = pair.query.tensor, self.specimen.tensors[pair.partner]
            if is_matrix(ours) and ours.matrix[0] != theirs.matrix[0] and ours.shape[1:] == theirs.shape[1:]:
                rows[name] = ours.matrix[0] - theirs.matrix[0]
        if not rows:
            return None, {}
        most = max(rows.values(), key=abs)
        return ("vocab_extended" if most > 0 else "vocab_cut"), {"rows": dict[str, JsonValue](rows)}

    def _layers(self) -> tuple[Relation | None, dict[str, JsonValue]]:
        taken: dict[int, dict[int, int]] = {}
        for name, pair in self.pairs.items():
            mine, other = layer_of(name)[0], layer_of(pair.partner)[0]
            # Only tensors that are called alike but for the number tell where a layer went.
            if mine is not None and other is not None and _skeleton(name) == _skeleton(pair.partner):
                votes = taken.setdefault(mine, {})
                votes[other] = votes.get(other, 0) + 1
        ours, theirs = _layers_of(self.specimen_query), _layers_of(self.specimen.tensors)
        if not taken or len(ours) == len(theirs):
            return None, {}
        came = {mine: max(votes, key=lambda layer: votes[layer]) for mine, votes in sorted(taken.items())}
        said: dict[str, JsonValue] = {"layers": {str(mine): other for mine, other in came.items()}}
        if len(ours) < len(theirs):
            return "layers_dropped", said
        twice = len(set(came.values())) < len(came)
        return ("layers_duplicated" if twice else None), said if twice else {}

    def _order(self) -> tuple[Relation | None, dict[str, JsonValue]]:
        same_size = [
            name
            for name in self.moved
            if self.pairs[name].query.tensor.matrix[0]
            == self.specimen.tensors[self.pairs[name].partner].matrix[0]
        ]
        if not same_size:
            return None, {}
        return "permuted", {"permuted_tensors": list[JsonValue](sorted(same_size)[:50])}

    specimen_query: tuple[str, ...] = ()
    number: int = 0
    runs: int = 1

    @property
    def renamed(self) -> list[tuple[str, str]]:
        """Tensors that are called otherwise, layers that were renumbered aside."""
        return [
            (name, pair.partner)
            for name, pair in self.pairs.items()
            if name != pair.partner and layer_of(name)[1] != layer_of(pair.partner)[1]
        ]


def _layers_of(names: Iterable[str]) -> set[int]:
    return {layer for name in names if (layer := layer_of(name)[0]) is not None}


def _skeleton(name: str) -> str:
    return _NUMBER.sub("#", name, count=1)


def _is_lesser(pair: PairedTensor, theirs: WeightTensor, runs: int) -> bool:
    """Whether the candidate's values are the query's after rounding to its type, or zero."""
    both = np.isfinite(pair.query.values) & np.isfinite(pair.values)
    mine, other = pair.query.values[both], pair.values[both]
    told = mine == other
    cell = None
    if pair.query.matrix and theirs.matrix == pair.query.tensor.matrix:
        cell = cells_at(theirs, sample_positions(pair.query.tensor, runs))
    if cell is not None:
        told |= (mine >= other - cell[0][both] * 1.001) & (mine <= other + cell[1][both] * 1.001)
    elif theirs.dtype in _WIDTHS:
        told |= round_through(mine, narrowest(other, theirs.dtype)) == other
    zero = (other == 0) & ~told
    if zero.mean() >= _PRUNED_SHARE:
        told |= zero
    return bool(told.mean() >= 0.999)


def relate(
    query: Specimen, mine: Mapping[str, QueryTensor], candidate: Specimen, number: int = 0
) -> Relative:
    """Compare one candidate with the query. Nothing is kept of one that is no kin but the counts."""
    names = match(query.tensors, candidate.tensors)
    pairs = compare(mine, query, candidate, names)
    moved: dict[str, Moved] = {}
    if _worth_looking(pairs, candidate):
        moved = _look_for_moves(query, mine, candidate, pairs)
    kin = kinship(pairs)
    used = {pair.partner for pair in pairs.values()}
    return Relative(
        candidate,
        pairs,
        kin,
        moved,
        _told(name for name in query.tensors if name not in pairs),
        _told(name for name in candidate.tensors if name not in used),
        specimen_query=tuple(query.tensors),
        number=number,
        runs=query.runs,
    )


def _told(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if not name.endswith(_BUFFERS))


def _unexplained(pairs: Mapping[str, PairedTensor], candidate: Specimen) -> list[PairedTensor]:
    """The matrices that disagree. Where rows are missing, what all rows share may hide that they moved."""
    return [
        pair
        for pair in pairs.values()
        if pair.query.matrix
        and not pair.query.degenerate
        and (
            pair.agreement < AGREES
            or (pair.agreement < _SURE and pair.query.tensor.shape != candidate.tensors[pair.partner].shape)
        )
    ]


def _alike_in_spread(pair: PairedTensor) -> bool:
    """Whether the values of both are as widely spread: order changes nothing of that."""
    mine, theirs = float(np.nanstd(pair.query.values)), float(np.nanstd(pair.values))
    return 0 < mine < np.inf and abs(theirs / mine - 1) < _ALIKE


def _worth_looking(pairs: Mapping[str, PairedTensor], candidate: Specimen) -> bool:
    """Whether moves can explain what was seen: some matrices disagree, and the two are built alike."""
    matrices = [pair for pair in pairs.values() if pair.query.matrix and not pair.query.degenerate]
    return bool(_unexplained(pairs, candidate)) and len(matrices) >= 1


def _look_for_moves(
    query: Specimen, mine: Mapping[str, QueryTensor], candidate: Specimen, pairs: dict[str, PairedTensor]
) -> dict[str, Moved]:
    """Find moved rows and columns, and put the comparison with them in place of the first one.

    A candidate of which nothing is found in the first tensors tried is left alone, so that an unrelated
    model of the same shape costs little.
    """
    found: dict[str, Moved] = {}
    known: list[Places] = []
    # Small ones first: they tell as well, and the vocabulary is the largest.
    listed = sorted(_unexplained(pairs, candidate), key=lambda pair: pair.query.tensor.elements)
    for tried, pair in enumerate(listed):
        if tried >= _MIN_MOVED_TRIED and not found:
            break
        if not found and not _alike_in_spread(pair):
            continue
        tensor = candidate.tensors[pair.partner]
        moved = find_moved(pair.query.tensor, tensor, known)
        if moved is None:
            continue
        positions = sample_positions(pair.query.tensor, query.runs)
        values = moved.values(tensor, positions, pair.query.tensor.matrix[1])
        compared = compare_values(pair.name, pair.partner, mine[pair.name], values)
        if compared is not None and compared.agreement >= max(AGREES, pair.agreement):
            pairs[pair.name] = compared
            found[pair.name] = moved
    if found:
        _follow_with_vectors(mine, candidate, pairs, known)
    return found


def _follow_with_vectors(
    mine: Mapping[str, QueryTensor], candidate: Specimen, pairs: dict[str, PairedTensor], known: list[Places]
) -> None:
    """Biases and norms move with the rows of their matrices."""
    for name, pair in list(pairs.items()):
        if pair.query.matrix or pair.follows:
            continue
        values = pair.query.tensor.elements
        theirs = candidate.tensors[pair.partner]
        for move in known:
            if len(move) != values or theirs.elements <= int(move.max()) or (move < 0).any():
                continue
            read = theirs.at(move[: len(mine[name].values)])
            compared = compare_values(name, pair.partner, mine[name], read)
            if compared is not None and compared.relative < pair.relative / 2:
                pairs[name] = replace(compared)
                break
