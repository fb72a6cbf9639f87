"""YAML of unknown origin as plain values: bounded, without anchors and tags, and no key twice.

Built from the parser's events, so that nothing is created but texts, numbers, lists and mappings. Plain
scalars follow the YAML 1.2 core schema: `no` and `2027-12-02` are texts, `1e23` is a number.
"""

import re
from collections.abc import Iterator
from typing import TypeAlias

import yaml

from allmende.law.errors import Problem

__all__ = ["MAX_YAML_BYTES", "Plain", "YamlRefused", "read_strict_yaml"]

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

MAX_YAML_BYTES = 256 * 1024
_MAX_DEPTH = 16
_MAX_NODES = 20_000
_MAX_NUMBER_CHARS = 40

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


class YamlRefused(Exception):
    """The text is no YAML that is read here; `problem` says why. Each caller turns it into its own error."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.sentence)
        self.problem = problem


def read_strict_yaml(data: bytes) -> Plain:
    """The value of the one document in `data` (UTF-8); None where it is empty. Raises YamlRefused."""
    if len(data) > MAX_YAML_BYTES:
        raise _refused("", f"The file is {len(data)} bytes long; at most {MAX_YAML_BYTES} are read.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused("", f"The file is not UTF-8 at byte {error.start}.") from error
    return _Reader(_events(text)).document()


def _refused(place: str, sentence: str) -> YamlRefused:
    return YamlRefused(Problem(place or "file", "yaml_refused", sentence, given=sentence))


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise _refused(place, f"This is not sound YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise _refused("", "The file holds characters that YAML does not allow.") from error


class _Reader:
    """Builds one value out of events; recursion is bounded by `_MAX_DEPTH`, the whole by `_MAX_NODES`."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._nodes = 0

    def document(self) -> Plain:
        value: Plain = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _refused(_line(event), "There is more than one document in the file.")
                value = self._node(next(self._events), 1)
        return value

    def _node(self, event: yaml.Event, depth: int) -> Plain:
        self._nodes += 1
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise _refused(
                _line(event), f"More than {_MAX_DEPTH} levels or {_MAX_NODES} values are not read."
            )
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused(_line(event), "Anchors and aliases (& and *) are not read.")
        if getattr(event, "tag", None) not in (None, "!"):
            raise _refused(_line(event), "Tags (!…) are not read.")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Plain] = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(inner, depth + 1))
            return items
        return self._mapping(depth)

    def _mapping(self, depth: int) -> dict[str, Plain]:
        found: dict[str, Plain] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, "!") or event.anchor:
                raise _refused(_line(event), "A key is not a plain word.")
            key: str = event.value
            if key in found:
                raise _refused(_line(event), f"The key {key[:100]!r} is there twice.")
            found[key] = self._node(next(self._events), depth + 1)
        return found


def _scalar(event: yaml.ScalarEvent) -> Plain:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= _MAX_NUMBER_CHARS:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _line(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}" if event.start_mark is not None else ""
