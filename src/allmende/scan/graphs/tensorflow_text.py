"""Graphs of TensorFlow in the text format of protocol buffers: operators and assets by their lines."""

import re
from typing import Final

from allmende.scan.containers.member_paths import is_outside
from allmende.scan.graphs.tensorflow_operators import OUTSIDE_ASSET, OUTSIDE_CONSTANT, judge_operator
from allmende.scan.graphs.tensorflow_paths import is_machine_path
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER"]

# Literals side by side are one text, and comments may stand between all of them.
_GAP: Final = r"(?:\s|#[^\n]{0,500}\n){0,20}"
_VALUE: Final = re.compile(
    rf"\b(op|filename|string_val){_GAP}:{_GAP}((?:\"[^\"\n]{{0,400}}\"|'[^'\n]{{0,400}}')(?:{_GAP}(?:\"[^\"\n]{{0,400}}\"|'[^'\n]{{0,400}}')){{0,8}})"
)
_LITERAL: Final = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")
_ESCAPE: Final = re.compile(r"\\(?:[xX]([0-9a-fA-F]{1,2})|([0-7]{1,3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_WINDOW_BYTES: Final = 1024 * 1024
_KEPT_CHARS: Final = 4096
_TEXT: Final = frozenset((*range(32, 127), 9, 10, 13, *range(128, 256)))


def _claims(probe: Probe) -> Claim:
    text = probe.hint == "tensorflow" and _TEXT.issuperset(probe.head)
    return Claim.NAME if text else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Every operator and every asset that the text names."""
    kept = ""
    for offset in range(0, source.size_bytes, _WINDOW_BYTES):
        text = kept + source.read_at(offset, _WINDOW_BYTES).decode("latin-1")
        for match in _VALUE.finditer(text):
            literals = "".join(one or other for one, other in _LITERAL.findall(match[2]))
            value = _ESCAPE.sub(_unescaped, literals)
            if match[1] == "op":
                judge_operator(value, scan, None)
            elif match[1] == "string_val":
                if is_machine_path(value):
                    scan.found(OUTSIDE_CONSTANT, value)
            elif is_outside(value):
                scan.found(OUTSIDE_ASSET, value)
        kept = text[-_KEPT_CHARS:]


def _unescaped(match: re.Match[str]) -> str:
    hexadecimal, octal, short, long = match.groups()
    code = int(octal, 8) if octal else int(hexadecimal or short or long, 16)
    return chr(code) if code < 128 else "?"


READER = Reader("tensorflow (text)", "text", _claims, _read)
