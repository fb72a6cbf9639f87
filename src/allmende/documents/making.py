"""Makes documents: known facts and a publisher's additions, put into the fields of a catalogue."""

from collections.abc import Mapping
from dataclasses import replace

from allmende.documents.additions import Additions, holds
from allmende.documents.application_facts import application_facts
from allmende.documents.catalogue import AUTHORITIES, Catalogue, Field, Vocabulary
from allmende.documents.catalogue_reading import vocabulary
from allmende.documents.document import Document, FilledFact, FilledField, State
from allmende.documents.errors import ImpossibleAdditions, KindNotOffered
from allmende.documents.found import Found, FoundFacts
from allmende.documents.incident_facts import incident_facts
from allmende.documents.modification_facts import modification_facts
from allmende.documents.record_facts import record_facts, record_reason
from allmende.documents.wording import Words, words_in
from allmende.law import Application, Problem
from allmende.proof import JsonObject, JsonValue
from allmende.record import Record, basis_of

__all__ = ["catalogue_of", "make_application_document", "make_document", "make_modification_document"]

_OF_APPLICATIONS = ("annex-iv", "fria")
_OF_TWO = ("modification",)
_SAME_WITHIN = 0.05
"""How far a stated number may lie from the measured one: both are told with two figures."""


def catalogue_of(kind: str) -> Catalogue:
    """The fields of a kind of document. Raises KindNotOffered."""
    found = vocabulary().catalogues.get(kind)
    if found is None:
        known = ", ".join(vocabulary().catalogues)
        raise KindNotOffered(f"There is no document {kind[:40]!r}.", hint=f"There are: {known}.")
    return found


def make_document(
    kind: str,
    record: Record | None,
    additions: Additions | None = None,
    language: str = "en",
    recipient: str | None = None,
) -> Document:
    """The document of a model from its record and what its publisher adds; `incident` does without a record.

    Equal arguments give an equal document. Raises KindNotOffered, and ImpossibleAdditions where additions
    contradict what was measured.
    """
    if kind in (*_OF_APPLICATIONS, *_OF_TWO) or (record is None and kind != "incident"):
        raise KindNotOffered(f"A document {kind[:40]!r} cannot be made of a record alone.")
    words = vocabulary()
    given = additions.facts if additions else {}
    found: dict[str, Found] = {}
    about: JsonObject = {}
    if record is not None:
        found |= record_facts(record, words)
        about = _about(record)
    if kind == "incident":
        found |= incident_facts(given, words_in(language))
    return _assemble(kind, found, additions, language, recipient, about, record)


def make_application_document(
    kind: str,
    application: Application,
    additions: Additions | None = None,
    language: str = "en",
    recipient: str | None = None,
) -> Document:
    """The skeleton for an application (`annex-iv`, `fria`) from its description; raises as make_document."""
    if kind not in _OF_APPLICATIONS:
        raise KindNotOffered(f"A document {kind[:40]!r} is not made of an application.")
    found = application_facts(application, vocabulary(), words_in(language))
    return _assemble(kind, found, additions, language, recipient, {"application": application.name}, None)


def make_modification_document(
    before: Record,
    after: Record,
    weights: JsonObject | None,
    additions: Additions | None = None,
    language: str = "en",
    recipient: str | None = None,
) -> Document:
    """What changed between two records and what is to be asked; `weights` is a measured `allmende.diff/1`."""
    given = additions.facts if additions else {}
    found = modification_facts(before, after, weights, given, words_in(language))
    return _assemble("modification", found, additions, language, recipient, _about(after), None)


def _about(record: Record) -> JsonObject:
    subject = record.subject
    return {
        "type": subject.type,
        "name": subject.name,
        "commit": subject.commit,
        "dirHash": subject.tree_hash,
        "record": basis_of(subject, record.facts),
    }


def _assemble(
    kind: str,
    found: FoundFacts,
    additions: Additions | None,
    language: str,
    recipient: str | None,
    about: Mapping[str, JsonValue],
    record: Record | None,
) -> Document:
    words, spoken, catalogue = vocabulary(), words_in(language), catalogue_of(kind)
    reader = recipient or catalogue.recipients[0]
    if reader not in catalogue.recipients:
        raise KindNotOffered(
            f"There is no {kind} for {reader[:40]!r}.", hint=f"It is for: {', '.join(catalogue.recipients)}."
        )
    facts = _joined(found, additions.facts if additions else {}, words, spoken)
    filled = tuple(
        _filled(field, facts, words, spoken, reader, record)
        for field in catalogue.fields
        if reader in field.recipients
    )
    return Document(catalogue, words, spoken, reader, about, additions, filled)


def _joined(found: FoundFacts, added: FoundFacts, words: Vocabulary, spoken: Words) -> FoundFacts:
    """What was found and what was added: the publisher's word goes first, except against what is measured."""
    problems: list[Problem] = []
    joined = dict(found)
    for name, fact in added.items():
        known = found.get(name)
        if known is None or not known.firm:
            joined[name] = fact
        elif not _agree(known.value, fact.value):
            shown = " ".join(spoken.lines(words.facts[name], known.value))[:200]
            problems.append(
                Problem(
                    name,
                    "measured_otherwise",
                    f"Measured was {shown}. Which is right? Leave it out to take that.",
                )
            )
    if problems:
        raise ImpossibleAdditions(problems)
    return joined


def _agree(measured: JsonValue, stated: JsonValue) -> bool:
    if isinstance(measured, int | float) and isinstance(stated, int | float):
        return abs(stated - measured) <= _SAME_WITHIN * abs(measured)
    return measured == stated


def _filled(
    field: Field, facts: FoundFacts, words: Vocabulary, spoken: Words, reader: str, record: Record | None
) -> FilledField:
    applies = holds(field.when, facts)
    if applies is False:
        because = tuple(f"{choice.fact} {choice.word}" for choice in field.when.any_of)
        return FilledField(field, "not_applicable", (), because=because)
    if applies is None:
        asked = tuple(dict.fromkeys(choice.fact for choice in field.when.any_of if choice.fact not in facts))
        return FilledField(field, "undetermined", (), missing=asked, because=asked)
    shown: list[FilledFact] = []
    for name in field.names:
        found = _told(facts.get(name), spoken)
        if found is not None and found.confidential and reader not in AUTHORITIES:
            shown.append(FilledFact(words.facts[name], None, "confidential"))
        elif found is not None:
            shown.append(FilledFact(words.facts[name], found))
        elif name not in field.more:
            why = record_reason(record, words.facts[name].record) if record is not None else ""
            shown.append(FilledFact(words.facts[name], None, why or "publisher"))
    known = {fact.wanted.name for fact in shown if fact.found is not None}
    missing = tuple(name for name in field.facts if name not in known)
    if field.any_of and not known & set(field.any_of):
        missing += field.any_of
    state: State = "filled" if not missing else "partly" if known else "missing"
    return FilledField(field, state, tuple(shown), missing)


def _told(found: Found | None, spoken: Words) -> Found | None:
    """With the record's words for who said it in the language of the document."""
    if found is None or found.by not in {"card", "config"}:
        return found
    return replace(found, by=spoken.say(found.by))
