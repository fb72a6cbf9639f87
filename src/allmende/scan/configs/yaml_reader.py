"""YAML: parsed into events and never constructed. Tags and aliases are judged, then the keys as in JSON."""

import re
from typing import Final

import yaml
from yaml import events

from allmende.formats import JsonValue
from allmende.scan.budget import LimitReached
from allmende.scan.code.text_reader import text_of
from allmende.scan.configs.config_keys import examine_config
from allmende.scan.configs.config_rules import ALIAS_GROWTH, YAML_TAG, YAML_UNKNOWN_TAG
from allmende.scan.provable import BOMB
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER"]

_MAX_CHARS: Final = 2 * 1024 * 1024
_MAX_EVENTS: Final = 500_000
_MAX_DEPTH: Final = 200
_MAX_GROWN: Final = 1_000_000
_PROVEN_GROWN: Final = 100_000_000
_CORE: Final = "tag:yaml.org,2002:"
_CORE_TAGS: Final = frozenset(
    (
        "str",
        "int",
        "float",
        "bool",
        "null",
        "map",
        "seq",
        "set",
        "omap",
        "pairs",
        "binary",
        "timestamp",
        "merge",
        "value",
    )
)
_BUILDING: Final = re.compile(r"(?i)python|ruby|java|php|perl|object|apply|module|eval|exec|new:|name:|\.")
_FRONT_MATTER: Final = re.compile(r"---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)


def _claims(probe: Probe) -> Claim:
    if probe.hint in {"yaml", "markdown"}:
        return Claim.NAME
    return (
        Claim.NAME
        if probe.head.startswith((b"%YAML", b"%TAG", b"---\n", b"--- !")) or b"!!python" in probe.head
        else Claim.NONE
    )


def _read(source: Source, scan: Scan) -> None:
    """Events first, then what they make. Raises Unreadable, LimitReached."""
    text = text_of(source, scan)
    if scan.hint == "markdown":
        matter = _FRONT_MATTER.match(text[: 2 * _MAX_CHARS])
        if matter is None:
            return
        text = matter[1]
    if len(text) > _MAX_CHARS:
        raise LimitReached("yaml", f"The YAML has more than {_MAX_CHARS} characters.")
    builder = _Builder(scan)
    try:
        for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            if count > _MAX_EVENTS:
                raise LimitReached("yaml", f"The YAML has more than {_MAX_EVENTS} parts.")
            builder.take(event)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"No YAML: {str(error).partition(chr(10))[0][:200]}.") from None
    finally:
        if builder.grown > _PROVEN_GROWN:
            scan.found(BOMB, f"{min(builder.grown, 10**30):.1e} values by aliases")
        elif builder.grown > _MAX_GROWN:
            scan.found(ALIAS_GROWTH, f"{min(builder.grown, 10**30):.1e} values")
    for document in builder.documents:
        examine_config(document, scan)


class _Builder:
    """Makes plain values of events; an alias stands for its size, and is not written out."""

    def __init__(self, scan: Scan) -> None:
        self.documents: list[JsonValue] = []
        self.grown = 0
        self._scan = scan
        self._open: list[_Node] = []
        self._anchors: dict[str, _Node] = {}

    def take(self, event: events.Event) -> None:
        """The next event of the stream. Raises LimitReached for too great a depth."""
        if isinstance(event, events.AliasEvent):
            target = self._anchors.get(str(event.anchor))
            self._add(
                "*" if target is None or target in self._open else target.value,
                1 if target is None else target.size,
            )
        elif isinstance(event, events.ScalarEvent):
            self._check_tag(event.tag)
            node = _Node(str(event.value))
            self._anchor(event.anchor, node)
            self._add(node.value, 1)
        elif isinstance(event, (events.MappingStartEvent, events.SequenceStartEvent)):
            self._check_tag(event.tag)
            if len(self._open) >= _MAX_DEPTH:
                raise LimitReached("yaml", f"The YAML is nested deeper than {_MAX_DEPTH} levels.")
            node = _Node({} if isinstance(event, events.MappingStartEvent) else [])
            self._anchor(event.anchor, node)
            self._open.append(node)
        elif isinstance(event, (events.MappingEndEvent, events.SequenceEndEvent)):
            node = self._open.pop()
            self._add(node.value, node.size)

    def _anchor(self, name: str | None, node: "_Node") -> None:
        if name is not None:
            self._anchors[name] = node

    def _add(self, value: JsonValue, size: int) -> None:
        if not self._open:
            self.documents.append(value)
            return
        parent = self._open[-1]
        parent.size += size
        self.grown = max(self.grown, parent.size)
        if parent.size <= _MAX_GROWN:
            parent.put(value)

    def _check_tag(self, tag: str | None) -> None:
        if tag is None or tag in {"!", "?"}:
            return
        short = tag.removeprefix(_CORE)
        if short in _CORE_TAGS and tag.startswith(_CORE):
            return
        building = tag.startswith(_CORE) or _BUILDING.search(tag) is not None
        self._scan.found(YAML_TAG if building else YAML_UNKNOWN_TAG, tag)


class _Node:
    """A value that is being made, and how many values it would be, written out."""

    def __init__(self, value: "dict[str, JsonValue] | list[JsonValue] | str") -> None:
        self.value: JsonValue = value
        self.size = 1
        self._key: str | None = None

    def put(self, value: JsonValue) -> None:
        """A list gets an item; a mapping gets keys and values in turn."""
        if isinstance(self.value, list):
            self.value.append(value)
        elif isinstance(self.value, dict):
            if self._key is None:
                self._key = value if isinstance(value, str) else "?"
            else:
                self.value[self._key], self._key = _typed(value), None


def _typed(value: JsonValue) -> JsonValue:
    """Plain words that mean something other than a text, as far as the keys look at them."""
    return (
        {"true": True, "True": True, "false": False, "null": None}.get(value, value)
        if isinstance(value, str)
        else value
    )


READER = Reader("yaml", "text", _claims, _read)
