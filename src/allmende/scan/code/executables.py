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

_OWN_HINTS: Final = frozenset({"", "native", "shell", "archive", "bytecode", "python"})
_MACHO: Final = frozenset(
    (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
)
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
    if head.startswith(b"\xca\xfe\xba\xbe") and len(head) > 8:
        fat = int.from_bytes(head[4:8], "big") < 40
        return ("Mach-O (fat)", NATIVE_CODE) if fat else ("Java class", BYTECODE)
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
    program = rule in (NATIVE_CODE, BYTECODE)
    scan.found(DISGUISED if program and scan.hint not in _OWN_HINTS else rule, name, offset=0)


READER = Reader("executable", "executable", _claims, _read)
