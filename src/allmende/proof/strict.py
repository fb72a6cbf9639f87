"""Base64, hexadecimal digits, times and fields of JSON, each in the one form that is allowed here.

A second spelling of the same value would let a changed file pass for the one that was checked.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from allmende.merkle import read_base64, write_base64
from allmende.proof.canonical import JsonObject, JsonValue
from allmende.proof.errors import Malformed

__all__ = ["Fields", "is_hex", "read_base64", "read_time", "write_base64", "write_time"]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
_HEX = re.compile(r"[0-9a-f]+")
_SHOWN = 60


def is_hex(text: str) -> bool:
    """Whether a text is whole bytes in lower-case hexadecimal digits, at least one."""
    return len(text) % 2 == 0 and _HEX.fullmatch(text) is not None


def write_time(at: datetime) -> str:
    """A time in UTC to the second, as RFC 3339 writes it with `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str, wrong: type[Malformed]) -> datetime:
    """A time in UTC (`2026-11-28T09:00:00Z`); raises `wrong` for other zones and spellings."""
    if _TIME.fullmatch(text) is not None:
        whole, _, fraction = text[:-1].partition(".")
        try:
            moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
        except ValueError:
            pass
        else:
            return moment.replace(microsecond=int((fraction + "000000")[:6]))
    raise wrong(f"{text[:_SHOWN]!r} is not a time in UTC like 2026-11-28T09:00:00Z.")


class Fields:
    """The fields of one JSON object, taken by name and type; what is wrong is said with its place.

    `allowed` closes the object: any other name is refused.
    """

    def __init__(
        self, value: JsonValue, place: str, wrong: type[Malformed], allowed: frozenset[str] | None = None
    ) -> None:
        self._place = place
        self._wrong = wrong
        if not isinstance(value, dict):
            raise wrong(f"{place} is not an object.")
        self._value = value
        if allowed is not None and (unknown := sorted(value.keys() - allowed)):
            raise wrong(f"{place} has the field {unknown[0][:_SHOWN]!r}, which is not known there.")

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    def text(self, name: str, *, default: str | None = None) -> str:
        """A string that is not empty; where it may be absent or null, `default` stands for it."""
        value = self._value.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or (not value and default is None):
            raise self._bad(name, "a string that is not empty")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._value.get(name)
        if not isinstance(value, bool):
            raise self._bad(name, "true or false")
        return value

    def count(self, name: str) -> int:
        """A whole number above zero; `5.0` is one."""
        value = self._value.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value) or value < 1:
            raise self._bad(name, "a whole number above zero")
        return int(value)

    def time(self, name: str) -> datetime:
        """A time in UTC."""
        return read_time(self.text(name), self._wrong)

    def values(self, name: str, *, max_values: int, optional: bool = False) -> list[JsonValue]:
        """A list; an absent one is empty where that is allowed."""
        value = self._value.get(name)
        if value is None and optional:
            return []
        if not isinstance(value, list):
            raise self._bad(name, "a list")
        if len(value) > max_values:
            raise self._wrong(f"{self._place}.{name} has {len(value)} values; at most {max_values} are read.")
        return value

    def texts(self, name: str, *, max_values: int, optional: bool = False) -> tuple[str, ...]:
        """A list of strings, none of them empty."""
        values = self.values(name, max_values=max_values, optional=optional)
        if not all(isinstance(value, str) and value for value in values):
            raise self._bad(name, "a list of strings that are not empty")
        return tuple(str(value) for value in values)

    def object(self, name: str, *, optional: bool = False) -> JsonObject:
        """An object as it is; an absent one is empty where that is allowed."""
        value = self._value.get(name)
        if value is None and optional:
            return {}
        if not isinstance(value, dict):
            raise self._bad(name, "an object")
        return value

    def fields(self, name: str, allowed: frozenset[str] | None = None) -> "Fields":
        """The fields of an object inside."""
        return Fields(self._value.get(name), f"{self._place}.{name}", self._wrong, allowed)

    def digests(self, name: str) -> Mapping[str, str]:
        """A set of digests: names of algorithms with lower-case hexadecimal digits, at least one."""
        found = self.object(name)
        if not found or not all(isinstance(digest, str) and is_hex(digest) for digest in found.values()):
            raise self._bad(name, "a set of digests in lower-case hexadecimal digits")
        return {algorithm: str(digest) for algorithm, digest in found.items()}

    def _bad(self, name: str, wanted: str) -> Malformed:
        return self._wrong(f"{self._place}.{name} is not {wanted}.")
