"""What a relative shows beside the change of its values: its build, its precision, its names."""

from collections.abc import Mapping

from allmende.formats import JsonValue
from allmende.weights.comparison import QueryTensor
from allmende.weights.models import Model
from allmende.weights.relations import Relation
from allmende.weights.relatives import Relative

__all__ = ["explained", "renaming"]

_MAX_LISTED = 50


def explained(
    mine: Mapping[str, QueryTensor], relative: Relative, *, changed: bool
) -> tuple[list[Relation], dict[str, JsonValue]]:
    """What was done to the numbers and to the build, the last first, and the evidence.

    `changed` says whether the values changed otherwise, too: a wider type alone is then no operation.
    """
    structure, evidence = relative.structure()
    precision = relative.precision(changed=changed)
    if precision:
        ours = sorted({tensor.precision for tensor in mine.values() if tensor.matrix})
        evidence["precision"] = list[JsonValue](ours)
    if relative.added:
        evidence["added_tensors"] = list[JsonValue](relative.added[:_MAX_LISTED])
    if relative.dropped:
        evidence["dropped_tensors"] = list[JsonValue](relative.dropped[:_MAX_LISTED])
    return [*precision, *structure], evidence


def renaming(query: Model, relative: Relative) -> dict[str, JsonValue]:
    """The evidence that tensors are called otherwise; empty where all have their names."""
    renamed = relative.renamed
    if renamed:
        return {"renamed": dict[str, JsonValue](renamed[:_MAX_LISTED])}
    theirs = relative.specimen.model
    if set(query.tensors) != set(theirs.tensors):
        return {"layouts": [query.layout, theirs.layout]}
    return {}
