"""Reads the text of a condition: a small grammar of words, without evaluation of any code.

    condition = conjunction { "or" conjunction }
    conjunction = term { "and" term }
    term = "not" term | "(" condition ")" | "open" question | rule
         | fact [ ("is" | "has") (word | "(" word {"," word} ")")
                | "above" (number | fact) [ "within" number "%" ]
                | ("before" | "since") (YYYY-MM-DD | fact) ]

A fact has a dot in its name, a rule has none. A number may be a fraction: `1/3`.
"""

import re
from datetime import date

from allmende.law.conditions import (
    Above,
    All,
    Condition,
    Dated,
    Either,
    Holds,
    Includes,
    Not,
    OpenQuestion,
    OtherRule,
)

__all__ = ["NotACondition", "read_condition"]

_MAX_CHARS = 4000
_MAX_DEPTH = 20
_TOKEN = re.compile(r"\s*([(),%]|[A-Za-z0-9_.+/-]+)")
_FACT = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_RULE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:e[0-9]{1,3})?)(?:/([1-9][0-9]{0,5}))?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KEYWORDS = {"and", "or", "not", "open", "is", "has", "above", "within", "before", "since"}


class NotACondition(Exception):
    """The text is no condition; the message says what was expected where."""


def read_condition(text: str) -> Condition:
    """The condition that `text` says. Raises NotACondition."""
    if len(text) > _MAX_CHARS:
        raise NotACondition(f"A condition of more than {_MAX_CHARS} characters is not read.")
    return _Parser(_tokens(text)).whole()


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise NotACondition(f"{text[place : place + 20]!r} is no word of a condition.")
        tokens.append(found.group(1))
        place = found.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens; what it calls itself for is bounded by `_MAX_DEPTH`."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def whole(self) -> Condition:
        condition = self._either(0)
        if self._next is not None:
            raise NotACondition(f"{self._next!r} stands where the condition should end.")
        return condition

    @property
    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, pattern: re.Pattern[str], expected: str) -> str:
        token = self._next
        if token is None or not pattern.fullmatch(token) or token in _KEYWORDS:
            raise NotACondition(f"{token or 'the end'!r} stands where {expected} should.")
        self._at += 1
        return token

    def _skip(self, token: str) -> bool:
        if self._next == token:
            self._at += 1
            return True
        return False

    def _need(self, token: str) -> None:
        if not self._skip(token):
            raise NotACondition(f"{self._next or 'the end'!r} stands where {token!r} should.")

    def _either(self, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            raise NotACondition(f"A condition is nested deeper than {_MAX_DEPTH} levels.")
        parts = [self._all(depth)]
        while self._skip("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _all(self, depth: int) -> Condition:
        parts = [self._term(depth)]
        while self._skip("and"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _term(self, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            raise NotACondition(f"A condition is nested deeper than {_MAX_DEPTH} levels.")
        if self._skip("not"):
            return Not(self._term(depth + 1))
        if self._skip("("):
            condition = self._either(depth + 1)
            self._need(")")
            return condition
        if self._skip("open"):
            return OpenQuestion(self._take(_RULE, "a question"))
        if self._next is not None and "." in self._next:
            return self._about(self._take(_FACT, "a fact"))
        return OtherRule(self._take(_RULE, "a fact or a rule"))

    def _about(self, fact: str) -> Condition:
        if self._skip("is") or self._skip("has"):
            return Includes(fact, self._words())
        if self._skip("above"):
            bound = self._number_or_fact()
            return Above(fact, bound, self._band())
        for word in ("before", "since"):
            if self._skip(word):
                return Dated(fact, word == "before", self._day_or_fact())
        return Holds(fact)

    def _words(self) -> tuple[str, ...]:
        if not self._skip("("):
            return (self._take(_WORD, "a word"),)
        words = [self._take(_WORD, "a word")]
        while self._skip(","):
            words.append(self._take(_WORD, "a word"))
        self._need(")")
        return tuple(words)

    def _number_or_fact(self) -> float | str:
        if self._next is not None and _FACT.fullmatch(self._next):
            return self._take(_FACT, "a fact")
        return self._number()

    def _number(self) -> float:
        found = _NUMBER.fullmatch(self._take(_NUMBER, "a number"))
        assert found is not None
        return float(found.group(1)) / float(found.group(2) or 1)

    def _band(self) -> float:
        if not self._skip("within"):
            return 0.0
        percent = self._number()
        self._need("%")
        return percent / 100

    def _day_or_fact(self) -> date | str:
        if self._next is not None and _FACT.fullmatch(self._next):
            return self._take(_FACT, "a fact")
        text = self._take(_DAY, "a day or a fact")
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise NotACondition(f"{text} is no day of the calendar.") from error
