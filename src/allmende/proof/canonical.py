"""Canonical JSON (RFC 8785): one value, one sequence of bytes, so that hashes and signatures can be of it.

`read_canonical_json` refuses bytes that are not the canonical form of what they say. `read_json` allows
other spellings, for what strangers signed, but nothing that two readers may understand differently: a name
given twice, `NaN`, a lone surrogate, integers beyond 2^53 (RFC 7493).
"""

import json
import re
from typing import Any, NoReturn, TypeAlias

import rfc8785

from allmende.proof.errors import NotCanonical, Oversized

__all__ = ["MAX_DEPTH", "JsonObject", "JsonValue", "canonical_json", "read_canonical_json", "read_json"]

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, "JsonValue"]

MAX_DEPTH = 64
"""How deep values may be nested, here and wherever signed JSON is read or written."""

_MAX_SAFE = 2**53 - 1
_MAX_BYTES = 64 * 1024 * 1024
_MAX_NUMBER_CHARS = 400
_NAMES = frozenset((str,))
_PLAIN = frozenset((str, bool, type(None)))
_plain_encoder = json.JSONEncoder(
    ensure_ascii=True, check_circular=False, sort_keys=True, separators=(",", ":")
)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def canonical_json(value: object) -> bytes:
    """The canonical JSON of a value made of dicts, lists, tuples, strings, numbers, booleans and None.

    Raises NotCanonical for what has none (an integer beyond 2^53, NaN, a lone surrogate, another type),
    and Oversized for what is nested deeper than `MAX_DEPTH`.
    """
    if (plain := _plain_json(value)) is not None:
        return plain
    _check_depth(value)
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # it checks the types itself
    except rfc8785.CanonicalizationError as error:
        raise NotCanonical(f"This has no canonical JSON: {error}.") from error
    except UnicodeEncodeError as error:
        raise NotCanonical("This has no canonical JSON: a name holds half of a surrogate pair.") from error


def read_canonical_json(data: bytes, max_bytes: int = _MAX_BYTES) -> JsonValue:
    """The value of canonical JSON; raises NotCanonical for any other bytes, Oversized beyond the limits."""
    value = read_json(data, max_bytes)
    if canonical_json(value) != data:
        raise NotCanonical("This is JSON, but not the canonical form of what it says (RFC 8785).")
    return value


def read_json(data: bytes, max_bytes: int = _MAX_BYTES) -> JsonValue:
    """The value of JSON in which nothing is ambiguous (RFC 7493); raises NotCanonical and Oversized."""
    if len(data) > max_bytes:
        raise Oversized(f"The JSON has {len(data)} bytes; at most {max_bytes} are read.")
    try:
        text = data.decode("utf-8")
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_finite,
        )
        if _SURROGATE_ESCAPE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise _too_deep() from error
    except UnicodeDecodeError as error:
        raise NotCanonical(f"The JSON is not UTF-8 at byte {error.start}.") from error
    except UnicodeEncodeError as error:
        raise NotCanonical("The JSON has half of a surrogate pair in a string.") from error
    except json.JSONDecodeError as error:
        raise NotCanonical(f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    _check_depth(value)
    return value


def _plain_json(value: object) -> bytes | None:
    """The canonical JSON of what the standard library writes alike, and many times faster; else None.

    That is what has no floats and only printable ASCII: there no character is escaped in two ways, and names
    sort alike as code points and as UTF-16.
    """
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is dict:
                if not _NAMES.issuperset(map(type, each)):
                    return None
                inner += each.values()
            elif kind is list or kind is tuple:
                inner += each
            elif kind is int:
                if abs(each) > _MAX_SAFE:
                    return None
            elif kind not in _PLAIN:
                return None
        level = inner
    if level:
        return None
    text = _plain_encoder.encode(value)
    return None if "\\u" in text else text.encode("ascii")


def _check_depth(value: object) -> None:
    # Level by level and not by recursion, so that the depth of the value cannot exhaust the stack.
    level: list[object] = [value] if isinstance(value, (dict, list, tuple)) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)  # type: ignore[attr-defined]
            if isinstance(inner, (dict, list, tuple))
        ]
    if level:
        raise _too_deep()


def _too_deep() -> Oversized:
    return Oversized(f"The value is nested deeper than {MAX_DEPTH} levels.")


def _unique(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise NotCanonical(f"The JSON has the name {twice[:100]!r} twice in one object.")
    return found


def _integer(text: str) -> int | float:
    number = int(text) if len(text) <= _MAX_NUMBER_CHARS else 0
    if (text == str(number) and abs(number) <= _MAX_SAFE) or text == "-0":
        return number
    # The canonical form of a large floating-point number may look like this.
    if number and rfc8785.dumps(nearest := float(number)) == text.encode("ascii"):
        return nearest
    raise NotCanonical(f"The JSON holds the number {text[:40]}, which not every reader can keep.")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise NotCanonical(f"The JSON holds the number {text[:40]}, which not every reader can keep.")
    return number


def _no_constant(name: str) -> NoReturn:
    raise NotCanonical(f"{name} is not JSON.")
