"""A visit: one request of a person with a browser, who they are, their language, and the page they get.

`page` and `form` wrap plain functions as `reading` and `acting` do for programs. A form is taken only from
one of the hub's own pages: the session cookie is `SameSite=Lax`, and the `Origin` must be the hub's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from anyio.to_thread import run_sync
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from allmende.errors import AllmendeError, BadRequest, Forbidden
from allmende.flows import Services
from allmende.http import (
    SESSION_COOKIE,
    Endpoint,
    base_url,
    json_object,
    read_body,
    services_of,
    session_actor,
)
from allmende.registry import ANONYMOUS, Actor, needs_touch, touch_token
from allmende.storage import UnitOfWork
from allmende.web import addresses
from allmende.web.assets import asset_path
from allmende.web.messages import (
    LANGUAGE_COOKIE,
    LANGUAGES,
    Catalogue,
    catalogue,
    chosen_language,
    preferred_language,
)

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "MAX_FORM_BYTES",
    "MAX_FORM_FIELDS",
    "Visit",
    "arrive",
    "error_page",
    "expect_person",
    "expect_script",
    "form",
    "page",
    "require_own_origin",
    "script_call",
]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing runs, nothing is loaded from elsewhere, nobody frames the page."""

_WITH_SCRIPTS = f"{CONTENT_SECURITY_POLICY}; worker-src 'self'; script-src 'self'; connect-src 'self'"
"""For the few pages that bring a script: it comes from the hub, and asks nobody else."""

MAX_FORM_BYTES = 16 * 1024
MAX_FORM_FIELDS = 32
_LANGUAGE_TTL_S = 365 * 24 * 3600

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_templates.globals.update(
    asset=asset_path,
    repo_path=addresses.repo_path,
    list_path=addresses.list_path,
    tree_path=addresses.tree_path,
    blob_path=addresses.blob_path,
    resolve_path=addresses.resolve_path,
    scan_path=addresses.scan_path,
    settings_path=addresses.settings_path,
    edit_path=addresses.edit_path,
    move_path=addresses.move_path,
    delete_path=addresses.delete_path,
    upload_path=addresses.upload_path,
    lineage_path=addresses.lineage_path,
    model_path=addresses.model_path,
    changes_path=addresses.changes_path,
    licence_path=addresses.licence_path,
    commits_path=addresses.commits_path,
    commit_path=addresses.commit_path,
    record_path=addresses.record_path,
    documents_path=addresses.documents_path,
    signatures_path=addresses.signatures_path,
    log_path=addresses.log_path,
    entry_path=addresses.entry_path,
    program_path=addresses.program_path,
    types=addresses.LISTS,
)


@dataclass(slots=True)
class Visit:
    """One request for a page."""

    request: Request
    actor: Actor
    t: Catalogue

    @property
    def services(self) -> Services:
        """The hub's services."""
        return services_of(self.request)

    @property
    def came_from(self) -> str:
        """The address of the client, or of the proxy before the hub; empty where the server tells none."""
        return "" if self.request.client is None else self.request.client.host

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """A reading unit of work. Read files and render after it has ended."""
        with self.services.database.read_in_turn() as uow:
            yield uow

    def parameter(self, name: str) -> str:
        """A parameter of the address; empty when it is not given."""
        return self.request.query_params.get(name, "").strip()

    def page_number(self) -> int:
        """The `page` parameter, from 0; raises BadRequest."""
        text = self.parameter("page") or "0"
        if not (text.isascii() and text.isdecimal() and len(text) <= 6):
            raise BadRequest("The number of the page is not valid.", code="page_invalid")
        return int(text)

    def address(self, **changes: str) -> str:
        """The address of this page with some parameters changed; empty ones are dropped."""
        path = (self.request.scope.get("raw_path") or b"/").decode("ascii", "replace").partition("?")[0]
        known = {name: value for name, value in self.request.query_params.items() if name != "lang"}
        return addresses.with_query("/" + path.lstrip("/"), {**known, **changes})

    def render(
        self, template: str, /, status: int = 200, *, scripts: Sequence[str] = (), **values: object
    ) -> Response:
        """The page, with those of the hub's scripts that it brings; without any, nothing runs in it.

        It is for this visitor alone: caches between must not keep it.
        """
        text = _templates.get_template(template).render(
            t=self.t,
            visit=self,
            account=self.actor.account,
            languages=LANGUAGES,
            hub=base_url(self.request),
            scripts=scripts,
            **values,
        )
        response = Response(text, status, media_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = _WITH_SCRIPTS if scripts else CONTENT_SECURITY_POLICY
        response.headers["Content-Language"] = self.t.language
        response.headers["Cache-Control"] = "no-store" if self.actor.account else "private, no-cache"
        response.headers["Vary"] = "Accept-Language, Cookie"
        if chosen_language(self.request) is not None:
            response.set_cookie(
                LANGUAGE_COOKIE,
                self.t.language,
                max_age=_LANGUAGE_TTL_S,
                httponly=True,
                samesite="lax",
                secure=base_url(self.request).startswith("https:"),
            )
        return response


def page(handler: Callable[[Visit], Response]) -> Endpoint:
    """An endpoint that answers a person with a page; `handler` runs in a thread."""

    async def endpoint(request: Request) -> Response:
        expect_person(request)
        return await run_sync(lambda: handler(arrive(request)))

    endpoint.__name__ = handler.__name__
    endpoint.__doc__ = handler.__doc__
    return endpoint


def form(
    handler: Callable[[Visit, Mapping[str, str]], Response],
    max_bytes: int = MAX_FORM_BYTES,
    max_fields: int = MAX_FORM_FIELDS,
) -> Endpoint:
    """An endpoint for a form of one of the hub's own pages; raises Forbidden for one of another site."""

    async def endpoint(request: Request) -> Response:
        expect_person(request)
        require_own_origin(request)
        fields = _fields(request, await read_body(request, max_bytes), max_fields)
        return await run_sync(lambda: handler(arrive(request), fields))

    endpoint.__name__ = handler.__name__
    endpoint.__doc__ = handler.__doc__
    return endpoint


def script_call(
    handler: Callable[[Visit, Mapping[str, object]], Response], max_bytes: int | None = None
) -> Endpoint:
    """An endpoint for the scripts of the hub's own pages: a JSON object comes in, errors are JSON too, in
    the visitor's language.

    It acts for the session, as a form does, and like one is taken from the hub's own pages alone.
    """

    async def endpoint(request: Request) -> Response:
        expect_script(request)
        require_own_origin(request)
        limit = services_of(request).settings.max_json_bytes if max_bytes is None else max_bytes
        body = await read_body(request, limit)
        return await run_sync(lambda: handler(arrive(request), json_object(body)))

    endpoint.__name__ = handler.__name__
    endpoint.__doc__ = handler.__doc__
    return endpoint


def error_page(request: Request, status: int, error: AllmendeError) -> Response:
    """An error as a page; reads nothing, so that it can be shown whatever is broken."""
    visit: Visit | None = getattr(request.state, "visit", None)
    if visit is None:
        visit = Visit(request, ANONYMOUS, catalogue(preferred_language(request)))
    kind = str(status) if f"error.{status}.title" in visit.t.messages else "other"
    request_id: str = request.state.request_id
    return visit.render(
        "error.html", status, status_code=status, kind=kind, error=error, request_id=request_id
    )


def expect_person(request: Request) -> None:
    """Errors of this request are shown as pages, if the client reads pages."""
    if "text/html" in request.headers.get("accept", ""):
        request.state.error_page = error_page


def expect_script(request: Request) -> None:
    """Errors of this request go to a script of the hub's own pages, which shows their words."""
    request.state.error_page = _error_told


def _error_told(request: Request, status: int, error: AllmendeError) -> Response:
    words = catalogue(preferred_language(request)).problem(error) or error.message
    return JSONResponse({"error": error.message, "code": error.code, "message": words}, status)


def arrive(request: Request) -> Visit:
    """The visit that a request is: who is signed in, and in which language they read. Reads the database."""
    visit = Visit(request, ANONYMOUS, catalogue(preferred_language(request)))
    request.state.visit = visit
    if SESSION_COOKIE in request.cookies:
        visit.actor = _signed_in(visit)
    return visit


def _signed_in(visit: Visit) -> Actor:
    database = visit.services.database
    with database.read_in_turn() as uow:
        actor = session_actor(visit.request, visit.services.signer, uow)
    if actor.token is not None and needs_touch(actor.token, database.clock()):
        with database.write() as uow:
            touch_token(uow, actor.token)
    return actor


def require_own_origin(request: Request) -> None:
    """Browsers name the page's origin with every form; a foreign one, or none, is refused."""
    scheme, _, host = request.headers.get("origin", "").partition("://")
    own = {urlsplit(base_url(request)).netloc, request.headers.get("host", "")}
    if scheme not in ("http", "https") or not host or host not in own:
        raise Forbidden(
            "This form was not sent from a page of this hub.",
            hint="Open the page here and send it again.",
            code="origin_foreign",
        )


def _fields(request: Request, body: bytes, max_fields: int) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise BadRequest("A form is expected.", code="form_invalid")
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            max_num_fields=max_fields,
            strict_parsing=False,
        )
    except ValueError as error:
        raise BadRequest("The form is not valid.", code="form_invalid") from error
    return dict(pairs)
