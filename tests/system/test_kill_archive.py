"""kill -9 at every named point of adding to a store in a folder, and of collecting its garbage.

One store is added to, taken from and collected again and again; each command dies at the next point. What was
told to be there before must be there, byte for byte; what was cut off is there whole or not at all; and after
a last collection nothing is left of the crashes.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from allmende.archive import (
    Archive,
    add_file,
    check_archive,
    collect_garbage,
    entry_name,
    list_entries,
    open_content,
    remove_entries,
)
from allmende.failpoints import ARCHIVE_POINTS
from tests.integration.archive.training import Training
from tests.nursery import run_command

SEEDS = (1, 2, 3)
CAMPAIGN_SEEDS = 30
ADDING = [point for point in ARCHIVE_POINTS if point != "archive.before_removal"]
COLLECTING = [
    point for point in ARCHIVE_POINTS if point not in ("archive.before_commit", "archive.before_answer")
]
LEAST_WRITES = {"add": 3, "gc": 2}
"""How often a command writes to a pack at least: the head and the names, and an add what these mean."""


@dataclass
class Keeper:
    """Commands on one store, and what they were told to have done."""

    folder: Path
    random: Random
    training: Training
    ledger: dict[str, bytes] = field(default_factory=dict)
    pending: dict[str, bytes] = field(default_factory=dict)
    """What a command that died was about."""
    count: int = 0

    def run(self, *arguments: str, point: str) -> bool:
        """Run a command that should die at a point; False if it came to its end."""
        nth = self.random.randint(1, LEAST_WRITES[arguments[0]]) if point == "archive.writing" else 1
        failing = {**os.environ, "ALLMENDE_FAILPOINT": f"{point}:{nth}"}
        ended = run_command(["store", *arguments], cwd=self.folder, env=failing)
        if ended.returncode == -signal.SIGKILL:
            return True
        assert ended.returncode == 0, (arguments, ended.stdout, ended.stderr)
        return False

    def add(self, point: str | None = None) -> None:
        """Write the next checkpoint and add it, here or in a command that dies; repeat what was cut off."""
        if not self.pending:
            self.count += 1
            self.training.step()
            self.pending = {f"run/{self.count:03}.safetensors": self.training.checkpoint()}
        for name, data in self.pending.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            if point is not None:
                assert self.run("add", "store", name, point=point), f"{point} was not reached"
                return
            with Archive.create(self.folder / "store", wait_s=0) as archive:
                add_file(archive, path, entry_name(name))
        self.ledger |= self.pending
        self.pending = {}

    def collect(self, point: str) -> None:
        """Take entries away, one of them a base and one that shares nothing, and collect until it dies."""
        if not self.ledger:
            self.add()  # the rounds before have taken all away
        (self.folder / "noise").write_bytes(self.random.randbytes(40_000))
        name = self.random.choice(sorted(self.ledger))
        with Archive.open(self.folder / "store", wait_s=0) as archive:
            add_file(archive, self.folder / "noise", entry_name("noise"))
            remove_entries(archive, [each for each in list_entries(archive) if each.name in (name, "noise")])
        del self.ledger[name]
        assert self.run("gc", "store", point=point), f"{point} was not reached"

    def check(self) -> None:
        """All that was told is there, and of what was cut off everything or nothing."""
        with Archive.open(self.folder / "store", wait_s=0) as archive:
            checked = check_archive(archive, deep=True)
            assert checked.sound, checked.problems
            found = {
                str(entry.name): open_content(archive, entry.sha256).read() for entry in list_entries(archive)
            }
        assert found.items() >= self.ledger.items()
        assert found.items() <= (self.ledger | self.pending).items()

    def check_leftovers(self) -> None:
        """Once garbage is collected nothing is left that is not needed."""
        with Archive.open(self.folder / "store", wait_s=0) as archive:
            collect_garbage(archive)
            checked = check_archive(archive, deep=True)
            assert checked.sound
            assert checked.notes == []
            assert archive.orphans() == []
            again = collect_garbage(archive)
            assert (again.objects, again.orphans, again.rewritten_packs) == (0, 0, 0)


def run_round(folder: Path, seed: int) -> None:
    """One death at each point, in an order of its own."""
    random = Random(seed)
    folder.mkdir()
    keeper = Keeper(folder, random, Training(seed))
    for _ in range(2):
        keeper.add()
    acts = [("add", point) for point in ADDING] + [("collect", point) for point in COLLECTING]
    for act, point in random.sample(acts, len(acts)):
        if act == "add":
            keeper.add(point)
            keeper.check()
            keeper.add()
        else:
            keeper.collect(point)
        keeper.check()
    keeper.add()
    keeper.check_leftovers()
    keeper.check()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_told_is_lost_and_nothing_half_done_stays(tmp_path: Path) -> None:
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        for each in [pool.submit(run_round, tmp_path / str(seed), seed) for seed in SEEDS]:
            each.result()


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, CAMPAIGN_SEEDS + 1))
def test_thirty_rounds_at_each_point(tmp_path: Path, seed: int) -> None:
    run_round(tmp_path / str(seed), seed)
