"""Who counts as a candidate: the models that everybody sees, and for a namespace its own private ones too.

A private model of another namespace is never looked at when a model's lineage is measured: neither the answer
nor the time it takes tells of it. So weights are traced once for each scope in which somebody may ask.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from allmende.facts import PUBLIC, HeldWeights, holders_of
from allmende.ids import RepoId, WeightsId
from allmende.registry import Repo, repos_by_id
from allmende.storage import UnitOfWork

__all__ = ["Holding", "Holdings", "holdings_of"]


@dataclass(frozen=True, slots=True)
class Holding:
    """A repo with a revision of it that holds weights."""

    held: HeldWeights
    repo: Repo

    def within(self, scope: int) -> bool:
        """Whether it is seen in a scope."""
        return not self.repo.private or (scope != PUBLIC and self.repo.namespace_id == scope)


@dataclass(frozen=True, slots=True)
class Holdings:
    """Which repos hold some weights, first seen first; disabled ones are left out."""

    by_weights: Mapping[WeightsId, tuple[Holding, ...]]

    def within(self, weights_id: WeightsId, scope: int) -> list[Holding]:
        """Those that are seen in a scope."""
        return [found for found in self.by_weights.get(weights_id, ()) if found.within(scope)]

    def scopes(self, weights_id: WeightsId) -> list[int]:
        """In which scopes somebody may ask: among the public if a public repo holds it, and in namespaces."""
        holding = self.by_weights.get(weights_id, ())
        public = {PUBLIC} if any(not found.repo.private for found in holding) else set()
        return sorted(public | {int(found.repo.namespace_id) for found in holding})

    def may_meet(self, weights_id: WeightsId, other: WeightsId) -> bool:
        """Whether one may be a candidate of the other in any scope."""
        return any(self.within(other, scope) for scope in self.scopes(weights_id))


def holdings_of(uow: UnitOfWork, ids: Iterable[WeightsId]) -> Holdings:
    """The holdings of these weights."""
    held = holders_of(uow, ids)
    repos = repos_by_id(uow, (found.repo_id for found in held))
    by_weights: dict[WeightsId, list[Holding]] = {}
    for found in held:
        repo = repos.get(RepoId(found.repo_id))
        if repo is not None and not repo.disabled:
            by_weights.setdefault(found.weights_id, []).append(Holding(found, repo))
    return Holdings({weights_id: tuple(listed) for weights_id, listed in by_weights.items()})
