"""The words of lineage: relations, grades, edges. The names are those of the published JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from allmende.formats import JsonObject, JsonValue

__all__ = ["GRADES", "RELATIONS", "Edge", "Grade", "Parent", "Relation"]

Relation: TypeAlias = Literal[
    "identical", "renamed", "cast", "finetune", "partly_frozen", "head_only", "lora_merged", "adapter",
    "merge", "quantized", "pruned", "vocab_extended", "vocab_cut", "layers_dropped", "layers_duplicated",
    "permuted", "sibling", "unrelated",
]  # fmt: skip
RELATIONS: tuple[Relation, ...] = get_args(Relation)

Grade: TypeAlias = Literal["proven", "strong", "likely", "declared", "contradicted"]
GRADES: tuple[Grade, ...] = get_args(Grade)
"""proven: the child's values follow bit for bit from the parent's. strong: what is left lies at the rounding
of the child's numbers, or is of low rank. likely: by distance alone. declared: nobody measured it.
contradicted: declared, and the measurement says otherwise."""

Direction: TypeAlias = Literal["irreversible", "branches", "first_seen", "undetermined"]


@dataclass(frozen=True, slots=True)
class Parent:
    """A model that another descends from, with its weight where it is one of several."""

    path: str
    weight: float | None = None

    def document(self) -> JsonObject:
        """As JSON."""
        found: JsonObject = {"path": self.path}
        return found if self.weight is None else {**found, "weight": round(self.weight, 4)}


@dataclass(frozen=True, slots=True)
class Edge:
    """How a model descends from its parents: `chain` lists all that was done, the last first."""

    parents: tuple[Parent, ...]
    chain: tuple[Relation, ...]
    grade: Grade
    direction: Direction
    evidence: Mapping[str, JsonValue] = field(default_factory=dict)
    rank: int | None = None

    @property
    def relation(self) -> Relation:
        """The last that was done."""
        return self.chain[0]

    def document(self) -> JsonObject:
        """As JSON."""
        found: JsonObject = {
            "parents": [parent.document() for parent in self.parents],
            "relation": self.relation,
            "chain": list[JsonValue](self.chain),
            "grade": self.grade,
            "direction": self.direction,
            "evidence": dict(self.evidence),
        }
        return found if self.rank is None else {**found, "rank": self.rank}
