"""Measured bases among a repo's tags, in the form of cards: for lists, filters and the description of a repo.

Everybody who sees the repo sees its tags. So only bases that everybody sees are among them.
"""

from collections.abc import Mapping

from allmende.facts import PUBLIC, FoundEdge, Trace, TraceKey, traces_of, weights_of_revision
from allmende.flows.lineage_scopes import Holdings, holdings_of
from allmende.ids import GitOid, RepoId, WeightsId
from allmende.registry import Repo, find_repo_by_id, heads_of, index_measured
from allmende.storage import UnitOfWork

__all__ = ["CARD_RELATIONS", "card_relation", "index_head", "index_lineage"]

CARD_RELATIONS: Mapping[str, str] = {"adapter": "adapter", "merge": "merge", "quantized": "quantized"}
"""Relations that cards have a word for; everything else is a fine-tune to them."""

_GRADES = frozenset({"proven", "strong", "likely"})


def card_relation(chain: tuple[str, ...]) -> str:
    """The word of cards for what was done: the first of the chain that they know."""
    return next((CARD_RELATIONS[one] for one in chain if one in CARD_RELATIONS), "finetune")


def index_lineage(uow: UnitOfWork, weights_id: WeightsId) -> None:
    """Bring the tags of every repo up to date that has these weights at the head of `main`."""
    holding = holdings_of(uow, [weights_id]).by_weights.get(weights_id, ())
    heads = heads_of(uow, (found.repo.id for found in holding))
    for found in holding:
        if heads.get(found.repo.id) == found.held.commit_oid:
            index_head(uow, found.repo.id, found.held.commit_oid)


def index_head(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> None:
    """Bring the tags of a repo up to date with the lineage of this head of `main`."""
    repo = find_repo_by_id(uow, repo_id)
    held = weights_of_revision(uow, repo_id, commit_oid)
    if repo is None:
        return
    bases: list[tuple[str, str]] = []
    if held is not None:
        found = _trace_of(repo, held.weights_id, traces_of(uow, [held.weights_id]))
        edges = [] if found is None else list(found.edges[:1])
        bases = _bases(uow, repo, held.weights_id, edges)
    index_measured(uow, repo_id, bases)


def _trace_of(repo: Repo, weights_id: WeightsId, traces: Mapping[TraceKey, Trace]) -> Trace | None:
    scope = int(repo.namespace_id) if repo.private else PUBLIC
    return traces.get((weights_id, scope))


def _bases(
    uow: UnitOfWork, repo: Repo, weights_id: WeightsId, edges: list[FoundEdge]
) -> list[tuple[str, str]]:
    parents = [parent.id for edge in edges for parent in edge.parents]
    holdings = holdings_of(uow, [weights_id, *parents])
    found: list[tuple[str, str]] = []
    for edge in edges:
        names = [_public_name(holdings, parent.id) for parent in edge.parents]
        if edge.grade in _GRADES and all(names):
            relation = card_relation(edge.chain)
            found += [(relation, name) for name in names if name and name != repo.full_name]
    return list(dict.fromkeys(found))


def _public_name(holdings: Holdings, weights_id: WeightsId) -> str | None:
    return next((found.repo.full_name for found in holdings.within(weights_id, PUBLIC)), None)
