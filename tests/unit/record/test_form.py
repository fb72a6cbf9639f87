"""The form of a record: what it holds, what it refuses, and when two say the same."""

import json
import re
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.proof import canonical_json
from allmende.record import (
    FACTS,
    MalformedRecord,
    Reason,
    Subject,
    Tool,
    basis_of,
    difference,
    known,
    make_record,
    read_record,
    record_schema,
    tidy,
    unknown,
)

NOW = datetime(2026, 11, 28, tzinfo=UTC)
LATER = datetime(2026, 11, 29, tzinfo=UTC)
TOOL = Tool("t", "1")
SUBJECT = Subject("model", "a/b", "id", "c" * 40, "d" * 64)


def record_with(**facts: Any) -> Any:
    return make_record(SUBJECT, facts, hub="hub.example.org", tool=TOOL, at=NOW)


def test_every_fact_is_there_and_a_strange_one_is_refused() -> None:
    document = record_with(task=known("x", "declared", TOOL, NOW))
    assert list(document["facts"]) == list(FACTS)
    assert document["facts"]["scan"] == {"source": "unknown", "reason": "not_offered"}
    with pytest.raises(ValueError, match="strange"):
        record_with(strange=unknown("not_declared"))


def test_the_schema_names_the_same_facts_and_reasons() -> None:
    schema: Any = record_schema()
    facts = schema["properties"]["facts"]
    # What former versions of the hub put into records is still described, and no longer asked for.
    present = {name: fact for name, fact in facts["properties"].items() if not fact.get("deprecated")}
    assert list(present) == facts["required"] == list(FACTS)
    assert {name: fact["description"] for name, fact in present.items()} == dict(FACTS)
    assert facts["properties"].keys() - present.keys() == {"storage"}
    assert schema["$defs"]["unknown"]["properties"]["reason"]["enum"] == list(get_args(Reason))
    assert re.fullmatch(schema["$defs"]["moment"]["pattern"], record_with()["made_at"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    )
)
def test_whatever_is_tidied_can_be_signed(value: object) -> None:
    data = canonical_json(tidy(value))
    assert canonical_json(json.loads(data)) == data


def test_what_is_too_deep_or_too_long_is_cut() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert len(canonical_json(tidy(deep))) < 100
    assert len(str(tidy("x" * 10**6))) == 20_000
    many: Any = tidy(range(10**6))
    assert len(many) == 20_000
    assert tidy(2**60) == str(2**60)
    assert tidy("\ud800") == "?"


def test_times_make_no_difference_and_values_do() -> None:
    def basis(**facts: Any) -> str:
        return basis_of(SUBJECT, facts)

    fact = known("x", "declared", TOOL, NOW)
    assert basis(task=fact) == basis(task=known("x", "declared", TOOL, LATER))
    one = known({"edges": [{"evidence": {"compared": 3}}], "compared": 3}, "measured", TOOL, NOW)
    other = known({"edges": [{"evidence": {"compared": 4}}], "compared": 4}, "measured", TOOL, NOW)
    assert basis(lineage=one) == basis(lineage=other)
    for different in (
        known("y", "declared", TOOL, NOW),
        known("x", "measured", TOOL, NOW),
        known("x", "declared", Tool("t", "2"), NOW),
        known("x", "declared", TOOL, NOW, {"path": "p"}),
        unknown("not_declared"),
    ):
        assert basis(task=fact) != basis(task=different)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"schema": "allmende.record/2"},
        {"schema": "allmende.record/1"},
        {"schema": "allmende.record/1", "subject": {"type": "model"}, "facts": {}},
        {"schema": "allmende.record/1", "subject": {"type": "model", "name": "a", "commit": 1}, "facts": {}},
        {"schema": "allmende.record/1", "subject": {"type": "model", "name": "a"}, "facts": {"x": 1}},
        {
            "schema": "allmende.record/1",
            "subject": {"type": "m", "name": "a"},
            "facts": {"x": {"source": "s"}},
        },
    ],
)
def test_what_is_no_record_is_refused(document: Any) -> None:
    with pytest.raises(MalformedRecord):
        read_record(document)


def test_a_difference_tells_what_came_went_and_changed() -> None:
    def files(**digests: str) -> Any:
        listed = [{"path": path, "sha256": digest, "size_bytes": 1} for path, digest in digests.items()]
        value = {"count": len(listed), "size_bytes": 1, "complete": True, "list": listed}
        return known(value, "measured", TOOL, NOW)

    before = record_with(
        task=known("x", "declared", TOOL, NOW),
        library=known("l", "declared", TOOL, NOW),
        scan=known("clean", "measured", TOOL, NOW),
        files=files(a="1", b="2", c="3"),
    )
    after = record_with(
        task=known("y", "declared", TOOL, NOW),
        tags=known(["t"], "derived", TOOL, NOW),
        scan=known("clean", "measured", Tool("t", "2"), LATER),
        files=files(b="2", c="4", d="5"),
    )
    told: Any = difference(read_record(before), read_record(after))
    assert [row["name"] for row in told["added"]] == ["tags"]
    assert [row["name"] for row in told["removed"]] == ["library"]
    changed = {row["name"]: row for row in told["changed"]}
    assert sorted(changed) == ["files", "task"]
    assert (changed["task"]["before"]["value"], changed["task"]["after"]["value"]) == ("x", "y")
    paths = changed["files"]["paths"]
    assert (paths["added"], paths["removed"], paths["changed"]) == (["d"], ["a"], ["c"])
    assert "list" not in changed["files"]["after"]["value"]
    assert "scan" in told["unchanged"]
