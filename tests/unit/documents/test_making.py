"""Fields are filled from a record and additions; what goes is a gap, and nobody gets what is for others."""

import json

import pytest

from allmende.documents import (
    KINDS,
    KindNotOffered,
    as_markdown,
    catalogue_of,
    make_document,
    vocabulary,
)
from allmende.documents.record_facts import RECORD_FILLERS
from allmende.proof import canonical_json
from tests.unit.documents.described import added, minilm, minilm_facts

OF_MODELS = ("summary", "copyright", "annex-xii", "annex-xi", "model-form")


def states(kind: str, without: str = "") -> dict[str, str]:
    return {field.field.ref: field.state for field in make_document(kind, minilm(without)).fields}


def test_at_least_fifteen_fields_of_annexes_xi_and_xii_hold_something_without_additions() -> None:
    """docs/documents.md names them."""
    found = {(kind, ref): state for kind in ("annex-xi", "annex-xii") for ref, state in states(kind).items()}
    whole = {key for key, state in found.items() if state == "filled"}
    part = {key for key, state in found.items() if state == "partly"}
    assert whole == {
        *(("annex-xi", ref) for ref in ("1.1(c)", "1.1(d)", "1.1(e)", "1.1(f)", "1.2(a)")),
        *(("annex-xii", ref) for ref in ("1(c)", "1(f)", "1(g)", "1(h)", "2(a)", "2(b)")),
    }
    assert part == {
        *(("annex-xi", ref) for ref in ("1.1(a)", "1.2(b)", "1.2(c)")),
        *(("annex-xii", ref) for ref in ("1(a)", "1(e)", "2(c)")),
    }
    assert len(whole) + len(part) == 17


@pytest.mark.parametrize("fact", sorted(minilm_facts().keys() - {"files"}))
def test_a_fact_that_goes_becomes_a_gap_or_leaves_a_value_out(fact: str) -> None:
    fillers = {name for name, (of, _fill) in RECORD_FILLERS.items() if of == fact}
    names = {name for name, wanted in vocabulary().facts.items() if wanted.record in fillers}
    for kind in OF_MODELS:
        before, after = make_document(kind, minilm()), make_document(kind, minilm(without=fact))
        for had, has in zip(before.fields, after.fields, strict=True):
            lost = {one.wanted.name for one in had.facts if one.found} - {
                one.wanted.name for one in has.facts if one.found
            }
            asked = lost & {*had.field.facts, *had.field.any_of}
            assert asked <= {*has.missing, *had.field.any_of}
            assert has.state != "filled" or not lost & set(had.field.facts)
            assert not {one.wanted.name for one in has.facts if one.found} & names - {
                "use.tasks", "model.distribution", "model.bases"
            }  # fmt: skip


def test_a_mandatory_gap_makes_a_draft_and_mandatory_gaps_stand_first() -> None:
    document = make_document("annex-xii", minilm())
    assert document.is_draft
    mandatory = [gap.mandatory for gap in make_document("summary", minilm()).gaps]
    assert mandatory == sorted(mandatory, reverse=True)


def test_filled_it_is_no_draft() -> None:
    more = added(
        use={
            "systems": "Search.", "acceptable": "https://example.org", "interaction": "None.",
            "software_versions": "5.1",
        },
        data={"kinds": ["text"], "provenance": ["public"], "curation": "Deduplicated."},
    )  # fmt: skip
    document = make_document("annex-xii", minilm(), more)
    assert not document.gaps
    assert not document.is_draft
    assert "DRAFT" not in as_markdown(document)


def test_a_condition_decides_whether_a_field_applies() -> None:
    def state(**model: str) -> str:
        document = make_document("annex-xi", minilm(), added(model=model) if model else None)
        return next(field.state for field in document.fields if field.field.ref == "2.1")

    assert state() == "undetermined"
    assert state(systemic_risk="no") == "not_applicable"
    assert state(systemic_risk="yes") == "missing"


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_is_for_authorities_reaches_nobody_else(language: str) -> None:
    secret = "Xq7-secret-figure"
    more = added(
        training={"rationale": secret, "objective": {"value": secret, "evidence": secret}},
        compute={"time": secret, "details": secret},
        energy={"lacking": secret, "inference": secret},
        data={"obtained": secret, "points": secret, "scope": secret, "unsuitable": secret, "bias": secret},
        use={"hardware": {"value": secret, "confidential": "yes", "evidence": secret, "by": secret}},
    )
    for kind in OF_MODELS:
        for recipient in catalogue_of(kind).recipients:
            document = make_document(kind, minilm(), more, language, recipient)
            told = as_markdown(document) + canonical_json(document.json).decode()
            assert (secret in told) is (recipient in {"ai-office", "national"})


def test_confidential_is_a_gap_that_says_so() -> None:
    more = added(use={"hardware": {"value": "1 GPU", "confidential": "yes"}})
    document = make_document("model-form", minilm(), more, "en", "downstream")
    field = next(field for field in document.fields if field.field.ref == "4.5")
    assert field.state == "missing"
    assert field.facts[0].why == "confidential"


def test_every_field_shows_value_origin_evidence_and_day() -> None:
    document = make_document("annex-xii", minilm()).json
    fields = document["fields"]
    assert isinstance(fields, list)
    by_ref = {field["ref"]: field for field in fields if isinstance(field, dict)}
    licence = by_ref["1(h)"]["facts"][0]  # type: ignore[index]
    assert licence == {
        "name": "model.licence",
        "label": "Licence",
        "value": "Apache-2.0",
        "not_applicable": None,
        "origin": "declared",
        "by": "the publisher in the card",
        "at": "2026-11-28",
        "evidence": f"README.md; sha256 {'7d' * 32}",
        "formula": None,
    }


@pytest.mark.parametrize("kind", OF_MODELS)
def test_the_same_gives_the_same_bytes(kind: str) -> None:
    made = [make_document(kind, minilm(), added(use={"tasks": "x"}), "de") for _ in range(2)]
    assert canonical_json(made[0].json) == canonical_json(made[1].json)
    assert as_markdown(made[0]) == as_markdown(made[1])
    assert json.loads(canonical_json(made[0].json))["schema"] == "allmende.document/1"


def test_what_is_not_offered_is_refused() -> None:
    for kind, language, recipient in (
        ("x", "en", None),
        ("summary", "fr", None),
        ("summary", "en", "national"),
    ):
        with pytest.raises(KindNotOffered):
            make_document(kind, minilm(), None, language, recipient)
    with pytest.raises(KindNotOffered):
        make_document("fria", minilm())
    with pytest.raises(KindNotOffered):
        make_document("summary", None)


def test_every_document_has_the_footer_in_every_language() -> None:
    for kind in KINDS[:5]:
        for language, words in (("en", "not legal advice"), ("de", "keine Rechtsberatung")):
            assert words in as_markdown(make_document(kind, minilm(), None, language))
