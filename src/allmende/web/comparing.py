"""Two to four models side by side: every statement of each, and how they are akin."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.flows import PathStep, path_between
from allmende.registry import readable_repo
from allmende.web.addresses import compare_path, model_path
from allmende.web.describing import Described, describe
from allmende.web.lineage_words import relation_word
from allmende.web.messages import Catalogue
from allmende.web.repo_views import view_of
from allmende.web.statements import Statement, statements
from allmende.web.visits import Visit, page
from allmende.web.vouching import vouching_statements

__all__ = ["Kinship", "Row", "compare", "routes"]

_BRANCH = "main"
_MOST = 4
_MAX_NAME_CHARS = 200
_TIMES = ("examined", "changed", "record", "logged")
"""What always differs and tells nothing of the models."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is said about one thing, of each model in turn; None where nothing is said of one."""

    about: str
    cells: tuple[Statement | None, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Kinship:
    """How two models are akin: the steps from one to the other in words; none where nothing is known."""

    one: str
    other: str
    steps: tuple[tuple[str, str, str, str], ...]
    """Of each step where it leads, the link to that, in which way, and the grade."""


def routes() -> list[Route]:
    """The page."""
    return [Route("/compare", page(compare))]


def compare(visit: Visit) -> Response:
    """The models that `model` names, each as often as it is given; with fewer than two a form that asks.

    Raises RepoNotFound, RepoMoved, BadRequest.
    """
    names = _names(visit)
    with visit.read() as uow:
        repos = [readable_repo(uow, visit.actor, "model", name) for name in names]
        found = [describe(visit, uow, view_of(uow, repo, _BRANCH)) for repo in repos]
        first = repos[0] if repos else None
        paths = [] if first is None else [path_between(uow, visit.actor, first, other) for other in repos[1:]]
    kinship = [
        Kinship(names[0], name, tuple(_steps(steps or (), visit.t)))
        for name, steps in zip(names[1:], paths, strict=True)
    ]
    return visit.render(
        "compare.html",
        names=names,
        views=[one.view for one in found],
        without=[compare_path([other for other in names if other != name]) for name in names],
        rows=_rows(found, visit.t) if len(found) > 1 else [],
        kinship=kinship,
        may_add=len(names) < _MOST,
    )


def _names(visit: Visit) -> list[str]:
    asked = [name.strip() for name in visit.request.query_params.getlist("model")]
    names = list(dict.fromkeys(name for name in asked if name))
    if len(names) > _MOST:
        raise BadRequest("At most four models are compared at once.", code="too_many_models")
    for name in names:
        if name.count("/") != 1 or len(name) > _MAX_NAME_CHARS:
            raise BadRequest(f"{name[:100]!r} is not of the form namespace/name.", code="name_invalid")
    return names


def _rows(found: Sequence[Described], t: Catalogue) -> list[Row]:
    """A row for each thing that is said of any of them, in the order of the first that says it."""
    said = [{one.about: one for one in _said(each, t)} for each in found]
    order = list(dict.fromkeys(about for each in said for about in each))
    rows = []
    for about in order:
        cells = tuple(each.get(about) for each in said)
        words = {None if cell is None else (cell.says, cell.doubt) for cell in cells}
        rows.append(Row(about, cells, len(words) > 1 and about not in _TIMES))
    return rows


def _said(found: Described, t: Catalogue) -> list[Statement]:
    return [*statements(found.known, t), *vouching_statements(found.vouched, found.known.facts, t)]


def _steps(steps: Sequence[PathStep], t: Catalogue) -> list[tuple[str, str, str, str]]:
    return [
        (
            step.repo,
            model_path(step.repo),
            t(f"compare.{step.direction}", what=relation_word(step.relation, t)),
            step.grade,
        )
        for step in steps
    ]
