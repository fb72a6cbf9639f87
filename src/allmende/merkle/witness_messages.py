"""What a log and a witness say to each other (C2SP tlog-witness, add-checkpoint): bodies and answers."""

from dataclasses import dataclass
from hashlib import sha256

from allmende.merkle.checkpoints import read_checkpoint
from allmende.merkle.errors import MalformedWitnessRequest
from allmende.merkle.notes import MAX_NOTE_BYTES, Note, read_note
from allmende.merkle.strict import read_decimal, read_hashes, write_base64

__all__ = [
    "MAX_REQUEST_BYTES",
    "SIZE_MEDIA_TYPE",
    "TEXT_MEDIA_TYPE",
    "AddCheckpoint",
    "WitnessAnswer",
    "monitoring_path",
    "read_add_checkpoint",
]

SIZE_MEDIA_TYPE = "text/x.tlog.size"
TEXT_MEDIA_TYPE = "text/plain; charset=utf-8"

_MAX_HASHES = 63
_MAX_HEAD_BYTES = 24 + _MAX_HASHES * 45
MAX_REQUEST_BYTES = _MAX_HEAD_BYTES + 2 + MAX_NOTE_BYTES
_OLD = "old "


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the size that the witness should have cosigned last, the proof from there, the note."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note

    def __bytes__(self) -> bytes:
        lines = [f"{_OLD}{self.old_size}", *map(write_base64, self.proof), ""]
        return "".join(f"{line}\n" for line in lines).encode() + bytes(self.note)


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """An answer: HTTP status, body, and the type of the body."""

    status: int
    body: bytes
    media_type: str = TEXT_MEDIA_TYPE


def read_add_checkpoint(body: bytes) -> AddCheckpoint:
    """A request from its body; raises MalformedWitnessRequest, MalformedNote, MalformedCheckpoint."""
    if len(body) > MAX_REQUEST_BYTES:
        raise MalformedWitnessRequest(f"A request has at most {MAX_REQUEST_BYTES} bytes.")
    head, empty_line, checkpoint = body.partition(b"\n\n")
    if not empty_line or len(head) > _MAX_HEAD_BYTES or not head.isascii():
        raise MalformedWitnessRequest("A request has an old size, at most 63 hashes, and an empty line.")
    old_line, *lines = head.decode("ascii").split("\n")
    if not old_line.startswith(_OLD) or len(lines) > _MAX_HASHES:
        raise MalformedWitnessRequest("A request begins with the line old <size>, and at most 63 hashes.")
    old_size = read_decimal(old_line.removeprefix(_OLD), MalformedWitnessRequest)
    note = read_note(checkpoint)
    read_checkpoint(note.text)
    return AddCheckpoint(old_size, read_hashes(lines, MalformedWitnessRequest), note)


def monitoring_path(origin: str) -> str:
    """Where, under its monitoring address, a witness shows the last checkpoint that it cosigned of a log."""
    return f"{sha256(origin.encode()).hexdigest()}/checkpoint"
