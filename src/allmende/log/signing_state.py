"""What the log's key has signed last: kept beside the key and not in the database, and moved forward only.

It is durable before a checkpoint is signed. So a database that was set back, with its key state left as it
was, meets a state that is ahead of it, and nothing is signed that contradicts what others have seen already.
Who sets back the whole machine sets back this file too: only a witness notices that.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from allmende.log.errors import KeysDamaged, LogContradicted, LogSetBack
from allmende.merkle import EMPTY_ROOT, HASH_BYTES
from allmende.storage import replace_durably

__all__ = ["Signed", "SigningState"]

_SCHEMA = "allmende.log-signing-state/1"


@dataclass(frozen=True, slots=True)
class Signed:
    """The newest tree that the key may have signed."""

    size: int = 0
    root: bytes = EMPTY_ROOT


class SigningState:
    """The file of the state of one log."""

    def __init__(self, path: Path, origin: str) -> None:
        self._path = path
        self._origin = origin

    def read(self) -> Signed:
        """What was signed last; nothing, if there is no file. Raises KeysDamaged."""
        try:
            text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return Signed()
        try:
            found = json.loads(text)
            signed = Signed(int(found["size"]), bytes.fromhex(found["root"]))
            sound = found["schema"] == _SCHEMA and signed.size >= 0 and len(signed.root) == HASH_BYTES
            origin = found["origin"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged() from error
        if not sound or origin != self._origin:
            raise self._damaged()
        return signed

    def advance(self, new: Signed) -> None:
        """Make it durable that `new` may be signed now.

        Raises LogSetBack for a smaller tree, LogContradicted for another root of the same size.
        """
        old = self.read()
        check_follows(old, new)
        if new != old or not self._path.exists():
            self._write(new)

    def start_over(self) -> None:
        """Forget what was signed. Only for a log with another origin or other keys."""
        self._write(Signed())

    def _write(self, signed: Signed) -> None:
        state = {
            "schema": _SCHEMA,
            "origin": self._origin,
            "size": signed.size,
            "root": signed.root.hex(),
        }
        replace_durably(self._path, (json.dumps(state, indent=1) + "\n").encode())

    def _damaged(self) -> KeysDamaged:
        return KeysDamaged(
            f"{self._path} does not say what the log {self._origin} has signed.",
            hint="Restore the folder `keys` from the newest backup; see docs/log.md.",
        )


def check_follows(old: Signed, new: Signed) -> None:
    """Return when a tree may be signed after another one: it is larger, or the same."""
    if new.size < old.size:
        raise LogSetBack(
            f"The database has {new.size} entries of the log, and {old.size} were signed already.",
            hint="It was restored from an older backup. Nothing is signed until `allmende admin log status` "
            "is clear; docs/log.md says what to do.",
        )
    if new.size == old.size and new.root != old.root:
        raise LogContradicted(
            f"The database has another history of {new.size} entries than the one that was signed.",
            hint="See `allmende admin log status` and docs/log.md.",
        )
