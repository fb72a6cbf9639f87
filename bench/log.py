"""The transparency log against its bounds: appending in batches, and making and checking proofs.

First in memory, without a database and without a disk: what the mathematics costs. Then the log of a hub,
from acts in the outbox to a signed checkpoint. Times are processor time of one thread, since the machines are
shared.
"""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from allmende.flows import Services, open_services, run_log
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
from allmende.registry import authenticate, create_account, create_repo, issue_token
from allmende.settings import Settings
from allmende.storage import migrate
from bench.findings import Finding
from bench.place import Place

__all__ = ["measure_log"]

_ENTRIES = 200_000
_BATCHES = (1, 100, 1_000)
_BATCH_ENTRIES = {1: 2_000, 100: 50_000, 1_000: _ENTRIES}
_PROOFS = 5_000
_COLD_PROOFS = 500
_ACTS = 5_000
_HUB_PROOFS = 100
_SECRET = "of the bench"


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


def measure_log(place: Place, rounds: int) -> list[Finding]:
    """All of it."""
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
        *_of_a_hub(place.folder / "log", rounds),
    ]


def _of_a_hub(data: Path, rounds: int) -> list[Finding]:
    """Acts about a public repo become entries, statements, tiles and a checkpoint; then proofs of them."""
    services = open_services(Settings(data=data, workers=0))
    migrate(services.database)
    with services.database.write() as uow:
        issue_token(uow, create_account(uow, "owner", "user"), "t", "write", secret=_SECRET)
        repo = create_repo(uow, services.queue, authenticate(uow, _SECRET), "model", "owner", "model")
    run_log(services)
    rates, walls, proving = [], [], []
    for number in range(rounds):
        with services.database.write() as uow:
            for act in range(_ACTS):
                digest = f"{number * _ACTS + act:064x}"
                told = {"commit": digest[:40], "status": "safe", "digest": digest, "envelope": digest}
                uow.emit("scan.verdict", told, repo_id=repo.id)
        began = time.monotonic()
        rates.append(_ACTS / _cpu(run_log, services))
        walls.append(_ACTS / (time.monotonic() - began))
        proving.append(_cpu(_prove_hub, services, _ACTS * number) / _HUB_PROOFS)
    services.close()
    appended = f"acts of a hub, {_ACTS:,} that wait, to entries, tiles and a checkpoint"
    return [
        Finding(
            "log_hub_appends",
            appended,
            median(rates),
            "/s",
            5_000,
            "at least",
            {"rates": rates, "wall": walls},
        ),
        Finding("log_hub_proof", "one proof of a hub's entry", 1000 * median(proving), "ms", 2),
    ]


def _prove_hub(services: Services, begin: int) -> None:
    for number in range(begin, begin + _ACTS, _ACTS // _HUB_PROOFS):
        services.log.prove(number)


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
