"""What a transparency record tells of lineage, and which repos it names with that."""

import re
from collections.abc import Iterator

from allmende.facts import RevisionFacts, traces_of, weights_of_revision
from allmende.flows.kin_search import LINEAGE_TOOL, LINEAGE_TOOL_VERSION
from allmende.flows.lineage_reading import lineage_of
from allmende.flows.lineage_view import DeclaredBase, EdgeView, LineageView
from allmende.flows.record_sight import reader_of
from allmende.formats import JsonObject, JsonValue
from allmende.ids import GitOid, RepoId
from allmende.record import Facts, Tool, known, unknown
from allmende.registry import Actor, Repo, RepoDisabled, RepoMoved, RepoNotFound, readable_repo
from allmende.storage import UnitOfWork

__all__ = ["lineage_facts_of"]

_NAMES = ("lineage", "declared_bases")
_FULL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
_MAX_NAMED = 500
_MAX_EDGES = 20


def lineage_facts_of(
    uow: UnitOfWork, repo: Repo, commit_oid: GitOid, found: RevisionFacts
) -> tuple[Facts, frozenset[RepoId]]:
    """The facts about lineage, as everybody may know them who may read the repo; and the repos they name."""
    if repo.type != "model":
        return {name: unknown("not_applicable") for name in _NAMES}, frozenset()
    if not found.examined:
        return {name: unknown("not_examined") for name in _NAMES}, frozenset()
    reader = reader_of(uow, repo)
    view = lineage_of(uow, reader, repo, commit_oid, with_kin=False)
    facts: Facts = {
        "lineage": _lineage(uow, reader, repo, view),
        "declared_bases": _declared(uow, view),
    }
    named = _named_repos(uow, reader, facts)
    return facts, frozenset(named - {repo.id})


def _lineage(uow: UnitOfWork, reader: Actor, repo: Repo, view: LineageView) -> JsonObject:
    held = weights_of_revision(uow, repo.id, view.revision)
    if held is None:
        return unknown("not_measured")
    if not view.examined:
        return unknown("not_examined")
    moments = [trace.at for trace in traces_of(uow, [held.weights_id]).values()]
    value: JsonObject = {
        "edges": [_edge(uow, reader, edge) for edge in view.edges[:_MAX_EDGES]],
        "compared": view.compared,
        "problems": list[JsonValue](view.problems),
    }
    evidence = {"weights": held.weights_id}
    tool = Tool(LINEAGE_TOOL, LINEAGE_TOOL_VERSION)
    return known(value, "measured", tool, max(moments, default=uow.now), evidence)


def _edge(uow: UnitOfWork, reader: Actor, edge: EdgeView) -> JsonObject:
    parents: list[JsonValue] = []
    for parent in edge.parents:
        found = _readable(uow, reader, parent.repo)
        row: JsonObject = {
            "repo": parent.repo,
            "id": None if found is None else found.public_id,
            "revision": parent.revision,
        }
        parents.append(row if parent.weight is None else {**row, "weight": parent.weight})
    return {
        "parents": parents,
        "relation": edge.relation,
        "chain": list[JsonValue](edge.chain),
        "grade": edge.grade,
        "direction": edge.direction,
        "rank": edge.rank,
        "evidence": dict(edge.evidence),
    }


def _declared(uow: UnitOfWork, view: LineageView) -> JsonObject:
    if not view.declared:
        return unknown("not_declared")
    tool = Tool(LINEAGE_TOOL, LINEAGE_TOOL_VERSION)
    return known([_claim(base) for base in view.declared], "derived", tool, uow.now)


def _claim(base: DeclaredBase) -> JsonObject:
    return {
        "name": base.name,
        "status": base.status,
        "code": base.code,
        "declared_relation": base.declared_relation,
        "measured": base.measured,
        "grade": base.grade,
        "direction": base.direction,
    }


def _named_repos(uow: UnitOfWork, reader: Actor, facts: Facts) -> set[RepoId]:
    names: dict[str, None] = {}
    for fact in facts.values():
        names |= dict.fromkeys(_full_names(fact.get("value")))
    found = [_readable(uow, reader, name) for name in list(names)[:_MAX_NAMED]]
    return {repo.id for repo in found if repo is not None}


def _full_names(value: JsonValue) -> Iterator[str]:
    """Every text in a value that may be the name of a repo."""
    if isinstance(value, str):
        if _FULL_NAME.fullmatch(value):
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from _full_names(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _full_names(key)
            yield from _full_names(item)


def _readable(uow: UnitOfWork, reader: Actor, name: str) -> Repo | None:
    try:
        return readable_repo(uow, reader, "model", name)
    except (RepoNotFound, RepoMoved, RepoDisabled):
        return None
