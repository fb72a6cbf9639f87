"""ONNX models as text, as JSON and in the text format of protocol buffers: where their weights lie."""

import re
from typing import Final

from allmende.scan.containers.member_paths import is_outside
from allmende.scan.graphs.onnx_reader import OUTSIDE_DATA
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER"]

_MODEL: Final = re.compile(rb"\bir_?version\b|\bopset_?import\b", re.IGNORECASE)
_TEXT: Final = r"\s{0,20}[\"']((?:[^\"'\\\n]|\\.){1,2000})[\"']"
_PLACES: Final = (
    re.compile(rf"[\"']location[\"']\s{{0,20}}:{_TEXT}"),
    re.compile(
        rf"\bkey[\"']?\s{{0,20}}:\s{{0,20}}[\"']location[\"'][\s,]{{0,20}}[\"']?value[\"']?\s{{0,20}}:{_TEXT}"
    ),
    re.compile(
        rf"\bvalue[\"']?\s{{0,20}}:{_TEXT}[\s,]{{0,20}}[\"']?key[\"']?\s{{0,20}}:\s{{0,20}}[\"']location[\"']"
    ),
)
_ADDRESS: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]{1,20}:")
_WINDOW_BYTES: Final = 1024 * 1024
_KEPT_CHARS: Final = 4096


def _claims(probe: Probe) -> Claim:
    told = b"\0" not in probe.head and _MODEL.search(probe.head) is not None
    return Claim.NAME if told else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Every place that the text names."""
    kept = ""
    for offset in range(0, source.size_bytes, _WINDOW_BYTES):
        text = kept + source.read_at(offset, _WINDOW_BYTES).decode("latin-1")
        for pattern in _PLACES:
            for match in pattern.finditer(text):
                place = match[1].replace("\\\\", "\\").replace("\\/", "/")
                if is_outside(place) or _ADDRESS.match(place):
                    scan.found(OUTSIDE_DATA, place)
        kept = text[-_KEPT_CHARS:]


READER = Reader("onnx (text)", "text", _claims, _read)
