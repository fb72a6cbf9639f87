"""Programs, archives and pickles where numbers or words are expected: in tensors of bytes, and in texts.

No loader of weights runs them by itself. Some libraries do keep pickles in tensors of bytes and load them
later, so those are looked into as what they are.
"""

import base64
import binascii
import re
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Scan
from allmende.scan.source import Source

__all__ = ["RULES", "examine_bytes", "examine_payload"]

PAYLOAD_IN_TEXT = Rule(
    "payload-in-metadata",
    Severity.MEDIUM,
    "metadata that hold a pickle, an archive or a program",
    "A text of the metadata is no text but encoded bytes: a pickle, an archive or a program. The format "
    "itself does nothing with it; code that comes with the model may.",
    "Keep such data in files of their own.",
    "CWE-506: embedded malicious code.",
)
PAYLOAD_IN_TENSOR = Rule(
    "payload-in-tensor",
    Severity.MEDIUM,
    "a tensor that is a pickle, an archive or a program",
    "A tensor of bytes begins like a file of another kind. The format itself does nothing with it; code that "
    "comes with the model may.",
    "Keep such data in files of their own.",
    "CWE-506: embedded malicious code.",
)
RULES = (PAYLOAD_IN_TEXT, PAYLOAD_IN_TENSOR)

_SIGNATURES: Final = {
    b"PK\x03\x04": "zip archive",
    b"\x7fELF": "program (ELF)",
    b"7z\xbc\xaf\x27\x1c": "7z archive",
    b"\x1f\x8b\x08\x00": "gzip stream",
    b"\xfd7zXZ\x00": "xz stream",
    b"\x28\xb5\x2f\xfd": "zstandard stream",
    b"\xcf\xfa\xed\xfe": "program (Mach-O)",
    b"\xca\xfe\xba\xbe\x00\x00\x00": "program (Mach-O or Java)",
    b"\x93NUMPY": "numpy array",
    b"\x89HDF\r\n\x1a\n": "HDF5 file",
    b"dex\n035": "program (Dalvik)",
    b"\x00asm\x01\x00\x00\x00": "program (WebAssembly)",
}
_HEAD_CHARS: Final = 4096
_BASE64: Final = re.compile(r"(?:data:[\w/+.;=-]{0,80},)?\s*([A-Za-z0-9+/_-]{24,}={0,2})")
_HEX: Final = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2}){70,})")
_TEXT_PICKLE: Final = re.compile(
    r"\([dl]p\d*\n"
    r"|\(?c[A-Za-z_][\w.]{0,80}\n[A-Za-z_][\w.]{0,80}\n(?:p\d+\n)?\((?:S['\"]|[VI]\w|[lt][Rp.(]|c\w+\n)"
    r"|\([SV][^\n]{1,200}\ni[\w.]{1,80}\n"
)
_PROGRAM_TEXT: Final = re.compile(r"#!\s?/(?:usr/)?(?:local/)?bin/\w+")


def examine_payload(text: str, scan: Scan, inside: str) -> None:
    """Find what is no text in a text of the metadata, as it is or encoded."""
    kind = _kind_of_text(text)
    if kind:
        scan.found(PAYLOAD_IN_TEXT, kind, inside=inside)


def examine_bytes(source: Source, scan: Scan, name: str) -> None:
    """Look into the bytes of a tensor where they begin like a file of another kind."""
    kind = _kind_of_bytes(source.read_at(0, 32), source.size_bytes, source.read_at(source.size_bytes - 1, 1))
    if kind:
        scan.found(PAYLOAD_IN_TENSOR, kind, inside=name)
        scan.inside(name, source, raw=True, hint="")


def _kind_of_text(text: str) -> str:
    head = text[:_HEAD_CHARS]
    if _TEXT_PICKLE.match(head):
        return "pickle in plain text"
    if _PROGRAM_TEXT.match(head):
        return "program in plain text"
    for pattern, decode in ((_HEX, bytes.fromhex), (_BASE64, _from_base64)):
        match = pattern.match(head)
        if match is None:
            continue
        try:
            data = decode(match[1])
        except (ValueError, binascii.Error):
            continue
        kind = _kind_of_bytes(data[:32], len(text), b".")
        if kind:
            return f"{kind}, encoded"
    return ""


def _from_base64(text: str) -> bytes:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain[: len(plain) // 4 * 4])


def _kind_of_bytes(head: bytes, size_bytes: int, last: bytes) -> str:
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if (
        head[:2] == b"MZ"
        and head[2:4] in (b"\x90\x00", b"\x78\x00", b"\x00\x00", b"\x50\x00")
        and not head[20:22].strip(b"\0")
    ):
        return "program (Windows)"
    return "pickle" if _is_pickle(head, size_bytes, last) else ""


def _is_pickle(head: bytes, size_bytes: int, last: bytes) -> bool:
    """Whether it begins as picklers write: random bytes do so once in thousands of millions."""
    if head[:1] != b"\x80" or len(head) < 12:
        return False
    if head[1:3] in (b"\x04\x95", b"\x05\x95"):
        return int.from_bytes(head[3:11], "little") <= size_bytes
    return head[1] in range(2, 6) and head[2] in b"}](cXq\x8c" and last in (b".", b"\0")
