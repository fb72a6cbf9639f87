"""The page of a repo: what it is in one screen, its card, and how to have it."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from allmende.facts import revision_facts
from allmende.flows import entry_verdicts, lineage_of, repo_figures
from allmende.formats import MalformedCard, library_of, parse_card
from allmende.http import base_url, door_of
from allmende.registry import CARD_PATH, FileEntry, Repo, folder_at, read_card, tags_by_repo
from allmende.storage import UnitOfWork
from allmende.web.addresses import blob_path, resolve_path
from allmende.web.markdown import Place, TextTooLong, render_markdown
from allmende.web.origin import origin_of
from allmende.web.repo_views import repo_of, routes_of, view_of
from allmende.web.snippets import snippets
from allmende.web.statements import Known, statements
from allmende.web.visits import Visit

__all__ = ["repo_page", "routes"]

_MAX_TAGS = 24
_BRANCH = "main"


def routes() -> list[Route]:
    """The page, for each type."""
    return routes_of("", repo_page)


def repo_page(visit: Visit) -> Response:
    """The head of `main`: statements, card, snippets."""
    with visit.read() as uow:
        view = view_of(uow, repo_of(visit, uow), _BRANCH)
        repo, oid = view.repo, view.revision.oid
        facts = revision_facts(uow, repo.id, oid)
        listing = folder_at(uow, view.revision, "", recursive=False)
        held_back = not _may_read_card(visit, uow, repo, listing)
        text = None if held_back else read_card(uow, repo.id, oid)
        tags = tags_by_repo(uow, [repo.id]).get(repo.id, [])
        lineage = lineage_of(uow, visit.actor, repo, oid) if repo.type == "model" else None
        storage = repo_figures(uow, repo)
        has_files = any(entry.path != ".gitattributes" for entry in listing)
    card, body, problem = _split(text)
    origin = None if lineage is None else origin_of(view, lineage, visit.t)
    contradicted = origin is not None and origin.contradicted
    known = Known(repo, facts, card, storage, visit.t.moment(view.revision.commit.at), contradicted)
    place = Place(blob_path(repo, view.name, ""), resolve_path(repo, view.name, ""))
    rendered, too_long = _rendered(body, place)
    derived = facts.value("library_name")
    library = library_of(dict(card)) or (derived if isinstance(derived, str) else None)
    return visit.render(
        "repo.html",
        view=view,
        tab="card",
        statements=statements(known, visit.t),
        card=rendered,
        card_problem=problem,
        card_too_long=too_long,
        card_held_back=held_back,
        has_files=has_files,
        origin=origin,
        tags=tags[:_MAX_TAGS],
        snippets=snippets(base_url(visit.request), repo, library),
    )


def _may_read_card(visit: Visit, uow: UnitOfWork, repo: Repo, listing: list[FileEntry]) -> bool:
    """A card is a file like others: what the scan stops or holds back is not shown."""
    cards = [entry for entry in listing if entry.path == CARD_PATH]
    verdicts = entry_verdicts(visit.services, uow, repo.id, cards)
    door = door_of(visit.request, visit.actor, repo)
    return all(door.shows(uow, verdict) for verdict in verdicts.values())


def _split(text: str | None) -> tuple[Mapping[str, Any], str, str]:
    """What the card declares, its body, and what is wrong with its front matter."""
    if text is None:
        return {}, "", ""
    try:
        card = parse_card(text)
    except MalformedCard as error:
        return {}, text, error.message
    return card.data, card.body, ""


def _rendered(body: str, place: Place) -> tuple[Markup, bool]:
    try:
        return render_markdown(body, place), False
    except TextTooLong:
        return Markup(""), True
