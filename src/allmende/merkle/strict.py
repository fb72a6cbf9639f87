"""Base64, decimals and lines, each in the one form that the formats of logs allow.

A second spelling of the same value would let a changed file pass for the one that was checked.
"""

import base64
import binascii
import re
from collections.abc import Iterable

from allmende.errors import BadRequest
from allmende.merkle.errors import Malformed
from allmende.merkle.hashes import HASH_BYTES

__all__ = ["MAX_SIZE", "read_base64", "read_decimal", "read_hash", "read_hashes", "write_base64"]

MAX_SIZE = 2**63 - 1
"""The largest size of a tree, and the largest POSIX time, that is read."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_SHOWN = 60


def write_base64(data: bytes) -> str:
    """Base64 of RFC 4648, section 4, with its padding."""
    return base64.b64encode(data).decode("ascii")


def read_base64(text: str, wrong: type[BadRequest]) -> bytes:
    """The inverse of `write_base64`; raises `wrong` for anything that it would not have written."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise wrong(f"{text[:_SHOWN]!r} is not base64.") from None
    if write_base64(data) != text:
        raise wrong(f"{text[:_SHOWN]!r} is not the canonical base64 of its bytes.")
    return data


def read_decimal(text: str, wrong: type[Malformed]) -> int:
    """A decimal from 0 to `MAX_SIZE` without leading zeros; raises `wrong` for anything else."""
    if _DECIMAL.fullmatch(text) is None or (number := int(text)) > MAX_SIZE:
        raise wrong(f"{text[:_SHOWN]!r} is not a plain decimal from 0 to 2^63 - 1.")
    return number


def read_hash(text: str, wrong: type[Malformed]) -> bytes:
    """The base64 of one hash; raises `wrong`."""
    data = read_base64(text, wrong)
    if len(data) != HASH_BYTES:
        raise wrong(f"A hash has {HASH_BYTES} bytes and not {len(data)}.")
    return data


def read_hashes(lines: Iterable[str], wrong: type[Malformed]) -> tuple[bytes, ...]:
    """The base64 of one hash a line; raises `wrong`."""
    return tuple(read_hash(line, wrong) for line in lines)
