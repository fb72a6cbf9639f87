"""Pickles that start programs, inside of files of other kinds: databases, stores of values, unknown bytes.

Programs that keep objects in such files load them with pickle, value by value. Only beginnings that no other
data have are looked for; so what is found is what it looks like.
"""

from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER", "RULES", "examine_stored"]

STORED_PICKLE = Rule(
    "stored-pickle",
    Severity.HIGH,
    "holds a pickle that starts programs",
    "Among the bytes lies a pickle that imports a function by which programs are started or texts evaluated. "
    "Programs that keep objects in such files load it.",
    "Keep data in the file, and no objects.",
    "CWE-502: deserialization of untrusted data.",
)
STORED_COMMAND = Rule(
    "sqlite-acting-schema",
    Severity.MEDIUM,
    "a database whose schema acts",
    "A view, a trigger or a table loads a library, or reads or writes files, when it is used.",
    "Remove it from the schema.",
    "SQLite documentation, defense against the dark arts; load_extension, writefile.",
)
RULES = (STORED_PICKLE, STORED_COMMAND)

_MODULES: Final = ("os", "posix", "nt", "builtins", "__builtin__", "subprocess", "pty", "runpy", "commands")
_CALLS: Final = ("system", "popen", "eval", "exec", "Popen", "call", "check_output", "check_call", "run",
"getoutput",
                 "spawn", "execv", "execve", "__import__", "run_path", "run_module", "run_code", "getattr",
                 "compile")  # fmt: skip
_SQLITE: Final = b"SQLite format 3\0"
_ACTING: Final = (b"load_extension(", b"writefile(", b"readfile(", b"fts3_tokenizer(", b"edit('")
_BLOCK_BYTES: Final = 1024 * 1024
_SEARCHED_BYTES: Final = 64 * 1024 * 1024
_KEPT: Final = 128


def _short(text: str) -> bytes:
    return bytes([0x8C, len(text)]) + text.encode()


_STARTS: Final = (
    *(f"c{module}\n".encode() for module in _MODULES),
    *(_short(module) for module in _MODULES if len(module) > 2),
    _short("os") + b"\x94", _short("nt") + b"\x94", _short("os") + b"\x8c", _short("nt") + b"\x8c",
)  # fmt: skip


def examine_stored(source: Source, scan: Scan) -> None:
    """Look for such pickles in the bytes, and in databases for a schema that acts."""
    found = _search(source)
    if found is not None:
        scan.found(STORED_PICKLE, found[1], offset=found[0])
    if source.read_at(0, len(_SQLITE)) == _SQLITE:
        head = source.read_at(0, _BLOCK_BYTES).lower()
        for word in _ACTING:
            if word in head and (
                b"create view" in head or b"create trigger" in head or b"create virtual" in head
            ):
                scan.found(STORED_COMMAND, word)


def _search(source: Source) -> tuple[int, bytes] | None:
    kept = b""
    for offset in range(0, min(source.size_bytes, _SEARCHED_BYTES), _BLOCK_BYTES):
        block = kept + source.read_at(offset, _BLOCK_BYTES)
        for start in _STARTS:
            place = block.find(start)
            while place >= 0:
                rest = block[place + len(start) : place + len(start) + 40]
                if any(_names(rest, name) for name in _CALLS):
                    return offset - len(kept) + place, block[place : place + 40]
                place = block.find(start, place + 1)
        kept = block[-_KEPT:]
    return None


def _names(rest: bytes, name: str) -> bool:
    word = name.encode()
    memoised = rest[:1] in (b"\x94", b"\x8c") and _short(name) in rest[:24]
    return memoised or rest.startswith(word + b"\n")


def _claims(probe: Probe) -> Claim:
    if probe.raw or probe.hint not in {"", "data", "object", "archive"} or probe.format_name != "unknown":
        return Claim.NONE
    return Claim.NONE if _search(probe.source) is None else Claim.NAME


def _read(source: Source, scan: Scan) -> None:
    """Say what was found; the rest of the file stays unread, and is not told to be clean."""
    examine_stored(source, scan)
    scan.not_scanned()


READER = Reader("stored pickles", "stored", _claims, _read)
