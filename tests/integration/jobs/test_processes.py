"""Several processes on one database file, and kill -9 in the middle: each job done, none lost."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import allmende
from allmende.clock import Clock, system_clock
from allmende.jobs import SqlJobQueue
from allmende.storage import Database

PROGRAM = Path(__file__).with_name("worker_process.py")
PATIENCE_S = 60.0

StartProcess = Callable[[], "subprocess.Popen[str]"]
ReadJournal = Callable[[], "Counter[str]"]


@pytest.fixture
def clock() -> Clock:
    """These tests live in real time."""
    return system_clock


@pytest.fixture
def workers(database: Database, database_url: str, tmp_path: Path) -> Iterator[StartProcess]:
    """Start worker processes; those still alive at the end are killed."""
    started: list[subprocess.Popen[str]] = []
    sources = str(Path(allmende.__file__).parents[1])

    def start() -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), database_url, str(tmp_path / "journal")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": sources},
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def journal(tmp_path: Path) -> ReadJournal:
    def read() -> "Counter[str]":
        path = tmp_path / "journal"
        return Counter(path.read_text().splitlines()) if path.exists() else Counter()

    return read


def fill(database: Database, queue: SqlJobQueue, jobs: int) -> None:
    with database.write() as uow:
        for n in range(jobs):
            queue.enqueue(uow, "count", {"n": n}, key=f"count:{n}")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_three_processes_share_the_jobs_and_do_each_once(
    database: Database, workers: StartProcess, journal: ReadJournal
) -> None:
    queue = SqlJobQueue(database)
    fill(database, queue, 150)
    for process in [workers() for _ in range(3)]:
        assert process.poll() is None
    wait_until(lambda: queue.counts() == {("count", "done"): 150})
    assert journal() == Counter(f"{word} {n}" for n in range(150) for word in ("begin", "end"))


def test_nothing_is_lost_when_workers_are_killed(
    database: Database, workers: StartProcess, journal: ReadJournal
) -> None:
    queue = SqlJobQueue(database)
    chance = random.Random(20260301)
    running = [workers() for _ in range(4)]
    fill(database, queue, 300)

    def ended() -> int:
        return sum(1 for line in journal() if line.startswith("end"))

    def has_ended(least: int) -> bool:
        return ended() >= least

    for killed_after in (50, 120, 190):
        wait_until(partial(has_ended, killed_after))
        time.sleep(chance.uniform(0, 0.02))
        victim = running.pop(0)
        victim.kill()
        victim.wait()
        assert ended() < 300, "killed too late to show anything"
    wait_until(lambda: queue.counts() == {("count", "done"): 300})
    seen = journal()
    assert all(seen[f"end {n}"] >= 1 for n in range(300))
    # A kill costs the jobs that its two threads were in, and no more.
    assert sum(seen[f"begin {n}"] - 1 for n in range(300)) <= 2 * 3
    assert max(found.attempts for found in queue.list_jobs(limit=300)) > 1


def test_a_process_that_is_asked_to_stop_gives_its_jobs_back(
    database: Database, workers: StartProcess, journal: ReadJournal
) -> None:
    queue = SqlJobQueue(database)
    fill(database, queue, 200)
    process = workers()
    wait_until(lambda: len(journal()) > 5)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(PATIENCE_S) == 0
    counts = queue.counts()
    assert ("count", "running") not in counts
    assert counts["count", "waiting"] + counts["count", "done"] == 200
