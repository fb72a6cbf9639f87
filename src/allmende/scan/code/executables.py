"""Machine code and what starts it: shown under its own name, blocked where the name says something else."""

import struct
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

NATIVE_CODE = Rule(
    "native-code",
    Severity.MEDIUM,
    "machine code",
    "The file is a program or a library that runs when it is started or loaded; what it does cannot be read.",
    "Publish the source, and build where it is used.",
    "CWE-829: inclusion of functionality from an untrusted control sphere.",
)
DISGUISED = Rule(
    "disguised-executable",
    Severity.CRITICAL,
    "a program under a false name",
    "The name promises weights, a text or a picture, and the bytes are a program.",
    "Remove the file.",
    "MITRE ATT&CK T1036: masquerading.",
)
SELF_EXECUTING = Rule(
    "self-executing-file",
    Severity.CRITICAL,
    "a model that is a program",
    "The file runs on several systems when it is started, and carries a model besides.",
    "Publish the weights alone (GGUF, safetensors).",
    "Cosmopolitan libc, actually portable executables.",
)
BYTECODE = Rule(
    "bytecode",
    Severity.MEDIUM,
    "compiled code of a virtual machine",
    "The file is Python bytecode, a Java class or WebAssembly: it runs when it is loaded, and cannot be "
    "read as source.",
    "Publish the source.",
    "CWE-829.",
)
OFFICE_MACROS = Rule(
    "document-macros",
    Severity.MEDIUM,
    "a document with macros",
    "The document carries a program, which office programs offer to run.",
    "Publish the text in a plain format.",
    "MS-CFB, compound file binary format.",
)
SCRIPT = Rule(
    "shell-script",
    Severity.LOW,
    "a script",
    "Commands for a shell. They run when somebody starts them.",
    "Say in the card what it is for.",
    "Inventory.",
)
DOCUMENT = Rule(
    "office-document",
    Severity.LOW,
    "a document of an office program",
    "The file is in the older format of office programs; no macros were found in it.",
    "Publish tables as CSV or Parquet, texts as Markdown.",
    "MS-CFB, compound file binary format.",
)
RULES = (DOCUMENT, NATIVE_CODE, DISGUISED, SELF_EXECUTING, BYTECODE, OFFICE_MACROS, SCRIPT)

_OWN_HINTS: Final = frozenset({"", "native", "shell", "launcher", "archive", "bytecode", "python"})
_MACHO: Final = frozenset(
    (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
)
_SCRIPT_HINTS: Final = _OWN_HINTS | {
    "program",
    "r-source",
    "startup",
    "settings",
    "text",
    "table",
    "markup",
    "markdown",
    "notebook",
    "template",
}
"""A script may be shown as a text; under the name of weights, of data or of a configuration it hides."""
_CAFEBABE: Final = b"\xca\xfe\xba\xbe"
_FAT_HEADER_BYTES: Final = 28
_MAX_ARCHITECTURES: Final = 40
_CPU_KIND: Final = 0x00FFFFFF
_CPU_KINDS: Final = frozenset((6, 7, 10, 11, 12, 13, 14, 15, 16, 18))
_JAVA_VERSIONS: Final = range(45, 90)
_CONSTANT_KINDS: Final = frozenset((1, *range(3, 13), *range(15, 21)))
_PREVIEW: Final = 0xFFFF
_PYC_AGES: Final = range(3000, 3700)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAX_DIRECTORY_BYTES: Final = 64 * 1024 * 1024
_BLOCK_BYTES: Final = 1024 * 1024
_LINK: Final = b"L\0\0\0\x01\x14\x02\0"


def _kind(head: bytes, source: Source) -> tuple[str, Rule] | None:  # noqa: PLR0911  # one line a kind
    if head.startswith((b"MZqFpD=", b"jartsr='", b"APEDBG='")):
        return "actually portable executable", SELF_EXECUTING
    if head.startswith(b"\x7fELF") and head[4:5] in b"\1\2":
        return "ELF", NATIVE_CODE
    if head.startswith(b"MZ") and _is_pe(head, source):
        return "PE", NATIVE_CODE
    if head[:4] in _MACHO:
        return "Mach-O", NATIVE_CODE
    if head.startswith(_CAFEBABE):
        return _kind_of_cafebabe(head, source)
    if head.startswith(b"\0asm\1\0\0\0"):
        return "WebAssembly", BYTECODE
    if head.startswith(b"dex\n03"):
        return "Dalvik", BYTECODE
    if len(head) >= 16 and head[2:4] == b"\r\n" and int.from_bytes(head[:2], "little") in _PYC_AGES:
        return "Python bytecode", BYTECODE
    if head.startswith(_OLE):
        return ("macros", OFFICE_MACROS) if _has_macros(source) else ("compound document", DOCUMENT)
    if head.startswith(_LINK):
        return "Windows shortcut", NATIVE_CODE
    if head.startswith((b"#!/", b"#! /")):
        return "script", SCRIPT
    return None


def _kind_of_cafebabe(head: bytes, source: Source) -> tuple[str, Rule] | None:
    """Two formats begin so, and random bytes may: what follows must be sound for one of them."""
    if len(head) < _FAT_HEADER_BYTES:
        return None
    count, kind, _, offset, size_bytes = struct.unpack_from(">5I", head, 4)
    if 0 < count < _MAX_ARCHITECTURES and kind & _CPU_KIND in _CPU_KINDS:
        inside = offset + size_bytes <= source.size_bytes and offset >= _FAT_HEADER_BYTES
        return ("Mach-O (fat)", NATIVE_CODE) if inside else None
    minor, major, constants = struct.unpack_from(">3H", head, 4)
    sound = major in _JAVA_VERSIONS and constants > 1 and head[10] in _CONSTANT_KINDS
    return ("Java class", BYTECODE) if sound and (minor < 4 or minor == _PREVIEW) else None


def _has_macros(source: Source) -> bool:
    """Whether a name of the directory tells of a VBA project; names are UTF-16."""
    names = tuple(
        name.encode("utf-16-le") for name in ("_VBA_PROJECT", "Macros", "VBA", "PROJECTwm", "__SRP_0")
    )
    kept = b""
    for offset in range(0, min(source.size_bytes, _MAX_DIRECTORY_BYTES), _BLOCK_BYTES):
        block = kept + source.read_at(offset, _BLOCK_BYTES)
        if any(name + b"\0\0" in block for name in names):
            return True
        kept = block[-64:]
    return source.size_bytes > _MAX_DIRECTORY_BYTES


def _is_pe(head: bytes, source: Source) -> bool:
    if len(head) < 64:
        return False
    (offset,) = struct.unpack_from("<I", head, 60)
    return source.read_at(offset, 4) == b"PE\0\0" or source.read_at(offset, 2) in (b"NE", b"LE", b"LX")


def _claims(probe: Probe) -> Claim:
    return Claim.NONE if _kind(probe.head, probe.source) is None else Claim.CONTENT


def _read(source: Source, scan: Scan) -> None:
    """Say what it is, and whether its name says so too."""
    found = _kind(source.read_at(0, 4096), source)
    if found is None:
        return
    name, rule = found
    if rule is DOCUMENT and scan.hint == "macros":
        name, rule = "macros", OFFICE_MACROS
    own = {NATIVE_CODE: _OWN_HINTS, BYTECODE: _OWN_HINTS, SCRIPT: _SCRIPT_HINTS}.get(rule)
    scan.found(rule if own is None or scan.hint in own else DISGUISED, name, offset=0)


READER = Reader("executable", "executable", _claims, _read)
