"""The page of a model's family: a drawing, and the same in tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from allmende.flows import (
    Ancestry,
    FamilyFigures,
    KinView,
    LineageView,
    TreeNode,
    ancestors,
    descendants,
    family_figures,
    lineage_of,
)
from allmende.registry import RepoNotFound
from allmende.web.addresses import PREFIX
from allmende.web.family import family_of
from allmende.web.lineage_words import kin_link, kin_name, line_words
from allmende.web.messages import Catalogue
from allmende.web.origin import origin_of
from allmende.web.repo_views import repo_of, view_of
from allmende.web.stored import stored_words
from allmende.web.visits import Visit, page

__all__ = ["Named", "Row", "lineage", "routes"]

_BRANCH = "main"
_MAX_ANCESTORS = 500
_MAX_ROWS = 60
_MAX_SIBLINGS = 50
_A_FAMILY = 2


@dataclass(frozen=True, slots=True)
class Named:
    """A model by its name, and where that leads."""

    name: str
    link: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the tables: a model, where it comes from, how, and how sure that is."""

    child: Named
    parent: Named | None
    words: str
    grade: str


def routes() -> list[Route]:
    """The page, for models. It stands after the pages of all types, whose names may be `lineage`."""
    model = f"{PREFIX['model']}{{namespace:segment}}/{{name:segment}}/lineage"
    return [Route(model, page(lineage)), Route(f"{model}/{{revision:revision}}", page(lineage))]


def lineage(visit: Visit) -> Response:
    """The family of a revision, as far as this visitor may see it.

    Raises RepoNotFound, RevisionNotFound, and BadRequest for a place in the descendants that makes no sense.
    """
    revision = str(visit.request.path_params.get("revision", _BRANCH))
    cursor = visit.parameter("after")
    actor, t = visit.actor, visit.t
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        if repo.type != "model":
            raise RepoNotFound
        view = view_of(uow, repo, revision)
        oid = view.revision.oid
        found = lineage_of(uow, actor, repo, oid)
        above = ancestors(uow, actor, repo, oid, nodes=_MAX_ANCESTORS)
        together = family_figures(uow, actor, repo, oid)
        below = descendants(uow, actor, repo, oid, cursor=cursor) if cursor else found.descendants
    rows = _above(above, found, t)
    return visit.render(
        "lineage.html",
        view=view,
        tab="lineage",
        origin=origin_of(view, found, t),
        family=family_of(found, above, t),
        together=_together(together, t),
        rows=rows[:_MAX_ROWS],
        more_rows=max(0, len(rows) - _MAX_ROWS),
        siblings=_kin(found.siblings[:_MAX_SIBLINGS], found, t),
        more_siblings=max(0, len(found.siblings) - _MAX_SIBLINGS),
        children=_kin(below.children, found, t),
        count=found.descendants.count,
        first=visit.address(after="") if cursor else None,
        following=visit.address(after=below.next) if below.next else None,
    )


def _together(family: FamilyFigures, t: Catalogue) -> str:
    """What the family takes, where there is one with files."""
    if family.repos < _A_FAMILY or not family.figures.content_bytes:
        return ""
    says, how = stored_words(family.figures, t)
    count = t.plural("stored.first" if family.is_cut else "stored.family", family.repos)
    return f"{count} {says}." + (f" {how}" if how else "")


def _above(ancestry: Ancestry, view: LineageView, t: Catalogue) -> Sequence[Row]:
    """The links above the model, the nearest first."""
    nodes = ancestry.nodes
    nearest = sorted(ancestry.links, key=lambda link: (nodes[link.child].depth, link.child, link.parent))
    return [
        Row(
            _named(nodes[link.child], view),
            _named(nodes[link.parent], view),
            line_words(link.relation, link.rank, link.weight, t),
            link.grade,
        )
        for link in nearest
    ]


def _kin(kin: Iterable[KinView], view: LineageView, t: Catalogue) -> list[Row]:
    return [
        Row(_named(one, view), None, line_words(one.relation, one.rank, one.weight, t), one.grade)
        for one in kin
    ]


def _named(kin: KinView | TreeNode, view: LineageView) -> Named:
    return Named(kin_name(kin.repo, kin.revision, view), kin_link(kin.repo, kin.revision, view))
