"""The transparency log against its bounds: appending in batches, and making and checking proofs.

In memory, without a database and without a disk: what the mathematics costs. Times are processor time of one
thread, since the machines are shared.
"""

import random
import time
from collections.abc import Callable, Sequence
from statistics import median

from allmende.merkle import (
    EMPTY_ROOT,
    TiledTree,
    TileName,
    bundle_names,
    grow,
    inclusion_proof,
    leaf_hash,
    make_bundle,
    open_tile,
    verify_inclusion,
)
from bench.findings import Finding
from bench.place import Place

__all__ = ["measure_log"]

_ENTRIES = 200_000
_BATCHES = (1, 100, 1_000)
_BATCH_ENTRIES = {1: 2_000, 100: 50_000, 1_000: _ENTRIES}
_PROOFS = 5_000
_COLD_PROOFS = 500


class _Log:
    """A log whose files lie in memory, and which grows in batches."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.size, self.root = 0, EMPTY_ROOT

    def append(self, count: int) -> None:
        fresh = [leaf_hash(entry) for entry in self.entries(self.size, self.size + count)]
        growth = grow(self.size, self.root, self.read, fresh)
        self.files.update((name.path, data) for name, data in growth.tiles.items())
        for name in bundle_names(growth.size, self.size):
            self.files[name.path] = make_bundle(name, self)
        self.size, self.root = growth.size, growth.root

    def read(self, name: TileName) -> bytes:
        return self.files[name.path]

    def entries(self, begin: int, end: int) -> Sequence[bytes]:
        """As long as an entry of the hub's own log is."""
        return [b"%0400d" % at for at in range(begin, end)]


def measure_log(_place: Place, rounds: int) -> list[Finding]:
    """All of it; needs nothing."""
    appended = {batch: [_appending(batch) for _ in range(rounds)] for batch in _BATCHES}
    log = _Log()
    log.append(_ENTRIES)
    return [
        *(
            Finding(
                f"log_appends_{batch}",
                f"entries appended with their tiles and bundles, {batch} at a time",
                median(rates),
                "/s",
                5_000 if batch > 1 else 1_000,
                "at least",
                {"rates": rates},
            )
            for batch, rates in appended.items()
        ),
        *_proofs(log, rounds),
    ]


def _appending(batch: int) -> float:
    log, count = _Log(), _BATCH_ENTRIES[batch]

    def fill() -> None:
        while log.size < count:
            log.append(batch)

    return count / _cpu(fill)


def _proofs(log: _Log, rounds: int) -> list[Finding]:
    """At random places: each from tiles that are opened anew, then from tiles at hand; and their checks."""
    chance = random.Random(1)
    tree = _tree(log)
    _prove_all(tree, range(0, log.size, 256))
    cold, warm, checked = [], [], []
    for _ in range(rounds):
        indexes = [chance.randrange(log.size) for _ in range(_PROOFS)]
        cold.append(_cpu(_prove_anew, log, indexes[:_COLD_PROOFS]) / _COLD_PROOFS)
        warm.append(_cpu(_prove_all, tree, indexes) / _PROOFS)
        checked.append(_cpu(_check_all, log, _prove_all(tree, indexes)) / _PROOFS)
    return [
        Finding(name, what, 1000 * median(seconds), "ms", goal, details={"cpu_s": seconds})
        for name, what, seconds, goal in (
            ("log_proof_cold", f"one inclusion proof among {log.size:,}, no tile at hand", cold, 2),
            ("log_proof", f"one inclusion proof among {log.size:,}, tiles at hand", warm, 0.2),
            ("log_check", "one inclusion proof checked", checked, 0.2),
        )
    ]


def _tree(log: _Log) -> TiledTree:
    """With room for every tile that it opens."""
    return TiledTree(log.size, lambda name: open_tile(name, log.read(name)), kept_tiles=1024)


def _prove_anew(log: _Log, indexes: Sequence[int]) -> None:
    for index in indexes:
        inclusion_proof(_tree(log), index, log.size)


def _prove_all(tree: TiledTree, indexes: Sequence[int]) -> list[tuple[int, list[bytes]]]:
    return [(index, inclusion_proof(tree, index, tree.size)) for index in indexes]


def _check_all(log: _Log, proofs: Sequence[tuple[int, list[bytes]]]) -> None:
    for index, proof in proofs:
        (entry,) = log.entries(index, index + 1)
        verify_inclusion(leaf_hash(entry), index, log.size, proof, log.root)


def _cpu(act: Callable[..., object], *arguments: object) -> float:
    started = time.process_time()
    act(*arguments)
    return time.process_time() - started
