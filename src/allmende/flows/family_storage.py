"""What the models of a family take together: the figure of sharing what they have in common.

The family of a model is what the viewer may see of its ancestors, and all that comes from these or from it.
Private repos are counted for a private model alone, and only those of its namespace: others are kept apart.
"""

from dataclasses import dataclass

from allmende.facts import weights_of_revision
from allmende.flows.family_walk import ancestor_ids, descendant_ids
from allmende.flows.lineage_sight import Sight
from allmende.flows.pack_figures import ContentsFigures, contents_figures, held_by, scope_of_repo
from allmende.ids import GitOid, RepoId, Sha256, WeightsId
from allmende.registry import Actor, Repo
from allmende.storage import PUBLIC_SCOPE, UnitOfWork

__all__ = ["FamilyFigures", "family_figures"]

_MAX_REPOS = 500


@dataclass(frozen=True, slots=True)
class FamilyFigures:
    """How many repos a family has, and the figures of all their contents, each content once.

    `is_cut`: there are more repos than are counted.
    """

    repos: int
    figures: ContentsFigures
    is_cut: bool


def family_figures(uow: UnitOfWork, viewer: Actor, repo: Repo, commit_oid: GitOid) -> FamilyFigures:
    """The figures of the family of a revision; of its repo alone where nothing is known of its weights."""
    scope = scope_of_repo(repo)
    counted = {repo.id}
    is_cut = False
    for other in _family(uow, viewer, repo, commit_oid):
        if scope_of_repo(other) not in (PUBLIC_SCOPE, scope) or other.id in counted:
            continue
        if len(counted) == _MAX_REPOS:
            is_cut = True
            break
        counted.add(other.id)
    hashes: set[Sha256] = {sha256 for repo_id in sorted(counted) for sha256 in held_by(uow, RepoId(repo_id))}
    return FamilyFigures(len(counted), contents_figures(uow, scope, sorted(hashes)), is_cut)


def _family(uow: UnitOfWork, viewer: Actor, repo: Repo, commit_oid: GitOid) -> list[Repo]:
    held = weights_of_revision(uow, repo.id, commit_oid)
    if held is None:
        return []
    sight = Sight(uow, viewer)
    edges = sight.edges(held.weights_id, repo)
    kin: set[WeightsId] = {held.weights_id}
    kin |= ancestor_ids(sight, held.weights_id, edges[0] if edges else None)
    sight.load(kin)
    # What comes from a root comes to be found from there; the start is one itself where nothing is above it.
    for root in [one for one in sorted(kin) if one == held.weights_id or sight.best_edge(one) is None]:
        kin |= set(descendant_ids(sight, root))
    return [seen.repo for one in sorted(kin) for seen in sight.holders(one)]
