"""The checkpoints that are served: the newest, and the newest that witnesses have cosigned.

The newest gets cosignatures as they come, and is replaced by the next one perhaps before all have come. So
the last one with the most cosignatures is kept beside it: what is old enough is proved against that one.
"""

from datetime import UTC, datetime
from pathlib import Path

from allmende.merkle import Malformed, Note, read_checkpoint, read_note
from allmende.storage import replace_durably

__all__ = ["CheckpointFiles"]


class CheckpointFiles:
    """The two files in the log's folder. Only who publishes writes them."""

    def __init__(self, folder: Path) -> None:
        self._newest = folder / "checkpoint"
        self._cosigned = folder / "checkpoint.cosigned"

    def newest(self) -> Note | None:
        """The newest checkpoint, with what cosignatures it has; None before the first."""
        return _read(self._newest)

    def cosigned(self) -> Note | None:
        """The newest checkpoint that some witness has cosigned; None before the first."""
        return _read(self._cosigned)

    def signed_at(self) -> datetime | None:
        """When the newest was signed, or got its last cosignature."""
        try:
            return datetime.fromtimestamp(self._newest.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def replace(self, note: Note) -> None:
        """Serve a newer checkpoint, or the same one signed by other keys."""
        replace_durably(self._newest, bytes(note))

    def add(self, note: Note) -> None:
        """Keep the cosignatures of a checkpoint: under the newest if it is that one, else as the last
        cosigned.

        What comes after a larger tree was cosigned is of no use, and dropped.
        """
        newest, cosigned = self.newest(), self.cosigned()
        if newest is not None and newest.text == note.text:
            note = newest.with_signatures(note.signatures)
            replace_durably(self._newest, bytes(note))
        if cosigned is not None and cosigned.text == note.text:
            note = cosigned.with_signatures(note.signatures)
        if cosigned is None or _size(cosigned) <= _size(note):
            replace_durably(self._cosigned, bytes(note))

    def clear(self) -> None:
        """Serve none: a new log begins."""
        self._newest.unlink(missing_ok=True)
        self._cosigned.unlink(missing_ok=True)


def _size(note: Note) -> int:
    return read_checkpoint(note.text).size


def _read(path: Path) -> Note | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return read_note(data)
    except Malformed:
        # Half a disk: the next round signs it again, and until then none is served.
        return None
