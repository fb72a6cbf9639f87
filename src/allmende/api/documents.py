"""Documents of a revision over HTTP: what the AI Act asks of publishers, as JSON, Markdown or PDF.

They are made anew for each request, from the signed record and `model-documents.yaml` of the revision.
"""

from typing import Annotated, Literal

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync
from fastapi import FastAPI, Query, Request
from starlette.responses import Response

from allmende.documents import Document, as_markdown, as_pdf
from allmende.flows import document_sources, make_for
from allmende.http import door_of, reading_unit
from allmende.proof import canonical_json
from allmende.registry import readable_repo, resolve_revision

__all__ = ["add_document_routes"]

_Form = Literal["json", "md", "pdf"]
_MEDIA_TYPES: dict[_Form, str] = {
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
    "pdf": "application/pdf",
}
_PDF_AT_ONCE = 2
_setting: RunVar[CapacityLimiter] = RunVar("pdf_setting")
"""Each PDF file takes a core while it is set; those who wait for their turn hold no thread."""


def add_document_routes(app: FastAPI) -> None:
    """Add the address of documents."""
    app.add_api_route(
        # The revision may hold slashes; the kind never does.
        "/models/{namespace:segment}/{name:segment}/documents/{revision:revision}/{kind:segment}",
        model_document,
        operation_id="model_document",
        response_class=Response,
        responses={200: {"content": {"application/json": {}, "text/markdown": {}, "application/pdf": {}}}},
        tags=["records"],
    )


async def model_document(
    request: Request,
    namespace: str,
    name: str,
    revision: str,
    kind: str,
    *,
    form: Annotated[_Form, Query(alias="format")] = "json",
    lang: Annotated[str, Query(max_length=20, description="The language of labels: en or de.")] = "en",
    recipient: Annotated[
        str | None, Query(max_length=40, description="For whom: public, downstream, ai-office or national.")
    ] = None,
) -> Response:
    """A document of a model: summary, copyright, annex-xii, annex-xi or model-form; gaps stand first.

    What is for authorities is given only to those who may write the repo.
    """

    def made() -> Document:
        with reading_unit(request) as (uow, actor):
            repo = readable_repo(uow, actor, "model", f"{namespace}/{name}")
            door = door_of(request, actor, repo)
            sources = document_sources(door, uow, resolve_revision(uow, repo, revision))
        return make_for(door, sources, kind, recipient, lang)

    document = await run_sync(made)
    if form == "pdf":
        data = await run_sync(as_pdf, document, limiter=_limiter())
    else:
        data = await run_sync(_text, document, form)
    file_name = f"{document.catalogue.kind}.{document.recipient}.{document.words.language}.{form}"
    headers = {
        "Content-Disposition": f'attachment; filename="{file_name}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Cookie",
    }
    return Response(data, media_type=_MEDIA_TYPES[form], headers=headers)


def _text(document: Document, form: _Form) -> bytes:
    return as_markdown(document).encode() if form == "md" else canonical_json(document.json) + b"\n"


def _limiter() -> CapacityLimiter:
    """That of this event loop."""
    found = _setting.get(None)
    if found is None:
        found = CapacityLimiter(_PDF_AT_ONCE)
        _setting.set(found)
    return found
