"""Pages of the register: applications, the guided form with its try-out, and how each is assessed."""

from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.applications import (
    Application,
    KeptAssessment,
    changeable_application,
    delete_application,
    description_of,
    list_applications,
    models_used,
    readable_application,
)
from allmende.errors import BadRequest
from allmende.flows import (
    DescriptionImpossible,
    assess_text,
    assessment_again,
    change_application,
    newest_shown,
    publish_application,
    register_application,
    shown_assessments,
)
from allmende.law import problem_sentence
from allmende.registry import repos_by_id
from allmende.storage import UnitOfWork
from allmende.web.assess_guide import (
    Answered,
    Guide,
    begin_guide,
    guide_of,
    guide_that_holds,
    next_questions,
    read_guide,
    with_answers,
    without_answer,
)
from allmende.web.assess_view import Shown, shown
from allmende.web.visits import Visit, form, page

__all__ = ["routes"]

_MAX_FORM_BYTES = 1024 * 1024
_ONE = "/applications/{namespace:segment}/{application:segment}"


def routes() -> list[Route]:
    """The pages and what their forms are sent to."""
    return [
        Route("/assess", page(begin)),
        Route("/assess", form(step, _MAX_FORM_BYTES), methods=["POST"]),
        Route("/applications", page(listed)),
        Route("/applications/new", page(begin_new)),
        Route(f"{_ONE}/edit", page(edit)),
        Route(f"{_ONE}/edit", form(edit_step, _MAX_FORM_BYTES), methods=["POST"]),
        Route(_ONE, page(application)),
        Route(_ONE, form(change), methods=["POST"]),
    ]


def listed(visit: Visit) -> Response:
    """The applications that the visitor may see."""
    after = visit.parameter("after")[:200] or None
    with visit.read() as uow:
        found = list_applications(uow, visit.actor, after=after)
    return visit.render("applications.html", found=found)


def begin(visit: Visit) -> Response:
    """The first step: a name, and the models. Who is signed in may keep it at the end."""
    return visit.render("assess_begin.html", keeps=visit.actor.account is not None)


def begin_new(visit: Visit) -> Response:
    """The same for who wants to register the application. Raises SignInRequired."""
    visit.actor.require_account()
    return visit.render("assess_begin.html", keeps=True)


def step(visit: Visit, fields: Mapping[str, str]) -> Response:
    """One step of the guide; at the end, if it is wished, the application is registered."""
    if "state" not in fields:
        guide = begin_guide(fields.get("name", "")[:200], fields.get("models", ""))
        return _guided(visit, _assessed(visit, guide), None)
    if fields.get("act") == "save":
        guide = read_guide(fields["state"])
        namespace, name = fields.get("namespace", "").strip(), fields.get("short", "").strip()
        private = fields.get("visibility") != "public"
        made, _ = register_application(
            visit.services, visit.actor, namespace, name, guide.text, private=private
        )
        return RedirectResponse(_path(made), 303)
    return _guided(visit, _next(visit, fields), None, every_line=_wants_lines(fields))


def edit(visit: Visit) -> Response:
    """The guide over the description of an application. Raises what changing it raises."""
    with visit.read() as uow:
        found = _changeable(visit, uow)
        description = description_of(uow, found) or ""
    guide = guide_of(description)
    try:
        return _guided(visit, _assessed(visit, guide), found)
    except DescriptionImpossible as error:
        # It held by the law pack of then; what it does not answer by that of now is asked again.
        today = visit.services.database.clock().date()
        return _guided(visit, guide_that_holds(guide, error.problems, today), found, outdated=True)


def edit_step(visit: Visit, fields: Mapping[str, str]) -> Response:
    """One step of it, or its end: a new version of the description."""
    with visit.read() as uow:
        found = _changeable(visit, uow)
    if fields.get("act") != "save":
        return _guided(visit, _next(visit, fields), found, every_line=_wants_lines(fields))
    replaces = fields.get("replaces", "")
    if not (replaces.isascii() and replaces.isdecimal() and len(replaces) < 10):
        raise BadRequest("The form is not valid.", code="form_invalid")
    text = read_guide(fields.get("state", "")).text
    changed, _ = change_application(
        visit.services, visit.actor, found.namespace, found.name, text, replaces=int(replaces)
    )
    return RedirectResponse(_path(changed), 303)


def application(visit: Visit) -> Response:
    """An application: what follows for it, what the hub knows of its models, and what has moved."""
    with visit.read() as uow:
        found = readable_application(uow, visit.actor, *_names(visit))
        kept = newest_shown(uow, found)
        history = shown_assessments(uow, found).assessments
        used = models_used(uow, found)
        known = {} if kept is None else kept.basis.get("models", {})
        linked = {repo_id for repo_id in used.values() if repo_id is not None}
        repos = repos_by_id(uow, linked)
    models = [
        (name, known.get(name, {}), repos.get(repo_id) if repo_id is not None else None)
        for name, repo_id in used.items()
    ]
    told, refused = _told(visit, kept)
    return visit.render(
        "application.html",
        found=found,
        path=_path(found),
        shown=told,
        every_line=visit.parameter("lines") == "all",
        refused=refused,
        basis={} if kept is None else kept.basis,
        kept=kept,
        models=models,
        history=history,
        may_change=visit.actor.may_change(found.namespace_id, "application", found.full_name),
    )


def change(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Show it to others, hide it, or delete it."""
    with visit.services.database.write() as uow:
        found = _changeable(visit, uow)
        match fields.get("act"):
            case "show" | "hide":
                private = fields["act"] == "hide"
                publish_application(visit.services, uow, visit.actor, found, private=private)
            case "delete":
                if fields.get("name", "").strip() != found.full_name:
                    raise BadRequest(
                        "The name that was typed is not the application's.",
                        hint=f"Type {found.full_name} to delete it.",
                        code="name_not_repeated",
                        places={"name": found.full_name},
                    )
                delete_application(uow, visit.actor, found)
                return RedirectResponse("/applications", 303)
            case _:
                raise BadRequest("Nothing is asked for.", code="form_invalid")
    return RedirectResponse(_path(found), 303)


def _next(visit: Visit, fields: Mapping[str, str]) -> Answered:
    guide = read_guide(fields.get("state", ""))
    act = fields.get("act", "")
    if act.startswith("again:"):
        return _assessed(visit, without_answer(guide, act.removeprefix("again:")))
    if _wants_lines(fields):
        return _assessed(visit, guide)
    return with_answers(guide, fields, visit.services.database.clock().date())


def _wants_lines(fields: Mapping[str, str]) -> bool:
    """Whether every line is asked for; they are some thousand elements, and few who answer look at them."""
    return fields.get("act") == "lines"


def _assessed(visit: Visit, guide: Guide) -> Answered:
    return Answered(guide, assess_text(guide.text.encode(), visit.services.database.clock().date()))


def _guided(
    visit: Visit,
    answered: Answered,
    found: Application | None,
    *,
    outdated: bool = False,
    every_line: bool = False,
) -> Response:
    account = visit.actor.account
    return visit.render(
        "assess.html",
        guide=answered.guide,
        questions=next_questions(answered.guide, answered.assessment),
        problems=answered.problems,
        outdated=outdated,
        shown=shown(answered.assessment, visit.t.language),
        every_line=every_line,
        found=found,
        path="/assess" if found is None else f"{_path(found)}/edit",
        namespace="" if account is None else account.name,
    )


def _told(visit: Visit, kept: KeptAssessment | None) -> tuple[Shown | None, list[str]]:
    """What was kept, in the visitor's language, or why the law pack of now does not take its description."""
    if kept is None:
        return None, []
    try:
        return shown(assessment_again(kept), visit.t.language), []
    except DescriptionImpossible as error:
        language = visit.t.language
        return None, [f"{one.place}: {problem_sentence(one, language)}" for one in error.problems]


def _changeable(visit: Visit, uow: UnitOfWork) -> Application:
    return changeable_application(uow, visit.actor, *_names(visit))


def _names(visit: Visit) -> tuple[str, str]:
    parameters = visit.request.path_params
    return str(parameters["namespace"]), str(parameters["application"])


def _path(found: Application) -> str:
    return f"/applications/{found.full_name}"
