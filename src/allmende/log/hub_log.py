"""The hub's own log as the rest of the hub uses it: its keys, its checkpoints, proofs out of its tiles."""

from pathlib import Path

from allmende.clock import Clock, system_clock
from allmende.log.errors import LogUnsigned
from allmende.log.key_sets import KeySets
from allmende.log.keyring import KeyringFolder
from allmende.log.publishing import Publisher
from allmende.merkle import (
    Checkpoint,
    LogProof,
    Note,
    OutOfTree,
    SigningKey,
    TiledTree,
    TileMissing,
    TileName,
    bundle_at,
    consistency_proof,
    inclusion_proof,
    parse_path,
    read_checkpoint,
    tile_at,
)
from allmende.proof import Signer
from allmende.storage import Database

__all__ = ["HubLog"]


class HubLog:
    """The log of a hub with its data in `data`; `origin` names it when it is new. Nothing is opened yet."""

    def __init__(self, database: Database, data: Path, origin: str, clock: Clock = system_clock) -> None:
        self.keys = KeyringFolder(data / "keys", origin, clock)
        self.key_sets = KeySets(self.keys, clock)
        self.publisher = Publisher(database, data / "log", self.keys)

    @property
    def origin(self) -> str:
        """The name of the log: the first line of its checkpoints. Raises KeysDamaged."""
        return self.keys.read().origin

    @property
    def log_keys(self) -> list[str]:
        """Its verifier keys, the current one first, then those that signed before. Raises KeysDamaged."""
        return self.keys.read().log_keys

    @property
    def statement_keys(self) -> list[str]:
        """The public keys of its statements as PEM, the current one first. Raises KeysDamaged."""
        return [key.public for key in self.keys.read().statement]

    def statement_signer(self) -> Signer:
        """The key that signs statements now. Raises KeysDamaged."""
        return self.keys.statement_signer()

    def witness_key(self) -> SigningKey:
        """The key that cosigns for other logs. Raises KeysDamaged."""
        return self.keys.witness_key()

    def checkpoint(self) -> Note | None:
        """The newest signed checkpoint, with the cosignatures that have come; None before the first."""
        return self.publisher.checkpoints.newest()

    def checkpoint_over(self, number: int) -> Note:
        """A checkpoint that covers an entry: the last that was cosigned, if it does, else the newest.

        Raises LogUnsigned when none does yet.
        """
        for note in (self.publisher.checkpoints.cosigned(), self.checkpoint()):
            if note is not None and read_checkpoint(note.text).size > number:
                return note
        raise LogUnsigned("The entry is in no signed checkpoint yet.")

    def prove(self, number: int, note: Note | None = None) -> LogProof:
        """The proof that an entry is under a checkpoint of this log, by default `checkpoint_over` it.

        Raises LogUnsigned, and OutOfTree for a checkpoint that does not reach so far.
        """
        note = note or self.checkpoint_over(number)
        size = read_checkpoint(note.text).size
        if not 0 <= number < size:
            raise OutOfTree(f"A log of {size} has no entry {number}.")
        return LogProof(number, tuple(inclusion_proof(self._tree(size), number, size)), note)

    def prove_growth(self, old_size: int, size: int) -> list[bytes]:
        """The consistency proof from an older tree of this log. Raises OutOfTree."""
        return consistency_proof(self._tree(size), old_size, size)

    def file(self, path: str) -> bytes:
        """A tile or bundle by its path, as far as it is signed; raises TileMissing, MalformedTile."""
        name = parse_path(path)
        note = self.checkpoint()
        size = 0 if note is None else read_checkpoint(note.text).size
        try:
            there = (
                tile_at(size, name.level, name.index)
                if isinstance(name, TileName)
                else bundle_at(size, name.index)
            )
        except OutOfTree:
            raise TileMissing(f"The log has no {path}.") from None
        if name.width > there.width:
            raise TileMissing(f"The log has no {path}.")
        return self.publisher.tiles.read(name)

    def signed(self) -> Checkpoint | None:
        """What the newest checkpoint says; None before the first."""
        note = self.checkpoint()
        return None if note is None else read_checkpoint(note.text)

    def _tree(self, size: int) -> TiledTree:
        return TiledTree(size, self.publisher.tiles.open)
