"""A log that somebody knows: its origin and its keys, and with them its checkpoints."""

from dataclasses import dataclass
from typing import Self

from allmende.merkle.checkpoints import Checkpoint, read_checkpoint
from allmende.merkle.errors import SignatureRefused
from allmende.merkle.keys import VerifierKey
from allmende.merkle.notes import Note, Signature, read_note
from allmende.merkle.signing import KeyRing, check_covered

__all__ = ["KnownLog", "SignedCheckpoint"]


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose log has signed it, with the log's own signatures, and the note as it came."""

    checkpoint: Checkpoint
    note: Note
    log_signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class KnownLog:
    """The name that a log's checkpoints begin with, and the keys that may sign them."""

    origin: str
    keys: tuple[VerifierKey, ...]

    @classmethod
    def of_key(cls, key: VerifierKey) -> Self:
        """The log whose only key bears its origin as name, as logs should have it."""
        return cls(key.name, (key,))

    def open(self, data: bytes) -> SignedCheckpoint:
        """A checkpoint of this log from its bytes.

        Raises MalformedNote, MalformedCheckpoint, or SignatureRefused when it is of another log or unsigned.
        """
        return self.check(read_note(data))

    def check(self, note: Note) -> SignedCheckpoint:
        """As `open`, for a note that was read."""
        checkpoint = read_checkpoint(note.text)
        if checkpoint.origin != self.origin:
            raise SignatureRefused(
                f"The checkpoint is of the log {checkpoint.origin[:80]!r} and not of {self.origin!r}."
            )
        signed = KeyRing(self.keys).check(note)
        check_covered(checkpoint, (each.key for each in signed))
        return SignedCheckpoint(checkpoint, note, tuple(each.signature for each in signed))
