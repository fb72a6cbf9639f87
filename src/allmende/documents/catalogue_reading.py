"""Strict reading of the catalogue of fields: every name resolves, every sentence is there twice."""

import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import cast

from allmende.documents.catalogue import (
    KINDS,
    LANGUAGES,
    RECIPIENTS,
    Catalogue,
    Choice,
    Condition,
    Field,
    Label,
    Vocabulary,
    WantedFact,
    WantedKind,
)
from allmende.documents.errors import ImpossibleCatalogue
from allmende.law import Plain, Problem, Shape, YamlRefused, read_strict_yaml

__all__ = ["read_vocabulary", "vocabulary"]

_FOLDER = Path(__file__).with_name("fields")
_NAME = re.compile(r"[a-z_]+\.[a-z0-9_]+")
_CHOICE = re.compile(r"([a-z_]+\.[a-z0-9_]+) (?:is|has) ([A-Za-z0-9._-]+)")
_KINDS = ("text", "texts", "day", "month", "yes_no", "choice", "choices", "number", "rows", "pairs")
_LETTERS = ("C", "R", "K", "U")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_YES_NO: Mapping[str, Label] = {"yes": {"en": "yes", "de": "ja"}, "no": {"en": "no", "de": "nein"}}


@cache
def vocabulary() -> Vocabulary:
    """The catalogue that this program brings."""
    return read_vocabulary({path.stem: path.read_bytes() for path in sorted(_FOLDER.glob("*.yaml"))})


def read_vocabulary(files: Mapping[str, bytes]) -> Vocabulary:
    """The catalogue in these files, by name without `.yaml`. Raises ImpossibleCatalogue with all faults."""
    problems: list[Problem] = []
    documents: dict[str, Plain] = {}
    digest = sha256()
    for name, data in sorted(files.items()):
        digest.update(f"{name}\0{sha256(data).hexdigest()}\n".encode())
        try:
            documents[name] = read_strict_yaml(data)
        except YamlRefused as error:
            problems.append(Problem(f"{name}.yaml: {error.problem.place}", "yaml_refused", str(error)))
    problems += [
        Problem(f"{name}.yaml", "file_missing", "The file is missing.")
        for name in ("law", "facts", "tasks", *KINDS)
        if name not in files
    ]
    if problems:
        raise ImpossibleCatalogue(problems)
    reader = _Reader()
    facts = reader.facts(documents["facts"])
    catalogues = {kind: reader.catalogue(kind, documents[kind], facts) for kind in KINDS}
    law = reader.law(documents["law"])
    tasks = reader.tasks(documents["tasks"])
    reader.check_use(facts, catalogues)
    if reader.problems:
        raise ImpossibleCatalogue(reader.problems)
    return Vocabulary(
        version=law["version"],
        checked_on=law["checked_on"],
        act=law["act"],
        digest=digest.hexdigest(),
        facts=facts,
        tasks=tasks,
        catalogues=catalogues,
    )


class _Reader:
    """Walks through the files and notes what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def _shape(self, name: str) -> Shape:
        shape = Shape(f"{name}.yaml")
        # All shapes note their problems in one list.
        shape.problems = self.problems
        return shape

    def law(self, value: Plain) -> dict[str, str]:
        shape = self._shape("law")
        given = shape.mapping(value, "file", ("version", "checked_on", "act"))
        found = {key: shape.text(given.get(key), key) for key in ("version", "checked_on", "act")}
        if not _DAY.fullmatch(found["checked_on"]):
            shape.wrong("checked_on", "not_a_day", "A day as YYYY-MM-DD was expected here.")
        return found

    def tasks(self, value: Plain) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        shape = self._shape("tasks")
        found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        for task, item in shape.any_mapping(value, "file").items():
            given = shape.mapping(item, task, ("in", "out"))
            found[task] = shape.words(given.get("in"), task), shape.words(given.get("out"), task)
        return found

    def facts(self, value: Plain) -> dict[str, WantedFact]:
        shape = self._shape("facts")
        found: dict[str, WantedFact] = {}
        for name, item in shape.any_mapping(value, "file").items():
            if not _NAME.fullmatch(name):
                shape.wrong(name, "not_a_name", "A fact is called group.word.")
            found[name] = self._fact(shape, name, item)
        return found

    def _fact(self, shape: Shape, name: str, item: Plain) -> WantedFact:
        optional = ("words", "columns", "unit", "record", "application")
        given = shape.mapping(item, name, ("kind", *LANGUAGES), optional)
        kind = cast("WantedKind", shape.word(given.get("kind"), f"{name}.kind", _KINDS))
        words: Mapping[str, Label] = {}
        if kind in {"choice", "choices"}:
            words = {
                word: self._pair(shape, labels, f"{name}.words.{word}")
                for word, labels in shape.any_mapping(given.get("words"), f"{name}.words").items()
            }
        elif kind == "yes_no":
            words = _YES_NO
        columns = shape.words(given.get("columns"), f"{name}.columns") if kind == "rows" else ()
        strange = {"words", "columns", "unit"} & given.keys() - {
            "choice": {"words"}, "choices": {"words"}, "rows": {"columns"}, "number": {"unit"}
        }.get(kind, set())  # fmt: skip
        for key in sorted(strange):
            shape.wrong(f"{name}.{key}", "key_strange", f"A fact of the kind {kind} has no {key}.")
        return WantedFact(
            name=name,
            kind=kind,
            label=self._label(shape, given, name),
            words=words,
            columns=columns,
            unit=_text(given, "unit"),
            record=_text(given, "record"),
            application=_text(given, "application"),
        )

    def _label(self, shape: Shape, given: Mapping[str, Plain], place: str) -> Label:
        return {language: shape.text(given.get(language), f"{place}.{language}") for language in LANGUAGES}

    def _pair(self, shape: Shape, value: Plain, place: str) -> Label:
        texts = [shape.text(item, where) for where, item in shape.items(value, place)]
        if len(texts) != len(LANGUAGES):
            shape.wrong(place, "language_missing", f"One text for each of {', '.join(LANGUAGES)}, please.")
            return dict.fromkeys(LANGUAGES, "")
        return dict(zip(LANGUAGES, texts, strict=True))

    def catalogue(self, kind: str, value: Plain, facts: Mapping[str, WantedFact]) -> Catalogue:
        shape = self._shape(kind)
        keys = ("kind", "title", "article", "note", "recipients", "sections", "fields")
        given = shape.mapping(value, "file", keys)
        shape.word(given.get("kind"), "kind", [kind])
        recipients = tuple(
            shape.word(item, place, RECIPIENTS)
            for place, item in shape.items(given.get("recipients"), "recipients")
        )
        sections = {
            id: self._label(shape, shape.mapping(labels, f"sections.{id}", LANGUAGES), f"sections.{id}")
            for id, labels in shape.any_mapping(given.get("sections"), "sections").items()
        }
        fields = tuple(
            self._field(shape, place, item, sections, recipients)
            for place, item in shape.items(given.get("fields"), "fields")
        )
        refs = [field.ref for field in fields]
        for ref in sorted({ref for ref in refs if refs.count(ref) > 1}):
            shape.wrong(ref, "field_twice", "The field is there twice.")
        for field in fields:
            self._check_names(shape, field, facts)
        return Catalogue(
            kind=kind,
            title=self._label(shape, shape.mapping(given.get("title"), "title", LANGUAGES), "title"),
            article=shape.text(given.get("article"), "article"),
            note=self._label(shape, shape.mapping(given.get("note"), "note", LANGUAGES), "note"),
            recipients=recipients,
            sections=sections,
            fields=fields,
        )

    def _field(
        self,
        shape: Shape,
        place: str,
        item: Plain,
        sections: Mapping[str, Label],
        recipients: tuple[str, ...],
    ) -> Field:
        optional = ("when", "facts", "any", "more", "for")
        given = shape.mapping(item, place, ("ref", "law", "confidence", "mandatory", *LANGUAGES), optional)
        ref = shape.text(given.get("ref"), f"{place}.ref", longest=40)
        names = {
            key: shape.words(given[key], f"{ref}.{key}") if key in given else ()
            for key in ("facts", "any", "more", "for")
        }
        for name in names["for"]:
            shape.word(name, f"{ref}.for", recipients)
        if not (names["facts"] or names["any"]):
            shape.wrong(ref, "nothing_asked", "The field asks for no fact.")
        section = max((id for id in sections if ref.startswith(id)), key=len, default="")
        if not section:
            shape.wrong(ref, "no_section", "The field belongs to no section.")
        return Field(
            ref=ref,
            section=section,
            label=self._label(shape, given, ref),
            law=shape.text(given.get("law"), f"{ref}.law"),
            confidence=shape.word(given.get("confidence"), f"{ref}.confidence", _LETTERS),
            mandatory=shape.word(given.get("mandatory"), f"{ref}.mandatory", ("yes", "no")) == "yes",
            when=self._condition(shape, given["when"], ref) if "when" in given else Condition(()),
            facts=names["facts"],
            any_of=names["any"],
            more=names["more"],
            recipients=names["for"] or recipients,
        )

    def _condition(self, shape: Shape, value: Plain, ref: str) -> Condition:
        found: list[Choice] = []
        for part in shape.text(value, f"{ref}.when").split(" or "):
            match = _CHOICE.fullmatch(part)
            if match is None:
                shape.wrong(
                    f"{ref}.when", "not_a_condition", "`fact is word` or `fact has word` was expected."
                )
                continue
            found.append(Choice(match[1], match[2]))
        return Condition(tuple(found))

    def _check_names(self, shape: Shape, field: Field, facts: Mapping[str, WantedFact]) -> None:
        for name in field.names:
            if name not in facts:
                shape.wrong(field.ref, "fact_unknown", f"There is no fact {name}.")
        for choice in field.when.any_of:
            if choice.fact not in facts or choice.word not in facts[choice.fact].words:
                shape.wrong(field.ref, "fact_unknown", f"{choice.fact} cannot be {choice.word}.")

    def check_use(self, facts: Mapping[str, WantedFact], catalogues: Mapping[str, Catalogue]) -> None:
        """A fact that nothing shows or looks at would be asked for in vain."""
        used = {
            name
            for catalogue in catalogues.values()
            for field in catalogue.fields
            for name in (*field.names, *(choice.fact for choice in field.when.any_of))
        }
        for name in sorted(facts.keys() - used):
            self.problems.append(Problem(f"facts.yaml: {name}", "fact_unused", "No document uses this fact."))


def _text(given: Mapping[str, Plain], key: str) -> str:
    value = given.get(key)
    return value if isinstance(value, str) else ""
