"""The family of a model for a viewer: its ancestors as a graph, and the way between two models."""

from collections import deque
from collections.abc import Iterable
from typing import Literal, cast

from allmende.facts import FoundEdge, HeldWeights, weights_of_revision
from allmende.flows.family_walk import MAX_DEPTH, MAX_NODES
from allmende.flows.lineage_sight import Sight
from allmende.flows.lineage_view import Ancestry, PathStep, TreeLink, TreeNode
from allmende.ids import GitOid, WeightsId
from allmende.registry import Actor, Repo, heads_of
from allmende.storage import UnitOfWork
from allmende.weights import Grade, Relation

__all__ = ["ancestors", "path_between"]

_Way = Literal["up", "down"]
_Step = tuple[WeightsId, _Way, FoundEdge]


def ancestors(
    uow: UnitOfWork,
    viewer: Actor,
    repo: Repo,
    commit_oid: GitOid,
    *,
    depth: int = MAX_DEPTH,
    nodes: int = MAX_NODES,
) -> Ancestry:
    """Where a revision comes from, and where that comes from, and so on, by the best edge of each."""
    held = weights_of_revision(uow, repo.id, commit_oid)
    root = TreeNode(repo.full_name, commit_oid, 0)
    if held is None:
        return Ancestry((root,), ())
    climb = _Climb(Sight(uow, viewer), root, min(nodes, MAX_NODES))
    return climb.up(held, repo, min(depth, MAX_DEPTH))


class _Climb:
    def __init__(self, sight: Sight, root: TreeNode, most: int) -> None:
        self._sight = sight
        self._nodes = [root]
        self._links: list[TreeLink] = []
        self._places: dict[WeightsId, int] = {}
        self._most = most
        self._more = False

    def up(self, held: HeldWeights, repo: Repo, depth: int) -> Ancestry:
        start = held.weights_id
        place = 0
        copied = self._sight.earlier_copy(held, repo)
        edges = self._sight.edges(start, repo)
        if copied is not None:
            place = self._node(start, 1)
            self._link(0, place, copied, None)
        self._places[start] = place
        edge = edges[0] if edges and edges[0].parents else None
        waiting = deque([(start, edge, self._nodes[place].depth)])
        while waiting:
            one, edge, level = waiting.popleft()
            for parent in () if edge is None else edge.parents:
                known = parent.id in self._places
                if not known and (level >= depth or len(self._nodes) >= self._most):
                    self._more = True
                    continue
                above = self._node(parent.id, level + 1)
                self._link(self._places[one], above, cast(FoundEdge, edge), parent.weight)
                if not known:
                    waiting.append((parent.id, self._sight.best_edge(parent.id), level + 1))
        return Ancestry(tuple(self._nodes), tuple(self._links), self._more)

    def _node(self, weights_id: WeightsId, depth: int) -> int:
        if weights_id not in self._places:
            first = self._sight.holders(weights_id)[0]
            self._places[weights_id] = len(self._nodes)
            self._nodes.append(TreeNode(first.repo.full_name, first.held.commit_oid, depth))
        return self._places[weights_id]

    def _link(self, child: int, parent: int, edge: FoundEdge, weight: float | None) -> None:
        relation, grade = cast(Relation, edge.relation), cast(Grade, edge.grade)
        self._links.append(TreeLink(child, parent, relation, grade, weight, edge.rank))


def path_between(uow: UnitOfWork, viewer: Actor, one: Repo, other: Repo) -> tuple[PathStep, ...] | None:
    """The shortest way along edges from one repo to another, each at the head of `main`.

    None where there is no way within 32 steps that the viewer may see; no steps from a repo to itself.
    """
    if one.id == other.id:
        return ()
    heads = heads_of(uow, [one.id, other.id])
    held = [weights_of_revision(uow, repo.id, heads[repo.id]) for repo in (one, other) if repo.id in heads]
    if len(held) != len((one, other)) or held[0] is None or held[1] is None:
        return None
    sight = Sight(uow, viewer)
    start, end = held[0], held[1]
    if start.weights_id == end.weights_id:
        way: _Way = "up" if end.number < start.number else "down"
        return (PathStep(way, "identical", "proven", other.full_name, end.commit_oid),)
    steps = _shortest(sight, start.weights_id, end.weights_id)
    if steps is None:
        return None
    found = [_step(sight, step) for step in steps]
    last = found[-1]
    return (*found[:-1], PathStep(last.direction, last.relation, last.grade, other.full_name, end.commit_oid))


def _shortest(sight: Sight, start: WeightsId, end: WeightsId) -> list[_Step] | None:
    came: dict[WeightsId, tuple[WeightsId, _Step] | None] = {start: None}
    level = [start]
    for _ in range(MAX_DEPTH):
        reached: list[WeightsId] = []
        for source, step in _around(sight, level):
            if step[0] not in came and len(came) < MAX_NODES:
                came[step[0]] = (source, step)
                reached.append(step[0])
        if end in came:
            return _back(came, end)
        if not reached:
            return None
        level = reached
    return None


def _around(sight: Sight, level: list[WeightsId]) -> Iterable[tuple[WeightsId, _Step]]:
    """One step up or down from each of these."""
    sight.load(level)
    for one in level:
        edge = sight.best_edge(one)
        for parent in () if edge is None else edge.parents:
            yield one, (parent.id, "up", cast(FoundEdge, edge))
    here = set(level)
    for child, edge in sight.children(level):
        for parent in edge.parents:
            if parent.id in here:
                yield parent.id, (child, "down", edge)


def _back(came: dict[WeightsId, tuple[WeightsId, _Step] | None], end: WeightsId) -> list[_Step]:
    steps: list[_Step] = []
    place = end
    while (before := came[place]) is not None:
        steps.append(before[1])
        place = before[0]
    return steps[::-1]


def _step(sight: Sight, step: _Step) -> PathStep:
    weights_id, way, edge = step
    first = sight.holders(weights_id)[0]
    relation, grade = cast(Relation, edge.relation), cast(Grade, edge.grade)
    return PathStep(way, relation, grade, first.repo.full_name, first.held.commit_oid)
