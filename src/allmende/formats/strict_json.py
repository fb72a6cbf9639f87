"""Strict, bounded JSON: the only door through which JSON of unknown origin enters.

Stricter than `json.loads`: UTF-8 only, no duplicate keys (two readers would see two values), no `NaN` or
`Infinity` (RFC 8259 has neither), no lone surrogates (they cannot be written as UTF-8 again), and the depth
and number of values are checked before the recursive parser runs.
"""

import json
import re
from typing import NoReturn, TypeAlias

from allmende.formats.errors import MalformedJson

__all__ = ["MAX_DEPTH", "MAX_JSON_BYTES", "JsonObject", "JsonValue", "read_json", "read_json_object"]

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, "JsonValue"]

MAX_JSON_BYTES = 16 * 1024 * 1024
"""Enough for a large `tokenizer.json`; configuration files are a thousand times smaller."""

MAX_DEPTH = 100

_MAX_VALUES = 2_500_000
"""An empty list takes two bytes here and sixty in memory; this bounds what a document can blow up to."""

# An unterminated string is swallowed to the end: were it left, each escaped quote in it would start
# another scan, which is quadratic. Possessive quantifiers keep the match itself linear.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(data: bytes, max_bytes: int = MAX_JSON_BYTES, max_depth: int = MAX_DEPTH) -> JsonValue:
    """The value that `data` holds, or MalformedJson saying what is wrong with it (RFC 8259)."""
    if len(data) > max_bytes:
        raise MalformedJson(
            f"The JSON is {len(data)} bytes long; at most {max_bytes} are read.", code="json_beyond_limits"
        )
    _check_shape(data, max_depth)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJson(f"The JSON is not UTF-8 at byte {error.start}.") from error
    value = _parse(text)
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


def read_json_object(
    data: bytes, max_bytes: int = MAX_JSON_BYTES, max_depth: int = MAX_DEPTH
) -> dict[str, JsonValue]:
    """Like `read_json`, and the outermost value must be an object."""
    value = read_json(data, max_bytes, max_depth)
    if not isinstance(value, dict):
        raise MalformedJson("The outermost JSON value is not an object.")
    return value


def _parse(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise MalformedJson(f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except ValueError as error:
        # Python refuses to convert integers of more than 4300 digits, since that takes quadratic time.
        raise MalformedJson(f"The JSON holds a number that cannot be read: {error}.") from error
    except RecursionError as error:
        raise MalformedJson("The JSON is nested too deep to be read.", code="json_beyond_limits") from error
    return value


def _check_shape(data: bytes, max_depth: int) -> None:
    outside = _STRING.sub(b"", data)
    brackets = outside.translate(None, _NOT_BRACKETS)
    if outside.count(b",") + len(brackets) // 2 > _MAX_VALUES:
        raise MalformedJson(
            f"The JSON holds more than the {_MAX_VALUES} values that are read.", code="json_beyond_limits"
        )
    depth = 0
    for bracket in brackets:
        if bracket in b"[{":
            depth += 1
            if depth > max_depth:
                raise MalformedJson(
                    f"The JSON is nested deeper than {max_depth} levels.", code="json_beyond_limits"
                )
        else:
            depth -= 1


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise MalformedJson(
                    f"The JSON has the key {key[:100]!r} twice in one object.", code="json_named_twice"
                )
            seen.add(key)
    return found


def _no_constant(name: str) -> NoReturn:
    raise MalformedJson(f"{name} is not JSON.")


def _check_surrogates(value: JsonValue) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedJson("The JSON has half of a surrogate pair in a string.") from error
