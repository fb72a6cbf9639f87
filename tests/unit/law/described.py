"""Descriptions for tests, from flat names of facts to the YAML that people write."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from allmende.law import APPLICATION_SCHEMA, Application, law_pack, read_application
from allmende.law.strict_yaml import read_strict_yaml

CASES = Path(__file__).with_name("cases")
TODAY = date(2026, 11, 28)


def loaded(name: str) -> Any:
    """A file of cases, read as applications are: `yes` is a word and a day is a text."""
    return read_strict_yaml((CASES / f"{name}.yaml").read_bytes())


BASES: dict[str, dict[str, Any]] = loaded("bases")


def document(facts: Mapping[str, Any], evidence: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """The description that has these facts; those of a model make one model."""
    nested: dict[str, Any] = {"schema": APPLICATION_SCHEMA, "name": "case"}
    model: dict[str, Any] = {}
    for name, value in facts.items():
        group, word = name.split(".")
        (model if group == "model" else nested.setdefault(group, {}))[word] = value
    if model:
        nested["models"] = [{"name": "m", **model}]
    if evidence:
        nested["evidence"] = evidence
    return nested


def described(
    facts: Mapping[str, Any], evidence: list[dict[str, str]] | None = None, on: date = TODAY
) -> Application:
    """The description, through the door that every description takes."""
    return read_application(written(document(facts, evidence)), law_pack(), on)


def written(nested: Mapping[str, Any]) -> bytes:
    """As JSON, which is YAML and much quicker written."""
    return json.dumps(nested).encode()
