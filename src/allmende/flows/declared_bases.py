"""What a model's card says of its base, held against what was measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from allmende.facts import Declared, FoundEdge, HeldWeights, Trace
from allmende.flows.family_walk import ancestor_ids, descendant_ids
from allmende.flows.lineage_candidates import weights_named
from allmende.flows.lineage_sight import Sight
from allmende.flows.lineage_view import DeclaredBase
from allmende.ids import WeightsId
from allmende.registry import Repo, RepoDisabled, RepoMoved, RepoNotFound, readable_repo
from allmende.weights import Grade, Relation

__all__ = ["Claims", "judge_claims"]

_MAX_CLAIMS = 20

_FITTING: Mapping[str, frozenset[str]] = {
    "adapter": frozenset({"adapter"}),
    "merge": frozenset({"merge", "lora_merged", "layers_duplicated"}),
    "quantized": frozenset({"quantized", "cast"}),
    "finetune": frozenset(
        {
            "finetune", "partly_frozen", "head_only", "lora_merged", "pruned", "vocab_extended", "vocab_cut",
            "layers_dropped", "layers_duplicated", "permuted",
        }
    ),
}  # fmt: skip
"""Which of the measured relations a word of the cards may stand for."""


@dataclass(frozen=True, slots=True)
class Claims:
    """A revision, what it declares, and what was measured of it (`held` is None where nothing could be)."""

    repo: Repo
    held: HeldWeights | None
    declared: tuple[Declared, ...]
    edges: tuple[FoundEdge, ...]
    trace: Trace | None

    @property
    def best(self) -> FoundEdge | None:
        """The best edge."""
        return self.edges[0] if self.edges else None


def judge_claims(sight: Sight, claims: Claims) -> tuple[DeclaredBase, ...]:
    """Each declared base with what the measurement says of it, then parents that nobody declared.

    A base that is not here, has no weights that were read, or is hidden from the viewer is unknown: the three
    look alike.
    """
    judged: list[DeclaredBase] = []
    covered: set[WeightsId] = set()
    for declared in claims.declared[:_MAX_CLAIMS]:
        base, ids = _judge(sight, claims, declared)
        judged.append(base)
        covered |= ids
    return (*judged, *_undeclared(sight, claims, covered))


def _judge(sight: Sight, claims: Claims, declared: Declared) -> tuple[DeclaredBase, set[WeightsId]]:
    unknown = DeclaredBase(declared.name, "unknown", "not_here", declared.relation)
    repo = _readable(sight, declared.name)
    if repo is None:
        return unknown, set()
    if repo.id == claims.repo.id:
        return replace(unknown, status="contradicted", code="itself"), set()
    bases = weights_named(sight.uow, repo)
    ids = {held.weights_id for held in bases}
    if claims.held is None or claims.trace is None or not ids:
        return unknown, ids
    if claims.held.weights_id in ids:
        return _same_files(claims, bases, unknown), ids
    return _compare(sight, claims, claims.held, claims.trace, unknown, ids), ids


def _compare(
    sight: Sight, claims: Claims, held: HeldWeights, trace: Trace, unknown: DeclaredBase, ids: set[WeightsId]
) -> DeclaredBase:
    direct = next((edge for edge in claims.edges if ids & {parent.id for parent in edge.parents}), None)
    if direct is not None:
        return _direct(unknown, direct)
    if ids & ancestor_ids(sight, held.weights_id, claims.best):
        return replace(unknown, status="confirmed", code="measured_ancestor")
    below = descendant_ids(sight, held.weights_id)
    if ids & below.keys():
        edge = next(edge for one, edge in below.items() if one in ids)
        return replace(_measured(unknown, edge), status="contradicted", code="descendant")
    if ids & {*trace.relatives, *trace.descendants}:
        return replace(unknown, code="related")
    return _without_kin(claims, trace, unknown, ids)


def _same_files(claims: Claims, bases: Sequence[HeldWeights], unknown: DeclaredBase) -> DeclaredBase:
    """The base has the very same files. Who had them first decides, unless only one names the other."""
    first_here = claims.best is None or claims.best.relation != "identical"
    said = replace(unknown, measured="identical", grade="proven", direction="first_seen")
    if not first_here:
        fitting = _FITTING.get(unknown.declared_relation or "")
        if fitting is not None:
            return replace(said, status="contradicted", code="relation_differs")
        return replace(said, status="confirmed", code="measured_parent")
    own = claims.repo.full_name.lower()
    if any(base.name.lower() == own for held in bases for base in held.declared):
        return replace(said, status="contradicted", code="descendant")
    return replace(said, status="confirmed", code="measured_parent", direction="declared")


def _direct(unknown: DeclaredBase, edge: FoundEdge) -> DeclaredBase:
    said = _measured(unknown, edge)
    if edge.grade == "contradicted":
        return replace(said, status="contradicted", code="does_not_fit")
    if edge.grade == "declared":
        return replace(said, status="unknown", code="fits")
    fitting = _FITTING.get(unknown.declared_relation or "")
    if fitting is not None and not fitting & set(edge.chain):
        return replace(said, status="contradicted", code="relation_differs")
    return replace(said, status="confirmed", code="measured_parent")


def _measured(unknown: DeclaredBase, edge: FoundEdge) -> DeclaredBase:
    return replace(
        unknown,
        measured=cast(Relation, edge.relation),
        grade=cast(Grade, edge.grade),
        direction=edge.direction,
    )


def _without_kin(claims: Claims, trace: Trace, unknown: DeclaredBase, ids: set[WeightsId]) -> DeclaredBase:
    if not ids & set(trace.compared):
        return unknown
    best = claims.best
    if best is not None and best.relation == "adapter":
        if ids & set(_fitting(best)):
            return replace(unknown, code="fits")
        return replace(unknown, status="contradicted", code="does_not_fit")
    return replace(unknown, status="contradicted", code="no_kin")


def _fitting(edge: FoundEdge) -> list[str]:
    listed = edge.evidence.get("fits")
    return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []


def _readable(sight: Sight, name: str) -> Repo | None:
    if name.count("/") != 1:
        return None
    try:
        return readable_repo(sight.uow, sight.viewer, "model", name)
    except RepoMoved as moved:
        return _readable(sight, moved.full_name) if moved.full_name != name else None
    except (RepoNotFound, RepoDisabled):
        return None


def _undeclared(sight: Sight, claims: Claims, covered: Iterable[WeightsId]) -> Sequence[DeclaredBase]:
    """Parents by the best edge that no declared base is."""
    best = claims.best
    if best is None or best.grade in ("declared", "contradicted"):
        return ()
    known, found = set(covered), dict[str, DeclaredBase]()
    for parent in best.parents:
        first = sight.first(parent.id)
        if first is None or parent.id in known or first.repo.id == claims.repo.id:
            continue
        name = first.repo.full_name
        found[name] = _measured(DeclaredBase(name, "undeclared", "not_declared"), best)
    return tuple(found.values())
