"""Plain text of any kind: nothing in it runs by itself, but it may hold what nobody should read."""

import codecs
import re
from typing import Final

from allmende.scan.budget import LimitReached
from allmende.scan.code.secrets import examine_secrets
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import HEAD_BYTES, Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER", "RULES", "is_text", "text_of"]

TEST_VIRUS = Rule(
    "anti-virus-test",
    Severity.CRITICAL,
    "the anti-virus test file",
    "The file begins with the string that every anti-virus program must report. It does nothing.",
    "Remove it from the repository.",
    "EICAR, anti-malware test file.",
)
RULES = (TEST_VIRUS,)

# In two parts, so that no scanner takes this file for what it looks for.
_EICAR: Final = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-" + rb"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_BLOCK_BYTES: Final = 4 * 1024 * 1024
_OVERLAP_CHARS: Final = 512


def is_text(head: bytes, *, complete: bool) -> bool:
    """Whether the bytes are the beginning of a text in UTF-8, or in UTF-16 with a mark."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return len(head) > 2 and "\0" not in head[: len(head) // 2 * 2].decode("utf-16", "replace")
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=complete)
    except UnicodeDecodeError:
        return False
    return _CONTROL.search(text) is None


def text_of(source: Source, scan: Scan) -> str:
    """All of a text. Raises LimitReached where it is longer than a text may be."""
    limit = scan.budget.limits.text_bytes
    if source.size_bytes > limit:
        raise LimitReached("text", f"A text has more than {limit} bytes.")
    return _decoded(source.read_at(0, source.size_bytes))


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


def _claims(probe: Probe) -> Claim:
    complete = probe.source.size_bytes <= HEAD_BYTES
    return Claim.CONTENT if is_text(probe.head, complete=complete) else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Look for secrets, block by block: the longest file costs no more memory than a short one."""
    if source.read_at(0, 128).lstrip().startswith(_EICAR):
        scan.found(TEST_VIRUS, offset=0)
    if source.read_at(0, 2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        examine_secrets(text_of(source, scan), scan)
        return
    kept = ""
    for offset in range(0, source.size_bytes, _BLOCK_BYTES):
        text = kept + source.read_at(offset, _BLOCK_BYTES).decode("utf-8", "replace")
        examine_secrets(text, scan)
        kept = text[-_OVERLAP_CHARS:]


READER = Reader("text", "text", _claims, _read)
