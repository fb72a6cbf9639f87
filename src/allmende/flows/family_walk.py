"""Walking along edges between weights, up and down, within bounds and through the eyes of a viewer."""

from collections.abc import Iterable

from allmende.facts import FoundEdge
from allmende.flows.lineage_sight import Sight
from allmende.ids import WeightsId

__all__ = ["MAX_DEPTH", "MAX_NODES", "ancestor_ids", "descendant_ids"]

MAX_DEPTH = 32
MAX_NODES = 10_000


def ancestor_ids(sight: Sight, start: WeightsId, first: FoundEdge | None) -> set[WeightsId]:
    """All weights that these come from, by the best edge of each; `first` is that of the start."""
    found: set[WeightsId] = set()
    level = _parents([first])
    for _ in range(MAX_DEPTH):
        level = {one for one in level if one not in found and one != start}
        if not level or len(found) + len(level) > MAX_NODES:
            break
        found |= level
        sight.load(level)
        level = _parents(sight.best_edge(one) for one in level)
    return found


def descendant_ids(sight: Sight, start: WeightsId) -> dict[WeightsId, FoundEdge]:
    """All weights that come from these, with the edge by which they were reached."""
    found: dict[WeightsId, FoundEdge] = {}
    level = {start}
    for _ in range(MAX_DEPTH):
        reached = {
            child: edge for child, edge in sight.children(level) if child not in found and child != start
        }
        if not reached or len(found) + len(reached) > MAX_NODES:
            break
        found |= reached
        level = set(reached)
    return found


def _parents(edges: Iterable[FoundEdge | None]) -> set[WeightsId]:
    return {parent.id for edge in edges if edge is not None for parent in edge.parents}
