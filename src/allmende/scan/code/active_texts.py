"""Texts that act where they are opened: pages with scripts, shortcuts, launchers, tables with commands."""

import re
from collections.abc import Iterator
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

ACTIVE_MARKUP = Rule(
    "active-markup",
    Severity.MEDIUM,
    "a page or a drawing with scripts",
    "Opened in a browser, the document runs scripts, or loads other pages into itself.",
    "Publish it without scripts, as a picture or as Markdown.",
    "CWE-79: cross-site scripting.",
)
LAUNCHER = Rule(
    "launcher",
    Severity.MEDIUM,
    "starts programs when it is opened",
    "A shortcut, a batch file or a script of a desktop: whoever opens it, or only looks at the folder, runs "
    "what it says.",
    "Say in the card how to start the program.",
    "MITRE ATT&CK T1204: user execution; T1187: forced authentication.",
)
EMBEDDED_OBJECT = Rule(
    "document-object",
    Severity.MEDIUM,
    "a document with objects of other programs",
    "The text holds objects, or commands of a table, by which office programs start others.",
    "Publish the text in a plain format.",
    "CVE-2017-11882; CWE-1236: formula elements in a CSV file.",
)
RULES = (ACTIVE_MARKUP, LAUNCHER, EMBEDDED_OBJECT)

_BLOCK_BYTES: Final = 1024 * 1024
_MAX_BYTES: Final = 64 * 1024 * 1024
_KEPT: Final = 1024
_MARKUP: Final = re.compile(
    rb"(?i)<\s{0,5}(?:script|iframe|object|embed|foreignobject|applet)\b[^>]{0,60}|"
    rb"<[a-z][^<>]{0,400}[\s/\"']on[a-z]{3,20}\s{0,5}=|<[^<>]{0,400}=\s{0,5}[\"']?\s{0,5}"
    rb"javascript:|"
    rb"<(?:set|animate)\b[^<>]{0,300}attributename\s{0,5}=\s{0,5}[\"']?(?:on|href|xlink)|"
    rb"http-equiv\s{0,5}=\s{0,5}[\"']?refresh"
)
_CODE_OF_CARDS: Final = re.compile(rb"(?ms)^[ \t]{0,12}(```|~~~).*?^[ \t]{0,12}\1|`[^`\n]{1,300}`")
_COMMAND: Final = re.compile(
    rb"(?i)(?:^|[,;\t\"\n])[=+@-]\s{0,5}(?:[+=-]\s{0,5})?(?:cmd|powershell|mshta|rundll32|regsvr32|wscript|cscript|msexcel|dde)"
    rb"\s{0,5}[|(]"
)
_REFERENCE: Final = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,8}));?")
_RTF: Final = re.compile(rb"\\(?:object|objdata|objupdate|objclass|ddeauto)\b|DDEAUTO")
_MARKUP_STARTS: Final = (b"<svg", b"<html", b"<!doctype html", b"<?xml")


def _kind(hint: str, head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:40].lower()
    if hint == "launcher":
        return "launcher"
    if start.startswith(b"{\\rtf"):
        return "rtf"
    if hint == "markdown":
        return "card"
    drawn = start.startswith(_MARKUP_STARTS[:3]) or (start.startswith(b"<?xml") and b"<svg" in head)
    if hint == "markup" or drawn:
        return "markup"
    return "table" if hint == "table" else ""


def _claims(probe: Probe) -> Claim:
    return Claim.NAME if _kind(probe.hint, probe.head) and b"\0" not in probe.head[:512] else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Look for what acts, block by block."""
    kind = _kind(scan.hint, source.read_at(0, 4096))
    if kind == "launcher":
        scan.found(LAUNCHER, source.read_at(0, 120))
        return
    for text in _blocks(source):
        if kind == "card":
            _find(_MARKUP, _CODE_OF_CARDS.sub(b"", text), ACTIVE_MARKUP, scan)
        elif kind == "markup":
            _find(_MARKUP, _REFERENCE.sub(_unreferenced, text), ACTIVE_MARKUP, scan)
        elif kind == "rtf":
            _find(_RTF, text, EMBEDDED_OBJECT, scan)
        else:
            _find(_COMMAND, text, EMBEDDED_OBJECT, scan)


def _find(pattern: re.Pattern[bytes], text: bytes, rule: Rule, scan: Scan) -> None:
    match = pattern.search(text)
    if match is not None:
        scan.found(rule, match[0].strip())


def _unreferenced(match: re.Match[bytes]) -> bytes:
    """The letter that a numeric reference stands for; others are of no matter."""
    code = int(match[1], 16) if match[1] else int(match[2])
    return bytes([code]) if code < 128 else b"?"


def _blocks(source: Source) -> Iterator[bytes]:
    kept = b""
    for offset in range(0, min(source.size_bytes, _MAX_BYTES), _BLOCK_BYTES):
        block = kept + source.read_at(offset, _BLOCK_BYTES)
        yield block
        kept = block[-_KEPT:]


READER = Reader("active text", "text", _claims, _read)
