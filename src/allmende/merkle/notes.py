"""Signed notes (C2SP signed-note): a text, an empty line, and lines of signatures; the form, not the keys.

What is read is written back byte for byte. A note proves nothing until `signing.KeyRing` has checked it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from allmende.merkle.errors import MalformedNote
from allmende.merkle.keys import is_key_name
from allmende.merkle.strict import read_base64, write_base64

__all__ = ["MAX_NOTE_BYTES", "MAX_SIGNATURES", "Note", "Signature", "read_note", "read_signatures"]

MAX_NOTE_BYTES = 512 * 1024
MAX_SIGNATURES = 100

_DASH = "\u2014"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class Signature:
    """One line: the name and the id of a key, and what that key's kind puts behind them.

    Raises MalformedNote for what no line could say.
    """

    name: str
    key_id: bytes
    data: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name) or len(self.key_id) != _ID_BYTES or not self.data:
            raise MalformedNote(
                f"No key {self.name[:80]!r} has signed with so few bytes, or under such a name."
            )

    def __str__(self) -> str:
        return f"{_DASH} {self.name} {write_base64(self.key_id + self.data)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends with a newline, and the signatures under it; raises MalformedNote for another text."""

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or _CONTROL.search(self.text):
            raise MalformedNote("The text of a note ends with a newline and has no other control character.")

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    def __bytes__(self) -> bytes:
        return str(self).encode()

    def with_signatures(self, added: Iterable[Signature]) -> Self:
        """The note with more signatures, each once."""
        return replace(self, signatures=tuple(dict.fromkeys((*self.signatures, *added))))


def read_note(data: bytes) -> Note:
    """A note from its bytes; raises MalformedNote.

    Refused are more than 512 KiB or 100 signatures, control characters, and any second way to write the same.
    """
    text = _decoded(data)
    at = text.rfind("\n\n")
    if at < 0:
        raise MalformedNote("A note has a text and an empty line before its signatures.")
    return Note(text[: at + 1], read_signatures(text[at + 2 :]))


def read_signatures(text: str) -> tuple[Signature, ...]:
    """One or more lines of signatures, as they end a note; raises MalformedNote."""
    if not text.endswith("\n"):
        raise MalformedNote("A note ends with a line of a signature and a newline.")
    if text.count("\n") > MAX_SIGNATURES:
        raise MalformedNote(f"A note has at most {MAX_SIGNATURES} signatures.")
    return tuple(_signature(line) for line in text[:-1].split("\n"))


def _decoded(data: bytes) -> str:
    if len(data) > MAX_NOTE_BYTES:
        raise MalformedNote(f"A note has at most {MAX_NOTE_BYTES} bytes.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedNote("The note is not UTF-8.") from None
    if _CONTROL.search(text):
        raise MalformedNote("The note has a control character.")
    return text


def _signature(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _DASH:
        raise MalformedNote(f"{line[:80]!r} is not a line of a signature.")
    data = read_base64(parts[2], MalformedNote)
    return Signature(parts[1], data[:_ID_BYTES], data[_ID_BYTES:])
