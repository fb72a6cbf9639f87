"""Additions are strict: what is wrong with them is a question with its place."""

from typing import Any

import pytest

from allmende.documents import ImpossibleAdditions, make_document, read_additions
from tests.unit.documents.described import TODAY, added, minilm, written


def codes(data: bytes) -> set[tuple[str, str]]:
    with pytest.raises(ImpossibleAdditions) as caught:
        read_additions(data, TODAY)
    return {(problem.place, problem.code) for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("groups", "place", "code"),
    [
        ({"modell": {}}, "file", "key_unknown"),
        ({"model": {"licens": "MIT"}}, "model", "key_unknown"),
        ({"declared_on": "2026-11-29"}, "declared_on", "day_to_come"),
        ({"summary": {"updated": "2027-01-01"}}, "summary.updated", "day_to_come"),
        ({"summary": {"updated": "2026-02-30"}}, "summary.updated", "not_a_day"),
        ({"summary": {"latest_acquisition": "2026-13"}}, "summary.latest_acquisition", "not_a_month"),
        ({"summary": {"modalities": ["text", "smell"]}}, "summary.modalities[2]", "not_among"),
        ({"summary": {"modalities": ["text", "text"]}}, "summary.modalities", "word_twice"),
        ({"sources": {"crawled": "perhaps"}}, "sources.crawled", "not_among"),
        ({"compute": {"flop": -1}}, "compute.flop", "not_a_number"),
        ({"compute": {"flop": {"value": 1e20, "source": "measured"}}}, "compute.flop", "evidence_missing"),
        ({"use": {"tasks": {"value": "x", "not_applicable": "y"}}}, "use.tasks", "value_missing"),
        ({"use": {"tasks": {"value": "x", "at": "2026-11-28"}}}, "use.tasks.at", "day_to_come"),
        ({"model": {"bases": []}}, "model.bases", "empty"),
        ({"sources": {"public_large": [{"link": "x"}]}}, "sources.public_large[1]", "key_missing"),
        ({"sources": {"crawled": "no", "crawlers": ["bot"]}}, "sources.crawlers", "contradiction"),
        (
            {"sources": {"crawled": "yes", "crawl_from": "2025-06", "crawl_to": "2025-01"}},
            "sources.crawl_to",
            "contradiction",
        ),
        (
            {"incident": {"occurred_on": "2026-11-20", "aware_on": "2026-11-19"}},
            "incident.aware_on",
            "contradiction",
        ),
    ],
)
def test_what_is_wrong_is_a_question_with_its_place(groups: dict[str, Any], place: str, code: str) -> None:
    assert (place, code) in codes(written(**groups))


def test_all_faults_are_told_at_once() -> None:
    assert len(codes(written(compute={"flop": "much"}, use={"task": "x"}, summary={"updated": "soon"}))) == 3


def test_other_yaml_is_refused() -> None:
    assert codes(b"a: &x 1\nb: *x\n") == {("line 1", "yaml_refused")}
    assert codes(b"a" * 300_000) == {("file", "yaml_refused")}


def test_unknown_is_as_good_as_left_out() -> None:
    assert not added(use={"tasks": "unknown"}).facts


def test_what_was_measured_stands() -> None:
    near = added(model={"parameters": 22_700_000})
    assert make_document("annex-xii", minilm(), near).fields
    with pytest.raises(ImpossibleAdditions, match="Measured was 22 713 728"):
        make_document("annex-xii", minilm(), added(model={"parameters": 33_000_000}))


def test_the_publisher_goes_before_the_card() -> None:
    document = make_document("annex-xii", minilm(), added(use={"tasks": "Search."}))
    tasks = document.fields[0].facts[0].found
    assert tasks is not None
    assert (tasks.value, tasks.by, tasks.at) == ("Search.", "Werkstatt", "2026-11-27")
