"""The register of applications over HTTP: describing, reading, deleting them, and what follows for each."""

import json
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import FastAPI, Query, Request
from starlette.responses import Response

from allmende.api.application_answers import (
    ApplicationDescription,
    ApplicationDetails,
    ListedApplications,
    ListedAssessments,
    Visibility,
    application_answer,
    assessment_entry,
    details_answer,
)
from allmende.applications import (
    changeable_application,
    delete_application,
    description_of,
    list_applications,
    models_used,
    readable_application,
    versions_of,
)
from allmende.documents import as_markdown, as_pdf, make_application_document
from allmende.errors import BadRequest, NotFound
from allmende.flows import (
    assess_text,
    assessment_again,
    change_application,
    evidence_of_application,
    log_evidence,
    newest_shown,
    publish_application,
    register_application,
    shown_assessment,
    shown_assessments,
    write_evidence,
)
from allmende.http import read_body, reading_unit, services_of, writing_unit
from allmende.law import (
    MAX_YAML_BYTES,
    Assessment,
    assessment_document,
    assessment_markdown,
    assessment_report,
    languages,
    read_application,
    wording_in,
)
from allmende.registry import Actor, visible_among

__all__ = ["add_application_routes"]

_MAX_PAGE = 100
_MAX_ASSESSMENTS = 100
_YAML = "application/yaml"
_Form = Literal["json", "markdown", "text"]
_Number = Annotated[int | None, Query(ge=1, le=2**31, description="Not the newest, but this one.")]
_Language = Annotated[str, Query(max_length=20, description="The language of sentences: en or de.")]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {}, "text/markdown": {}, "text/plain": {}}}
}


def add_application_routes(app: FastAPI) -> None:
    """Add the addresses of the register."""
    one = "/applications/{namespace:segment}/{application:segment}"
    tags: list[Any] = ["applications"]
    body = _body("A description, as `allmende assess` reads it.")
    app.add_api_route(
        "/assess",
        assess,
        methods=["POST"],
        operation_id="assess",
        response_class=Response,
        responses=_ANSWERS,
        tags=tags,
        openapi_extra=body,
    )
    app.add_api_route(
        "/applications", listed, response_model=ListedApplications, operation_id="applications", tags=tags
    )
    app.add_api_route(one, details, response_model=ApplicationDetails, operation_id="application", tags=tags)
    for method, endpoint in (("POST", register), ("PUT", change)):
        app.add_api_route(
            one,
            endpoint,
            methods=[method],
            response_model=ApplicationDetails,
            operation_id=f"application_{endpoint.__name__}",
            tags=tags,
            openapi_extra=body,
        )
    app.add_api_route(
        one,
        delete,
        methods=["DELETE"],
        response_model=ApplicationDescription,
        operation_id="application_delete",
        tags=tags,
    )
    app.add_api_route(
        f"{one}/visibility",
        show,
        methods=["PUT"],
        response_model=ApplicationDescription,
        operation_id="application_visibility",
        tags=tags,
    )
    app.add_api_route(
        f"{one}/description",
        description,
        operation_id="application_description",
        response_class=Response,
        responses={200: {"content": {_YAML: {}}}},
        tags=tags,
    )
    app.add_api_route(
        f"{one}/assessment",
        assessment,
        operation_id="application_assessment",
        response_class=Response,
        responses=_ANSWERS,
        tags=tags,
    )
    app.add_api_route(
        f"{one}/documents/{{kind:segment}}",
        document,
        operation_id="application_document",
        response_class=Response,
        responses={200: {"content": {"application/json": {}, "text/markdown": {}, "application/pdf": {}}}},
        tags=tags,
    )
    for method, packed in (("GET", evidence), ("POST", logged_evidence)):
        app.add_api_route(
            f"{one}/evidence",
            packed,
            methods=[method],
            response_class=Response,
            operation_id=f"application_{packed.__name__}",
            tags=tags,
            responses={200: {"content": {"application/zip": {}}, "description": "An archive of evidence."}},
        )
    app.add_api_route(
        f"{one}/assessments",
        assessments,
        response_model=ListedAssessments,
        operation_id="application_assessments",
        tags=tags,
    )


async def assess(
    request: Request, lang: _Language = "en", form: Annotated[_Form, Query(alias="format")] = "json"
) -> Response:
    """What follows from a description, of which nothing is kept."""
    text = await _description(request)
    on = services_of(request).database.clock().date()
    return await run_sync(lambda: _answer(assess_text(text.encode(), on), lang, form))


async def listed(
    request: Request,
    namespace: Annotated[str | None, Query(max_length=96)] = None,
    after: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 50,
) -> ListedApplications:
    """The applications that the caller may see: public ones, and those of their namespaces."""

    def found() -> ListedApplications:
        with reading_unit(request) as (uow, actor):
            page = list_applications(uow, actor, namespace=namespace, after=after, limit=limit)
        return ListedApplications(
            applications=[application_answer(one) for one in page.applications], next=page.next
        )

    return await run_sync(found)


async def details(request: Request, namespace: str, application: str) -> ApplicationDetails:
    """An application of the register."""
    return await run_sync(_details, request, namespace, application)


async def register(
    request: Request, namespace: str, application: str, *, private: bool = True
) -> ApplicationDetails:
    """Register an application with its first description; only its namespace sees it unless it is said."""
    text = await _description(request)

    def done() -> ApplicationDetails:
        register_application(
            services_of(request), _caller(request), namespace, application, text, private=private
        )
        return _details(request, namespace, application)

    return await run_sync(done)


async def change(
    request: Request,
    namespace: str,
    application: str,
    replaces: Annotated[int | None, Query(ge=1, le=2**31, description="Only if this is the newest.")] = None,
) -> ApplicationDetails:
    """Describe an application anew."""
    text = await _description(request)

    def done() -> ApplicationDetails:
        change_application(
            services_of(request), _caller(request), namespace, application, text, replaces=replaces
        )
        return _details(request, namespace, application)

    return await run_sync(done)


async def delete(request: Request, namespace: str, application: str) -> ApplicationDescription:
    """Delete an application with all its descriptions and assessments; answers with what it was."""

    def done() -> ApplicationDescription:
        with writing_unit(request) as (uow, actor):
            found = changeable_application(uow, actor, namespace, application)
            delete_application(uow, actor, found)
        return application_answer(found)

    return await run_sync(done)


async def show(
    request: Request, namespace: str, application: str, wanted: Visibility
) -> ApplicationDescription:
    """Show an application to everybody, or only to its namespace."""

    def done() -> ApplicationDescription:
        with writing_unit(request) as (uow, actor):
            found = changeable_application(uow, actor, namespace, application)
            changed = publish_application(services_of(request), uow, actor, found, private=wanted.private)
        return application_answer(changed)

    return await run_sync(done)


async def description(
    request: Request, namespace: str, application: str, version: _Number = None
) -> Response:
    """The description as it was given, the newest or that of a version."""

    def found() -> Response:
        with reading_unit(request) as (uow, actor):
            one = readable_application(uow, actor, namespace, application)
            text = description_of(uow, one, version)
        if text is None:
            raise NotFound("The description has no such version.", code="version_not_found")
        return Response(text, media_type=f"{_YAML}; charset=utf-8")

    return await run_sync(found)


async def assessment(
    request: Request,
    namespace: str,
    application: str,
    number: _Number = None,
    lang: _Language = "en",
    form: Annotated[_Form, Query(alias="format")] = "json",
) -> Response:
    """What follows for an application. In English as JSON it is what was kept, to the byte."""

    def found() -> Response:
        with reading_unit(request) as (uow, actor):
            kept = shown_assessment(uow, readable_application(uow, actor, namespace, application), number)
        if (lang, form) == ("en", "json"):
            return Response(kept.document, media_type="application/json")
        return _answer(assessment_again(kept), lang, form)

    return await run_sync(found)


async def assessments(
    request: Request,
    namespace: str,
    application: str,
    before: _Number = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_ASSESSMENTS)] = 20,
) -> ListedAssessments:
    """The assessments of an application, each with what moved, to whom, and because of which fact."""

    def found() -> ListedAssessments:
        with reading_unit(request) as (uow, actor):
            one = readable_application(uow, actor, namespace, application)
            page = shown_assessments(uow, one, before=before, limit=limit)
        return ListedAssessments(
            application=one.full_name,
            assessments=[assessment_entry(each, shown=shown) for each, shown in page.assessments],
            next=page.next,
        )

    return await run_sync(found)


async def document(
    request: Request,
    namespace: str,
    application: str,
    kind: Literal["annex-iv", "fria"],
    lang: _Language = "en",
    form: Annotated[Literal["json", "markdown", "pdf"], Query(alias="format")] = "markdown",
) -> Response:
    """A skeleton for the technical documentation (Annex IV) or the fundamental rights impact assessment."""

    def found() -> Response:
        with reading_unit(request) as (uow, actor):
            kept = shown_assessment(uow, readable_application(uow, actor, namespace, application))
        again = assessment_again(kept)
        described = read_application(kept.inputs, again.pack, again.on)
        made = make_application_document(kind, described, None, _spoken(lang))
        match form:
            case "json":
                text = json.dumps(made.json, ensure_ascii=False)
                return Response(text.encode(), media_type="application/json")
            case "markdown":
                return Response(as_markdown(made), media_type="text/markdown; charset=utf-8")
            case "pdf":
                return Response(as_pdf(made), media_type="application/pdf")

    return await run_sync(found)


async def evidence(request: Request, namespace: str, application: str) -> Response:
    """An archive of evidence: description, assessment, the history of both, proofs of the models; signed."""
    return await run_sync(_evidence, request, namespace, application, False)


async def logged_evidence(request: Request, namespace: str, application: str) -> Response:
    """The same, and the log keeps the digest of its manifest. For who may change the application."""
    return await run_sync(_evidence, request, namespace, application, True)


def _evidence(request: Request, namespace: str, name: str, logged: bool) -> Response:  # noqa: FBT001  # of run_sync
    services = services_of(request)
    with reading_unit(request) as (uow, actor):
        actor.require_account()
        looked_up = changeable_application if logged else readable_application
        scope, heads, attached = evidence_of_application(uow, looked_up(uow, actor, namespace, name))
    file = write_evidence(services, scope, heads, attached)
    with file:
        if logged:
            with writing_unit(request) as (uow, actor):
                log_evidence(uow, actor, changeable_application(uow, actor, namespace, name), file)
        data = file.read()
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": 'attachment; filename="application-evidence.zip"',
    }
    return Response(data, media_type="application/zip", headers=headers)


def _details(request: Request, namespace: str, name: str) -> ApplicationDetails:
    with reading_unit(request) as (uow, actor):
        found = readable_application(uow, actor, namespace, name)
        used = models_used(uow, found)
        seen = visible_among(uow, actor, {repo for repo in used.values() if repo is not None})
        versions = versions_of(uow, found)
        kept = newest_shown(uow, found)
    return details_answer(
        found,
        {model: repo in seen for model, repo in used.items()},
        {} if kept is None else kept.basis.get("models", {}),
        versions,
        None if kept is None else kept.number,
    )


def _answer(found: Assessment, language: str, form: str) -> Response:
    wording = wording_in(_spoken(language), found.pack)
    if form == "markdown":
        text = assessment_markdown(found, wording)
        return Response(text, media_type="text/markdown; charset=utf-8")
    if form == "text":
        text = "\n".join(assessment_report(found, wording)) + "\n"
        return Response(text, media_type="text/plain; charset=utf-8")
    document = json.dumps(assessment_document(found, wording), ensure_ascii=False)
    return Response(document.encode(), media_type="application/json")


def _spoken(language: str) -> str:
    if language not in languages():
        raise BadRequest(f"There are no sentences in {language!r}.", code="language_not_offered")
    return language


def _caller(request: Request) -> Actor:
    with reading_unit(request) as (_uow, actor):
        return actor


async def _description(request: Request) -> str:
    """The description in the body. Raises TooLarge, and BadRequest where it is no text."""
    body = await read_body(request, MAX_YAML_BYTES)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("The description is not UTF-8.", code="application_impossible") from error


def _body(says: str) -> dict[str, Any]:
    content = {_YAML: {"schema": {"type": "string", "description": says}}}
    return {"requestBody": {"required": True, "content": content}}
