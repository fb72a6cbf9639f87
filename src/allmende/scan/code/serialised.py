"""Data of other languages and libraries: msgpack and UBJSON."""

import struct
from collections.abc import Callable
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READERS", "RULES"]

FOREIGN_EXTENSION = Rule(
    "msgpack-extension",
    Severity.MEDIUM,
    "values of an unknown kind",
    "The file holds extension values that only the program which wrote it can read.",
    "Save arrays as flax does, or as safetensors.",
    "MessagePack specification, extension types.",
)
RULES = (FOREIGN_EXTENSION,)

_MAX_DEPTH: Final = 200
_MAX_VALUES: Final = 5_000_000
_FLAX_EXTENSIONS: Final = frozenset((1, 2, 3, -1))

# --- msgpack -------------------------------------------------------------------------------------------

_SIZED: Final = {  # code: (width of the length, bytes besides)
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),
    0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
}  # fmt: skip
_FIXED: Final = {
    0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2,
    0xD2: 4, 0xD3: 8,
}  # fmt: skip
_FIXED_EXTENSIONS: Final = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_COUNTED: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _read_msgpack(source: Source, scan: Scan) -> None:
    """Walk all values; arrays are passed over. Raises Unreadable."""
    position, values = 0, 0
    open_counts = [1]
    while open_counts:
        if open_counts[-1] == 0:
            open_counts.pop()
            continue
        open_counts[-1] -= 1
        values += 1
        if values > _MAX_VALUES or len(open_counts) > _MAX_DEPTH:
            raise Unreadable("There are too many values, or they are nested too deep.", position)
        position, children = _msgpack_value(source, position, scan)
        if children:
            open_counts.append(children)
    if position != source.size_bytes:
        raise Unreadable("Bytes follow the value.", position)


def _msgpack_value(source: Source, position: int, scan: Scan) -> tuple[int, int]:
    """Where the value at a position ends, without its children; and how many those are."""
    head = source.read_at(position, 6)
    if not head:
        raise Unreadable("The data end inside a value.", position)
    code, children, size_bytes = head[0], 0, 1
    if code < 0x80 or code >= 0xE0:
        pass
    elif code < 0x90:
        children = 2 * (code & 15)
    elif code < 0xA0:
        children = code & 15
    elif code < 0xC0:
        size_bytes += code & 31
    elif code in _FIXED:
        size_bytes += _FIXED[code]
    elif code in _SIZED:
        width, more = _SIZED[code]
        size_bytes += width + more + int.from_bytes(head[1 : 1 + width], "big")
        if more:
            _extension(source.read_at(position + 1 + width, 1), scan, position)
    elif code in _FIXED_EXTENSIONS:
        size_bytes += 1 + _FIXED_EXTENSIONS[code]
        _extension(head[1:2], scan, position)
    elif code in _COUNTED:
        width, each = _COUNTED[code]
        children = each * int.from_bytes(head[1 : 1 + width], "big")
        size_bytes += width
    else:
        raise Unreadable(f"There is no value of the kind {code:#x}.", position)
    if position + size_bytes + children > source.size_bytes:
        raise Unreadable("A value is longer than the file.", position)
    return position + size_bytes, children


def _extension(kind: bytes, scan: Scan, position: int) -> None:
    number = struct.unpack("b", kind)[0] if kind else 0
    if number not in _FLAX_EXTENSIONS:
        scan.found(FOREIGN_EXTENSION, f"type {number}", offset=position)


# --- UBJSON --------------------------------------------------------------------------------------------

_UBJSON_NUMBERS: Final = {
    ord("i"): 1,
    ord("U"): 1,
    ord("I"): 2,
    ord("l"): 4,
    ord("L"): 8,
    ord("d"): 4,
    ord("D"): 8,
    ord("C"): 1,
}
_UBJSON_EMPTY: Final = frozenset(b"ZNTF")


class _Ubjson:
    """Walks UBJSON (draft 12, as xgboost writes it) with a stack of its own."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0
        self._values = 0

    def walk(self) -> None:
        """One value and the end of the file. Raises Unreadable."""
        self._value(self._byte(), 0)
        if self._position != self._source.size_bytes:
            raise Unreadable("Bytes follow the value.", self._position)

    def _byte(self) -> int:
        data = self._source.read_at(self._position, 1)
        if not data:
            raise Unreadable("The data end inside a value.", self._position)
        self._position += 1
        return data[0]

    def _skip(self, count: int) -> None:
        if count < 0 or self._position + count > self._source.size_bytes:
            raise Unreadable("A value is longer than the file.", self._position)
        self._position += count

    def _length(self) -> int:
        kind = self._byte()
        width = _UBJSON_NUMBERS.get(kind, 0)
        if kind not in b"iUIlL":
            raise Unreadable("A length is no number.", self._position)
        data = self._source.read_at(self._position, width)
        self._skip(width)
        length = int.from_bytes(data, "big", signed=kind != ord("U"))
        if length < 0:
            raise Unreadable("A length is negative.", self._position)
        return length

    def _value(self, kind: int, depth: int) -> None:
        self._values += 1
        if depth > _MAX_DEPTH or self._values > _MAX_VALUES:
            raise Unreadable("There are too many values, or they are nested too deep.", self._position)
        if kind in _UBJSON_EMPTY:
            return
        if kind in _UBJSON_NUMBERS:
            self._skip(_UBJSON_NUMBERS[kind])
        elif kind in b"SH":
            self._skip(self._length())
        elif kind in b"[{":
            self._container(kind, depth)
        else:
            raise Unreadable(f"There is no value of the kind {chr(kind)!r}.", self._position)

    def _container(self, kind: int, depth: int) -> None:
        typed = count = None
        if self._source.read_at(self._position, 1) == b"$":
            self._position += 1
            typed = self._byte()
        if self._source.read_at(self._position, 1) == b"#":
            self._position += 1
            count = self._length()
        if typed is not None and count is None:
            raise Unreadable("A typed container has no count.", self._position)
        if typed in _UBJSON_NUMBERS and kind == ord("[") and count is not None and typed is not None:
            self._skip(count * _UBJSON_NUMBERS[typed])
            return
        end = ord("]") if kind == ord("[") else ord("}")
        while count is None or count > 0:
            if count is None:
                if self._source.read_at(self._position, 1)[:1] == bytes([end]):
                    self._position += 1
                    return
            else:
                count -= 1
            if kind == ord("{"):
                self._skip(self._length())
            self._value(self._byte() if typed is None else typed, depth + 1)


def _read_ubjson(source: Source, _scan: Scan) -> None:
    """The whole value. Raises Unreadable."""
    _Ubjson(source).walk()


def _named(hint: str) -> Callable[[Probe], Claim]:
    def claims(probe: Probe) -> Claim:
        return Claim.NAME if probe.hint == hint else Claim.NONE

    return claims


READERS = (
    Reader("msgpack", "msgpack", _named("msgpack"), _read_msgpack),
    Reader("ubjson", "ubjson", _named("ubjson"), _read_ubjson),
)
