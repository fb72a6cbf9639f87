"""Kinds of facts and their values: what can be answered to each question, and how it is checked."""

import math
import re
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from allmende.law.strict_yaml import Plain

__all__ = ["NEVER", "FactKind", "Impossible", "Kind", "Value", "day_of", "plain_value", "read_value"]

Value: TypeAlias = bool | int | float | str | date | tuple[str, ...]
Kind: TypeAlias = Literal["yes_no", "choice", "choices", "number", "date", "text"]

NEVER = "never"
"""The value of a date for what has not happened, where the kind allows it."""

_MAX_TEXT = 500
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EARLIEST = date(1950, 1, 1)
_LATEST = date(2100, 1, 1)


class Impossible(Exception):
    """The value is none of the answers that the question has; the message is the correction."""


@dataclass(frozen=True, slots=True)
class FactKind:
    """A fact that can be known: its name `group.word`, what it can be, and the question that asks for it.

    `words` are the answers of a choice; `never` allows a date to be `never`; numbers lie in `least` to
    `most`, in `unit`.
    """

    name: str
    kind: Kind
    ask: str
    words: tuple[str, ...] = ()
    never: bool = False
    least: float = 0.0
    most: float = math.inf
    unit: str = ""


def read_value(given: Plain, kind: FactKind) -> Value | None:
    """The value that was given; None for `unknown`, which is as good as left out. Raises Impossible."""
    if given is None or given == "unknown":
        return None
    match kind.kind:
        case "yes_no":
            return _yes_no(given)
        case "choice":
            return _word(given, kind)
        case "choices":
            return _words(given, kind)
        case "number":
            return _number(given, kind)
        case "date":
            return NEVER if kind.never and given == NEVER else day_of(given)
        case "text":
            if not isinstance(given, str) or not given.strip() or len(given) > _MAX_TEXT:
                raise Impossible(f"Give a text of 1 to {_MAX_TEXT} characters.")
            return given


def plain_value(value: Value) -> bool | int | float | str | list[str]:
    """The value as JSON has it; days in the form YYYY-MM-DD."""
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def day_of(given: Plain) -> date:
    """The day that `given` says as YYYY-MM-DD, between 1950 and 2100. Raises Impossible."""
    if not isinstance(given, str) or not _DAY.fullmatch(given):
        raise Impossible(f"Give the day as YYYY-MM-DD; {_shown(given)} is not one.")
    try:
        day = date.fromisoformat(given)
    except ValueError as error:
        raise Impossible(f"{given} is no day of the calendar.") from error
    if not _EARLIEST <= day < _LATEST:
        raise Impossible(f"{given} cannot be: days from {_EARLIEST} to {_LATEST} are read.")
    return day


def _yes_no(given: Plain) -> bool:
    answers: dict[Plain, bool] = {"yes": True, "no": False}
    if isinstance(given, bool):
        return given
    if not isinstance(given, str) or given not in answers:
        raise Impossible(f"Answer yes, no or unknown; {_shown(given)} is none of them.")
    return answers[given]


def _word(given: Plain, kind: FactKind) -> str:
    if not isinstance(given, str) or given not in kind.words:
        raise Impossible(
            f"Answer one of {', '.join(kind.words)}, or unknown; {_shown(given)} is none of them."
        )
    return given


def _words(given: Plain, kind: FactKind) -> tuple[str, ...]:
    """Sorted, so that the order in which they are given changes nothing."""
    if not isinstance(given, list):
        raise Impossible("Give a list, [] where none applies; it is taken to be complete.")
    words = [_word(item, kind) for item in given]
    if len(set(words)) < len(words):
        raise Impossible("An answer is there twice in the list.")
    return tuple(sorted(words))


def _number(given: Plain, kind: FactKind) -> int | float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise Impossible(f"Give a number{f' of {kind.unit}' if kind.unit else ''}; {_shown(given)} is none.")
    if not kind.least <= given <= kind.most:
        raise Impossible(f"{given:g} cannot be: from {kind.least:g} to {kind.most:g} is possible.")
    return given


def _shown(given: Plain) -> str:
    return repr(given)[:60] if not isinstance(given, list | dict) else "this"
