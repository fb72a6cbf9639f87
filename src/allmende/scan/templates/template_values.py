"""What constant parts of a template amount to: texts, numbers and lists, and what operations make of them.

Only operations that make names out of pieces are known, and only small results are kept. Nothing of the
template is run: each operation is written out here, for constants.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeAlias

__all__ = [
    "MADE",
    "NUMBER",
    "UNKNOWN",
    "Constant",
    "Value",
    "combined",
    "constant",
    "filtered",
    "joined_values",
]

Constant: TypeAlias = "str | int | float | tuple[Constant, ...] | None"
"""Texts, numbers and truth values as they are; lists and tuples as tuples."""

_MAX_POSSIBLE: Final = 40
_MAX_COMBINED: Final = 32
_MAX_TEXT_CHARS: Final = 1000
_MAX_ITEMS: Final = 200
_MAX_NUMBER: Final = 10**30
_FIELD: Final = re.compile(r"\{(\d*)\}")
_PERCENT: Final = re.compile(r"%[-+ #0]*\d{0,3}(?:\.\d{1,3})?([sdcrixXo%])")


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression may amount to.

    `possible` are constants that it may be, and all of them where it is `known`. `made` says that the
    template puts a text together there, of pieces that are not all known; `holds`, that it is something
    that such texts may be taken out of.
    """

    possible: tuple[Constant, ...] = ()
    known: bool = False
    made: bool = False
    holds: bool = False
    inner: tuple[str, ...] = ()
    """Texts that it holds, where it is a list or a mapping that is not known as a whole."""
    number: bool = False
    """Surely a number, and so no name."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Those of `possible` that are texts."""
        return tuple(value for value in self.possible if isinstance(value, str))

    @property
    def largest(self) -> int | None:
        """The largest number that it may be, as far as constants tell."""
        numbers = [abs(value) for value in self.possible if isinstance(value, (int, float))]
        return None if not numbers else int(min(max(numbers), _MAX_NUMBER))

    @property
    def taken(self) -> "Value":
        """What comes out of it, where it is a list or a mapping."""
        return Value(self.inner, made=self.holds, holds=self.holds, inner=self.inner)

    @property
    def is_text(self) -> bool:
        """Whether a text comes of it, as far as it can be told."""
        return self.made or bool(self.texts)


UNKNOWN: Final = Value()
MADE: Final = Value(made=True)
NUMBER: Final = Value(number=True)


def constant(value: object) -> Value:
    """That of a literal; large ones are not kept."""
    kept = _kept(value)
    return Value((kept[0],), known=True, number=isinstance(value, (int, float))) if kept else MADE


def joined_values(values: Sequence[Value]) -> Value:
    """Any of these."""
    if not values:
        return UNKNOWN
    possible = tuple(dict.fromkeys((type(one), one) for value in values for one in value.possible))
    fits = len(possible) <= _MAX_POSSIBLE
    return Value(
        tuple(one for _, one in possible[:_MAX_POSSIBLE]),
        known=fits and all(value.known for value in values),
        made=not fits or any(value.made for value in values),
        holds=any(value.holds for value in values),
        inner=tuple(dict.fromkeys(text for value in values for text in value.inner))[:_MAX_POSSIBLE],
        number=all(value.number for value in values),
    )


def combined(make: Callable[..., object], parts: Sequence[Value], otherwise: Value = MADE) -> Value:
    """What `make` makes of every combination of the parts' constants; `otherwise` joins in for the rest."""
    count = 1
    for part in parts:
        count *= len(part.possible)
    if not 0 < count <= _MAX_COMBINED:
        return otherwise
    results: list[Value] = []
    is_certain = all(part.known for part in parts)
    for chosen in product(*(part.possible for part in parts)):
        try:
            results.append(constant(make(*chosen)))
        except (TypeError, ValueError, ArithmeticError, LookupError):
            # The template fails at this place, or goes on with something undefined.
            is_certain = False
    if not is_certain:
        results.append(otherwise)
    return joined_values(results)


def _kept(value: object) -> tuple[Constant] | None:
    """The constant within a tuple; None for what is no constant, or too large a one."""
    if value is None or isinstance(value, float):
        return (value,)
    if isinstance(value, int):
        return (value,) if abs(value) <= _MAX_NUMBER else (_MAX_NUMBER,)
    if isinstance(value, str):
        return (value,) if len(value) <= _MAX_TEXT_CHARS else None
    if not isinstance(value, (list, tuple)) or len(value) > _MAX_ITEMS:
        return None
    items = [_kept(item) for item in value]
    kept = tuple(item[0] for item in items if item is not None)
    return (kept,) if len(kept) == len(items) and _chars(kept) <= _MAX_TEXT_CHARS else None


def _chars(value: Constant) -> int:
    """How large a constant is, so that lists of lists stay small."""
    if isinstance(value, tuple):
        return 1 + sum(_chars(item) for item in value)
    return len(value) if isinstance(value, str) else 1


def _text(value: Constant) -> str:
    """As jinja2 shows it; a list that is shown as a text is nothing that an ordinary name comes from."""
    if isinstance(value, tuple):
        raise TypeError
    return str(value)


def _percent(pattern: Constant, values: Constant) -> str:
    if not isinstance(pattern, str):
        raise TypeError
    waiting = list(values) if isinstance(values, tuple) else [values]

    def shown(match: re.Match[str]) -> str:
        if match[1] == "%":
            return "%"
        value = waiting.pop(0)
        return chr(value) if match[1] == "c" and isinstance(value, int) else _text(value)

    if "%" in _PERCENT.sub("", pattern):
        raise ValueError
    return _PERCENT.sub(shown, pattern)


def _format(pattern: Constant, *values: Constant) -> str:
    if not isinstance(pattern, str):
        raise TypeError
    if set("{}") & set(_FIELD.sub("", pattern)):
        raise ValueError
    waiting = list(range(len(values)))
    return _FIELD.sub(lambda match: _text(values[int(match[1]) if match[1] else waiting.pop(0)]), pattern)


def _items(value: Constant) -> list[Constant]:
    if isinstance(value, str):
        return list(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError


def _reverse(value: Constant) -> Constant:
    return value[::-1] if isinstance(value, str) else tuple(reversed(_items(value)))


def _replace(value: Constant, old: Constant, new: Constant, count: Constant = -1) -> str:
    text, before, after = _text(value), _text(old), _text(new)
    if len(text) * max(1, len(after)) > _MAX_TEXT_CHARS**2 or not isinstance(count, int):
        raise ValueError
    return text.replace(before, after, count)


def _int(value: Constant, default: Constant = 0) -> Constant:
    if isinstance(value, str) and len(value) > 40:
        return _MAX_NUMBER if value.strip("0123456789") == "" else default
    try:
        return int(value) if isinstance(value, (str, int, float)) else default
    except (ValueError, OverflowError):
        return default


def _trim(value: Constant, chars: Constant = None) -> str:
    return _text(value).strip(chars if isinstance(chars, str) else None)


def _split(value: Constant, at: Constant = None) -> list[str]:
    return _text(value).split(at if isinstance(at, str) else None)


_OF_TEXT: Final[Mapping[str, Callable[..., object]]] = {
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _text(value).upper(),
    "title": lambda value: _text(value).title(),
    "capitalize": lambda value: _text(value).capitalize(),
    "swapcase": lambda value: _text(value).swapcase(),
    "casefold": lambda value: _text(value).casefold(),
    "replace": _replace,
    "strip": _trim,
    "removeprefix": lambda value, part: _text(value).removeprefix(_text(part)),
    "removesuffix": lambda value, part: _text(value).removesuffix(_text(part)),
    "split": _split,
}  # fmt: skip
_FILTERS_FOLDED: Final[Mapping[str, Callable[..., object]]] = {
    **{name: _OF_TEXT[name] for name in ("lower", "upper", "title", "capitalize", "replace")},
    "trim": _trim,
    "string": _text,
    "safe": lambda value: value,
    "e": _text,
    "escape": _text,
    "forceescape": _text,
    "join": lambda value, glue="": _text(glue).join(map(_text, _items(value))),
    "reverse": _reverse,
    "list": _items,
    "first": lambda value: _items(value)[0],
    "last": lambda value: _items(value)[-1],
    "sort": lambda value: sorted(map(_text, _items(value))),
    "unique": lambda value: list(dict.fromkeys(_items(value))),
    "format": lambda pattern, *values: _percent(pattern, tuple(values)),
    "int": _int,
    "float": _int,
    "abs": abs,
    "length": lambda value: len(_items(value)),
    "count": lambda value: len(_items(value)),
    "default": lambda value: value,
    "d": lambda value: value,
}  # fmt: skip
_METHODS_FOLDED: Final[Mapping[str, Callable[..., object]]] = {
    **_OF_TEXT,
    "format": _format,
    "join": lambda glue, value: _text(glue).join(map(_text, _items(value))),
    "lstrip": lambda value, chars=None: _text(value).lstrip(chars),
    "rstrip": lambda value, chars=None: _text(value).rstrip(chars),
    "encode": lambda value, *_: value,
    "decode": lambda value, *_: value,
}  # fmt: skip
_NUMERIC: Final = frozenset(("length", "count", "int", "float", "abs", "round", "sum", "wordcount"))
_NUMERIC_METHODS: Final = frozenset(("count", "find", "rfind", "index"))
_PASSING: Final = frozenset(
    ("lower", "upper", "title", "capitalize", "swapcase", "casefold", "trim", "strip", "lstrip", "rstrip",
     "string", "safe", "e", "escape", "default", "d", "list", "items", "tojson", "sort", "unique",
     "selectattr", "rejectattr", "select", "reject", "dictsort", "keys", "values", "copy", "batch", "slice",
     "groupby")
)  # fmt: skip
"""What gives back what it was given, or a part of it, and puts nothing together."""
_WITH_DEFAULT: Final = frozenset(("default", "d", "int", "float"))
_SHOWING: Final = frozenset(
    ("lower", "upper", "title", "capitalize", "trim", "string", "safe", "e", "escape", "tojson")
)
_TAKING: Final = frozenset(("first", "last", "random", "get", "pop", "min", "max", "next"))
_SPLITTING: Final = frozenset(("split", "rsplit", "splitlines", "partition", "rpartition"))
_MAKING: Final = frozenset(
    ("join", "replace", "reverse", "format", "center", "removeprefix", "removesuffix",
     "decode", "encode", "urlencode", "striptags", "indent", "format_map", "translate", "zfill", "ljust",
     "rjust", "wordwrap", "truncate", "xmlattr", "urlize", "sum", "expandtabs", "hex")
)  # fmt: skip


def filtered(name: str, base: Value, arguments: Sequence[Value], *, method: bool = False) -> Value:
    """What a filter, or a method, makes of a value."""
    number = not base.is_text and name in (_NUMERIC_METHODS if method else _NUMERIC)
    fold = (_METHODS_FOLDED if method else _FILTERS_FOLDED).get(name)
    otherwise = _unfolded(name, base, arguments, number=number)
    if fold is None:
        return otherwise
    if name in _WITH_DEFAULT and arguments:
        # What it falls back to may be a text, also where a number was asked for.
        return joined_values([combined(fold, (base,), otherwise), *arguments])
    return combined(fold, (base, *arguments), otherwise)


def _unfolded(name: str, base: Value, arguments: Sequence[Value], *, number: bool) -> Value:
    values = (base, *arguments)
    made, holds = any(value.made for value in values), any(value.holds for value in values)
    if name in _MAKING or (
        name in _SHOWING and (base.inner or any(isinstance(one, tuple) for one in base.possible))
    ):
        return Value(made=True, holds=base.holds, inner=base.inner)
    if name in _PASSING:
        return Value(made=made, holds=holds, inner=base.inner)
    if name in _TAKING:
        return joined_values([base.taken, *arguments[1:]])
    if name in _SPLITTING:
        return Value(holds=base.is_text)
    if name == "map":
        return Value(holds=True)
    if number or name in _NUMERIC_METHODS | _NUMERIC:
        return NUMBER
    return Value(made=made or holds, holds=made or holds)
