"""From entries in the database to a signed checkpoint: tiles first, then the signing state, then the
signature.

One round is done by one process at a time; a file lock in the log's folder sees to that, since tiles, state
and key lie on this machine. Killed anywhere, the next round goes on: what was not signed is no promise.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from allmende.failpoints import reach
from allmende.log.acts import Statements
from allmende.log.checkpoint_files import CheckpointFiles
from allmende.log.entries import entries_between
from allmende.log.errors import LogContradicted, LogSetBack
from allmende.log.integrating import BATCH, LogSize, announce_keys, integrate, log_size
from allmende.log.key_sets import KeySets
from allmende.log.keyring import KeyringFolder
from allmende.log.signing_state import Signed, SigningState, check_follows
from allmende.log.tile_files import TileFiles
from allmende.merkle import (
    EMPTY_ROOT,
    Checkpoint,
    Frontier,
    Malformed,
    Note,
    OpenTile,
    TileMissing,
    TileName,
    TileRefused,
    bundle_names,
    grow,
    leaf_hash,
    open_edge,
    read_checkpoint,
    read_note,
    signed_checkpoint,
)
from allmende.storage import Database, make_durable_directory, replace_durably

__all__ = ["Publisher"]

_logger = logging.getLogger(__name__)

_STEP = 16 * BATCH
"""Entries whose tiles are made at once."""

_LOCK = "publishing.lock"
_HELD = "held-checkpoint"


class Publisher:
    """Brings the published log up to the outbox. `folder` holds tiles and checkpoints, `keys` the keys."""

    def __init__(self, database: Database, folder: Path, keys: KeyringFolder) -> None:
        self._database = database
        self.folder = folder
        self._keys = keys
        self.tiles = TileFiles(folder)
        self.checkpoints = CheckpointFiles(folder)
        self.key_sets = KeySets(keys)

    def state(self) -> SigningState:
        """What was signed last."""
        return SigningState(self._keys.folder / "signing-state.json", self._keys.read().origin)

    def run(self, statements: Statements, at_most: int = _STEP) -> int:
        """One round: integrate up to `at_most` acts, publish what is new. Returns how many acts it took.

        0 also while another process has its round. Raises LogSetBack, LogContradicted, KeysDamaged: then
        nothing was signed.
        """
        with self.exclusive() as mine:
            if not mine:
                return 0
            keyring = self._keys.read()
            self.check()
            announce_keys(self._database, {**keyring.announced, **self.key_sets.told()})
            taken = 0
            while taken < at_most:
                count = integrate(self._database, statements, keyring.origin)
                taken += count
                if count == 0:
                    break
            self._publish()
            return taken

    def check(self) -> None:
        """Return when the database goes on from what was signed, as far as this machine and witnesses know.

        Raises LogSetBack, LogContradicted. Before anything is appended: acts in a database that was set back
        must not become entries, or nobody could tell later what was lost.
        """
        held = self.held()
        if held is not None:
            raise LogSetBack(
                f"A witness has seen {held.size} entries of this log, more than this machine knows of.",
                hint="Restore the newest backup, then say `allmende admin log resume`; see docs/log.md.",
            )
        signed = self.state().read()
        with self._database.read() as uow:
            now = log_size(uow)
        if now.size <= signed.size:
            check_follows(signed, Signed(now.size, now.root))
        else:
            self._check_grown(signed, now)

    def add_cosigned(self, note: Note) -> None:
        """Serve the cosignatures under a checkpoint of this log."""
        with self.exclusive(wait=True):
            self.checkpoints.add(note)

    def hold(self, note: Note) -> None:
        """Sign nothing more: this checkpoint of the log came from elsewhere, and is larger than what is
        here.
        """
        replace_durably(self._keys.folder / _HELD, bytes(note))

    def held(self) -> Checkpoint | None:
        """The checkpoint for which nothing is signed, if there is one."""
        try:
            return read_checkpoint(read_note((self._keys.folder / _HELD).read_bytes()).text)
        except FileNotFoundError:
            return None

    def resume(self) -> None:
        """Sign again, if the database has by now what the checkpoint says that was held against it.

        Raises LogSetBack when it has less, LogContradicted when it has something else.
        """
        held = self.held()
        if held is not None:
            with self._database.read() as uow:
                size = log_size(uow).size
            if size < held.size:
                check_follows(Signed(held.size, held.root), Signed(size, EMPTY_ROOT))
            if self._extended(Frontier(), held.size).root != held.root:
                raise LogContradicted(
                    f"The first {held.size} entries of the database are not those that a witness has seen.",
                    hint="Restore the newest backup, or begin a new log: `allmende admin log new-log`.",
                )
            with self.exclusive(wait=True):
                self.state().advance(Signed(held.size, held.root))
                (self._keys.folder / _HELD).unlink()
        self.check()

    def forget_signed(self) -> None:
        """A new log begins, under another name and with other keys: nothing of it is signed yet."""
        (self._keys.folder / _HELD).unlink(missing_ok=True)
        self.state().start_over()

    @contextmanager
    def exclusive(self, *, wait: bool = False) -> Iterator[bool]:
        """Whether this process alone may publish now."""
        make_durable_directory(self.folder)
        descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield _taken(descriptor, wait=wait)
        finally:
            os.close(descriptor)

    def _publish(self) -> None:
        state = self.state()
        signed = state.read()
        with self._database.read() as uow:
            now = log_size(uow)
        target = Signed(now.size, now.root)
        check_follows(signed, target)
        if target != signed:
            self._check_grown(signed, now)
            self._write_tiles(signed, now.size)
            reach("log.tiles_written")
        elif self._is_published(target):
            return
        state.advance(target)
        reach("log.before_signing")
        checkpoint = Checkpoint(self._keys.read().origin, target.size, target.root)
        note = signed_checkpoint(checkpoint, self._keys.log_signers())
        reach("log.before_checkpoint")
        self.checkpoints.replace(note)
        reach("log.published")

    def _is_published(self, signed: Signed) -> bool:
        """Whether the served checkpoint is of this tree and every key that signs now has signed it."""
        note = self.checkpoints.newest()
        if note is None:
            return False
        keyring = self._keys.read()
        wanted = Checkpoint(keyring.origin, signed.size, signed.root).text
        ids = {(one.name, one.key_id) for one in note.signatures}
        keys = [key.verifier for key in self._keys.log_signers()]
        return note.text == wanted and all((key.name, key.id) in ids for key in keys)

    def _check_grown(self, signed: Signed, now: LogSize) -> None:
        """Return when the signed tree grows into the database's; raises LogContradicted, LogSetBack."""
        edge = self._edge(signed)
        hashes = tuple(each for tile in reversed(edge.values()) for each in tile.edge)
        frontier = Frontier(signed.size, hashes)
        frontier = self._extended(frontier, now.size)
        if (frontier.size, frontier.root) != (now.size, now.root):
            raise LogContradicted(
                f"The {now.size} entries of the database do not go on from the {signed.size} signed ones.",
                hint="The database was restored from an older backup, or damaged. See docs/log.md.",
            )

    def _edge(self, signed: Signed) -> dict[TileName, OpenTile]:
        """The tiles at the right edge of the signed tree; written again from the entries if they are lost."""
        try:
            return open_edge(signed.size, signed.root, self.tiles.open)
        except (TileMissing, TileRefused, Malformed) as error:
            _logger.warning("tiles of the log are made again: %s", error.message)
        self.rebuild(signed)
        return open_edge(signed.size, signed.root, self.tiles.open)

    def rebuild(self, signed: Signed) -> None:
        """Write every tile of the signed tree from the entries. Raises LogContradicted, LogSetBack."""
        with self._database.read() as uow:
            size = log_size(uow).size
        if size < signed.size:
            check_follows(signed, Signed(size, EMPTY_ROOT))
        if self._extended(Frontier(), signed.size).root != signed.root:
            raise LogContradicted(
                f"The first {signed.size} entries of the database are not those that were signed.",
                hint="See `allmende admin log status` and docs/log.md.",
            )
        self._write_tiles(Signed(), signed.size)

    def _extended(self, frontier: Frontier, size: int) -> Frontier:
        """The edge of the database's tree at a size, from an edge before it."""
        for begin in range(frontier.size, size, _STEP):
            with self._database.read() as uow:
                leaves = entries_between(uow, begin, min(begin + _STEP, size))
            frontier = frontier.extended(map(leaf_hash, leaves))
        return frontier

    def _write_tiles(self, old: Signed, size: int) -> None:
        """Make all tiles and bundles durable that a tree of `size` needs beyond those of the signed one."""
        begin, root = old.size, old.root
        while begin < size:
            end = min(begin + _STEP, size)
            with self._database.read() as uow:
                entries = entries_between(uow, begin, end)
            growth = grow(begin, root, self.tiles.read, map(leaf_hash, entries))
            fresh = iter(entries)
            at = begin
            for name in bundle_names(end, begin):
                upto = name.index * 256 + name.width
                self.tiles.extend_bundle(name, islice(fresh, upto - at))
                at = upto
            for tile, data in growth.tiles.items():
                self.tiles.write(tile, data)
                reach("log.tile_written")
            begin, root = growth.size, growth.root

    def clear_leftovers(self) -> None:
        """Remove what a killed process left half written."""
        with self.exclusive() as mine:
            if mine:
                self.tiles.clear_leftovers()


def _taken(descriptor: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
