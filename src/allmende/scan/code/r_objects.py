"""R's serialisation (R Internals, section 1.8): data are walked, code and promises in them are found.

A promise is evaluated as soon as the loaded object is touched; so a file of data that holds one is no file of
data. Formulas and calls are ordinary in fitted models and do nothing by themselves.
"""

from typing import Final, Literal

from allmende.scan.budget import LimitReached
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

PROMISE = Rule(
    "r-promise",
    Severity.CRITICAL,
    "runs code when it is touched",
    "The file holds a promise or compiled code: R evaluates it as soon as the object is used.",
    "Save plain data.",
    "CVE-2024-27322.",
)
CLOSURE = Rule(
    "r-function",
    Severity.MEDIUM,
    "carries R functions",
    "The object contains functions, which run when it is used.",
    "Save plain data.",
    "R Internals, serialization formats.",
)
POINTER = Rule(
    "r-pointer",
    Severity.MEDIUM,
    "carries pointers or persistent names",
    "The object refers to things outside the file, which its reader is to supply.",
    "Save plain data.",
    "R Internals, serialization formats.",
)
CALL = Rule(
    "r-acting-call",
    Severity.MEDIUM,
    "carries a call that starts programs",
    "The object holds a call, not yet evaluated, of a function that starts programs, evaluates text, or "
    "loads code. Whoever evaluates the object runs it.",
    "Save plain data.",
    "R Language Definition, expression objects; CWE-95.",
)
STARTUP = Rule(
    "r-startup-function",
    Severity.CRITICAL,
    "a function that R runs by itself",
    "The workspace holds a function by one of the names that R calls when it starts or ends, or when a "
    "package is loaded.",
    "Remove it.",
    "R documentation, Startup.",
)
RULES = (PROMISE, CLOSURE, POINTER, CALL, STARTUP)

_NAME_BYTES: Final = 40
_STARTED: Final = frozenset((b".First", b".Last", b".First.sys", b".Last.sys", b".onLoad", b".onAttach"))
_ACTING: Final = frozenset(
    (b"system", b"system2", b"shell", b"shell.exec", b"pipe", b"source", b"dyn.load", b"unserialize",
     b"readRDS",
     b"download.file", b"install.packages", b"py_run_string", b"sys.source", b"loadNamespace", b"file.remove",
     b"unlink", b"socketConnection")
)  # fmt: skip

_MAX_DEPTH: Final = 300
_MAX_ITEMS: Final = 5_000_000
_NULLS: Final = frozenset((254, 253, 252, 251, 250, 242, 241))
_PAIRS: Final = frozenset((2, 3, 5, 6, 17, 239, 240))
_VECTORS: Final = {10: 4, 13: 4, 14: 8, 15: 16, 24: 1}
_COMPLEX: Final = 15
_MISSING: Final = -(2**31)
_LINE_BYTES: Final = 256
_MAX_LINE_BYTES: Final = 16 * 1024 * 1024
_STARTS: Final = (
    b"X\n\0\0\0\2", b"X\n\0\0\0\3", b"A\n2\n", b"A\n3\n", b"B\n\2\0\0\0", b"B\n\3\0\0\0",
    b"B\n\0\0\0\2", b"B\n\0\0\0\3",
)  # fmt: skip
_LISTS: Final = frozenset((16, 19, 20))
_HAS_ATTRIBUTES, _HAS_TAG = 0x200, 0x400


class _Walker:
    """Walks one serialised object in a binary form, with its numbers in either order."""

    def __init__(self, source: Source, scan: Scan, position: int) -> None:
        self._source = source
        self._scan = scan
        self._position = position
        self._items = 0
        self._last = b""  # the last short text: the name of a function, where one was just read
        self._order: Literal["big", "little"] = "big"

    def walk(self) -> None:
        """The header, then the object. Raises Unreadable, LimitReached."""
        self._order = "little" if self._take(2) == b"B\n" else "big"
        version = self._number()
        if version not in (2, 3):
            raise Unreadable(f"The serialisation has the version {version}.", self._position)
        self._numbers(2)
        if version == 3:
            self._text(self._number())
        self._item(0)

    def _numbers(self, count: int) -> None:
        self._skip(4 * count)

    def _text(self, length: int) -> None:
        self._last = self._source.read_at(self._position, length) if 0 < length <= _NAME_BYTES else b""
        self._skip(max(0, length))

    def _values(self, kind: int, count: int) -> None:
        self._skip(count * _VECTORS[kind])

    def _take(self, count: int) -> bytes:
        data = self._source.read_at(self._position, count)
        if len(data) < count:
            raise Unreadable("The data end inside an object.", self._position)
        self._position += count
        return data

    def _skip(self, count: int) -> None:
        if count < 0 or self._position + count > self._source.size_bytes:
            raise Unreadable("An object is longer than the file.", self._position)
        self._position += count

    def _number(self) -> int:
        return int.from_bytes(self._take(4), self._order, signed=True)

    def _length(self) -> int:
        length = self._number()
        return (self._number() << 32) + self._number() if length == -1 else length

    def _item(self, depth: int) -> None:
        """One object. Lists of pairs go on in a loop, everything else one level deeper."""
        if depth > _MAX_DEPTH:
            raise LimitReached("depth", f"R objects are nested more than {_MAX_DEPTH} deep.")
        while True:
            self._items += 1
            if self._items > _MAX_ITEMS:
                raise LimitReached("items", f"The R object has more than {_MAX_ITEMS} parts.")
            flags = self._number()
            kind = flags & 0xFF
            if kind not in _PAIRS:
                self._single(kind, flags, depth)
                return
            if kind in (5, 3):
                self._scan.found(PROMISE if kind == 5 else CLOSURE, offset=self._position)
            if flags & _HAS_ATTRIBUTES or kind in (239, 240):
                self._item(depth + 1)
            if flags & _HAS_TAG:
                self._last = b""
                self._item(depth + 1)
                if self._last in _STARTED:
                    self._scan.found(STARTUP, self._last, offset=self._position)
            self._last = b""
            self._item(depth + 1)
            if kind in (6, 240) and self._last in _ACTING:
                self._scan.found(CALL, f"{self._last.decode('ascii')}()", offset=self._position)

    def _single(self, kind: int, flags: int, depth: int) -> None:
        if kind in _NULLS:
            return
        if kind == 255:
            if flags >> 8 == 0:
                self._numbers(1)
        elif kind == 1:
            self._item(depth + 1)
        elif kind == 9:
            self._text(self._number())
        elif kind in _VECTORS:
            self._values(kind, self._length())
            self._attributes(flags, depth)
        elif kind in _LISTS:
            for _ in range(self._length()):
                self._item(depth + 1)
            self._attributes(flags, depth)
        else:
            self._special(kind, flags, depth)

    def _attributes(self, flags: int, depth: int) -> None:
        if flags & _HAS_ATTRIBUTES:
            self._item(depth + 1)

    def _outside(self, kind: int, depth: int) -> None:
        """Pointers and weak references; objects of S4 have nothing but their attributes."""
        if kind != 25:
            self._scan.found(POINTER, offset=self._position)
        for _ in range(2 if kind == 22 else 0):
            self._item(depth + 1)

    def _special(self, kind: int, flags: int, depth: int) -> None:
        if kind == 4:
            self._numbers(1)
            for _ in range(4):
                self._item(depth + 1)
        elif kind in (249, 248, 247):
            if kind == 247:
                self._scan.found(POINTER, "persistent name", offset=self._position)
            self._numbers(1)
            for _ in range(self._length()):
                self._item(depth + 1)
        elif kind in (7, 8):
            self._text(self._number())
        elif kind == 238:
            for _ in range(3):
                self._item(depth + 1)
        elif kind in (22, 23, 25):
            self._outside(kind, depth)
            self._attributes(flags, depth)
        elif kind in (21, 243, 244):
            self._scan.found(PROMISE, "compiled code", offset=self._position)
            raise Unreadable("Compiled code is not read further.", self._position)
        else:
            raise Unreadable(f"There is no object of the kind {kind}.", self._position)


class _TextWalker(_Walker):
    """Walks the form in which each number and each text stands on a line of its own."""

    def _number(self) -> int:
        line = self._line()
        try:
            return _MISSING if line == b"NA" else int(line)
        except ValueError:
            raise Unreadable("A number of the R object is none.", self._position) from None

    def _numbers(self, count: int) -> None:
        for _ in range(count):
            self._line()

    def _text(self, length: int) -> None:
        if length >= 0:
            self._last = self._line()[:_NAME_BYTES]

    def _values(self, kind: int, count: int) -> None:
        lines = count * (2 if kind == _COMPLEX else 1)
        if not 0 <= lines <= self._source.size_bytes:
            raise Unreadable("An object is longer than the file.", self._position)
        self._numbers(lines)

    def _line(self) -> bytes:
        """The next line. Raises Unreadable at the end, and for one that is too long."""
        line = b""
        while not line.endswith(b"\n"):
            more = self._source.read_at(self._position + len(line), _LINE_BYTES)
            end = more.find(b"\n")
            line += more if end < 0 else more[: end + 1]
            if not more or len(line) > _MAX_LINE_BYTES:
                raise Unreadable("The data end inside an object.", self._position)
        self._position += len(line)
        return line.strip()


def _start(head: bytes) -> int | None:
    """Where the serialisation begins: behind the name of the format of a workspace, or at once."""
    if head.startswith((b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n", b"RDB2\n", b"RDB3\n")):
        return 5
    return 0 if head.startswith(_STARTS) else None


def _claims(probe: Probe) -> Claim:
    if _start(probe.head) is not None:
        return Claim.CONTENT
    return Claim.NAME if probe.hint == "r" else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Walk the object. Raises Unreadable, LimitReached."""
    start = _start(source.read_at(0, 16))
    if start is None:
        raise Unreadable("There is no serialisation of R at the beginning.")
    in_lines = source.read_at(start, 2) in (b"A\n", b"A\r")
    (_TextWalker if in_lines else _Walker)(source, scan, start).walk()


READER = Reader("r", "r", _claims, _read)
