"""What a revision's licence rests on: lines of its card, and texts of licences that lie in the repo.

A text is recognised by phrases that stand in it and in no other known licence. That is a hint for readers:
the whole text is not compared, and the page says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["CardLine", "Recognised", "card_lines", "is_licence_file", "recognised"]

_MAX_LINES = 400
_MAX_LINE_CHARS = 200
_KEYS = ("license", "license_name", "license_link")
_STEMS = ("license", "licence", "copying", "unlicense", "notice", "use_policy")
_ENDINGS = ("", "md", "txt", "rst")

_PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("agpl-3.0", ("gnu affero general public license", "version 3")),
    ("lgpl-3.0", ("gnu lesser general public license version 3",)),
    ("lgpl-2.1", ("gnu lesser general public license version 2.1",)),
    ("gpl-3.0", ("gnu general public license version 3",)),
    ("gpl-2.0", ("gnu general public license version 2",)),
    ("apache-2.0", ("apache license", "version 2.0, january 2004")),
    ("mpl-2.0", ("mozilla public license version 2.0",)),
    ("eupl-1.2", ("european union public licence v. 1.2",)),
    ("cc0-1.0", ("cc0 1.0 universal",)),
    ("cc-by-nc-nd-4.0", ("attribution-noncommercial-noderivatives 4.0 international",)),
    ("cc-by-nc-sa-4.0", ("attribution-noncommercial-sharealike 4.0 international",)),
    ("cc-by-nc-4.0", ("attribution-noncommercial 4.0 international",)),
    ("cc-by-nd-4.0", ("attribution-noderivatives 4.0 international",)),
    ("cc-by-sa-4.0", ("attribution-sharealike 4.0 international",)),
    ("cc-by-4.0", ("attribution 4.0 international",)),
    ("llama3.3", ("llama 3.3 community license agreement",)),
    ("llama3.2", ("llama 3.2 community license agreement",)),
    ("llama3.1", ("llama 3.1 community license agreement",)),
    ("llama3", ("llama 3 community license agreement",)),
    ("llama2", ("llama 2 community license agreement",)),
    ("gemma", ("gemma terms of use",)),
    ("creativeml-openrail-m", ("creativeml open rail-m",)),
    ("bigscience-bloom-rail-1.0", ("bigscience rail license",)),
    ("bigcode-openrail-m", ("bigcode open rail-m license",)),
    ("unlicense", ("this is free and unencumbered software released into the public domain",)),
    ("bsd-3-clause", ("redistribution and use in source and binary forms", "neither the name")),
    ("bsd-2-clause", ("redistribution and use in source and binary forms",)),
    ("isc", ("permission to use, copy, modify, and/or distribute this software for any purpose",)),
    ("mit", ("permission is hereby granted, free of charge, to any person obtaining a copy",)),
)
"""The first that fits counts: what others hold within them stands behind those."""


@dataclass(frozen=True, slots=True)
class CardLine:
    """A line of the card's head that speaks of the licence, by its number."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """A licence by the Hub's word, and the line on which its first phrase begins."""

    word: str
    number: int


def card_lines(text: str) -> list[CardLine]:
    """The lines of the front matter that name the licence, lists below them too."""
    return list(_card_lines(text.splitlines()[:_MAX_LINES]))


def is_licence_file(name: str) -> bool:
    """Whether a file at the root of a repo is called as texts of licences are."""
    stem, _, ending = name.lower().partition(".")
    return ending in _ENDINGS and any(stem == known or stem.startswith(f"{known}-") for known in _STEMS)


def recognised(text: str) -> Recognised | None:
    """Which licence a text is, by its phrases; None where none of the known ones is in it."""
    lines = [" ".join(line.lower().split()) for line in text.splitlines()]
    starts, whole, length = [], [], 0
    for number, line in enumerate(lines, start=1):
        if line:
            starts.append((length, number))
            whole.append(line)
            length += len(line) + 1
    joined = " ".join(whole)
    for word, phrases in _PHRASES:
        places = [joined.find(phrase) for phrase in phrases]
        if min(places) >= 0:
            return Recognised(word, max(number for start, number in starts if start <= places[0]))
    return None


def _card_lines(lines: Sequence[str]) -> Iterator[CardLine]:
    if not lines or lines[0].strip() != "---":
        return
    inside = False
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() == "---":
            return
        if line[:1] not in (" ", "-", "\t", ""):
            inside = line.partition(":")[0].strip() in _KEYS
        if inside:
            yield CardLine(number, line[:_MAX_LINE_CHARS])
