"""YAML of unknown origin, as it stands in the front matter of cards, turned into plain JSON values.

The value is built from the parser's events and by rules of our own: it never creates objects, counts what
aliases would expand to before they do harm, and refuses duplicate keys. Plain scalars are read by the YAML
1.2 core schema, as the Hub reads them: `no` is Norwegian and not false, `12:30` is a text and not a number.
Dates stay the text that they are.
"""

import re
from collections.abc import Iterator

import yaml

from allmende.formats.errors import MalformedCard
from allmende.formats.strict_json import JsonValue

__all__ = ["read_yaml"]

_MAX_DEPTH = 32
_MAX_WEIGHT = 1_000_000
_NODE_WEIGHT = 8
_I64 = 2**63

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,20}")
_BASED = re.compile(r"0o[0-7]{1,22}|0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_FLOAT_CHARS = 64


def read_yaml(text: str) -> JsonValue:
    """The value of the one YAML document in `text`; None where it is empty. Raises MalformedCard."""
    reader = _Reader(_events(text))
    return reader.document()


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise MalformedCard(f"The YAML is not sound{where}: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise MalformedCard("The YAML holds characters that YAML does not allow.") from error
    except UnicodeEncodeError as error:
        raise MalformedCard("The YAML holds half of a surrogate pair.") from error


class _Reader:
    """Builds one value out of events. Recursion is bounded by `_MAX_DEPTH`."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._weight = 0
        self._anchors: dict[str, tuple[JsonValue, int]] = {}

    def document(self) -> JsonValue:
        value: JsonValue = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise MalformedCard("The YAML holds more than one document.")
                value = self._node(next(self._events), 1)
        return value

    def _node(self, event: yaml.Event, depth: int) -> JsonValue:
        if depth > _MAX_DEPTH:
            raise MalformedCard(
                f"The YAML is nested deeper than {_MAX_DEPTH} levels.", code="card_beyond_limits"
            )
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._weight
        self._spend(_NODE_WEIGHT)
        value = self._built(event, depth)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = (value, self._weight - before)
        return value

    def _built(self, event: yaml.Event, depth: int) -> JsonValue:
        if isinstance(event, yaml.ScalarEvent):
            self._spend(len(event.value))
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            _check_tag(event.tag, "seq", event)
            return self._sequence(depth)
        if isinstance(event, yaml.MappingStartEvent):
            _check_tag(event.tag, "map", event)
            return self._mapping(depth)
        raise MalformedCard("The YAML ends before its last value.")

    def _sequence(self, depth: int) -> list[JsonValue]:
        items: list[JsonValue] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in found:
                raise MalformedCard(f"The key {key[:100]!r} is there twice{_where(event)}.")
            found[key] = self._node(next(self._events), depth + 1)
        return found

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise MalformedCard(f"A key of the YAML is not a plain text{_where(event)}.")
        if event.value == "<<" and event.implicit[0]:
            raise MalformedCard(f"The YAML merges mappings with <<, which is not read{_where(event)}.")
        self._spend(_NODE_WEIGHT + len(event.value))
        if event.anchor is not None:
            self._anchors[event.anchor] = (event.value, _NODE_WEIGHT + len(event.value))
        text: str = event.value
        return text

    def _alias(self, event: yaml.AliasEvent) -> JsonValue:
        name = str(event.anchor)
        known = self._anchors.get(name)
        if known is None:
            raise MalformedCard(f"The alias *{name[:100]} stands before its anchor is whole{_where(event)}.")
        value, weight = known
        # What it stands for counts each time: written out, a few lines of aliases can fill any disk.
        self._spend(weight)
        return value

    def _spend(self, weight: int) -> None:
        self._weight += weight
        if self._weight > _MAX_WEIGHT:
            raise MalformedCard(
                "The YAML is too large once its aliases are written out.", code="card_beyond_limits"
            )


def _scalar(event: yaml.ScalarEvent) -> JsonValue:
    text: str = event.value
    if event.tag is None:
        return _plain(text) if event.implicit[0] else text
    kind = event.tag.removeprefix(_CORE)
    if event.tag == "!" or kind in ("str", "timestamp"):
        return text
    value = _plain(text)
    fits = {"int": int, "bool": bool, "null": type(None), "float": float}.get(kind)
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if fits is None or type(value) is not fits:
        raise MalformedCard(f"The YAML tag {event.tag[:100]!r} is not read{_where(event)}.")
    return value


def _plain(text: str) -> JsonValue:
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _DECIMAL.fullmatch(text):
        return _bounded(int(text), text)
    if _BASED.fullmatch(text):
        return _bounded(int(text, 0), text)
    if len(text) <= _MAX_FLOAT_CHARS and _FLOAT.fullmatch(text):
        number = float(text)
        # 1e999 is infinite, and JSON has no word for that.
        return number if abs(number) != float("inf") else text
    return text


def _bounded(number: int, text: str) -> int | str:
    """Numbers that no database column holds stay text."""
    return number if -_I64 <= number < _I64 else text


def _check_tag(tag: str | None, kind: str, event: yaml.Event) -> None:
    if tag not in (None, "!", _CORE + kind):
        raise MalformedCard(f"The YAML tag {str(tag)[:100]!r} is not read{_where(event)}.")


def _where(event: yaml.Event) -> str:
    mark = event.start_mark
    return f" at line {mark.line + 1}" if mark is not None else ""
