"""A mirror of a log in a folder: all entries and tiles, every checkpoint that was seen, public statements.

    checkpoint                     the newest, as the log signed it
    checkpoints/<size>.note        every one that was seen
    tile/…, tile/entries/…         as the log serves them; made here from the entries that were checked
    statements/<thousand>/<index>.json
    policy                         by which the log is believed
    mirror.json                    how far the mirror is
    fork-….equivocation            evidence, should the log ever contradict itself

The folder can be served as it is, and `mirror_checking` checks it without a network. A step takes what is
new up to one checkpoint. Nothing is believed before it is tied to the root that the checkpoint names, and the
tree must begin with what the mirror has: a log that forks leaves a file with the evidence, and is not
followed.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from allmende.client.errors import LogForked, UnexpectedAnswer
from allmende.client.files import put_whole, read_bounded
from allmende.client.log_sources import FolderLog, LogSource, read_statement_file
from allmende.errors import BadRequest, TooLarge
from allmende.merkle import (
    EMPTY_ROOT,
    MAX_NOTE_BYTES,
    MAX_POLICY_BYTES,
    MAX_SIZE,
    TILE_WIDTH,
    BundleName,
    Checkpoint,
    Equivocation,
    Note,
    OutOfTree,
    Policy,
    ProofRefused,
    TiledLog,
    TileName,
    TileRefused,
    bundle_at,
    bundle_names,
    find_equivocation,
    grow,
    leaf_hash,
    pack_bundle,
    read_checkpoint,
    read_note,
    read_policy,
    tile_at,
    tile_names,
)
from allmende.proof import PRIVATE, LogEntry, MalformedEntry, read_entry

__all__ = ["DEFAULT_LIMIT_BYTES", "LogMirror", "MirrorStep", "mirror_policy"]

DEFAULT_LIMIT_BYTES = 64 * 1024**3
"""How much a mirror takes at most unless more is allowed: a hostile log has no end."""

_STATE = "mirror.json"
_SCHEMA = "allmende.log-mirror/1"
_MAX_STATE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class MirrorStep:
    """What a step came to."""

    size: int
    fresh: int
    """How many entries are new."""
    statements: int
    """How many statements came with them."""
    is_behind: bool = False
    """The log showed an older state than the mirror has, which does not contradict it."""


@dataclass(frozen=True, slots=True)
class _State:
    """The tree whose files are all here, how far statements were asked for, and the bytes of all entries."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    asked: int = 0
    size_bytes: int = 0


class LogMirror:
    """A mirror in a folder. Raises UnexpectedAnswer where the folder holds a broken one."""

    def __init__(
        self,
        folder: Path,
        source: LogSource,
        policy: Policy,
        *,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        with_statements: bool = True,
        told: Callable[[int, int], None] | None = None,
    ) -> None:
        self.folder = folder
        self._here = FolderLog(folder)
        self._source = source
        self._policy = policy
        self._limit_bytes = limit_bytes
        self._with_statements = with_statements
        self._told = told
        self._state = self._read_state()

    @property
    def size(self) -> int:
        """How many entries are here."""
        return self._state.size

    def step(self) -> MirrorStep:
        """Take what is new. What an interrupted step took stays, and is not taken again.

        Raises LogForked, SignatureRefused, QuorumMissed, TileRefused, TooLarge, and what the source raises.
        """
        before = self._state
        note = read_note(self._source.fetch("checkpoint", MAX_NOTE_BYTES))
        tree = self._policy.check(note).checkpoint
        last = self.last_note()
        if last is not None and tree.size < read_checkpoint(last.text).size:
            self._check_prefix(note, tree, last)
            return MirrorStep(before.size, 0, 0, is_behind=True)
        log = TiledLog(self._source.fetch, tree)
        self._check_extends(log, note, last)
        self._take_entries(log)
        self._keep_note(note, tree)
        self._drop_partial(before.size, tree.size, tree.size)
        statements = self._take_statements(log, tree.origin) if self._with_statements else 0
        return MirrorStep(tree.size, tree.size - before.size, statements)

    def last_note(self) -> Note | None:
        """The newest checkpoint that is here whole, with its signatures."""
        path = self.folder / "checkpoint"
        return read_note(read_bounded(path, MAX_NOTE_BYTES)) if path.exists() else None

    def _check_extends(self, log: TiledLog, note: Note, last: Note | None) -> None:
        """The tree begins with the last signed one, and with what an interrupted step has taken."""
        if last is not None:
            old = read_checkpoint(last.text)
            if old.origin != log.checkpoint.origin:
                raise BadRequest(f"The folder mirrors the log {old.origin}, not {log.checkpoint.origin}.")
            try:
                log.check_extends(old)
            except ProofRefused:
                self._report_fork(find_equivocation(last, note, log.tree))
        state = self._state
        try:
            log.check_extends(Checkpoint(log.checkpoint.origin, state.size, state.root))
        except ProofRefused as error:
            raise LogForked(
                "The log does not begin with what the mirror took before. No checkpoint of that state was "
                "signed, so that nothing can be proven of it.",
                hint="Mirror into another folder, and keep this one.",
            ) from error

    def _check_prefix(self, note: Note, tree: Checkpoint, last: Note) -> None:
        """An older checkpoint is no contradiction if the mirror's tree begins with it."""
        here = TiledLog(self._here.fetch, read_checkpoint(last.text))
        evidence = find_equivocation(note, last, here.tree)
        if evidence is not None:
            self._report_fork(evidence)

    def _report_fork(self, evidence: Equivocation | None) -> None:
        if evidence is None:
            raise UnexpectedAnswer("The log's proof that it has only grown is broken.")
        data = bytes(evidence)
        sizes = [read_checkpoint(one.text).size for one in (evidence.smaller, evidence.larger)]
        path = self.folder / f"fork-{sizes[0]}-{sizes[1]}.equivocation"
        put_whole(path, data)
        raise LogForked(
            f"The log has signed two histories: trees of {sizes[0]} and {sizes[1]} entries do not agree.",
            hint=f"The evidence, which anyone can check with the log's key, is in {path}.",
        )

    def _take_entries(self, log: TiledLog) -> None:
        size, kept = log.checkpoint.size, self._state.size
        for index in range(kept // TILE_WIDTH, -(-size // TILE_WIDTH)):
            before = self._state.size
            begin = index * TILE_WIDTH
            entries = list(log.entries(begin, min(begin + TILE_WIDTH, size)))
            self._add(entries[self._state.size - begin if self._state.size > begin else 0 :], begin, entries)
            self._write_state()
            self._drop_partial(before, self._state.size, kept)
            if self._told is not None:
                self._told(self._state.size, size)
        if (self._state.size, self._state.root) != (size, log.checkpoint.root):
            raise TileRefused("The entries of the log do not make up the root of its checkpoint.")
        self._write_state()

    def _add(self, fresh: list[bytes], begin: int, entries: list[bytes]) -> None:
        """Write one bundle, and the tiles that grow with it; entries were checked against the checkpoint."""
        state = self._state
        size_bytes = state.size_bytes + sum(map(len, fresh))
        if size_bytes > self._limit_bytes or begin + len(entries) > MAX_SIZE:
            raise TooLarge(
                f"The entries of the log take more than {self._limit_bytes} bytes.",
                hint="Allow more with --limit if you trust that the log is so large.",
            )
        growth = grow(state.size, state.root, self._tile, map(leaf_hash, fresh))
        put_whole(self.folder / bundle_at(growth.size, begin // TILE_WIDTH).path, pack_bundle(entries))
        for name, data in growth.tiles.items():
            put_whole(self.folder / name.path, data)
        self._state = _State(growth.size, growth.root, state.asked, size_bytes)

    def _tile(self, name: TileName) -> bytes:
        return self._here.fetch(name.path, 1 << 16)

    def _drop_partial(self, old_size: int, size: int, kept_size: int) -> None:
        """Remove what was partial in the old tree and has grown; not before the state says the new size.

        What the tree of `kept_size` needs stays: it is that of the checkpoint, until a newer one is here.
        """
        names: set[TileName | BundleName] = set(tile_names(size, old_size)) | set(
            bundle_names(size, old_size)
        )
        for name in names:
            old = _partial_of(name, old_size)
            if old is not None and old not in (name, _partial_of(name, kept_size)):
                (self.folder / old.path).unlink(missing_ok=True)

    def _keep_note(self, note: Note, tree: Checkpoint) -> None:
        history = self.folder / "checkpoints" / f"{tree.size}.note"
        if not history.exists():
            put_whole(history, bytes(note))
        put_whole(self.folder / "checkpoint", bytes(note))

    def _take_statements(self, log: TiledLog, hub: str) -> int:
        count = 0
        state = self._state
        for index, data in enumerate(log.entries(state.asked, state.size), start=state.asked):
            entry = _entry(data)
            served = self._source.statement(index) if entry is not None and entry.kind != PRIVATE else None
            if served is not None:
                read_statement_file(served, index, data, hub)
                put_whole(self._here.statement_path(index), served)
                count += 1
            if index % TILE_WIDTH == 0:
                self._state = replace(state, asked=index)
                self._write_state()
        self._state = replace(state, asked=state.size)
        self._write_state()
        return count

    def _read_state(self) -> _State:
        path = self.folder / _STATE
        if not path.exists():
            return _State()
        try:
            value = json.loads(read_bounded(path, _MAX_STATE_BYTES))
            if value["schema"] != _SCHEMA:
                raise ValueError(value["schema"])
            return _State(
                int(value["size"]),
                bytes.fromhex(value["root"]),
                int(value["asked"]),
                int(value["size_bytes"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise UnexpectedAnswer(f"{path} does not say how far the mirror is.") from error

    def _write_state(self) -> None:
        state = self._state
        value = {
            "schema": _SCHEMA,
            "size": state.size,
            "root": state.root.hex(),
            "asked": state.asked,
            "size_bytes": state.size_bytes,
        }
        put_whole(self.folder / _STATE, json.dumps(value).encode() + b"\n")


def mirror_policy(folder: Path, given: bytes | None) -> bytes | None:
    """The policy of a mirror: the given one, which is kept, or the kept one. Raises MalformedPolicy."""
    path = folder / "policy"
    if given is None:
        return read_bounded(path, MAX_POLICY_BYTES) if path.exists() else None
    read_policy(given)
    put_whole(path, given)
    return given


def _entry(data: bytes) -> LogEntry | None:
    """An entry of the form that hubs write; other logs may have others."""
    try:
        return read_entry(data)
    except MalformedEntry:
        return None


def _partial_of(name: TileName | BundleName, old_size: int) -> TileName | BundleName | None:
    """The partial tile or bundle of the old tree at the same place."""
    try:
        if isinstance(name, BundleName):
            return bundle_at(old_size, name.index)
        return tile_at(old_size, name.level, name.index)
    except OutOfTree:
        return None
