"""Which part of a file a request asks for: ranges and preconditions of RFC 9110, sections 13 and 14."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from allmende.errors import AllmendeError

__all__ = ["Part", "RangeNotSatisfiable", "is_unchanged", "wanted_part", "wanted_parts"]

_SINGLE = re.compile(
    # Never two runs of blanks side by side: trying how to divide them takes quadratic time.
    r"\s*bytes\s*=\s*(?:([0-9]{1,20})\s*-(?:\s*([0-9]{1,20}))?|-\s*([0-9]{1,20}))\s*",
    re.IGNORECASE,
)
_SEVERAL = re.compile(r"bytes=([0-9]{1,20}-[0-9]{1,20}(?:, ?[0-9]{1,20}-[0-9]{1,20})*)")
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


class RangeNotSatisfiable(AllmendeError):
    """The range lies beyond the end of the file; the answer says how long the file is."""

    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"The range lies beyond the end of the file, which has {size_bytes} bytes.")
        self.size_bytes = size_bytes


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` to `end` (exclusive) of `size_bytes`."""

    start: int
    end: int
    size_bytes: int

    @property
    def length_bytes(self) -> int:
        """How many bytes that is."""
        return self.end - self.start

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.start == 0 and self.end == self.size_bytes

    @property
    def content_range(self) -> str:
        """The value of `Content-Range` (RFC 9110, section 14.4)."""
        return f"bytes {self.start}-{self.end - 1}/{self.size_bytes}"


def is_unchanged(headers: Mapping[str, str], etag: str) -> bool:
    """Whether `If-None-Match` says that the client has these very bytes (weak comparison, section 13.1.2)."""
    condition = headers.get("if-none-match")
    if condition is None:
        return False
    return condition.strip() == "*" or etag in _ENTITY_TAG.findall(condition)


def wanted_part(headers: Mapping[str, str], size_bytes: int, etag: str) -> Part | None:
    """The single range that is asked for, or None when the whole is to be sent.

    Sent whole are requests for several ranges, for other units and with malformed ranges, which section 14.2
    leaves to the server, and those whose `If-Range` names other bytes. Raises RangeNotSatisfiable.
    """
    match = _SINGLE.fullmatch(headers.get("range", ""))
    if match is None or headers.get("if-range", etag).strip() != etag:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(size_bytes - int(suffix), 0), size_bytes
    else:
        start = int(first)
        end = min(int(last) + 1, size_bytes) if last else size_bytes
        if last and int(last) < start:
            return None
    if start >= size_bytes or start >= end:
        raise RangeNotSatisfiable(size_bytes)
    return Part(start, end, size_bytes)


def wanted_parts(headers: Mapping[str, str], size_bytes: int, most: int) -> list[Part]:
    """The ranges that are asked for, in ascending order; none when the whole is to be sent.

    Sent whole are requests with more than `most` ranges or with ranges that overlap or go back, which section
    14.2 lets a server ignore: answering them would send more than there is. Raises RangeNotSatisfiable.
    """
    match = _SEVERAL.fullmatch(headers.get("range", "").strip())
    if match is None:
        single = wanted_part(headers, size_bytes, "")
        return [] if single is None else [single]
    asked = [tuple(map(int, item.split("-"))) for item in match.group(1).split(",")]
    if len(asked) > most or any(last < first for first, last in asked):
        return []
    if any(after[0] <= before[1] for before, after in pairwise(asked)):
        return []
    parts = [
        Part(first, min(last + 1, size_bytes), size_bytes) for first, last in asked if first < size_bytes
    ]
    if not parts:
        raise RangeNotSatisfiable(size_bytes)
    return parts
