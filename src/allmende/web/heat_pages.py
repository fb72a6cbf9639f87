"""The page that shows by how much each layer of a model changed from a measured parent."""

from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import NotFound
from allmende.flows import EdgeView, ParentView, change_between, has_layer_change, lineage_of
from allmende.registry import RepoNotFound, readable_repo
from allmende.web.addresses import PREFIX, model_path
from allmende.web.heat_map import COLOURS, heat_map_of
from allmende.web.lineage_words import compare_commands, kin_link, kin_name, relation_word
from allmende.web.repo_views import repo_of, view_of
from allmende.web.visits import Visit, page

__all__ = ["layers", "routes"]


class ParentUnknown(NotFound):
    """The model has no such measured parent that the visitor may see."""

    code = "parent_unknown"


def routes() -> list[Route]:
    """The page, for models. It stands after the pages of all types, whose names may be `layers`."""
    return [
        Route(
            f"{PREFIX['model']}{{namespace:segment}}/{{name:segment}}/layers/{{revision:revision}}",
            page(layers),
        )
    ]


def layers(visit: Visit) -> Response:
    """What changed from a parent: the one that is named, or the first.

    Raises RepoNotFound, RevisionNotFound, and ParentUnknown, also for parents that the visitor may not see.
    """
    t = visit.t
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        if repo.type != "model":
            raise RepoNotFound
        view = view_of(uow, repo, str(visit.request.path_params["revision"]))
        oid = view.revision.oid
        kin = lineage_of(uow, visit.actor, repo, oid, with_kin=False)
        pairs = [(edge, parent) for edge in kin.edges for parent in edge.parents]
        edge, parent = _chosen(pairs, visit.parameter("parent"))
        other = readable_repo(uow, visit.actor, "model", parent.repo)
        found = change_between(uow, (repo.id, oid), (other.id, parent.revision))
    problem = str(found["error"]) if found is not None and "error" in found else ""
    return visit.render(
        "layers.html",
        view=view,
        tab="lineage",
        edge=edge,
        relation=relation_word(edge.relation, t),
        parent=(kin_name(parent.repo, parent.revision, kin), kin_link(parent.repo, parent.revision, kin)),
        others=[
            (kin_name(one.repo, one.revision, kin), visit.address(parent=one.repo))
            for _edge, one in pairs
            if one.repo != parent.repo
        ],
        child=(repo.full_name, model_path(repo.full_name)),
        map=None if found is None or problem else heat_map_of(found, t),
        problem=problem,
        comparable=has_layer_change(edge.relation),
        colours=COLOURS,
        commands=compare_commands(parent, kin),
    )


def _chosen(pairs: list[tuple[EdgeView, ParentView]], wanted: str) -> tuple[EdgeView, ParentView]:
    for edge, parent in pairs:
        if not wanted or parent.repo == wanted:
            return edge, parent
    raise ParentUnknown("This revision has no such parent here.")
