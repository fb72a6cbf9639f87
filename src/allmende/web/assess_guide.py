"""The guided form: what was answered so far, what is asked next, and what an answer makes of a description.

Everything stands in the form itself, so that nothing is kept by the hub until somebody saves it, and every
step works without a script. What is asked next is what the assessment waits for; what nobody knows is passed
over.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from allmende.errors import BadRequest
from allmende.flows import DescriptionImpossible, assess_text
from allmende.law import (
    APPLICATION_SCHEMA,
    MAX_YAML_BYTES,
    Assessment,
    Pack,
    Problem,
    YamlRefused,
    law_pack,
    read_strict_yaml,
)

__all__ = [
    "Answered",
    "Guide",
    "Question",
    "begin_guide",
    "guide_of",
    "guide_that_holds",
    "next_questions",
    "read_guide",
    "with_answers",
    "without_answer",
]

_MAX_MODELS = 20
_MAX_NAME = 200
_MAX_FIELDS = 24
"""A form of the pages may have 32 fields."""
_NONE = "-"
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Guide:
    """A description as far as it is told, and the questions (`SUBJECT|FACT`) that were passed over."""

    description: dict[str, Any]
    skipped: frozenset[str] = frozenset()

    @property
    def state(self) -> str:
        """What the form carries on to the next step."""
        return json.dumps(
            {"description": self.description, "skipped": sorted(self.skipped)}, ensure_ascii=False
        )

    @property
    def text(self) -> str:
        """The description, as it is kept and as `allmende assess` reads it: JSON is YAML too."""
        return json.dumps(self.description, ensure_ascii=False, indent=2) + "\n"

    @property
    def answers(self) -> list[tuple[str, str, str]]:
        """What was answered: the question's key, its fact, and the answer as text."""
        found = []
        for group, facts in self.description.items():
            if isinstance(facts, dict):
                for word, value in facts.items():
                    found.append((f"application|{group}.{word}", f"{group}.{word}", _shown(value)))
        for entry in _models(self.description):
            name = str(entry.get("name"))
            for word, value in entry.items():
                if word != "name":
                    found.append((f"model:{name}|model.{word}", f"{name}: model.{word}", _shown(value)))
        return found


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the next step: `key` is `SUBJECT|FACT`, `decides` the rules that wait for it."""

    key: str
    fact: str
    subject: str
    kind: str
    words: tuple[str, ...]
    unit: str
    never: bool
    decides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """The guide after a step, what follows from it, and what could not be taken."""

    guide: Guide
    assessment: Assessment
    problems: tuple[Problem, ...] = ()


def begin_guide(name: str, models: str) -> Guide:
    """A guide with nothing but names: of the application, and of its models, one in each line."""
    names = list(dict.fromkeys(line.strip() for line in models.splitlines() if line.strip()))
    if not name.strip() or len(names) > _MAX_MODELS:
        raise BadRequest("An application needs a name, and at most 20 models.", code="form_invalid")
    description: dict[str, Any] = {
        "schema": APPLICATION_SCHEMA,
        "name": " ".join(name.split()),
        "operator": {},
        "system": {},
        "models": [{"name": one} for one in names],
    }
    return Guide(description)


def guide_of(description: str) -> Guide:
    """The guide for a description that is kept."""
    found = read_strict_yaml(description.encode())
    return Guide(found if isinstance(found, dict) else {})


def guide_that_holds(guide: Guide, problems: Sequence[Problem], on: date) -> Answered:
    """As much of a description as the law pack of now takes, with what it does not take to be asked again.

    That is all but the facts in which something is wrong; where more than these are wrong, only the names.
    """
    named = {name for problem in problems for name in problem.place.replace(": ", ", ").split(", ")}
    left = replace(guide, description=_left(guide.description, named))
    try:
        return Answered(left, assess_text(left.text.encode(), on), tuple(problems))
    except DescriptionImpossible:
        names = [str(one.get("name", ""))[:_MAX_NAME] for one in _models(guide.description)][:_MAX_MODELS]
        bare = begin_guide(str(guide.description.get("name") or _NONE)[:_MAX_NAME], "\n".join(names))
        return Answered(bare, assess_text(bare.text.encode(), on), tuple(problems))


def read_guide(state: str) -> Guide:
    """The guide that a form carries. Raises BadRequest for what no form of ours holds."""
    try:
        found = read_strict_yaml(state.encode())
    except YamlRefused as error:
        raise BadRequest("The form is not valid.", code="form_invalid") from error
    skipped = found.get("skipped") if isinstance(found, dict) else None
    description = found.get("description") if isinstance(found, dict) else None
    if not isinstance(description, dict) or not isinstance(skipped, list) or len(state) > MAX_YAML_BYTES:
        raise BadRequest("The form is not valid.", code="form_invalid")
    return Guide(description, frozenset(str(one) for one in skipped))


def with_answers(guide: Guide, fields: Mapping[str, str], on: date) -> Answered:
    """Take the answers of a step. What is impossible, or contradicts, is left out and asked again.

    Raises DescriptionImpossible where the description was impossible before.
    """
    pack = law_pack()
    fresh = guide
    given = list(_given(fields, pack))
    for key, value in given:
        fresh = _put(fresh, key, value)
    try:
        return Answered(fresh, assess_text(fresh.text.encode(), on))
    except DescriptionImpossible as error:
        before = assess_text(guide.text.encode(), on)
        return Answered(guide, before, error.problems)


def without_answer(guide: Guide, key: str) -> Guide:
    """The guide with one answer taken back, to be asked again."""
    return replace(_put(guide, key, None), skipped=guide.skipped - {key})


def next_questions(guide: Guide, assessment: Assessment) -> list[Question]:
    """What the assessment waits for first: some questions of one group, as many as a form may hold."""
    pack = assessment.pack
    found: list[Question] = []
    fields = 0
    asked: set[str] = set()
    for item in assessment.open_items:
        fact = item.gap.name
        if item.gap.kind != "fact" or fact not in pack.facts:
            continue
        key = f"{item.subject if fact.startswith('model.') else 'application'}|{fact}"
        if key in guide.skipped or key in asked:
            continue
        kind = pack.facts[fact]
        size = len(kind.words) + 2 if kind.kind == "choices" else 1
        if found and (fields + size > _MAX_FIELDS or _group(key) != _group(found[0].key)):
            break
        asked.add(key)
        fields += size
        found.append(
            Question(
                key, fact, key.partition("|")[0], kind.kind, kind.words, kind.unit, kind.never, item.decides
            )
        )
        if len(found) == 6:
            break
    return found


def _group(key: str) -> str:
    return key.rpartition(".")[0]


def _given(fields: Mapping[str, str], pack: Pack) -> Iterator[tuple[str, Any]]:
    """Each question that the form asked with its answer; None where it has none."""
    for name, text in fields.items():
        kind, _, key = name.partition(":")
        fact = key.partition("|")[2]
        if fact not in pack.facts:
            continue
        if kind == "one":
            yield key, _value(text.strip(), pack.facts[fact].kind)
        if kind == "many":
            ticked = [word for word in (*pack.facts[fact].words, _NONE) if f"tick:{key}|{word}" in fields]
            yield key, [word for word in ticked if word != _NONE] if ticked else None


def _value(text: str, kind: str) -> Any:
    if text in ("", "unknown"):
        return None
    if kind == "yes_no":
        return {"yes": True, "no": False}.get(text, text)
    if kind == "number" and _NUMBER.fullmatch(text.replace(" ", "")) and len(text) <= 40:
        number = float(text.replace(" ", ""))
        return int(number) if number.is_integer() and number < 2**53 else number
    return text


def _put(guide: Guide, key: str, value: Any) -> Guide:
    """The guide with an answer; without a value it is passed over, and what was said before is gone."""
    subject, _, fact = key.partition("|")
    group, _, word = fact.partition(".")
    description = dict(guide.description)
    if subject == "application":
        facts = description.get(group)
        description[group] = _with(facts if isinstance(facts, dict) else {}, word, value)
    else:
        name = subject.removeprefix("model:")
        description["models"] = [
            _with(entry, word, value) if entry.get("name") == name else entry
            for entry in _models(description)
        ]
    skipped = guide.skipped | {key} if value is None else guide.skipped - {key}
    return Guide(description, skipped)


def _with(facts: Mapping[str, Any], word: str, value: Any) -> dict[str, Any]:
    left = {known: said for known, said in facts.items() if known != word}
    return left if value is None else {**left, word: value}


def _left(description: Mapping[str, Any], places: Collection[str]) -> dict[str, Any]:
    """A description without what stands at these places, and without keys that the law pack does not know."""
    known: dict[str, set[str]] = {"model": {"name"}}
    for fact in law_pack().facts:
        group, _, word = fact.partition(".")
        known.setdefault(group, set()).add(word)

    def kept(facts: Mapping[str, Any], group: str, place: str) -> dict[str, Any]:
        wrong = {
            one.removeprefix(f"{start}.").partition(".")[0]
            for one in places
            for start in (place, group)
            if one.startswith(f"{start}.")
        }
        return {word: value for word, value in facts.items() if word in known[group] - wrong}

    left: dict[str, Any] = {"schema": APPLICATION_SCHEMA, "name": str(description.get("name") or _NONE)}
    for group, facts in description.items():
        if group in known and group != "model" and isinstance(facts, dict):
            left[group] = kept(facts, group, group)
    models = [
        kept(entry, "model", f"models[{number}]")
        for number, entry in enumerate(_models(description), start=1)
    ]
    evidence = description.get("evidence")
    sound = evidence is not None and not any(one.startswith("evidence") for one in places)
    return {**left, "models": models, **({"evidence": evidence} if sound else {})}


def _models(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    models = description.get("models")
    return [entry for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _NONE
    return f"{value:g}" if isinstance(value, float) else str(value)
