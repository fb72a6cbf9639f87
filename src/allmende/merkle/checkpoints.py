"""Checkpoints (C2SP tlog-checkpoint): the text of a note that says which tree a log has."""

import re
from dataclasses import dataclass

from allmende.merkle.errors import MalformedCheckpoint
from allmende.merkle.hashes import HASH_BYTES
from allmende.merkle.keys import MAX_NAME_BYTES
from allmende.merkle.strict import MAX_SIZE, read_decimal, read_hash, write_base64

__all__ = ["Checkpoint", "read_checkpoint"]

_UNWRITABLE = re.compile(r"[\x00-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log's name, how many entries it has, and the root over them; raises MalformedCheckpoint.

    `extensions` are lines of unknown meaning. An ML-DSA-44 signature does not cover them.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(not line or _UNWRITABLE.search(line) for line in (self.origin, *self.extensions)):
            raise MalformedCheckpoint("A line of a checkpoint is empty or has a control character.")
        if len(self.origin.encode()) > MAX_NAME_BYTES:
            raise MalformedCheckpoint(f"The origin has more than {MAX_NAME_BYTES} bytes.")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise MalformedCheckpoint(
                f"No tree has the size {self.size} and a root of {len(self.root)} bytes."
            )

    @property
    def text(self) -> str:
        """The text that is signed, with its last newline."""
        lines = (self.origin, str(self.size), write_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def read_checkpoint(text: str) -> Checkpoint:
    """A checkpoint from the text of a note; raises MalformedCheckpoint. `text` of it is the same again."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "":
        raise MalformedCheckpoint("A checkpoint has three lines: the origin, the size and the root.")
    origin, size, root, *extensions = lines
    return Checkpoint(
        origin,
        read_decimal(size, MalformedCheckpoint),
        read_hash(root, MalformedCheckpoint),
        tuple(extensions),
    )
