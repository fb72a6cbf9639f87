"""Reads APPLICATION.yaml: strict, by the facts that the law pack knows; all that is wrong is said at once."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import cast

from allmende.law.answers import Answer, Finding
from allmende.law.conditions import evaluate
from allmende.law.derivations import with_derived
from allmende.law.errors import ImpossibleApplication
from allmende.law.facts import SOURCES, Application, Evidence, Fact, FactSource, ModelEntry
from allmende.law.pack import Pack, Subject
from allmende.law.pack_checking import ASSESSED_ON
from allmende.law.shapes import Shape
from allmende.law.strict_yaml import Plain, YamlRefused, read_strict_yaml
from allmende.law.values import FactKind, Impossible, Value, read_value

__all__ = ["APPLICATION_SCHEMA", "read_application"]

APPLICATION_SCHEMA = "allmende.application/1"

_MAX_MODELS = 50
_MAX_EVIDENCE = 500
_FACT_KEYS = ("source", "evidence", "at")


def read_application(data: bytes, pack: Pack, on: date) -> Application:
    """The description in `data`, as it is on the day `on`.

    Raises ImpossibleApplication with every unknown key, impossible value and contradiction.
    """
    try:
        document = read_strict_yaml(data)
    except YamlRefused as error:
        raise ImpossibleApplication([error.problem]) from error
    reading = _Reading(pack, on)
    application = reading.application(document)
    if reading.shape.problems:
        raise ImpossibleApplication(reading.shape.problems)
    return application


class _Reading:
    """Walks through a description; what is wrong is in `shape.problems`."""

    def __init__(self, pack: Pack, on: date) -> None:
        self._pack = pack
        self._on = on
        self._groups: dict[str, dict[str, FactKind]] = {}
        for name, kind in pack.facts.items():
            if name != ASSESSED_ON:
                group, _, word = name.partition(".")
                self._groups.setdefault(group, {})[word] = kind
        self._shared: dict[str, Fact] = {}
        self.shape = Shape()

    def application(self, document: Plain) -> Application:
        groups = [group for group in self._groups if group != "model"]
        top = self.shape.mapping(document, "file", ("schema", "name"), (*groups, "models", "evidence"))
        if top and top.get("schema") != APPLICATION_SCHEMA:
            said = f"Say schema: {APPLICATION_SCHEMA}."
            self.shape.wrong("schema", "schema_unknown", said, given=APPLICATION_SCHEMA)
        facts = {ASSESSED_ON: Fact(ASSESSED_ON, self._on, "declared", "the day that was asked for")}
        for group in groups:
            if group in top:
                facts.update(self._facts(top[group], group, group))
        self._shared = facts
        models = tuple(self._models(top.get("models", [])))
        described = [group for group in groups if group in top and group != "operator"]
        if document and not described and not models:
            self.shape.wrong("file", "nothing_described", "Describe a system, or models: there is neither.")
        if described:
            self._contradictions(facts, "application", "")
        return Application(
            name=self.shape.text(top.get("name"), "name", longest=200) if "name" in top else "",
            describes_system=bool(described),
            facts=facts,
            models=models,
            evidence=self._all_evidence(top.get("evidence", []), {model.name for model in models}),
        )

    def _facts(self, value: Plain, group: str, place: str, *beside: str) -> dict[str, Fact]:
        kinds = self._groups[group]
        entries = self.shape.mapping(value, place, (), (*kinds, *beside))
        found = {}
        for word, given in entries.items():
            if word not in beside:
                fact = self._fact(given, kinds[word], f"{place}.{word}")
                if fact is not None:
                    found[fact.name] = fact
        return found

    def _fact(self, given: Plain, kind: FactKind, place: str) -> Fact | None:
        source: FactSource = "declared"
        evidence, at = "", None
        if isinstance(given, dict):
            entry = self.shape.mapping(given, place, ("value",), _FACT_KEYS)
            source = self._source(entry.get("source", "declared"), f"{place}.source")
            evidence = self._optional_text(entry, "evidence", place)
            at = self._past_day(entry["at"], f"{place}.at") if "at" in entry else None
            if source != "declared" and not evidence:
                self.shape.wrong(place, "evidence_missing", f"What was {source} needs evidence: where is it?")
            given = entry.get("value")
        try:
            value = read_value(given, kind)
        except Impossible as error:
            self.shape.wrong(place, "value_impossible", f"{kind.ask} {error}", given=kind.name)
            return None
        return None if value is None else Fact(kind.name, value, source, evidence, at)

    def _models(self, value: Plain) -> Iterator[ModelEntry]:
        seen: set[str] = set()
        for place, item in self.shape.items(value, "models"):
            if len(seen) >= _MAX_MODELS:
                said = f"At most {_MAX_MODELS} models are read."
                self.shape.wrong(place, "too_many", said, given=str(_MAX_MODELS))
                return
            name = (
                self.shape.text(item.get("name"), f"{place}.name", longest=200)
                if isinstance(item, dict)
                else ""
            )
            if name in seen:
                said = f"There are two models of the name {name!r}."
                self.shape.wrong(place, "name_twice", said, given=repr(name))
            seen.add(name)
            given = self._facts(item, "model", place, "name")
            facts = with_derived(given, self._pack, place, self.shape.problems)
            self._contradictions({**self._shared, **facts}, "model", f"{place}: ")
            yield ModelEntry(name, facts)

    def _all_evidence(self, value: Plain, models: set[str]) -> tuple[Evidence, ...]:
        found: list[Evidence] = []
        for place, item in self.shape.items(value, "evidence"):
            if len(found) >= _MAX_EVIDENCE:
                said = f"At most {_MAX_EVIDENCE} pieces of evidence are read."
                self.shape.wrong(place, "too_many", said, given=str(_MAX_EVIDENCE))
                break
            entry = self.shape.mapping(item, place, ("kind", "where"), ("source", "at", "model"))
            model = self._optional_text(entry, "model", place)
            if model and model not in models:
                said = f"No model of the name {model!r} is described."
                self.shape.wrong(place, "model_unknown", said, given=repr(model))
            at = self._past_day(entry["at"], f"{place}.at").isoformat() if "at" in entry else ""
            kind = self.shape.word(entry.get("kind"), f"{place}.kind", sorted(self._pack.evidence))
            where = self.shape.text(entry.get("where"), f"{place}.where", longest=500)
            source = self._source(entry.get("source", "declared"), f"{place}.source")
            found.append(Evidence(kind, where, source, at, model))
        return tuple(sorted(set(found)))

    def _source(self, value: Plain, place: str) -> FactSource:
        return cast("FactSource", self.shape.word(value, place, SOURCES))

    def _optional_text(self, entry: Mapping[str, Plain], key: str, place: str) -> str:
        return self.shape.text(entry[key], f"{place}.{key}", longest=500) if key in entry else ""

    def _past_day(self, value: Plain, place: str) -> date:
        day = self.shape.day(value, place)
        if day > self._on:
            self.shape.wrong(
                place,
                "day_to_come",
                f"{day} lies behind the day of the assessment, {self._on}. Which is right?",
                given=f"{day} > {self._on}",
            )
        return day

    def _contradictions(self, facts: Mapping[str, Fact], subject: Subject, place: str) -> None:
        known = _FactsAlone(facts)
        for entry in self._pack.contradictions:
            found = evaluate(entry.when, known)
            if entry.subject == subject and found.answer is Answer.YES:
                self.shape.wrong(
                    place + ", ".join(sorted(found.facts)), "contradiction", entry.says, entry.id
                )


class _FactsAlone:
    """Facts for conditions that name no rules."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        self._facts = facts

    def value(self, fact: str) -> Value | None:
        found = self._facts.get(fact)
        return found.value if found else None

    def finding(self, rule: str) -> Finding:
        return Finding(Answer.UNDETERMINED)

    def side(self, fact: str, threshold: float) -> bool | None:
        return None
