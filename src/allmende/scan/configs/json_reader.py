"""JSON files: how they are read, and what they ask of who reads them.

Loaders of configurations are not strict: NaN and repeated keys are common, and noted. Depth and number are
bounded before anything is parsed.
"""

import json
import re
from typing import Final

from allmende.formats import JsonValue, MalformedJson, read_json
from allmende.scan.budget import LimitReached
from allmende.scan.code.text_reader import text_of
from allmende.scan.configs.config_keys import examine_config
from allmende.scan.configs.config_rules import HUGE_NUMBER, REPEATED_KEY, SPECIAL_NUMBER
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "parsed_json"]

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f]")
_MAX_DEPTH: Final = 200
_MAX_COMMENTED_CHARS: Final = 4 * 1024 * 1024
_COMMENTED: Final = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA: Final = re.compile(r",(\s*[}\]])")
_HUGE_NUMBER: Final = re.compile(r"(?:^|[\s:\[,-])\d{4301}")
_WHITE: Final = b" \t\r\n\xef\xbb\xbf"


def parsed_json(text: str, scan: Scan) -> JsonValue:
    """The value of a text. Raises Unreadable, and LimitReached where it is too deep or too much.

    What is not strict about it is found.
    """
    data = text.encode("utf-8", "replace")
    try:
        return read_json(data, len(data), _MAX_DEPTH)
    except MalformedJson as error:
        if error.code == "json_beyond_limits":
            raise LimitReached("json", error.message) from None
        strict = error.message
    repeated: list[str] = []
    special: list[str] = []

    def pairs(found: list[tuple[str, JsonValue]]) -> JsonValue:
        # Both values are kept, since nobody knows which of them a loader takes.
        value: dict[str, JsonValue] = {}
        for key, item in found:
            if key in value:
                repeated.append(key)
                value[f"{key}#{len(repeated)}"] = value[key]
            value[key] = item
        return value

    def constant(name: str) -> None:
        special.append(name)

    try:
        value: JsonValue = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, strict=False)
    except (ValueError, RecursionError):
        raise Unreadable(strict) from None
    if repeated:
        scan.found(REPEATED_KEY, repeated[0])
    if special:
        scan.found(SPECIAL_NUMBER, special[0])
    return value


def _claims(probe: Probe) -> Claim:
    start = probe.head.lstrip(_WHITE)[:1]
    if start not in (b"{", b"["):
        return Claim.NAME if probe.hint == "json" else Claim.NONE
    # A list may begin with a bracket in any text; an object of a configuration has a key.
    after = probe.head.lstrip(_WHITE)[1:].lstrip(_WHITE)[:1]
    likely = after in (b'"', b"}") if start == b"{" else after in (b"{", b"[", b'"', b"]")
    if probe.hint == "json":
        return Claim.NAME
    return Claim.NAME if likely and _CONTROL.search(probe.head) is None else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Parse, and look at the keys; lines of JSON are data. Raises as `parsed_json`."""
    text = text_of(source, scan)
    if _HUGE_NUMBER.search(text):
        scan.found(HUGE_NUMBER)
    lines = text.splitlines() if scan.hint != "json" and text.count("\n") > 1 else []
    whole = [line for line in lines if line.strip()]
    if len(whole) > 1 and all(line.lstrip()[:1] in "{[" and line.rstrip()[-1:] in "}]" for line in whole[:5]):
        return  # JSON lines: data, and no configuration
    plain = text.removeprefix("\ufeff")
    try:
        value = parsed_json(plain, scan)
    except Unreadable:
        # Editors and tools allow comments and commas at the end in what they read.
        commented = _COMMENTED.search(plain) or _COMMA.search(plain)
        if commented is None or len(plain) > _MAX_COMMENTED_CHARS:
            raise
        value = parsed_json(_COMMA.sub(r"\1", _COMMENTED.sub(_without_comment, plain)), scan)
    examine_config(value, scan)


def _without_comment(match: re.Match[str]) -> str:
    return match[1] or " "


READER = Reader("json", "text", _claims, _read)
