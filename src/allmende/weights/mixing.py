"""The edge of a model that was put together from several: merged, or spliced layer by layer."""

from collections.abc import Mapping, Sequence

from allmende.formats import JsonValue
from allmende.weights.comparison import QueryTensor
from allmende.weights.entrywise import find_entrywise
from allmende.weights.explaining import explained
from allmende.weights.family import Family
from allmende.weights.mixtures import Mixture, find_mixture
from allmende.weights.relations import Edge, Grade, Parent
from allmende.weights.relatives import Relative

__all__ = ["merged", "spliced"]

_MAX_SPLICED = 8
_LEAST_SHARE = 0.02
_PRECISION = frozenset({"cast", "quantized", "pruned"})


def merged(mine: Mapping[str, QueryTensor], family: Family) -> Edge | None:
    """The edge of a linear, spherical, graded, TIES or DARE mixture of relatives; None where none fits."""
    if len(family.relatives) < 2 or family.holds_the_query():
        return None
    mixture = find_mixture(family.stack, family.places(), family.numbers)
    mixture = mixture or find_entrywise(family.stack, family.numbers)
    if mixture is None:
        return None
    members = [family.relatives[row] for row in mixture.members]
    nearest = min(members, key=lambda relative: relative.distance)
    chain, evidence = explained(mine, nearest, changed=True)
    evidence |= _evidence(mixture)
    parents = [Parent(member.name, weight) for member, weight in zip(members, mixture.weights, strict=True)]
    grade: Grade = "strong" if mixture.misfit <= 8 or mixture.gain >= 1000 else "likely"
    return Edge(tuple(parents), (*chain, "merge"), grade, "irreversible", evidence)


def _evidence(mixture: Mixture) -> dict[str, JsonValue]:
    return {
        "method": mixture.method,
        "misfit": float(f"{mixture.misfit:.4g}"),
        "gain": float(f"{mixture.gain:.4g}"),
        "weight_spread": round(mixture.spread, 4),
    }


def spliced(mine: Mapping[str, QueryTensor], possible: Sequence[Relative]) -> Edge | None:
    """The edge of a model each of whose matrices is that of one relative or another, bit for bit."""
    wanted = {name: tensor.tensor.elements for name, tensor in mine.items() if tensor.matrix}
    follows = {
        relative.name: {pair.name for pair in relative.matrices if pair.follows} for relative in possible
    }
    chosen = _cover(wanted, follows)
    if not 2 <= len(chosen) <= _MAX_SPLICED or min(chosen.values()) < _LEAST_SHARE * sum(wanted.values()):
        return None
    if sum(chosen.values()) < (1 - _LEAST_SHARE) * sum(wanted.values()):
        return None
    parents = tuple(Parent(name, size / sum(chosen.values())) for name, size in chosen.items())
    first = next(relative for relative in possible if relative.name == next(iter(chosen)))
    chain, evidence = explained(mine, first, changed=True)
    tensors = {name: list[JsonValue](sorted(follows[name])[:100]) for name in chosen}
    evidence |= {"method": "splice", "tensors_of": dict[str, JsonValue](tensors)}
    kept = [relation for relation in chain if relation in _PRECISION]
    return Edge(parents, (*kept, "merge"), "strong", "irreversible", evidence)


def _cover(wanted: Mapping[str, int], follows: Mapping[str, set[str]]) -> dict[str, int]:
    """Relatives that together have the wanted tensors, each with the size of what is taken from it: each time
    the one that has most of what is left.
    """
    left = set(wanted)
    chosen: dict[str, int] = {}
    while left and follows:
        gains = {name: sum(wanted[one] for one in has & left) for name, has in follows.items()}
        best = max(gains, key=lambda name: gains[name])
        if not gains[best]:
            break
        chosen[best] = gains[best]
        left -= follows[best]
    return chosen
