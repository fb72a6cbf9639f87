"""What a publisher adds to a record: a strict YAML file, and every fault in it a question with its place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import sha256
from typing import cast

from allmende.documents.catalogue import Condition, Vocabulary, WantedFact
from allmende.documents.catalogue_reading import vocabulary
from allmende.documents.errors import ImpossibleAdditions
from allmende.documents.found import Found, FoundFacts, Origin
from allmende.law import Plain, Shape, YamlRefused, read_strict_yaml
from allmende.proof import JsonValue
from allmende.record import tidy

__all__ = ["ADDITIONS_FILE", "ADDITIONS_SCHEMA", "Additions", "holds", "read_additions"]

ADDITIONS_SCHEMA = "allmende.model-documents/1"
ADDITIONS_FILE = "model-documents.yaml"
"""The name under which they lie beside the card."""

_SOURCES = ("declared", "measured", "derived", "attested")
_MAX_TEXT = 20_000
_MAX_SHORT = 1000
_MAX_ITEMS = 500
_MONTH = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])")
_HEAD = ("schema", "declared_by", "declared_on")
_IN_ORDER = (
    ("sources.crawl_from", "sources.crawl_to"),
    ("sources.crawl_to", "summary.latest_acquisition"),
    ("incident.occurred_on", "incident.aware_on"),
    ("incident.aware_on", "incident.reported_on"),
)
"""Of each pair the first cannot lie behind the second."""
_MAY_COME = frozenset({"model.market_date", "model.release_date"})
"""Days that may lie in the future: they can be planned."""


@dataclass(frozen=True, slots=True)
class Additions:
    """Facts that a publisher has added: who, when, and the SHA-256 of the file."""

    declared_by: str
    declared_on: str
    sha256: str
    facts: FoundFacts = field(default_factory=dict)


def read_additions(data: bytes, on: date) -> Additions:
    """The additions in a file, read on a day. Raises ImpossibleAdditions with everything that is wrong."""
    try:
        document = read_strict_yaml(data)
    except YamlRefused as error:
        raise ImpossibleAdditions([error.problem]) from error
    reader = _Reader(vocabulary(), on)
    found = reader.read(document, sha256(data).hexdigest())
    if reader.shape.problems:
        raise ImpossibleAdditions(reader.shape.problems)
    return found


def holds(condition: Condition, facts: FoundFacts) -> bool | None:
    """Whether a condition holds; None where a fact that decides it is not known."""
    if not condition.any_of:
        return True
    unknown = False
    for choice in condition.any_of:
        found = facts.get(choice.fact)
        if found is None:
            unknown = True
        elif not found.not_applicable and choice.word in _words(found.value):
            return True
    return None if unknown else False


def _words(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


class _Reader:
    """Walks through the file and notes what is wrong with it."""

    def __init__(self, words: Vocabulary, on: date) -> None:
        self.shape = Shape()
        self._words = words
        self._on = on

    def read(self, document: Plain, digest: str) -> Additions:
        groups: dict[str, list[str]] = {}
        for name, wanted in self._words.facts.items():
            if wanted.kind != "pairs":
                groups.setdefault(name.split(".")[0], []).append(name.split(".")[1])
        given = self.shape.mapping(document, "file", _HEAD, sorted(groups))
        self.shape.word(given.get("schema"), "schema", [ADDITIONS_SCHEMA])
        who = self.shape.text(given.get("declared_by"), "declared_by", longest=200)
        when = self._past(given.get("declared_on"), "declared_on").isoformat()
        head = Additions(who, when, digest)
        facts: dict[str, Found] = {}
        for group, words in groups.items():
            if group not in given:
                continue
            for word, value in self.shape.mapping(given[group], group, (), words).items():
                found = self._fact(self._words.facts[f"{group}.{word}"], value, head)
                if found is not None:
                    facts[f"{group}.{word}"] = found
        if not self.shape.problems:
            self._contradictions(facts)
        return replace(head, facts=facts)

    def _past(self, value: Plain, place: str) -> date:
        day = self.shape.day(value, place)
        if day > self._on:
            self._to_come(place, day.isoformat())
        return day

    def _to_come(self, place: str, told: str) -> None:
        said = f"{told} lies behind today, {self._on}. Which is right?"
        self.shape.wrong(place, "day_to_come", said, given=f"{told} > {self._on}")

    def _fact(self, wanted: WantedFact, value: Plain, head: Additions) -> Found | None:
        place = wanted.name
        if value is None or value == "unknown":
            return None
        told: Mapping[str, Plain] = {"value": value}
        if isinstance(value, dict):
            optional = ("value", "not_applicable", "source", "evidence", "at", "by", "confidential")
            told = self.shape.mapping(value, place, (), optional)
            if ("value" in told) == ("not_applicable" in told):
                self.shape.wrong(
                    place, "value_missing", "Give either a value or not_applicable with the reason."
                )
                return None
        source = cast("Origin", self.shape.word(told.get("source", "declared"), f"{place}.source", _SOURCES))
        evidence = self._short(told, "evidence", place)
        if source != "declared" and not evidence:
            self.shape.wrong(
                place, "evidence_missing", f"Where can what is {source} be checked? Give `evidence`."
            )
        at = self._past(told["at"], f"{place}.at").isoformat() if "at" in told else head.declared_on
        if at > head.declared_on:
            said = f"{at} lies behind the day of declaration."
            self.shape.wrong(f"{place}.at", "day_to_come", said, given=f"{at} > {head.declared_on}")
        return Found(
            value=None if "not_applicable" in told else tidy(self._value(wanted, told["value"], place)),
            origin=source,
            by=self._short(told, "by", place) or head.declared_by,
            at=at,
            evidence=evidence,
            confidential=self._flag(told.get("confidential", "no"), f"{place}.confidential"),
            not_applicable=self._short(told, "not_applicable", place),
        )

    def _short(self, told: Mapping[str, Plain], key: str, place: str) -> str:
        return self.shape.text(told[key], f"{place}.{key}", longest=_MAX_SHORT) if key in told else ""

    def _flag(self, value: Plain, place: str) -> bool:
        return value is True or (value is not False and self.shape.word(value, place, ("yes", "no")) == "yes")

    def _value(self, wanted: WantedFact, value: Plain, place: str) -> JsonValue:
        match wanted.kind:
            case "texts" | "rows" | "choices":
                return self._several(wanted, value, place)
            case "day":
                return self._day(wanted, value, place)
            case "month":
                return self._month(value, place)
            case "yes_no":
                return "yes" if self._flag(value, place) else "no"
            case "choice":
                return self.shape.word(value, place, list(wanted.words))
            case "number":
                return self.shape.number(value, place)
            case "text" | "pairs":
                return self._text(value, place, _MAX_TEXT)

    def _several(self, wanted: WantedFact, value: Plain, place: str) -> JsonValue:
        if wanted.kind == "choices":
            return self._choices(wanted, value, place)
        items = self._items(value, place)
        if wanted.kind == "rows":
            return [self._row(wanted, item, where) for where, item in items]
        return [self._text(item, where, _MAX_SHORT) for where, item in items]

    def _day(self, wanted: WantedFact, value: Plain, place: str) -> str:
        day = self.shape.day(value, place)
        if wanted.name not in _MAY_COME and day > self._on:
            self._to_come(place, day.isoformat())
        return day.isoformat()

    def _items(self, value: Plain, place: str) -> list[tuple[str, Plain]]:
        items = list(self.shape.items(value, place))
        if len(items) > _MAX_ITEMS:
            said = f"At most {_MAX_ITEMS} entries are read."
            self.shape.wrong(place, "too_many", said, given=str(_MAX_ITEMS))
        if isinstance(value, list) and not items:
            self.shape.wrong(
                place, "empty", "The list is empty. If there are none, say not_applicable and why."
            )
        return items[:_MAX_ITEMS]

    def _text(self, value: Plain, place: str, longest: int) -> str:
        """A text with its line breaks: it may be several paragraphs."""
        if isinstance(value, str) and value.strip() and len(value) <= longest:
            return value.strip()
        said = f"A text of 1 to {longest} characters was expected here."
        self.shape.wrong(place, "not_a_text", said, given=str(longest))
        return ""

    def _month(self, value: Plain, place: str) -> str:
        if not isinstance(value, str) or not _MONTH.fullmatch(value):
            self.shape.wrong(place, "not_a_month", "Give the month as YYYY-MM.")
            return ""
        if value > self._on.isoformat()[:7]:
            self._to_come(place, value)
        return value

    def _choices(self, wanted: WantedFact, value: Plain, place: str) -> list[JsonValue]:
        given = [
            self.shape.word(item, where, list(wanted.words)) for where, item in self._items(value, place)
        ]
        if len(set(given)) < len(given):
            self.shape.wrong(place, "word_twice", "An answer is there twice in the list.")
        return [word for word in wanted.words if word in given]

    def _row(self, wanted: WantedFact, item: Plain, place: str) -> JsonValue:
        first, *others = wanted.columns
        given = self.shape.mapping(item, place, (first,), others)
        return {
            key: self._text(given[key], f"{place}.{key}", _MAX_SHORT)
            for key in wanted.columns
            if key in given
        }

    def _contradictions(self, facts: FoundFacts) -> None:
        for earlier, later in _IN_ORDER:
            one, other = (_day_text(facts.get(name)) for name in (earlier, later))
            shared = min(len(one), len(other))
            if shared and one[:shared] > other[:shared]:
                said = f"{other} lies before {earlier}, {one}. Which is right?"
                self.shape.wrong(later, "contradiction", said, given=f"{other} < {earlier} {one}")
        for name in facts:
            uses = [
                one.when
                for catalogue in self._words.catalogues.values()
                for one in catalogue.fields
                if name in (*one.facts, *one.any_of)
            ]
            if uses and all(holds(when, facts) is False for when in uses):
                choices = sorted({(choice.fact, choice.word) for when in uses for choice in when.any_of})
                because = ", ".join(f"{fact} is not {word}" for fact, word in choices)
                said = f"This is told although {because}. Which is right?"
                given = ", ".join(f"{fact} ≠ {word}" for fact, word in choices)
                self.shape.wrong(name, "contradiction", said, given=given)


def _day_text(found: Found | None) -> str:
    """The day or month; empty where there is none."""
    return found.value if found is not None and isinstance(found.value, str) else ""
