"""Registering an application and describing it anew, each with its assessment in the same transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256

from allmende.applications import (
    Application,
    ApplicationChanged,
    ApplicationVersion,
    AssessmentWithheld,
    KeptAssessment,
    ListedAssessment,
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
    set_private,
)
from allmende.flows.application_assessing import (
    ALL,
    Drafted,
    assess_text,
    draft_assessment,
    keep_assessment,
    readers_told,
)
from allmende.flows.application_facts import HubModel, known_of_models, links_of, readers_of
from allmende.flows.application_queue import enqueue_assessing
from allmende.flows.services import Services
from allmende.ids import RepoId
from allmende.law import Assessment, law_pack, law_pack_versions
from allmende.registry import Actor, visible_among
from allmende.storage import UnitOfWork

__all__ = [
    "AssessmentPage",
    "assessment_again",
    "change_application",
    "newest_shown",
    "publish_application",
    "register_application",
    "shown_assessment",
    "shown_assessments",
]


@dataclass(frozen=True, slots=True)
class AssessmentPage:
    """Some assessments, and whether each may be told; `next` is what to go on `before`, None at the end.

    What moved since an assessment that may not be told is not told either.
    """

    assessments: list[tuple[ListedAssessment, bool]]
    next: int | None


def register_application(
    services: Services, actor: Actor, namespace: str, name: str, description: str, *, private: bool
) -> tuple[Application, KeptAssessment]:
    """A new application with its first description and assessment.

    Raises what `check_may_register` raises, ApplicationExists, TooManyApplications, DescriptionImpossible.
    """
    with services.database.read() as uow:
        check_may_register(uow, actor, namespace, name)
    models = _models_in(description, services.database.clock().date())
    with services.database.write() as uow:
        found = create_application(
            uow, actor, namespace, name, private=private, most=services.settings.max_applications
        )
        return _described(services, uow, found, description, models)


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

    Raises what `changeable_application` raises, ApplicationChanged, TooManyVersions, DescriptionImpossible.
    """
    with services.database.read() as uow:
        changeable_application(uow, actor, namespace, name)
    models = _models_in(description, services.database.clock().date())
    with services.database.write() as uow:
        found = changeable_application(uow, actor, namespace, name)
        changed, kept = _described(services, uow, found, description, models, replaces)
        event = application_event(found, description=_digest_of(uow, changed), version=changed.version)
        uow.emit("application.changed", event, actor_id=actor.account_id)
    return changed, kept


def publish_application(
    services: Services, uow: UnitOfWork, actor: Actor, found: Application, *, private: bool
) -> Application:
    """Show an application to everybody, or only to its namespace; it is assessed anew for its new readers.

    Strangers get the assessment that is made for them, and none of before. Raises AccessDenied.
    """
    changed = set_private(uow, actor, found, private=private)
    enqueue_assessing(services, uow, found.id)
    return changed


def newest_shown(uow: UnitOfWork, found: Application) -> KeptAssessment | None:
    """The newest assessment; None while it may not be told, which is until the next one is made."""
    kept = newest_assessment(uow, found)
    return kept if kept is not None and _may_see(uow, found, kept) else None


def shown_assessment(uow: UnitOfWork, found: Application, number: int | None = None) -> KeptAssessment:
    """The newest assessment, or that of a number, for somebody who may read the application.

    Raises AssessmentWithheld: there is none, or it tells of a repo that they may not see (any more).
    """
    kept = newest_shown(uow, found) if number is None else find_assessment(uow, found, number)
    if kept is None or not (number is None or _may_see(uow, found, kept)):
        raise AssessmentWithheld(
            "This application is being assessed anew."
            if number is None
            else "There is no assessment of this number, or it is not told any more.",
            hint="Ask again in a while." if number is None else "The list of assessments says what there is.",
        )
    return kept


def shown_assessments(
    uow: UnitOfWork, found: Application, *, before: int | None = None, limit: int = 20
) -> AssessmentPage:
    """The assessments, the newest first, as everybody who reads the application may be told of them.

    Those that were made for fewer readers are left out, so that a page may be short.
    """
    listed = list_assessments(uow, found, before=before, limit=limit + 1)
    readers = readers_of(uow, found.namespace_id, found.namespace, private=found.private)
    seen = visible_among(uow, readers, {one for kept in listed for one in kept.repos}).keys()
    told = {kept.number for kept in listed if _for_readers(found, kept) and kept.repos <= seen}
    page = [
        (kept if kept.moved.get("since") in told else replace(kept, moved={}), kept.number in told)
        for kept in listed[:limit]
        if _for_readers(found, kept)
    ]
    return AssessmentPage(page, listed[limit - 1].number if len(listed) > limit else None)


def assessment_again(kept: KeptAssessment) -> Assessment:
    """What was kept, derived once more from its facts, for showing it in any language.

    By the law pack that it was made by, as far as this program has it; else by the newest.
    """
    said = kept.json
    version = str(said["pack"]["version"])
    pack = law_pack(version) if version in law_pack_versions() else law_pack()
    return assess_text(kept.inputs, max(date.fromisoformat(str(said["on"])), pack.valid_from), pack.version)


def _described(
    services: Services,
    uow: UnitOfWork,
    found: Application,
    description: str,
    models: list[str],
    replaces: int | None = None,
) -> tuple[Application, KeptAssessment]:
    readers = readers_of(uow, found.namespace_id, found.namespace, private=found.private)
    links = _kept_links(uow, found, links_of(uow, readers, models))
    most = services.settings.max_application_versions
    added: ApplicationVersion = add_description(uow, found, description, links, replaces=replaces, most=most)
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
    """A name is the repo that bears it now; where none does that readers see, it stays the one that it was.

    So a model is followed when it is renamed or hidden, and a new one that takes its old name is meant when
    the application is described again.
    """
    before = models_used(uow, found)
    return {name: before.get(name) if repo_id is None else repo_id for name, repo_id in links.items()}


def _insider(uow: UnitOfWork, found: Application) -> Actor:
    return readers_of(uow, found.namespace_id, found.namespace, private=True)


def _digest_of(uow: UnitOfWork, found: Application) -> str:
    return sha256((description_of(uow, found) or "").encode()).hexdigest()


def _models_in(description: str, on: date) -> list[str]:
    subjects = assess_text(description.encode(), on).facts
    return [subject.removeprefix("model:") for subject in subjects if subject.startswith("model:")]


def _may_see(uow: UnitOfWork, found: Application, kept: KeptAssessment) -> bool:
    """Whether everybody who reads the application may see the repos in it; nobody sees more of it alone."""
    readers = readers_of(uow, found.namespace_id, found.namespace, private=found.private)
    return _for_readers(found, kept) and kept.repos <= visible_among(uow, readers, kept.repos).keys()


def _for_readers(found: Application, kept: ListedAssessment) -> bool:
    """Whether it was made for those who read the application now, or for more."""
    return found.private or readers_told(kept) == ALL
