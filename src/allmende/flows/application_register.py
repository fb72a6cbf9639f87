"""Registering an application and describing it anew, each with its assessment in the same transaction."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

from allmende.applications import (
    Application,
    ApplicationChanged,
    ApplicationVersion,
    AssessmentWithheld,
    KeptAssessment,
    add_description,
    application_event,
    changeable_application,
    check_may_register,
    create_application,
    description_of,
    find_assessment,
    list_assessments,
    models_used,
    newest_assessment,
    readable_application,
    repos_in_assessments,
    set_private,
)
from allmende.flows.application_assessing import Drafted, assess_text, draft_assessment, keep_assessment
from allmende.flows.application_facts import HubModel, known_of_models, links_of, readers_of
from allmende.flows.application_queue import enqueue_assessing
from allmende.flows.services import Services
from allmende.ids import RepoId
from allmende.law import Assessment, law_pack, law_pack_versions
from allmende.registry import Actor, visible_among
from allmende.storage import UnitOfWork

__all__ = [
    "assessment_again",
    "change_application",
    "publish_application",
    "register_application",
    "shown_assessment",
    "shown_assessments",
]


def register_application(
    services: Services, actor: Actor, namespace: str, name: str, description: str, *, private: bool
) -> tuple[Application, KeptAssessment]:
    """A new application with its first description and assessment.

    Raises what `check_may_register` raises, ApplicationExists, DescriptionImpossible.
    """
    with services.database.read() as uow:
        check_may_register(uow, actor, namespace, name)
    models = _models_in(description, services.database.clock().date())
    with services.database.write() as uow:
        found = create_application(uow, actor, namespace, name, private=private)
        return _described(uow, found, description, models, None)


def change_application(
    services: Services,
    actor: Actor,
    namespace: str,
    name: str,
    description: str,
    *,
    replaces: int | None = None,
) -> tuple[Application, KeptAssessment]:
    """Another description for an application, with its assessment; the former ones are kept.

    Raises what `changeable_application` raises, ApplicationChanged, DescriptionImpossible.
    """
    with services.database.read() as uow:
        changeable_application(uow, actor, namespace, name)
    models = _models_in(description, services.database.clock().date())
    with services.database.write() as uow:
        found = changeable_application(uow, actor, namespace, name)
        changed, kept = _described(uow, found, description, models, replaces)
        event = application_event(found, description=_digest_of(uow, changed), version=changed.version)
        uow.emit("application.changed", event, actor_id=actor.account_id)
    return changed, kept


def publish_application(
    services: Services, uow: UnitOfWork, actor: Actor, found: Application, *, private: bool
) -> Application:
    """Show an application to everybody, or only to its namespace; it is assessed anew for its new readers.

    What strangers may not see of its models is withheld from them at once. Raises AccessDenied.
    """
    changed = set_private(uow, actor, found, private=private)
    enqueue_assessing(services, uow, found.id)
    return changed


def shown_assessment(uow: UnitOfWork, found: Application, number: int | None = None) -> KeptAssessment:
    """The newest assessment, or that of a number, for somebody who may read the application.

    Raises AssessmentWithheld: there is none, or it tells of a repo that they may not see (any more).
    """
    kept = newest_assessment(uow, found) if number is None else find_assessment(uow, found, number)
    if kept is None or not _may_see(uow, found, kept):
        raise AssessmentWithheld(
            "This application is being assessed anew."
            if number is None
            else "There is no assessment of this number, or it is not told any more.",
            hint="Ask again in a while." if number is None else "The list of assessments says what there is.",
        )
    return kept


def shown_assessments(
    uow: UnitOfWork, found: Application, *, before: int | None = None, limit: int = 20
) -> list[tuple[KeptAssessment, bool]]:
    """The assessments, the newest first, and whether each may be told to who reads the application."""
    listed = list_assessments(uow, found, before=before, limit=limit)
    since = {kept.number: int(kept.moved["since"]) for kept in listed if kept.moved}
    repos = repos_in_assessments(uow, found, since.values())
    readers = readers_of(uow, found.namespace_id, found.namespace, private=found.private)
    seen = visible_among(uow, readers, {one for kept in repos.values() for one in kept}).keys()
    told = {number for number, before in since.items() if before in repos and repos[before] <= seen}
    return [
        (
            kept if kept.number in told else replace(kept, moved=_states_alone(kept)),
            _may_see(uow, found, kept),
        )
        for kept in listed
    ]


def assessment_again(kept: KeptAssessment) -> Assessment:
    """What was kept, derived once more from its facts, for showing it in any language.

    By the law pack that it was made by, as far as this program has it; else by the newest.
    """
    said = kept.json
    version = str(said["pack"]["version"])
    pack = law_pack(version) if version in law_pack_versions() else law_pack()
    return assess_text(kept.inputs, max(date.fromisoformat(str(said["on"])), pack.valid_from), pack.version)


def _described(
    uow: UnitOfWork,
    found: Application,
    description: str,
    models: list[str],
    replaces: int | None,
) -> tuple[Application, KeptAssessment]:
    readers = readers_of(uow, found.namespace_id, found.namespace, private=found.private)
    links = _kept_links(uow, found, links_of(uow, readers, models))
    added: ApplicationVersion = add_description(uow, found, description, links, replaces=replaces)
    known: Mapping[str, HubModel] = known_of_models(uow, found, links)
    drafted: Drafted = draft_assessment(description, known, uow.now.date())
    kept = keep_assessment(uow, found, added.version, drafted)
    changed = readable_application(uow, _insider(uow, found), found.namespace, found.name)
    if kept is None:
        raise ApplicationChanged("This description was assessed already.")
    return changed, kept


def _kept_links(
    uow: UnitOfWork, found: Application, links: Mapping[str, RepoId | None]
) -> dict[str, RepoId | None]:
    """A model stays the repo that it was, whatever that is called now; only new names are looked up."""
    before = models_used(uow, found)
    return {name: before.get(name) or repo_id for name, repo_id in links.items()}


def _insider(uow: UnitOfWork, found: Application) -> Actor:
    return readers_of(uow, found.namespace_id, found.namespace, private=True)


def _digest_of(uow: UnitOfWork, found: Application) -> str:
    return sha256((description_of(uow, found) or "").encode()).hexdigest()


def _models_in(description: str, on: date) -> list[str]:
    subjects = assess_text(description.encode(), on).facts
    return [subject.removeprefix("model:") for subject in subjects if subject.startswith("model:")]


def _states_alone(kept: KeptAssessment) -> dict[str, Any]:
    """What moved, where the assessment before holds what its readers may not see: of models that are still
    described, that they are not told of any more, and nothing of what was.
    """
    if not kept.moved:
        return {}
    described = kept.basis.get("models", {})
    states = [
        one
        for one in kept.moved["models"]
        if one["what"] == "state" and one["after"] != "seen" and one["model"] in described
    ]
    return {**kept.moved, "models": states, "assessment": {**kept.moved["assessment"], "changes": []}}


def _may_see(uow: UnitOfWork, found: Application, kept: KeptAssessment) -> bool:
    """Whether everybody who reads the application may see the repos in it; nobody sees more of it alone."""
    readers = readers_of(uow, found.namespace_id, found.namespace, private=found.private)
    return kept.repos <= visible_among(uow, readers, kept.repos).keys()
