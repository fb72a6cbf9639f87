"""Walking protocol buffers by their wire format alone (protobuf encoding guide): fields, and what is nested.

No schema is compiled and no class is made. Long values are told by their place, so that weights are passed
over without being read. Groups, which no schema of a model has any more, are skipped with all that is in
them, as every implementation skips what it does not know.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from allmende.scan.budget import LimitReached
from allmende.scan.scanning import Unreadable
from allmende.scan.source import Source

__all__ = ["LENGTH", "VARINT", "Field", "Message", "nested_messages"]

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
GROUP: Final = 3
GROUP_END: Final = 4
FIXED32: Final = 5
_WINDOW_BYTES: Final = 32 * 1024
_MAX_FIELDS: Final = 5_000_000
_KEY_END: Final = 2**32  # some readers keep so many bits, and see another field
_MAX_SIBLINGS: Final = 1_000_000
_LAST_BYTE: Final = 0x7F
_MAX_TEXT_BYTES: Final = 64 * 1024 * 1024
_MAX_DEPTH: Final = 100  # beyond it no implementation reads on


class Field(NamedTuple):
    """One field: its number and kind; a number's `value`, or where the bytes begin and how long they are.

    There are millions of them, and a tuple is made several times as fast as a frozen dataclass.
    """

    number: int
    wire: int
    value: int
    start: int
    size_bytes: int


class _Window:
    """The bytes around the place that is read, shared by all messages of a file, and what they may cost."""

    __slots__ = ("data", "left", "source", "start")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.data = b""
        self.start = 0
        self.left = _MAX_FIELDS

    def byte(self, position: int) -> int:
        """The byte at a position that lies in the source."""
        at = position - self.start
        if not 0 <= at < len(self.data):
            self.data = self.source.read_at(position, _WINDOW_BYTES)
            self.start, at = position, 0
        return self.data[at]

    def charge(self) -> None:
        """One more field. Raises LimitReached."""
        self.left -= 1
        if self.left < 0:
            raise LimitReached("fields", f"The message has more than {_MAX_FIELDS} fields.")


class Message:
    """The fields between two places of a source."""

    def __init__(
        self,
        source: Source,
        start: int = 0,
        size_bytes: int | None = None,
        window: _Window | None = None,
        *,
        shortens_keys: bool = False,
    ) -> None:
        self._source = source
        self._start = start
        self._end = source.size_bytes if size_bytes is None else start + size_bytes
        self._window = _Window(source) if window is None else window
        self._shortens_keys = shortens_keys

    def fields(self) -> Iterator[Field]:
        """All fields in order. Raises Unreadable where the wire format is broken, and LimitReached.

        Groups are passed over; one that is not ended by its own number is broken, and so is an end alone.
        """
        position, end, window = self._start, self._end, self._window
        groups: list[int] = []
        while position < end:
            window.charge()
            key = window.byte(position)
            position += 1
            if key > _LAST_BYTE:
                key, position = self._long_key(position - 1)
            number, wire = key >> 3, key & 7
            value, size_bytes = 0, 0
            if wire == VARINT:
                value, position = self._varint(position)
            elif wire in (FIXED64, FIXED32):
                size_bytes = 8 if wire == FIXED64 else 4
            elif wire == LENGTH:
                size_bytes, position = self._varint(position)
            elif wire not in (GROUP, GROUP_END):
                raise Unreadable(f"A field has the wire type {wire}.", position)
            if number == 0 or position + size_bytes > end:
                raise Unreadable("A field goes beyond the end of its message.", position)
            if wire in (GROUP, GROUP_END):
                _enter_or_leave(groups, number, wire, position)
            elif not groups:
                yield Field(number, wire, value, position, size_bytes)
            position += size_bytes
        if groups:
            raise Unreadable("The message ends inside a group.", position)

    def _long_key(self, position: int) -> tuple[int, int]:
        """A key of more than one byte: implementations differ in what they make of more than 32 bits."""
        key, end = self._varint(position)
        if key >= _KEY_END and not self._shortens_keys:
            raise Unreadable("The number of a field is impossible.", end)
        return key % _KEY_END, end

    def inner(self, field: Field) -> "Message":
        """The message that a field holds."""
        return Message(
            self._source, field.start, field.size_bytes, self._window, shortens_keys=self._shortens_keys
        )

    def leniently(self) -> "Message":
        """The same, but keys of more than 32 bits are cut off, as some implementations do."""
        return Message(self._source, self._start, self._end - self._start, self._window, shortens_keys=True)

    def bytes_of(self, field: Field, most: int = _MAX_TEXT_BYTES) -> bytes:
        """The bytes of a field, `most` of them."""
        return self._source.read_at(field.start, min(field.size_bytes, most))

    def numbers(self) -> Iterator[int]:
        """The numbers that are packed into it instead of fields. Raises Unreadable, LimitReached."""
        position = self._start
        while position < self._end:
            self._window.charge()
            value, position = self._varint(position)
            yield value

    def beginning(self, most: int) -> bytes:
        """The bytes of the message itself, `most` of them."""
        return self._source.read_at(self._start, min(self._end - self._start, most))

    def text_of(self, field: Field) -> str:
        """The text of a field."""
        return self.bytes_of(field).decode("utf-8", "replace")

    def text(self, number: int) -> str:
        """The text of the last field with this number; empty where there is none."""
        found = ""
        for field in self.fields():
            if field.number == number and field.wire == LENGTH:
                found = self.text_of(field)
        return found

    def _varint(self, position: int) -> tuple[int, int]:
        value = self._window.byte(position) if position < self._end else _LAST_BYTE + 1
        if value <= _LAST_BYTE:
            return value, position + 1
        value = 0
        for shift in range(0, 70, 7):
            if position >= self._end:
                raise Unreadable("The message ends inside a number.", position)
            byte = self._window.byte(position)
            position += 1
            value |= (byte & _LAST_BYTE) << shift
            if byte <= _LAST_BYTE:
                return value, position
        raise Unreadable("A number is too long.", position)


def _enter_or_leave(groups: list[int], number: int, wire: int, position: int) -> None:
    """A group begins, or the innermost one ends. Raises Unreadable."""
    if wire == GROUP:
        groups.append(number)
        if len(groups) > _MAX_DEPTH:
            raise Unreadable(f"Groups are nested more than {_MAX_DEPTH} deep.", position)
    elif not groups or groups.pop() != number:
        raise Unreadable("A group ends that was not begun.", position)


def nested_messages(message: Message) -> Iterator[tuple[Message, list[Field]]]:
    """Every message inside, whatever its type, with its fields; what reads as none is passed over.

    For files whose schema is not known: a text may read as a message by accident, which does no harm to who
    looks for exact names. Keys that implementations read differently are read as the most lenient one does.
    """
    yield from _nested(message.leniently(), 0)


def _nested(message: Message, depth: int) -> Iterator[tuple[Message, list[Field]]]:
    try:
        fields = list(islice(message.fields(), _MAX_SIBLINGS + 1))
    except Unreadable:
        return
    if len(fields) > _MAX_SIBLINGS:
        raise LimitReached("fields", f"A message has more than {_MAX_SIBLINGS} fields.")
    yield message, fields
    if depth >= _MAX_DEPTH:
        return
    for field in fields:
        if field.wire == LENGTH and field.size_bytes >= 2:
            yield from _nested(message.inner(field), depth + 1)
