"""Findings as SARIF: what forges need is there, and nothing in a path or a finding breaks the form."""

import json
from typing import Any

import pytest

from allmende.scan import RULES, Finding, sarif

RULE = RULES["pickle-refused-global"] if "pickle-refused-global" in RULES else next(iter(RULES.values()))


def only_run(document: Any) -> dict:
    """What a document says of its one run."""
    (run,) = document["runs"]
    return run


def results(path: str, *findings: Finding) -> list[dict]:
    return only_run(sarif([(path, findings)], "1.0.0"))["results"]


def test_every_rule_is_described() -> None:
    run = only_run(sarif([], "1.0.0"))
    described = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in described] == sorted(RULES)
    for rule in described:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in {"note", "warning", "error"}
        assert 0 <= float(rule["properties"]["security-severity"]) <= 10


def test_a_result_names_its_rule_and_its_place() -> None:
    (result,) = results("a/b.pkl", Finding(RULE, offset=7, evidence="os.system", detail="Called."))
    run = only_run(sarif([], "1.0.0"))
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == RULE.id
    assert "os.system" in result["message"]["text"]
    assert "Called." in result["message"]["text"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "a/b.pkl"
    assert location["physicalLocation"]["region"] == {"startLine": 1, "byteOffset": 7, "byteLength": 0}


def test_an_offset_inside_a_member_is_none_of_the_file() -> None:
    (result,) = results("a.pt", Finding(RULE, inside="archive/data.pkl", offset=7))
    (location,) = result["locations"]
    assert location["physicalLocation"]["region"] == {"startLine": 1}
    assert location["logicalLocations"] == [{"fullyQualifiedName": "archive/data.pkl", "kind": "member"}]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("./a b.pkl", "a%20b.pkl"),
        ("/tmp/a.pkl", "file:///tmp/a.pkl"),
        ("c:odd?#.pkl", "c%3Aodd%3F%23.pkl"),
        ("ü\n.pkl", "%C3%BC%0A.pkl"),
        ("\udcff.pkl", "%5Cudcff.pkl"),
    ],
)
def test_every_path_is_a_reference(path: str, uri: str) -> None:
    (result,) = results(path, Finding(RULE))
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
    json.dumps(result).encode()


def test_a_finding_is_known_again_when_it_has_moved() -> None:
    first, moved, other = results(
        "a", Finding(RULE, offset=1, evidence="x"), Finding(RULE, offset=2, evidence="x"), Finding(RULE)
    )
    assert first["partialFingerprints"] == moved["partialFingerprints"] != other["partialFingerprints"]


def test_what_was_not_read_is_said() -> None:
    run = only_run(sarif([], "1.0.0", [("a.bin", "The format is not known.")], complete=False))
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (note,) = invocation["toolExecutionNotifications"]
    assert note["message"]["text"] == "The format is not known."
