"""The page of a model's documents: those that the AI Act asks of its publisher, what is missing first."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from allmende.documents import (
    ADDITIONS_FILE,
    Document,
    ImpossibleAdditions,
    Presented,
    pdf_is_offered,
    present,
)
from allmende.errors import NotFound
from allmende.flows import RecordNotReady, document_sources, make_for, offered_documents
from allmende.http import door_of
from allmende.law import Problem, problem_sentence
from allmende.registry import RepoNotFound
from allmende.web.addresses import PREFIX, blob_path, program_path, with_query
from allmende.web.repo_views import View, repo_of, view_of
from allmende.web.visits import Visit, page

__all__ = ["DocumentRow", "documents", "routes"]

_FORMS = ("md", "json")


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as the list shows it."""

    title: str
    recipient: str
    gaps: int
    is_draft: bool
    link: str
    is_shown: bool


def routes() -> list[Route]:
    """The page, for models. It stands after the pages of all types, whose names may be `documents`."""
    model = f"{PREFIX['model']}{{namespace:segment}}/{{name:segment}}/documents/{{revision:revision}}"
    return [Route(model, page(documents))]


def documents(visit: Visit) -> Response:
    """The documents that the visitor may have, and all of the one that `kind` and `recipient` name.

    Raises NotFound, and what document_sources raises. Before the first record, and where additions cannot be
    used, the page says so and shows none.
    """
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        if repo.type != "model":
            raise RepoNotFound
        view = view_of(uow, repo, str(visit.request.path_params["revision"]))
        door = door_of(visit.request, visit.actor, repo)
        try:
            sources = document_sources(door, uow, view.revision)
        except RecordNotReady:
            return _render(visit, view, state="none_yet")
        except ImpossibleAdditions as error:
            return _render(visit, view, state="impossible", problems=error.problems)
    offered = offered_documents(door)
    wanted = _wanted(visit, offered)
    try:
        made = {
            (kind, recipient): make_for(door, sources, kind, recipient, visit.t.language)
            for kind, recipient in offered
        }
    except ImpossibleAdditions as error:
        return _render(visit, view, state="impossible", problems=error.problems)
    shown = made[wanted]
    return _render(
        visit,
        view,
        state="made",
        has_additions=sources.additions is not None,
        rows=[_row(visit, one, is_shown=one is shown) for one in made.values()],
        shown=present(shown),
        downloads=_downloads(view, shown),
    )


def _wanted(visit: Visit, offered: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The document that the address names; the first where it names none."""
    kind, recipient = visit.parameter("kind"), visit.parameter("recipient")
    for one in offered:
        if kind in ("", one[0]) and recipient in ("", one[1]):
            return one
    raise NotFound(
        "There is no such document here.",
        hint="Choose one from the list of documents.",
        code="document_unknown",
    )


def _render(
    visit: Visit,
    view: View,
    *,
    state: str,
    problems: Sequence[Problem] = (),
    has_additions: bool = False,
    rows: Sequence[DocumentRow] = (),
    shown: Presented | None = None,
    downloads: Sequence[tuple[str, str]] = (),
) -> Response:
    return visit.render(
        "documents.html",
        view=view,
        tab="documents",
        state=state,
        problems=problems,
        say=lambda problem: problem_sentence(problem, visit.t.language),
        additions_file=ADDITIONS_FILE,
        additions_path=blob_path(view.repo, view.name, ADDITIONS_FILE),
        has_additions=has_additions,
        rows=rows,
        shown=shown,
        downloads=downloads,
        has_pdf=pdf_is_offered(),
    )


def _row(visit: Visit, made: Document, *, is_shown: bool) -> DocumentRow:
    return DocumentRow(
        made.title,
        made.words.say(f"recipient.{made.recipient}"),
        len(made.gaps),
        made.is_draft,
        visit.address(kind=made.catalogue.kind, recipient=made.recipient),
        is_shown,
    )


def _downloads(view: View, made: Document) -> list[tuple[str, str]]:
    """The forms of a document, and their addresses."""
    address = f"{program_path(view.repo, 'documents', view.name)}/{quote(made.catalogue.kind)}"
    asked = {"lang": made.words.language, "recipient": made.recipient}
    forms = ("pdf", *_FORMS) if pdf_is_offered() else _FORMS
    return [(form, with_query(address, {"format": form, **asked})) for form in forms]
