"""Incidents with their deadlines, modifications with what was measured, skeletons for applications."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from allmende.documents import (
    Document,
    KindNotOffered,
    make_application_document,
    make_document,
    make_modification_document,
)
from allmende.law import law_pack, read_application
from tests.unit.documents.described import added, fact, minilm

ROOT = Path(__file__).resolve().parents[3]


def value(document: Document, name: str) -> Any:
    return next(
        (
            one.found.value
            for field in document.fields
            for one in field.facts
            if one.wanted.name == name and one.found
        ),
        None,
    )


@pytest.mark.parametrize(
    ("kinds", "latest", "article"),
    [
        (["property_environment"], "2026-11-25", "Art. 73(2)"),
        (["death"], "2026-11-20", "Art. 73(4)"),
        (["critical_infrastructure"], "2026-11-12", "Art. 73(3)"),
        (["death", "widespread"], "2026-11-12", "Art. 73(3)"),
    ],
)
def test_the_deadline_is_the_shortest_of_the_kinds(kinds: list[str], latest: str, article: str) -> None:
    incident = {"kind": kinds, "occurred_on": "2026-11-09", "aware_on": "2026-11-10"}
    document = make_document("incident", None, added(incident=incident))
    told = value(document, "incident.deadline")
    assert told.startswith(latest)
    assert article in told


def test_the_law_of_the_day_is_told_with_its_dates() -> None:
    soon = make_document("incident", None, added(incident={"aware_on": "2026-11-10"}))
    assert value(soon, "incident.law_status").startswith("upcoming on 2026-11-10: applies from 2027-12-02")
    assert value(soon, "incident.deadline") is None
    later = added(on=date(2029, 1, 1), declared_on="2029-01-01", incident={"aware_on": "2028-12-24"})
    assert value(make_document("incident", None, later), "incident.law_status").startswith("undetermined")


DIFF: Any = {"tensor_counts": {"same": 92, "changed": 12}, "total": {"relative": 0.0095}}


def test_a_measured_change_is_to_be_asked_about() -> None:
    document = make_modification_document(minilm(), minilm(library=fact("x", "derived")), DIFF)
    assert (
        value(document, "modification.weights")
        == "12 of 104 tensors changed; relative change of the weights 0.0095"
    )
    assert value(document, "modification.facts") == ["changed: library"]
    assert value(document, "modification.question").startswith("To be asked: weights changed")


def test_nothing_changed_raises_no_question() -> None:
    same: Any = {"tensor_counts": {"same": 104, "changed": 0}, "total": {"relative": 0.0}}
    document = make_modification_document(minilm(), minilm(), same)
    assert value(document, "modification.question").startswith("Nothing that was measured")


def test_another_purpose_is_asked_about_without_any_change_of_weights() -> None:
    same: Any = {"tensor_counts": {"same": 104}, "total": {}}
    more = added(modification={"foreseen": "yes", "requirements": "no", "purpose": "yes"})
    told = value(make_modification_document(minilm(), minilm(), same, more), "modification.question")
    assert "purpose" in told


def test_the_share_of_the_computation_is_derived() -> None:
    more = added(modification={"flop": 3.1e19, "base_flop": 8.4e23})
    document = make_modification_document(minilm(), minilm(), None, more)
    assert value(document, "modification.share").startswith("3.7e-05 of the computation")
    assert value(document, "modification.weights") is None


def test_skeletons_take_what_the_description_says() -> None:
    data = (ROOT / "docs" / "examples" / "APPLICATION.yaml").read_bytes()
    application = read_application(data, law_pack(), date(2026, 11, 28))
    document = make_application_document("annex-iv", application)
    assert value(document, "system.name") == "Credit check"
    assert value(document, "system.purpose") == "creditworthiness"
    assert value(document, "system.models") == ["acme/base-7b-credit"]
    assert document.is_draft
    assert len(make_application_document("fria", application, None, "de").fields) == 8
    with pytest.raises(KindNotOffered):
        make_application_document("summary", application)
