"""Findings as SARIF 2.1.0 (OASIS), the form in which forges and editors take the results of checks."""

import hashlib
from collections.abc import Iterable
from urllib.parse import quote

from allmende.formats import JsonObject, JsonValue
from allmende.scan.findings import Finding, Rule, Severity
from allmende.scan.rule_set import RULE_SET, RULES

__all__ = ["sarif"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {
    Severity.INFO: "note",
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}
_SCORES = {
    Severity.INFO: "0.0",
    Severity.LOW: "2.0",
    Severity.MEDIUM: "5.0",
    Severity.HIGH: "8.0",
    Severity.CRITICAL: "9.5",
}


def sarif(
    files: Iterable[tuple[str, Iterable[Finding]]],
    version: str,
    unread: Iterable[tuple[str, str]] = (),
    *,
    complete: bool = True,
) -> JsonObject:
    """One run with the findings of these files, by path; `version` is that of the program.

    `unread` are paths that were not read, with the reason; without `complete`, some should have been.
    """
    rules = sorted(RULES.values(), key=lambda rule: rule.id)
    numbers = {rule.id: number for number, rule in enumerate(rules)}
    results: list[JsonValue] = [
        _result(path, finding, numbers) for path, findings in files for finding in findings
    ]
    notes: list[JsonValue] = [
        {
            "level": "warning",
            "message": {"text": reason},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(path)}}}],
        }
        for path, reason in unread
    ]
    driver: JsonObject = {
        "name": "Allmende",
        "semanticVersion": version,
        "properties": {"ruleSet": RULE_SET},
        "rules": [_rule(rule) for rule in rules],
    }
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "invocations": [{"executionSuccessful": complete, "toolExecutionNotifications": notes}],
                "results": results,
            }
        ],
    }


def _rule(rule: Rule) -> JsonObject:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": f"{rule.remedy}\n{rule.reference}"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"security-severity": _SCORES[rule.severity], "tags": ["security", rule.severity.word]},
    }


def _result(path: str, finding: Finding, numbers: dict[str, int]) -> JsonObject:
    said = [f"{finding.rule.title}: {finding.evidence}" if finding.evidence else f"{finding.rule.title}."]
    if finding.detail:
        said.append(finding.detail)
    # Forges want a line, even where the file has none.
    region: JsonObject = {"startLine": 1}
    if finding.offset is not None and not finding.inside:
        region |= {"byteOffset": finding.offset, "byteLength": 0}
    place: JsonObject = {"artifactLocation": {"uri": _uri(path)}, "region": region}
    location: JsonObject = {"physicalLocation": place}
    if finding.inside:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.inside, "kind": "member"}]
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": numbers.get(finding.rule.id, -1),
        "level": _LEVELS[finding.severity],
        "message": {"text": " ".join(said)},
        "locations": [location],
        "partialFingerprints": {"finding/v1": _fingerprint(path, finding)},
        "properties": {"confidence": finding.confidence},
    }


def _fingerprint(path: str, finding: Finding) -> str:
    """What stays the same for the same finding in the next run, wherever in the file it has moved."""
    said = f"{path}\0{finding.rule.id}\0{finding.inside}\0{finding.evidence}"
    return hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()


def _uri(path: str) -> str:
    """A reference relative to where the program ran, or a `file` URI (RFC 8089) for an absolute path."""
    path = path.removeprefix("./")
    return ("file://" if path.startswith("/") else "") + quote(path, errors="backslashreplace")
