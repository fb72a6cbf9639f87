"""Checking a mirror without a network: all of it against its newest checkpoint, and that by a policy.

The tree is made anew from the entries. Every checkpoint that was ever seen has to be the tree of its size,
every tile has to be what follows, and every statement has to be the one that its entry commits to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from allmende.client.errors import LogForked, UnexpectedAnswer
from allmende.client.log_sources import FolderLog, read_statement_file
from allmende.errors import NotFound
from allmende.merkle import (
    MAX_NOTE_BYTES,
    TILE_WIDTH,
    Accepted,
    Checkpoint,
    Frontier,
    Policy,
    TiledLog,
    TileRefused,
    leaf_hash,
    read_note,
    tile_names,
)

__all__ = ["CheckedMirror", "check_mirror"]

_MAX_TILE_BYTES = TILE_WIDTH * 32


@dataclass(frozen=True, slots=True)
class CheckedMirror:
    """What was found right."""

    accepted: Accepted
    entries: int
    checkpoints: int
    statements: int


def check_mirror(folder: Path, policy: Policy) -> CheckedMirror:
    """Check a mirror whole; reads all of it, once and some of it twice.

    Raises NotFound where there is none, LogForked when a checkpoint of the history is of another tree,
    SignatureRefused and QuorumMissed, TileMissing and TileRefused, UnexpectedAnswer for a wrong statement.
    """
    source = FolderLog(folder)
    if not (folder / "checkpoint").exists():
        raise NotFound(f"There is no mirror of a log in {folder}.", hint="Make one with allmende log mirror.")
    accepted = policy.accept(source.fetch("checkpoint", MAX_NOTE_BYTES))
    log = TiledLog(source.fetch, accepted.checkpoint)
    seen = _history(folder, policy)
    _check_history(log, seen)
    _check_tiles(log, source)
    return CheckedMirror(accepted, accepted.checkpoint.size, len(seen), _check_statements(log, source))


def _history(folder: Path, policy: Policy) -> dict[int, Checkpoint]:
    """Every checkpoint that was seen, by size; each signed by the log, whatever witnesses there were then."""
    logs = Policy(policy.logs, (), (), None)
    found: dict[int, Checkpoint] = {}
    for path in sorted((folder / "checkpoints").glob("*.note")):
        note = read_note(path.read_bytes()[: MAX_NOTE_BYTES + 1])
        checkpoint = logs.check(note).checkpoint
        if path.name != f"{checkpoint.size}.note":
            raise UnexpectedAnswer(f"{path} has a checkpoint of {checkpoint.size} entries.")
        found[checkpoint.size] = checkpoint
    return found


def _check_history(log: TiledLog, seen: dict[int, Checkpoint]) -> None:
    size = log.checkpoint.size
    if any(each > size for each in seen):
        raise LogForked("A checkpoint of the history is of a larger tree than the newest.")
    frontier = Frontier()
    entries = log.entries(0, size)
    for each in sorted(seen):
        frontier = frontier.extended(_leaves(entries, each - frontier.size))
        if frontier.root != seen[each].root:
            raise LogForked(
                f"The checkpoint of {each} entries is of another tree than the newest one: the log forked.",
                hint=f"Keep checkpoints/{each}.note and checkpoint: both are signed by the log.",
            )
    frontier = frontier.extended(_leaves(entries, size - frontier.size))
    if frontier.root != log.checkpoint.root:
        raise TileRefused("The entries do not make up the root of the checkpoint.")


def _leaves(entries: Iterator[bytes], count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield leaf_hash(next(entries))


def _check_tiles(log: TiledLog, source: FolderLog) -> None:
    """Every tile of the size is there, and holds what follows from the entries."""
    for name in tile_names(log.checkpoint.size):
        hashes = b"".join(log.tree.tile(name.level, name.index).hashes)
        if source.fetch(name.path, _MAX_TILE_BYTES) != hashes:
            raise TileRefused(f"{name.path} does not hold the hashes of its entries.")


def _check_statements(log: TiledLog, source: FolderLog) -> int:
    indexes = source.statement_indexes()
    for index in indexes:
        served = source.statement(index)
        if served is None or index >= log.checkpoint.size:
            raise UnexpectedAnswer(f"There is a statement about entry {index}, which the log does not have.")
        read_statement_file(served, index, log.entry(index), log.checkpoint.origin)
    return len(indexes)
