"""The page of a repo: what it is in one screen, its card, and how to have it."""

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from allmende.formats import library_of
from allmende.http import base_url
from allmende.registry import FileEntry, folder_at, tags_by_repo
from allmende.storage import UnitOfWork
from allmende.tables import table_kind
from allmende.web.addresses import blob_path, compare_path, resolve_path
from allmende.web.alike import alike_of
from allmende.web.describing import describe
from allmende.web.markdown import Place, TextTooLong, render_markdown
from allmende.web.repo_views import View, repo_of, routes_of, view_of
from allmende.web.snippets import snippets
from allmende.web.statements import statements
from allmende.web.visits import Visit
from allmende.web.vouching import vouching_statements

__all__ = ["repo_page", "routes"]

_MAX_ALIKE = 8
_MAX_TAGS = 24
_MAX_TABLES = 12
_TABLES_IN = "data"
_BRANCH = "main"


def routes() -> list[Route]:
    """The page, for each type."""
    return routes_of("", repo_page)


def repo_page(visit: Visit) -> Response:
    """The head of `main`: statements, card, snippets."""
    with visit.read() as uow:
        view = view_of(uow, repo_of(visit, uow), _BRANCH)
        found = describe(visit, uow, view, alike=_MAX_ALIKE)
        alike = [] if found.origin is None else alike_of(visit, uow, view.repo, found.origin.view, _MAX_ALIKE)
        tags = tags_by_repo(uow, [view.repo.id]).get(view.repo.id, [])
        tables = _tables(uow, view) if view.repo.type == "dataset" else []
    repo, known = view.repo, found.known
    place = Place(blob_path(repo, view.name, ""), resolve_path(repo, view.name, ""))
    rendered, too_long = _rendered(found.body, place)
    derived = known.facts.value("library_name")
    library = library_of(dict(known.card)) or (derived if isinstance(derived, str) else None)
    return visit.render(
        "repo.html",
        view=view,
        tab="card",
        statements=statements(known, visit.t),
        vouching=vouching_statements(found.vouched, known.facts, visit.t),
        card=rendered,
        card_problem=found.card_problem,
        card_too_long=too_long,
        card_held_back=found.card_held_back,
        has_files=found.has_files,
        tables=tables,
        origin=found.origin,
        alike=alike,
        tags=tags[:_MAX_TAGS],
        compare=compare_path([repo.full_name]) if repo.type == "model" else None,
        snippets=snippets(base_url(visit.request), repo, library),
    )


def _tables(uow: UnitOfWork, view: View) -> list[FileEntry]:
    """The first tables at the usual places of a data set."""
    top = folder_at(uow, view.revision, "", recursive=False)
    inner = [entry for entry in top if entry.is_directory and entry.path == _TABLES_IN]
    files = [*top, *(folder_at(uow, view.revision, _TABLES_IN, recursive=False) if inner else [])]
    return [entry for entry in files if not entry.is_directory and table_kind(entry.path)][:_MAX_TABLES]


def _rendered(body: str, place: Place) -> tuple[Markup, bool]:
    try:
        return render_markdown(body, place), False
    except TextTooLong:
        return Markup(""), True
