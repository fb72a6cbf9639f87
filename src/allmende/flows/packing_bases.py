"""On which contents a content may be stored: what its weights come from, what its name had before, what is
near.

Only what the scope sees is looked at; and the shelf finds no other objects, whatever is named here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from allmende.facts import HeldWeights, holders_of, traces_of, weights_of, weights_with_content
from allmende.flows.lineage_candidates import weights_named
from allmende.flows.lineage_scopes import holdings_of
from allmende.flows.services import Services
from allmende.ids import Sha256, WeightsId, is_sha256
from allmende.registry import former_contents, lookup_repo, scopes_of
from allmende.storage import PUBLIC_SCOPE, UnitOfWork

__all__ = ["BaseGroup", "bases_to_try"]

_MOST_GROUPS = 8
_MOST_FORMER = 3
_MOST_WEIGHTS = 16
_MOST_NEAR = 6


@dataclass(frozen=True, slots=True)
class BaseGroup:
    """The contents that together are one base; a `kin` one is tried, and not waited for."""

    contents: tuple[Sha256, ...]
    kin: bool


def bases_to_try(services: Services, uow: UnitOfWork, sha256: Sha256, scope: int) -> list[BaseGroup]:
    """Bases of a content in a scope, the best guess first: parents, declared bases, older versions, kin."""
    own = weights_with_content(uow, sha256, _MOST_WEIGHTS)
    parents, kin = _by_lineage(uow, own, scope)
    parents += _declared(uow, own)
    kin += _near(services, uow, own)
    groups = [BaseGroup(files, kin=False) for files in _files_of(uow, parents, own, scope)]
    former = former_contents(uow, sha256, _MOST_FORMER)
    groups += [BaseGroup((one,), kin=False) for one in former if _is_seen(uow, one, scope)]
    groups += [BaseGroup(files, kin=True) for files in _files_of(uow, kin, own, scope)]
    distinct = {
        group.contents: group for group in reversed(groups) if group.contents and sha256 not in group.contents
    }
    return list(distinct.values())[::-1][:_MOST_GROUPS]


def _by_lineage(
    uow: UnitOfWork, own: Iterable[WeightsId], scope: int
) -> tuple[list[WeightsId], list[WeightsId]]:
    """Measured parents, and other relatives; what was measured in the scope before what the public sees."""
    parents: list[WeightsId] = []
    kin: list[WeightsId] = []
    traces = traces_of(uow, own)
    for key in sorted(traces, key=lambda key: key[1] != scope):
        if key[1] not in (PUBLIC_SCOPE, scope):
            continue
        parents += [parent.id for edge in traces[key].edges for parent in edge.parents]
        kin += [*traces[key].relatives, *traces[key].descendants]
    return parents, kin


def _declared(uow: UnitOfWork, own: Iterable[WeightsId]) -> list[WeightsId]:
    found: list[WeightsId] = []
    for name in dict.fromkeys(base.name for held in holders_of(uow, own) for base in held.declared):
        repo = lookup_repo(uow, "model", name) if name.count("/") == 1 else None
        found += [] if repo is None else [held.weights_id for held in weights_named(uow, repo)]
    return found


def _near(services: Services, uow: UnitOfWork, own: Iterable[WeightsId]) -> list[WeightsId]:
    found: list[WeightsId] = []
    for weights in weights_of(uow, own).values():
        if weights.measured is not None and weights.measured.key is not None:
            found += list(services.kin.near(uow, weights.measured.key))[: _MOST_NEAR + 1]
    return found


def _files_of(
    uow: UnitOfWork, listed: Iterable[WeightsId], own: Iterable[WeightsId], scope: int
) -> list[tuple[Sha256, ...]]:
    """The contents of these weights, each set as one base, where somebody in the scope holds them."""
    wanted = [one for one in dict.fromkeys(listed) if one not in set(own)][:_MOST_WEIGHTS]
    holdings = holdings_of(uow, wanted)
    found: list[tuple[Sha256, ...]] = []
    for one in wanted:
        within = holdings.within(one, scope)
        if within:
            found.append(_contents_of(within[0].held))
    return found


def _contents_of(held: HeldWeights) -> tuple[Sha256, ...]:
    return tuple(dict.fromkeys(Sha256(file.key) for file in held.files if is_sha256(file.key)))


def _is_seen(uow: UnitOfWork, sha256: Sha256, scope: int) -> bool:
    return bool(scopes_of(uow, [sha256]).get(sha256, frozenset()) & {PUBLIC_SCOPE, scope})
