"""Assessing an application of the register: now, and again when what it rests on has changed.

The job `assess_application` (`{"application_id"}`) is idempotent: an assessment is kept only where something
moved since the one before: a line, what the hub knows of a model, the description, the law pack. Each tells
what moved and which fact caused it.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from allmende.applications import (
    Application,
    ApplicationId,
    KeptAssessment,
    ListedAssessment,
    add_assessment,
    application_event,
    description_of,
    find_application,
    is_law_new,
    models_used,
    newest_assessment,
    next_application_id,
)
from allmende.flows.application_facts import SEEN, HubModel, join_facts, known_of_models
from allmende.flows.application_queue import ASSESS_PRIORITY, enqueue_assessing
from allmende.flows.services import Services
from allmende.jobs import JobContext, Schedule
from allmende.law import (
    Assessment,
    ImpossibleApplication,
    Plain,
    Problem,
    ProblemsFound,
    assess,
    assessment_document,
    comparison_document,
    law_pack,
    read_application,
    read_assessment,
    read_strict_yaml,
    wording_in,
)
from allmende.storage import UnitOfWork

__all__ = [
    "ALL",
    "ASSESSING",
    "DescriptionImpossible",
    "Drafted",
    "assess_again",
    "assess_text",
    "draft_assessment",
    "keep_assessment",
    "notice_new_law",
    "readers_told",
    "tend_applications",
]

_log = logging.getLogger(__name__)

_TEND_JOB = "tend_applications"
ASSESSING = Schedule(_TEND_JOB, every_s=24 * 3600.0)
"""Once a day all are looked at: dates begin and end by themselves, and what was missed is made up for."""

READERS, ALL, NAMESPACE = "readers", "all", "namespace"
"""Whom an assessment was made for, as its basis says."""


class DescriptionImpossible(ProblemsFound):
    """A description that cannot be assessed; the message names what to answer or correct first."""

    code = "application_impossible"
    said = "The description cannot be assessed"
    told_at_most = 20
    what_to_do = "Answer or correct each of these; nothing was kept."


@dataclass(frozen=True, slots=True)
class Drafted:
    """An assessment that is not kept yet, with all that it was made of.

    `differ` is where the description and the hub disagree, `problems` why the hub's facts could not be used.
    """

    assessment: Assessment
    document: bytes
    inputs: bytes
    known: Mapping[str, HubModel]
    differ: list[dict[str, Any]]
    problems: tuple[Problem, ...]

    @property
    def basis(self) -> dict[str, Any]:
        """What the hub knew of the models, and where that does not fit the description."""
        return {
            "models": {name: model.basis for name, model in sorted(self.known.items())},
            "differ": self.differ,
            "problems": [{"place": one.place, "ask": one.sentence} for one in self.problems],
        }


def assess_text(description: bytes, on: date, pack: str | None = None) -> Assessment:
    """What follows from a description alone.

    Raises DescriptionImpossible, LawPackMissing, LawOfAnotherDay.
    """
    found = law_pack(pack)
    try:
        return assess(read_application(description, found, on), found, on)
    except ImpossibleApplication as error:
        raise DescriptionImpossible(error.problems) from error


def draft_assessment(description: str, known: Mapping[str, HubModel], on: date) -> Drafted:
    """What follows from a description and from what the hub knows, by the newest law pack.

    The description must hold by itself. Where it does not hold together with the hub's facts, these are left
    out, and it is said why. Raises DescriptionImpossible.
    """
    alone = description.encode()
    found = assess_text(alone, on)
    differ: list[dict[str, Any]] = []
    problems: tuple[Problem, ...] = ()
    inputs = json.dumps(_object(read_strict_yaml(alone)), ensure_ascii=False).encode()
    if any(model.facts for model in known.values()):
        joined, differ = join_facts(_object(read_strict_yaml(alone)), known)
        try:
            found, inputs = assess_text(joined, on), joined
        except DescriptionImpossible as error:
            problems = error.problems
    wording = wording_in("en", found.pack)
    document = json.dumps(assessment_document(found, wording), ensure_ascii=False).encode()
    return Drafted(found, document, inputs, known, differ, problems)


def keep_assessment(
    uow: UnitOfWork, found: Application, version: int, drafted: Drafted
) -> KeptAssessment | None:
    """Keep it as the newest, with what moved since the one before; None where nothing did.

    One is kept for its readers of now: an application that is shown to others gets one for them in any case,
    so that they cannot learn from the history of before whether a model is here that they may not see.
    """
    before = newest_assessment(uow, found)
    moved = _moved(before, drafted)
    pack_digest = drafted.assessment.pack.digest
    readers = NAMESPACE if found.private else ALL
    same = (version, pack_digest, readers)
    if (
        before is not None
        and (before.version, before.pack_digest, readers_told(before)) == same
        and not moved
    ):
        return None
    repos = {one.repo.id for one in drafted.known.values() if one.repo is not None}
    kept = add_assessment(
        uow,
        found,
        version=version,
        pack_digest=pack_digest,
        document=drafted.document,
        inputs=drafted.inputs,
        basis={**drafted.basis, READERS: readers},
        moved=moved,
        repos=repos,
    )
    uow.emit(
        "application.assessed",
        application_event(found, number=kept.number, assessment=kept.digest, pack=pack_digest),
    )
    return kept


def readers_told(kept: ListedAssessment) -> str:
    """Whom an assessment was made for; of one that does not say it, its namespace alone."""
    return str(kept.basis.get(READERS, NAMESPACE))


def _moved(before: KeptAssessment | None, drafted: Drafted) -> dict[str, Any]:
    """What is different now: what the hub knows of models, and lines with their causes. Empty for nothing."""
    if before is None:
        return {}
    compared: dict[str, Any] = comparison_document(
        read_assessment(before.document), read_assessment(drafted.document)
    )
    models = _moved_models(before.basis.get("models", {}), drafted.basis["models"])
    others = {key: drafted.basis[key] != before.basis.get(key) for key in ("differ", "problems")}
    if not compared["changes"] and not models and not any(others.values()):
        return {}
    return {"since": before.number, "models": models, "assessment": compared}


def _moved_models(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    moved = []
    for name in sorted({*before, *now}):
        was, is_now = before.get(name, {}), now.get(name, {})
        # Of a repo that is not told of any more nothing is repeated but that.
        told = {*was, *is_now} if is_now.get("state", SEEN) == SEEN else {"state"}
        for what in sorted(told):
            if was.get(what) != is_now.get(what):
                moved.append(
                    {"model": name, "what": what, "before": was.get(what), "after": is_now.get(what)}
                )
    return moved


def _object(value: Plain) -> dict[str, Any]:
    # An empty file is an empty description; whatever is no mapping was refused before.
    return value if isinstance(value, dict) else {}


# --- again ---------------------------------------------------------------------------------------------


def notice_new_law(services: Services) -> bool:
    """At a start: have all applications assessed anew if the law pack is new to this hub."""
    with services.database.write() as uow:
        if not is_law_new(uow, law_pack().digest):
            return False
        services.queue.enqueue(uow, _TEND_JOB, {}, key=_TEND_JOB, priority=ASSESS_PRIORITY)
        return True


def tend_applications(services: Services, context: JobContext) -> None:
    """The job of that name: ask for an assessment of every application."""
    application_id = ApplicationId(0)
    while True:
        context.checkpoint()
        with services.database.write() as uow:
            following = next_application_id(uow, application_id)
            if following is None:
                return
            application_id = following
            enqueue_assessing(services, uow, application_id)


def assess_again(services: Services, context: JobContext) -> None:
    """The job `assess_application`. Does nothing for one that is gone, or where nothing has moved."""
    application_id = ApplicationId(int(context.payload["application_id"]))
    with services.database.read() as uow:
        found = find_application(uow, application_id)
        if found is None:
            return
        description = description_of(uow, found)
        known = known_of_models(uow, found, models_used(uow, found))
        on = uow.now.date()
    if description is None:
        return
    try:
        drafted = draft_assessment(description, known, on)
    except DescriptionImpossible as error:
        # A newer law pack asks in other words: whoever describes it has to answer before it counts again.
        _log.warning("application %s cannot be assessed by the law pack of now: %s", application_id, error)
        return
    with services.database.write() as uow:
        now = find_application(uow, application_id)
        if now is None:
            return
        if (now.version, now.private) != (found.version, found.private):
            enqueue_assessing(services, uow, application_id)
            return
        keep_assessment(uow, now, now.version, drafted)
