"""The lineage of a model among others: its parents, what was done to them, how sure that is, and why.

The order of the questions: who is akin; whom does the query follow but for rounding (a copy, a cast, a
quantised, pruned, cut or re-ordered one); is it put together from several; else who is nearest, and what
kind of training lies between. The direction comes from operations that cannot be undone, then from the
angles between several relatives, then from who was seen here first; the edge says which.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allmende.formats import JsonObject, JsonValue
from allmende.weights.adapters import adapter_edges
from allmende.weights.changes import only_head_changed
from allmende.weights.comparison import QueryTensor, query_tensors
from allmende.weights.explaining import explained, renaming
from allmende.weights.family import family_of
from allmende.weights.mixing import merged, spliced
from allmende.weights.models import Model
from allmende.weights.parentage import best_training, missing_start, toward_the_root
from allmende.weights.relations import Direction, Edge, Grade, Parent
from allmende.weights.relatives import Relative, relate
from allmende.weights.specimens import specimen_of
from allmende.weights.verification import follows_everywhere

__all__ = ["TRACE_VERSION", "Lineage", "trace"]

TRACE_VERSION = "2"
"""Raise it when answers may differ from before: a hub then traces everything anew."""

_IRREVERSIBLE = frozenset({"cast", "quantized", "pruned", "vocab_cut", "layers_dropped", "layers_duplicated"})


@dataclass(frozen=True, slots=True)
class Lineage:
    """The answer: edges to parents, best first, and the relatives that are none.

    Without any parent there is one edge `unrelated`, or `sibling` where relatives share a start that is not
    here. `descendants` are relatives that certainly or probably come from the query.
    """

    query: str
    edges: tuple[Edge, ...]
    relatives: tuple[str, ...]
    descendants: tuple[str, ...]
    compared: int

    def document(self) -> JsonObject:
        """As JSON, without the schema."""
        return {
            "query": self.query,
            "edges": [edge.document() for edge in self.edges],
            "relatives": list[JsonValue](self.relatives),
            "descendants": list[JsonValue](self.descendants),
            "compared": self.compared,
        }


def trace(query: Model, candidates: Sequence[Model], seen: Mapping[str, int] | None = None) -> Lineage:
    """The lineage of a model among candidates of other names.

    `seen` gives the order in which models were first seen, by name; where both the query and a candidate have
    a place in it, it decides where nothing else does. Raises BytesMissing for a file that is shorter than its
    header says.
    """
    return _Tracing(query, candidates, seen or {}).answer()


class _Tracing:
    def __init__(self, query: Model, candidates: Sequence[Model], seen: Mapping[str, int]) -> None:
        self.query = specimen_of(query)
        self.candidates = candidates
        self.seen = seen
        self.mine: Mapping[str, QueryTensor] = {}
        self.kin: list[Relative] = []
        self.descendants: list[str] = []

    def answer(self) -> Lineage:
        if adapters := adapter_edges(self.query.model, self.candidates):
            return self._lineage(adapters)
        self.mine = query_tensors(self.query)
        for number, candidate in enumerate(self.candidates):
            specimen = specimen_of(candidate)
            relative = relate(self.query, self.mine, specimen, number)
            if relative.kin.akin:
                self.kin.append(relative)
            else:
                relative.specimen.forget()
        self._set_descendants_aside()
        edges = self._edges()
        return self._lineage(edges or [Edge((), ("unrelated",), "strong", "undetermined", self._no_kin())])

    def _lineage(self, edges: Sequence[Edge]) -> Lineage:
        parents = {parent.path for edge in edges for parent in edge.parents}
        others = [kin.name for kin in self.kin if kin.name not in {*parents, *self.descendants}]
        return Lineage(
            self.query.name, tuple(edges), tuple(others), tuple(self.descendants), len(self.candidates)
        )

    def _no_kin(self) -> dict[str, JsonValue]:
        said: dict[str, JsonValue] = {"compared": len(self.candidates)}
        if self.descendants:
            said["descendants"] = list[JsonValue](self.descendants)
        return said

    # --- who comes from the query ---------------------------------------------------------------------

    def _set_descendants_aside(self) -> None:
        """A candidate that is a rounded or cut form of the query came from it: that cannot be undone."""
        kept: list[Relative] = []
        for relative in self.kin:
            if relative.changed() and not self._seen_before(relative.name) and relative.comes_from_query():
                self.descendants.append(relative.name)
            else:
                kept.append(relative)
        self.kin = kept

    def _seen_before(self, name: str) -> bool:
        mine, theirs = self.seen.get(self.query.name), self.seen.get(name)
        return mine is not None and theirs is not None and theirs < mine

    def _seen_after(self, name: str) -> bool:
        mine, theirs = self.seen.get(self.query.name), self.seen.get(name)
        return mine is not None and theirs is not None and theirs > mine

    # --- the edges ------------------------------------------------------------------------------------

    def _edges(self) -> list[Edge]:
        if not self.kin:
            return []
        if followed := self._followed():
            return followed
        possible = [relative for relative in self.kin if not self._seen_after(relative.name)]
        family = family_of(possible)
        mixed = spliced(self.mine, possible) or (merged(self.mine, family) if family else None)
        return [mixed] if mixed else self._trained(possible)

    def _followed(self) -> list[Edge]:
        """The candidates that the query follows but for rounding, the simplest explanation first."""
        found: list[tuple[tuple[float, ...], Edge]] = []
        for relative in self.kin:
            edge = None if relative.changed() else self._following(relative)
            if edge is not None:
                rounded = _mean(pair.rounded for pair in relative.pairs.values())
                # One of which all parts were met explains more than one that a part of is left over.
                left_over = relative.body_added + relative.body_dropped
                found.append(((left_over > 0, len(edge.chain), -rounded, relative.distance), edge))
        found.sort(key=lambda one: one[0])
        return [edge for _, edge in found]

    def _following(self, relative: Relative) -> Edge | None:
        chain, evidence = explained(self.mine, relative, changed=False)
        if only_head_changed(relative, []):
            chain.append("head_only")
        elif not chain and relative.dropped:
            chain.append("head_only" if relative.body_dropped == 0 else "layers_dropped")
        reversible = not _IRREVERSIBLE & set(chain)
        if reversible and self._seen_after(relative.name):
            return None
        renamed = renaming(self.query.model, relative)
        if renamed and not chain:
            chain.append("renamed")
        evidence |= renamed
        evidence["equal_share"] = round(_mean(pair.equal for pair in relative.pairs.values()), 6)
        evidence["rounded_share"] = round(_mean(pair.rounded for pair in relative.pairs.values()), 6)
        proven = not relative.moved and follows_everywhere(relative)
        grade: Grade = "proven" if proven else "strong"
        direction: Direction = self._direction(relative) if reversible else "irreversible"
        return Edge((Parent(relative.name),), tuple(chain or ["identical"]), grade, direction, evidence)

    def _trained(self, possible: Sequence[Relative]) -> list[Edge]:
        """The edge to the relative that the query was trained from, if one may be its parent."""
        family = family_of(possible)
        toward: Sequence[Relative] = possible
        nearest = min(possible, key=lambda relative: relative.distance, default=None)
        told = nearest is not None and _IRREVERSIBLE & set(explained(self.mine, nearest, changed=True)[0])
        if family is not None and not self.seen and not told:
            toward, away = toward_the_root(family, possible)
            self.descendants.extend(relative.name for relative in away)
        if not toward:
            return []
        training = best_training(family, toward, self.seen)
        if family is not None and (siblings := missing_start(family, training)):
            return [siblings]
        chain, evidence = explained(self.mine, training.parent, changed=True)
        evidence |= training.change.evidence
        direction = self._direction(training.parent)
        if _IRREVERSIBLE & set(chain):
            direction = "irreversible"
        elif direction == "undetermined" and len(toward) < len(possible):
            direction = "branches"
        change = training.change
        parents = (Parent(training.parent.name),)
        return [Edge(parents, (*chain, change.relation), change.grade, direction, evidence, change.rank)]

    def _direction(self, relative: Relative) -> Direction:
        return "first_seen" if self._seen_before(relative.name) else "undetermined"


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(np.mean(found)) if found else 0.0
