"""Strict reading of mappings: unknown keys, missing keys and wrong kinds become problems with their place."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from allmende.law.errors import Problem
from allmende.law.strict_yaml import Plain
from allmende.law.values import Impossible, day_of

__all__ = ["Shape"]

_MAX_PROBLEMS = 100


class Shape:
    """Collects what is wrong while a document is walked through; a value that is wrong reads as empty.

    Whoever reads must look at `problems` before using what was read.
    """

    def __init__(self, file: str = "") -> None:
        self.problems: list[Problem] = []
        self._file = file

    def wrong(self, place: str, code: str, sentence: str, about: str = "", given: str = "") -> None:
        """Note a problem; of more than a hundred the first are kept."""
        if len(self.problems) < _MAX_PROBLEMS:
            where = f"{self._file}: {place}" if self._file else place
            self.problems.append(Problem(where, code, sentence, about, given))

    def mapping(
        self, value: Plain, place: str, required: Sequence[str] = (), optional: Sequence[str] = ()
    ) -> Mapping[str, Plain]:
        """The keys and values; every key must be among those named, and those required must be there."""
        if not isinstance(value, dict):
            self.wrong(place, "not_a_mapping", "Keys with values were expected here.")
            return {}
        known = [*required, *optional]
        for key in value:
            if key not in known:
                self.unknown_key(place, key, known)
        for key in required:
            if key not in value:
                self.wrong(place, "key_missing", f"{key} is missing.", given=key)
        return {key: inner for key, inner in value.items() if key in known}

    def unknown_key(self, place: str, key: str, known: Sequence[str]) -> None:
        """Note a key that has no meaning, with the nearest one that has."""
        if len(self.problems) >= _MAX_PROBLEMS:
            return  # looking for the nearest of many thousand keys would take minutes
        near = difflib.get_close_matches(key[:60], known, n=1)
        meant = f" Is {near[0]} meant?" if near else ""
        self.wrong(place, "key_unknown", f"{key[:60]!r} is no key here.{meant}", given=repr(key[:60]))

    def any_mapping(self, value: Plain, place: str) -> Mapping[str, Plain]:
        """Keys of whoever wrote it, with values."""
        if isinstance(value, dict):
            return value
        self.wrong(place, "not_a_mapping", "Keys with values were expected here.")
        return {}

    def items(self, value: Plain, place: str) -> Iterator[tuple[str, Plain]]:
        """The items of a list, each with its place."""
        if not isinstance(value, list):
            self.wrong(place, "not_a_list", "A list was expected here.")
            return
        for index, item in enumerate(value):
            yield f"{place}[{index + 1}]", item

    def text(self, value: Plain, place: str, *, longest: int = 2000) -> str:
        """A text that is not empty."""
        if isinstance(value, str) and value.strip() and len(value) <= longest:
            return " ".join(value.split())
        self.wrong(
            place, "not_a_text", f"A text of 1 to {longest} characters was expected here.", given=str(longest)
        )
        return ""

    def word(self, value: Plain, place: str, words: Sequence[str]) -> str:
        """One of the words."""
        if isinstance(value, str) and value in words:
            return value
        listed = ", ".join(words)
        self.wrong(place, "not_among", f"One of {listed} was expected here.", given=listed)
        return ""

    def words(self, value: Plain, place: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self.text(item, where, longest=100) for where, item in self.items(value, place))

    def day(self, value: Plain, place: str) -> date:
        """A day; where it is none, the first that is possible."""
        try:
            return day_of(value)
        except Impossible as error:
            self.wrong(place, "not_a_day", str(error))
            return date(1950, 1, 1)

    def number(self, value: Plain, place: str) -> float:
        """A number that is not negative."""
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(value)
        self.wrong(place, "not_a_number", "A number that is not negative was expected here.")
        return 0.0

    def flag(self, value: Plain, place: str) -> bool:
        """A value that is true or false."""
        if not isinstance(value, bool):
            self.wrong(place, "not_a_flag", "true or false was expected here.")
        return value is True
