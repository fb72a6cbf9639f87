"""git-lfs pointers: the small text that stands in a git tree for a large content.

Only the canonical form of the git-lfs specification v1 is a pointer here (version, oid, size; no extension
lines): whoever knows hash and size can then compute the pointer's own git id, and the other way round.
"""

import re
from dataclasses import dataclass

from allmende.formats.errors import MalformedPointer
from allmende.ids import Sha256, is_sha256

__all__ = [
    "MAX_POINTER_BYTES",
    "Pointer",
    "find_pointer",
    "looks_like_pointer",
    "parse_pointer",
    "write_pointer",
]

MAX_POINTER_BYTES = 1024
"""The specification's own limit (it says: less than 1024)."""

_VERSION = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"oid sha256:([0-9a-f]{64})\n"
    rb"size (0|[1-9][0-9]{0,18})\n"
)
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Pointer:
    """The content a pointer stands for."""

    oid: Sha256
    size_bytes: int


def looks_like_pointer(data: bytes) -> bool:
    """Whether `data` claims to be a pointer; `parse_pointer` says whether it is one."""
    return len(data) < MAX_POINTER_BYTES and data.startswith(_VERSION)


def write_pointer(pointer: Pointer) -> bytes:
    """The canonical bytes of `pointer`; ValueError for what cannot be the id or size of a content."""
    if not is_sha256(pointer.oid):
        raise ValueError(f"{pointer.oid!r} is not a SHA-256")
    if not 0 <= pointer.size_bytes <= _MAX_SIZE:
        raise ValueError(f"{pointer.size_bytes} is not the size of a file")
    return _VERSION + f"oid sha256:{pointer.oid}\nsize {pointer.size_bytes}\n".encode("ascii")


def parse_pointer(data: bytes) -> Pointer:
    """The pointer that `data` is; raises MalformedPointer. `write_pointer` gives the same bytes again."""
    if not looks_like_pointer(data):
        raise MalformedPointer("This is not a git-lfs pointer.")
    match = _POINTER.fullmatch(data)
    if match is None:
        raise MalformedPointer(
            "The git-lfs pointer is not in canonical form.",
            hint="It holds the lines version, oid sha256:… and size …, in this order and with no others.",
        )
    size_bytes = int(match[2])
    if size_bytes > _MAX_SIZE:
        raise MalformedPointer(f"The git-lfs pointer claims {size_bytes} bytes.")
    return Pointer(Sha256(match[1].decode("ascii")), size_bytes)


def find_pointer(data: bytes) -> Pointer | None:
    """The pointer that `data` is, or None: what is not canonical is a file like others."""
    match = _POINTER.fullmatch(data)
    if match is None or int(match[2]) > _MAX_SIZE:
        return None
    return Pointer(Sha256(match[1].decode("ascii")), int(match[2]))
