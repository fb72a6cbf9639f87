"""Reading lineage for a viewer: one revision with its edges, claims, children and siblings."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from allmende.errors import BadRequest
from allmende.facts import FoundEdge, HeldWeights, Measured, Trace, weights_of, weights_of_revision
from allmende.flows.alike import nearest_kin
from allmende.flows.declared_bases import Claims, judge_claims
from allmende.flows.lineage_sight import Relative, Seen, Sight
from allmende.flows.lineage_view import DescendantsPage, EdgeView, KinView, LineageView, ParentView
from allmende.flows.weights_files import declared_bases, with_paths
from allmende.ids import GitOid, WeightsId
from allmende.registry import Actor, Repo, card_data, count_repos
from allmende.storage import UnitOfWork
from allmende.weights import Grade, Relation

__all__ = ["descendants", "lineage_of", "siblings"]

_FIRST_PAGE = 50
_MAX_PAGE = 500
_MAX_SIBLINGS = 200


def lineage_of(
    uow: UnitOfWork,
    viewer: Actor,
    repo: Repo,
    commit_oid: GitOid,
    *,
    with_kin: bool = True,
    alike: int = 0,
    card: Mapping[str, Any] | None = None,
) -> LineageView:
    """All that the viewer may know about where a revision comes from. The viewer may read the repo.

    Without kin, neither children nor siblings are looked for; with it, so many of the nearest are listed as
    `alike`. `card` is what the card declares, where the caller has read it.
    """
    held = weights_of_revision(uow, repo.id, commit_oid)
    sight = Sight(uow, viewer)
    if held is None:
        said = card_data(uow, repo.id, commit_oid) if card is None and repo.type == "model" else card
        bases = declared_bases(said, None) if repo.type == "model" else []
        claims = judge_claims(sight, Claims(repo, None, tuple(bases), (), None))
        return LineageView(repo.full_name, commit_oid, examined=False, declared=claims)
    measured = weights_of(uow, [held.weights_id])[held.weights_id].measured
    trace = sight.trace(held.weights_id, repo)
    edges = _edges(sight, held, repo)
    children = _children(sight, held, repo) if with_kin else []
    beside = _siblings(sight, held, repo, edges) if with_kin else []
    return LineageView(
        repo.full_name,
        commit_oid,
        examined=_is_examined(measured, trace),
        edges=tuple(_edge_view(sight, edge, trace) for edge in edges),
        declared=judge_claims(sight, Claims(repo, held, held.declared, tuple(edges), trace)),
        descendants=_page(held, children, None, _FIRST_PAGE),
        siblings=tuple(_kin_view(*found) for found in beside),
        alike=nearest_kin(sight, held, repo, edges, children, beside, alike) if alike else (),
        problems=_problems(measured, trace, held),
        compared=_compared(sight, trace),
        among=max(0, count_repos(uow, viewer, "model") - 1),
        parameters=None if measured is None else measured.parameters,
    )


def descendants(
    uow: UnitOfWork,
    viewer: Actor,
    repo: Repo,
    commit_oid: GitOid,
    *,
    cursor: str | None = None,
    limit: int = _FIRST_PAGE,
) -> DescendantsPage:
    """A page of the direct children of a revision. Raises BadRequest for a cursor that makes no sense."""
    held = weights_of_revision(uow, repo.id, commit_oid)
    if held is None:
        return DescendantsPage()
    children = _children(Sight(uow, viewer), held, repo)
    return _page(held, children, cursor, min(limit, _MAX_PAGE))


def siblings(uow: UnitOfWork, viewer: Actor, repo: Repo, commit_oid: GitOid) -> tuple[KinView, ...]:
    """Other children of the same parents, and relatives whose common start is not here; bounded."""
    held = weights_of_revision(uow, repo.id, commit_oid)
    if held is None:
        return ()
    sight = Sight(uow, viewer)
    return tuple(_kin_view(*found) for found in _siblings(sight, held, repo, _edges(sight, held, repo)))


def _is_examined(measured: Measured | None, trace: Trace | None) -> bool:
    return measured is not None and (measured.error is not None or trace is not None)


def _problems(measured: Measured | None, trace: Trace | None, held: HeldWeights) -> tuple[str, ...]:
    found = [] if measured is None else [*filter(None, [measured.error]), *measured.problems]
    told = [with_paths(sentence, held.files) for sentence in found]
    return (*told, *filter(None, [None if trace is None else trace.error]))


def _compared(sight: Sight, trace: Trace | None) -> int:
    return 0 if trace is None else sight.count_seen(trace.compared)


def _edges(sight: Sight, held: HeldWeights, repo: Repo) -> list[FoundEdge]:
    """The edges that may be told; before them that to another repo which had the same files earlier."""
    edges = sight.edges(held.weights_id, repo)
    copied = sight.earlier_copy(held, repo)
    return edges if copied is None else [copied, *(edge for edge in edges if edge.parents)]


def _edge_view(sight: Sight, edge: FoundEdge, trace: Trace | None) -> EdgeView:
    evidence = sight.evidence(edge)
    if "compared" in evidence:
        evidence["compared"] = _compared(sight, trace)
    return EdgeView(
        tuple(
            _parent_view(first, parent.weight)
            for parent in edge.parents
            if (first := sight.first(parent.id)) is not None
        ),
        cast(Relation, edge.relation),
        cast(tuple[Relation, ...], edge.chain),
        cast(Grade, edge.grade),
        edge.direction,
        edge.rank,
        evidence,
    )


def _parent_view(found: Seen, weight: float | None) -> ParentView:
    return ParentView(found.repo.full_name, found.held.commit_oid, weight)


def _kin_view(found: Seen, edge: FoundEdge, of: WeightsId | None = None) -> KinView:
    weight = next((parent.weight for parent in edge.parents if parent.id == of), None)
    relation, grade = cast(Relation, edge.relation), cast(Grade, edge.grade)
    return KinView(found.repo.full_name, found.held.commit_oid, relation, grade, edge.rank, weight)


def _children(sight: Sight, held: HeldWeights, repo: Repo) -> list[Relative]:
    """Later copies, then what was made from it, first seen first, each with the edge that leads here."""
    listed = sight.later_copies(held, repo)
    for child, edge in sight.children([held.weights_id]):
        first = sight.first(child)
        if first is not None:
            listed.append((first, edge))
    return listed


def _page(held: HeldWeights, children: Sequence[Relative], cursor: str | None, limit: int) -> DescendantsPage:
    start = _start(cursor)
    page = [_kin_view(found, edge, held.weights_id) for found, edge in children[start : start + limit]]
    end = start + len(page)
    return DescendantsPage(tuple(page), len(children), str(end) if end < len(children) else None)


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 9):
        raise BadRequest("The cursor is not valid.", code="cursor_invalid")
    return int(cursor)


def _siblings(sight: Sight, held: HeldWeights, repo: Repo, edges: Sequence[FoundEdge]) -> list[Relative]:
    """Other children of the same parents, and relatives whose common start is not here, by their repos."""
    found: dict[str, Relative] = {}
    parents = [parent.id for edge in edges[:1] for parent in edge.parents if parent.id != held.weights_id]
    for child, edge in sight.children(parents, 2 * _MAX_SIBLINGS) if parents else ():
        first = sight.first(child)
        if first is not None and child != held.weights_id and first.repo.id != repo.id:
            found.setdefault(first.repo.full_name, (first, edge))
    for edge in edges:
        if edge.relation != "sibling":
            continue
        for one in sight.named(edge):
            first = sight.first(one)
            if first is not None and first.repo.id != repo.id:
                found.setdefault(first.repo.full_name, (first, edge))
    return list(found.values())[:_MAX_SIBLINGS]
