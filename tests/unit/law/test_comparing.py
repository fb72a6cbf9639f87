"""What moved between two assessments, and what moved it."""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from allmende.law import (
    Change,
    Pack,
    UnreadableAssessment,
    assess,
    assessment_document,
    compare_assessments,
    comparison_document,
    comparison_report,
    law_pack,
    read_assessment,
    read_pack,
    wording_in,
)
from tests.unit.law.described import BASES, TODAY, described
from tests.unit.law.test_pack import FOLDER, change

HIRING = {**BASES["both"], "system.purposes": ["recruitment"], "system.profiling": "yes"}


def document(facts: dict[str, Any], on: date = TODAY, pack: Pack | None = None, **more: Any) -> bytes:
    pack = pack or law_pack()
    found = assess(described(facts, more.get("evidence"), on), pack, on)
    return json.dumps(assessment_document(found, wording_in(more.get("language", "en"), pack))).encode()


def moved(old: bytes, new: bytes) -> dict[tuple[str, str], Change]:
    changes = compare_assessments(read_assessment(old), read_assessment(new))
    return {(change.rule, change.field): change for change in changes}


def test_nothing_moved_between_equal_facts_whatever_the_language() -> None:
    assert moved(document(HIRING), document(HIRING, language="de")) == {}


def test_a_fact_that_moved_a_duty_is_named() -> None:
    found = moved(document(HIRING), document({**HIRING, "operator.roles": ["provider"]}))
    duty = found["art-26-1", "answer"]
    assert (duty.before, duty.after, duty.who) == ('"yes"', '"no"', ("deployer",))
    (cause,) = duty.causes
    assert (cause.kind, cause.name, json.loads(cause.before)) == (
        "fact",
        "operator.roles",
        ["deployer", "provider"],
    )


def test_a_fact_that_does_not_matter_moves_nothing() -> None:
    assert moved(document(HIRING), document({**HIRING, "product.medical_device": "yes"})).keys() == {
        ("art-73", "answer"),
        ("art-73-medical", "answer"),
        ("art-73", "status"),
        ("art-73-medical", "status"),
        ("art-73", "applies_from"),
        ("art-73-medical", "applies_from"),
        ("art-73", "missing"),
        ("art-73-medical", "missing"),
    }


def test_the_day_moves_the_status_and_is_named() -> None:
    found = moved(document(HIRING), document(HIRING, date(2027, 12, 2)))
    status = found["art-9", "status"]
    assert (status.before, status.after) == ('"upcoming"', '"in_force"')
    assert [(cause.name, cause.after) for cause in status.causes] == [("assessment.on", '"2027-12-02"')]
    assert not [key for key in found if key[1] == "answer"]


def test_evidence_moves_what_is_missing() -> None:
    evidence = [{"kind": "risk_management", "where": "qm/risk.pdf"}]
    found = moved(document(HIRING), document(HIRING, evidence=evidence))
    assert found.keys() == {("art-9", "missing")}
    (cause,) = found["art-9", "missing"].causes
    assert (cause.kind, cause.name, cause.before, cause.after) == (
        "evidence",
        "risk_management",
        "false",
        "true",
    )


def test_another_model_is_named_as_such() -> None:
    found = moved(document(HIRING), document({**HIRING, "model.role": "uses"}))
    assert found
    assert {cause.kind for change in found.values() for cause in change.causes} == {"model"}


def test_a_new_pack_says_what_moved_and_to_whom(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "pack"))
    change(folder / "pack.yaml", "version: 2026-11-22", "version: 2027-05-01")
    change(
        folder / "timings.yaml",
        "  - {when: caught-annex-iii, from: 2027-12-02",
        "  - {when: caught-annex-iii, from: 2028-12-02",
    )
    change(
        folder / "61-duties-deployer.yaml",
        "high-risk-duties and deployer\n    says: Use",
        "deployer\n    says: Use",
    )
    old, new = document(HIRING), document(HIRING, pack=read_pack(folder))
    found = moved(old, new)
    later = found["art-9", "applies_from"]
    assert (later.before, later.after, later.who) == ('["2027-12-02"]', '["2028-12-02"]', ("provider",))
    for moved_line in found.values():
        assert [cause.kind for cause in moved_line.causes] == ["pack"]
    assert ("art-4", "answer") not in found


def test_a_document_that_does_not_follow_from_its_facts_is_said_to_be_so() -> None:
    tampered = json.loads(document(HIRING))
    line = next(line for line in tampered["lines"] if line["rule"] == "art-9")
    line["answer"] = "no"
    found = moved(json.dumps(tampered).encode(), document(HIRING))
    assert [cause.kind for cause in found["art-9", "answer"].causes] == ["unexplained"]


def test_changes_as_a_document_and_as_text() -> None:
    sides = (
        read_assessment(document(HIRING)),
        read_assessment(document({**HIRING, "use.at_workplace": "yes"})),
    )
    told = comparison_document(*sides)
    assert told["schema"] == "allmende.assessment-changes/1"
    wording = wording_in("de", law_pack())
    text = "\n".join(comparison_report(compare_assessments(*sides), wording))
    assert "Art. 26(7)" in text
    assert "wegen der Angabe use.at_workplace: false → true" in text
    assert comparison_report((), wording) == ["Nichts hat sich geändert."]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"schema": "allmende.assessment/1", "lines": [' + b"[]," * 200_000 + b"[]]}",
        b'{"schema": "allmende.assessment/1"}',
        b'{"schema": "allmende.assessment/2"}',
        b'{"schema": "allmende.assessment/1", "on": 1, "pack": [], "facts": {"a": 1}, "lines": [1, {}]}',
    ],
)
def test_what_is_no_assessment_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableAssessment):
        read_assessment(data)


@pytest.mark.parametrize(
    "key", ["subject", "rule", "answer", "facts", "gaps", "held", "rule_digest", "relevant"]
)
def test_a_line_that_lacks_something_is_refused(key: str) -> None:
    broken = json.loads(document(HIRING))
    del broken["lines"][3][key]
    with pytest.raises(UnreadableAssessment, match=r"lines\[4\]"):
        read_assessment(json.dumps(broken).encode())
