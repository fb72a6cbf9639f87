"""Arrow and Parquet files: tables in which nothing runs, but for the Python types that old readers unpickle.

pyarrow before 14.0.1 loaded the metadata of the extension type `arrow.py_extension_type` as a pickle as soon
as a schema was read. Parquet keeps the schema of Arrow as base64 among the metadata in its footer.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

PICKLED_TYPE = Rule(
    "arrow-pickled-type",
    Severity.HIGH,
    "holds a pickled type",
    "A column has a type that is a pickle of Python. Older versions of pyarrow load it with the schema.",
    "Write the column with a type of Arrow, or with an extension type that has a name of its own.",
    "CVE-2023-47248.",
)
RULES = (PICKLED_TYPE,)

_KINDS: Final = frozenset(("arrow", "arrow_stream", "parquet"))
_PARQUET: Final = b"PAR1"
_MARKER: Final = b"arrow.py_extension_type"
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]{80,}={0,2}")
_BLOCK_BYTES: Final = 1024 * 1024
_SEARCHED_BYTES: Final = 64 * 1024 * 1024
_NEAR_BYTES: Final = 64 * 1024
_MAX_PICKLES: Final = 16
_FIRST_BYTES: Final = frozenset(b"\x80(c")


def _claims(probe: Probe) -> Claim:
    return Claim.CONTENT if probe.format_name in _KINDS else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Search where the schema lies, out of base64 where it is written so. Raises LimitReached."""
    if source.read_at(0, 4) == _PARQUET:
        footer_bytes = int.from_bytes(source.read_at(source.size_bytes - 8, 4), "little")
        for block in _blocks(source, source.size_bytes - 8 - footer_bytes, source.size_bytes):
            for found in _BASE64.finditer(block):
                _search(_decoded(found[0]), scan)
            _search(block, scan)
        return
    behind = max(_SEARCHED_BYTES, source.size_bytes - _SEARCHED_BYTES)
    for start, end in ((0, _SEARCHED_BYTES), (behind, source.size_bytes)):
        for block in _blocks(source, start, end):
            _search(block, scan)


def _search(data: bytes, scan: Scan) -> None:
    place = data.find(_MARKER)
    if place >= 0:
        scan.found(PICKLED_TYPE, _MARKER)
        _look_around(data, place, scan)


def _blocks(source: Source, start: int, end: int) -> Iterator[bytes]:
    """A part of the file in blocks that overlap, so that no name is cut."""
    for offset in range(max(0, start), min(end, source.size_bytes), _BLOCK_BYTES):
        yield source.read_at(max(0, offset - _NEAR_BYTES), _BLOCK_BYTES + 2 * _NEAR_BYTES)


def _decoded(data: bytes) -> bytes:
    try:
        return base64.b64decode(data[: len(data) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _look_around(data: bytes, place: int, scan: Scan) -> None:
    """Scan texts with their length before them (as in flatbuffers) that begin and end as pickles do."""
    count = 0
    start = max(0, place - _NEAR_BYTES)
    for at in range(start, min(len(data) - 5, place + _NEAR_BYTES)):
        length = int.from_bytes(data[at : at + 4], "little")
        if data[at + 4] not in _FIRST_BYTES or not 2 <= length <= _NEAR_BYTES:
            continue
        text = data[at + 4 : at + 4 + length]
        if len(text) == length and text[-1:] == b"." and count < _MAX_PICKLES:
            count += 1
            scan.inside(f"type {count}", Source.of_bytes(text), raw=True)


READER = Reader("arrow", "inert", _claims, _read)
"""Tables, and what their schema asks of old readers."""
