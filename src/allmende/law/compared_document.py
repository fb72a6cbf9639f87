"""What comparing needs of an assessment's document, read strictly: an older one comes from anybody."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from allmende.law.document import ASSESSMENT_SCHEMA
from allmende.law.errors import UnreadableAssessment
from allmende.law.shapes import Shape
from allmende.law.strict_yaml import Plain

__all__ = ["COMPARED_FIELDS", "AssessedLine", "AssessmentRead", "json_text", "read_assessment"]

_MAX_BYTES = 8 * 1024 * 1024
COMPARED_FIELDS = ("answer", "article", "who", "status", "applies_from", "confidence", "missing", "fine")
"""What counts as a change of a line; its sentences do not."""


@dataclass(frozen=True, slots=True)
class AssessedLine:
    """A line: `fields` are the compared ones as JSON, `deciding` the facts that decided or are wanted."""

    subject: str
    rule: str
    article: str
    who: tuple[str, ...]
    relevant: bool
    digest: str
    fields: Mapping[str, str]
    deciding: frozenset[str]
    held: frozenset[str]


@dataclass(frozen=True, slots=True)
class AssessmentRead:
    """An assessment as far as it is compared: facts by subject and name, lines by subject and rule."""

    on: str
    version: str
    digest: str
    facts: Mapping[str, Mapping[str, str]]
    lines: Mapping[tuple[str, str], AssessedLine]

    @property
    def subjects(self) -> frozenset[str]:
        """The application and the models that lines speak of."""
        return frozenset(subject for subject, _ in self.lines)

    def fact(self, subject: str, name: str) -> str:
        """A fact of the subject, or of operator and system, as JSON; `null` where it is not known."""
        own = self.facts.get(subject, {})
        return own.get(name) or self.facts.get("application", {}).get(name, "null")


def read_assessment(data: bytes) -> AssessmentRead:
    """An assessment out of its JSON. Raises UnreadableAssessment."""
    document = _json(data)
    shape = Shape()
    top = shape.any_mapping(document, "file")
    if top.get("schema") != ASSESSMENT_SCHEMA:
        shape.wrong("schema", "schema_unknown", f"Only {ASSESSMENT_SCHEMA} is compared.")
    pack = shape.any_mapping(top.get("pack"), "pack")
    lines = _lines(shape, top.get("lines"))
    read = AssessmentRead(
        on=shape.text(top.get("on"), "on"),
        version=shape.text(pack.get("version"), "pack.version"),
        digest=shape.text(pack.get("digest"), "pack.digest"),
        facts=_facts(shape, top.get("facts")),
        lines={(line.subject, line.rule): line for line in lines},
    )
    if shape.problems:
        first = shape.problems[0]
        raise UnreadableAssessment(f"This is no assessment to compare with: {first.place}: {first.sentence}")
    return read


def json_text(value: object) -> str:
    """A value as JSON, equal for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _json(data: bytes) -> Plain:
    if len(data) > _MAX_BYTES:
        raise UnreadableAssessment(f"At most {_MAX_BYTES} bytes of an assessment are read.")
    try:
        value: Plain = json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UnreadableAssessment("The older assessment is not JSON.") from error
    return value


def _facts(shape: Shape, value: Plain) -> Mapping[str, Mapping[str, str]]:
    facts: dict[str, dict[str, str]] = {}
    for subject, known in shape.any_mapping(value, "facts").items():
        facts[subject] = {}
        for name, fact in shape.any_mapping(known, f"facts.{subject}").items():
            place = f"facts.{subject}.{name}"
            entry = shape.any_mapping(fact, place)
            if "value" not in entry:
                shape.wrong(place, "key_missing", "value is missing.")
            facts[subject][name] = json_text(entry.get("value"))
    return facts


def _lines(shape: Shape, value: Plain) -> list[AssessedLine]:
    """The lines up to the first that is wrong: of millions of wrong ones no more need to be built."""
    lines = []
    for place, item in shape.items(value, "lines"):
        lines.append(_line(shape, place, item))
        if shape.problems:
            break
    return lines


def _line(shape: Shape, place: str, value: Plain) -> AssessedLine:
    line = shape.any_mapping(value, place)
    for key in COMPARED_FIELDS:
        if key not in line:
            shape.wrong(place, "key_missing", f"{key} is missing.")
    gaps = [gap for gap in _entries(shape, line, "gaps", place) if gap.get("kind") != "question"]
    named = [*_entries(shape, line, "facts", place), *gaps]
    held = _entries(shape, line, "held", place)
    return AssessedLine(
        subject=shape.text(line.get("subject"), f"{place}.subject"),
        rule=shape.text(line.get("rule"), f"{place}.rule"),
        article=shape.text(line.get("article"), f"{place}.article"),
        who=shape.words(line.get("who"), f"{place}.who"),
        relevant=shape.flag(line.get("relevant"), f"{place}.relevant"),
        digest=shape.text(line.get("rule_digest"), f"{place}.rule_digest"),
        fields={key: json_text(line.get(key)) for key in COMPARED_FIELDS},
        deciding=frozenset(shape.text(entry.get("name"), f"{place}.name") for entry in named),
        held=frozenset(shape.text(entry.get("kind"), f"{place}.kind") for entry in held),
    )


def _entries(shape: Shape, line: Mapping[str, Plain], key: str, place: str) -> list[Mapping[str, Plain]]:
    items = shape.items(line.get(key), f"{place}.{key}")
    return [shape.any_mapping(item, inner) for inner, item in items]
