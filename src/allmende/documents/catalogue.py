"""The fields of documents and the facts that fill them, as data that a lawyer can read and correct."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "AUTHORITIES",
    "KINDS",
    "LANGUAGES",
    "RECIPIENTS",
    "Catalogue",
    "Choice",
    "Condition",
    "Field",
    "Label",
    "Vocabulary",
    "WantedFact",
    "WantedKind",
]

Label: TypeAlias = Mapping[str, str]
"""A sentence by language; every language is there."""

WantedKind: TypeAlias = Literal[
    "text", "texts", "day", "month", "yes_no", "choice", "choices", "number", "rows", "pairs"
]

LANGUAGES = ("en", "de")
KINDS = (
    "summary",
    "copyright",
    "annex-xii",
    "annex-xi",
    "model-form",
    "annex-iv",
    "fria",
    "incident",
    "modification",
)
"""The documents that there are, by the word that names them."""

RECIPIENTS = ("public", "downstream", "ai-office", "national", "authority", "internal")
AUTHORITIES = frozenset({"ai-office", "national", "authority", "internal"})
"""Recipients that may read what a publisher has called confidential."""


@dataclass(frozen=True, slots=True)
class WantedFact:
    """Something that a document can ask of a publisher.

    `record` and `application` name what fills it; `words` are the answers of a choice, `columns` those of
    rows; a number is in `unit`.
    """

    name: str
    kind: WantedKind
    label: Label
    words: Mapping[str, Label]
    columns: tuple[str, ...]
    unit: str
    record: str
    application: str


@dataclass(frozen=True, slots=True)
class Choice:
    """That a fact is a word, or has it among its words."""

    fact: str
    word: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One of several choices holds; without any it always does."""

    any_of: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a document, filled when all of `facts` are known, and one of `any_of` if there are some.

    `more` is shown where it is known. Only `recipients` get the field.
    """

    ref: str
    section: str
    label: Label
    law: str
    confidence: str
    mandatory: bool
    when: Condition
    facts: tuple[str, ...]
    any_of: tuple[str, ...]
    more: tuple[str, ...]
    recipients: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All facts that the field can show."""
        return (*self.facts, *self.any_of, *self.more)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The fields of one kind of document, in order; the first of `recipients` is meant if none is named."""

    kind: str
    title: Label
    article: str
    note: Label
    recipients: tuple[str, ...]
    sections: Mapping[str, Label]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All facts, all catalogues, and the state of the law that they were read from.

    `digest` is the SHA-256 over the files; `tasks` says what goes into and comes out of a model by its task.
    """

    version: str
    checked_on: str
    act: str
    digest: str
    facts: Mapping[str, WantedFact]
    tasks: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
    catalogues: Mapping[str, Catalogue]
