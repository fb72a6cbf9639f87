"""A document that was made: its fields with values, origins and gaps, and its form as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from allmende.documents.additions import Additions
from allmende.documents.catalogue import Catalogue, Field, Vocabulary, WantedFact
from allmende.documents.found import Found
from allmende.documents.wording import Words
from allmende.proof import JsonObject, JsonValue
from allmende.record import tidy

__all__ = ["DOCUMENT_SCHEMA", "Document", "FieldGap", "FilledFact", "FilledField", "State"]

DOCUMENT_SCHEMA = "allmende.document/1"

State: TypeAlias = Literal["filled", "partly", "missing", "not_applicable", "undetermined"]


@dataclass(frozen=True, slots=True)
class FilledFact:
    """A fact of a field; where it is not known, `why` is the message that says so."""

    wanted: WantedFact
    found: Found | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class FilledField:
    """A field with what is known. `missing` names the facts that it lacks, `because` those that decide it."""

    field: Field
    state: State
    facts: tuple[FilledFact, ...]
    missing: tuple[str, ...] = ()
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldGap:
    """A field that is not filled, or not whole: what to add; `one_of` where one of them is enough."""

    ref: str
    label: str
    state: State
    mandatory: bool
    add: tuple[str, ...]
    because: tuple[str, ...]
    one_of: bool


@dataclass(frozen=True, slots=True)
class Document:
    """A document for one recipient in one language. It is a draft as long as a mandatory field has a gap.

    `about` says what it tells of: name, commit, digests. It knows no clock: equal facts give equal bytes.
    """

    catalogue: Catalogue
    vocabulary: Vocabulary
    words: Words
    recipient: str
    about: Mapping[str, JsonValue]
    additions: Additions | None
    fields: tuple[FilledField, ...]

    @property
    def gaps(self) -> tuple[FieldGap, ...]:
        """What is missing, in the order of the fields; mandatory ones first."""
        found = [
            FieldGap(
                ref=one.field.ref,
                label=self.words.label(one.field.label),
                state=one.state,
                mandatory=one.field.mandatory,
                add=one.missing,
                because=one.because,
                one_of=not one.field.facts,
            )
            for one in self.fields
            if one.state in {"missing", "partly", "undetermined"}
        ]
        return tuple(sorted(found, key=lambda gap: not gap.mandatory))

    @property
    def is_draft(self) -> bool:
        """Whether a mandatory field has a gap."""
        return any(gap.mandatory for gap in self.gaps)

    @property
    def title(self) -> str:
        """What the document is called, in its language."""
        return self.words.label(self.catalogue.title)

    @property
    def footer(self) -> str:
        """What the document is, and what it is not."""
        words = self.vocabulary
        return self.words.say("footer", version=words.version, checked_on=words.checked_on)

    @property
    def json(self) -> JsonObject:
        """The document as `allmende.document/1`: labels in its language, values as they are."""
        given = self.additions
        return {
            "schema": DOCUMENT_SCHEMA,
            "kind": self.catalogue.kind,
            "language": self.words.language,
            "recipient": self.recipient,
            "title": self.title,
            "article": self.catalogue.article,
            "draft": self.is_draft,
            "about": dict(self.about),
            "additions": None
            if given is None
            else {"declared_by": given.declared_by, "declared_on": given.declared_on, "sha256": given.sha256},
            "catalogue": {
                "version": self.vocabulary.version,
                "checked_on": self.vocabulary.checked_on,
                "digest": self.vocabulary.digest,
            },
            "gaps": [_gap(gap) for gap in self.gaps],
            "fields": [self._field(one) for one in self.fields],
            "footer": self.footer,
        }

    def _field(self, one: FilledField) -> JsonObject:
        return {
            "ref": one.field.ref,
            "label": self.words.label(one.field.label),
            "section": self.words.label(self.catalogue.sections[one.field.section]),
            "law": one.field.law,
            "confidence": one.field.confidence,
            "mandatory": one.field.mandatory,
            "state": one.state,
            "facts": [self._fact(fact) for fact in one.facts],
            "missing": list[JsonValue](one.missing),
            "because": list[JsonValue](one.because),
        }

    def _fact(self, fact: FilledFact) -> JsonObject:
        head: JsonObject = {"name": fact.wanted.name, "label": self.words.label(fact.wanted.label)}
        found = fact.found
        if found is None:
            return {**head, "origin": "missing", "reason": fact.why}
        return {
            **head,
            "value": tidy(found.value),
            "not_applicable": found.not_applicable or None,
            "origin": found.origin,
            "by": found.by,
            "at": found.at,
            "evidence": found.evidence,
            "formula": found.formula or None,
        }


def _gap(gap: FieldGap) -> JsonObject:
    return {
        "ref": gap.ref,
        "label": gap.label,
        "state": gap.state,
        "mandatory": gap.mandatory,
        "add": list[JsonValue](gap.add),
        "one_of": gap.one_of,
        "because": list[JsonValue](gap.because),
    }
