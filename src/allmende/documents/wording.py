"""The sentences around the fields, in a language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from allmende.documents.catalogue import LANGUAGES, Label, WantedFact
from allmende.documents.errors import KindNotOffered
from allmende.law import read_strict_yaml
from allmende.proof import JsonValue

__all__ = ["Words", "words_in"]

_BEGINS = re.compile(r"[-*+|#>]|\d+[.)]|```|~~~")
_FOLDER = Path(__file__).with_name("messages")


@dataclass(frozen=True, slots=True)
class Words:
    """The sentences of one language."""

    language: str
    messages: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """The message of that key with its values put in. Raises KeyError for a key that there is not."""
        return self.messages[key].format(**values)

    def label(self, label: Label) -> str:
        """A label of the catalogue."""
        return label[self.language]

    def lines(self, wanted: WantedFact, value: JsonValue) -> list[str]:
        """A value as lines for people: one, or one for each paragraph, entry or pair."""
        if isinstance(value, dict):
            return [f"{key.replace('_', ' ')}: {self._number(item)}" for key, item in value.items()]
        if isinstance(value, list):
            if wanted.kind == "choices":
                return [", ".join(self._word(wanted, item) for item in value)]
            return [self._entry(item) for item in value]
        if wanted.kind in {"choice", "yes_no"}:
            return [self._word(wanted, value)]
        if isinstance(value, int | float):
            return [f"{self._number(value)} {wanted.unit}".rstrip()]
        if wanted.kind == "number":
            return [f"{value} {wanted.unit}".rstrip()]
        return _paragraphs(str(value))

    def _word(self, wanted: WantedFact, value: JsonValue) -> str:
        found = wanted.words.get(str(value))
        return str(value) if found is None else self.label(found)

    @staticmethod
    def _entry(item: JsonValue) -> str:
        if isinstance(item, dict):
            return "; ".join(f"{key}: {value}" for key, value in item.items())
        return str(item)

    @staticmethod
    def _number(value: JsonValue) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value)
        if abs(value) >= 1e15:
            return f"{value:.3g}"
        return (
            f"{value:,.10g}".replace(",", " ") if value != int(value) else f"{int(value):,}".replace(",", " ")
        )


def _paragraphs(text: str) -> list[str]:
    """Paragraphs as lines: what only goes on is joined, what begins with a sign of a list is not."""
    found: list[str] = []
    goes_on = False
    for line in (line.strip() for line in text.splitlines()):
        if goes_on and line and not _BEGINS.match(line):
            found[-1] += f" {line}"
        elif line:
            found.append(line)
        goes_on = bool(line)
    return found


@cache
def words_in(language: str) -> Words:
    """The sentences in a language. Raises KindNotOffered."""
    if language not in LANGUAGES:
        raise KindNotOffered(
            f"There are no documents in {language[:20]!r}.", hint=f"There are: {', '.join(LANGUAGES)}."
        )
    document = read_strict_yaml((_FOLDER / f"{language}.yaml").read_bytes())
    assert isinstance(document, dict)
    return Words(language, {key: str(value) for key, value in document.items()})
