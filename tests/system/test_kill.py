"""kill -9 at every named point of an upload and a commit, again and again on one data folder.

A life of the hub begins on what the last one left, is checked against the publisher's ledger, takes the
repeat of what was cut off, goes on publishing, and dies at the next point. After the last one everything
must be in place, and what the crashes left behind must be gone after sweeping and collecting.
"""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from allmende.failpoints import POINTS
from allmende.flows import Services, collect_garbage, fsck, open_services
from allmende.flows.worker import handlers
from allmende.jobs import JobContext
from allmende.settings import load_settings
from tests.hubs import USERS, RunningHub
from tests.system.publisher import SETTINGS, Publisher
from tests.system.wire_client import WireClient

ROUNDS = (1, 2)
CAMPAIGN_ROUNDS = 20
DYING_S = 60.0
AT_MOST = 12
"""A life that outlives so many publications has not met its failpoint."""


def serving_process(hub: RunningHub) -> int:
    """The process that answers requests: the one child of the supervisor."""
    children = Path(f"/proc/{hub.pid}/task/{hub.pid}/children").read_text().split()
    assert len(children) == 1, children
    return int(children[0])


def is_gone(pid: int) -> bool:
    """Whether a process has ended, collected by its parent or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def await_death(pid: int) -> None:
    deadline = time.monotonic() + DYING_S
    while not is_gone(pid):
        assert time.monotonic() < deadline, "the connection broke, but the hub lives"
        time.sleep(0.005)


@contextmanager
def services_of(hub: RunningHub) -> Iterator[Services]:
    """The services over the hub's data, in this process, as an administrator's command has them."""
    services = open_services(load_settings({"data": hub.data, "unreferenced_grace_s": 0}, {}))
    try:
        yield services
    finally:
        services.database.close()


def check_whole(hub: RunningHub) -> None:
    """No content without its bytes, no tree without its objects; what no row names is but garbage."""
    with services_of(hub) as services:
        report = fsck(services, deep=True)
    assert report.sound, report.problems
    assert {note.kind for note in report.notes} <= {"orphan"}


def live_and_die(hub: RunningHub, publisher: Publisher, point: str) -> None:
    """One life: check, repeat, publish on, and be killed at `point`."""
    repeat_hits = publisher.hits_of_repeat(point)
    nth = repeat_hits + publisher.random.randint(1, 3)
    hub.environment = {**SETTINGS, "ALLMENDE_FAILPOINT": f"{point}:{nth}"}
    hub.start()
    serving = serving_process(hub)
    check_whole(hub)
    with WireClient(hub.url) as client:
        if not publisher.begun:
            client.create_repo()
        publisher.check(client)
        if publisher.pending is not None:
            publisher.publish(client)
            publisher.check(client)
    assert publisher.publish_until_gone(hub.url, AT_MOST), f"{point}:{nth} was never reached"
    await_death(serving)
    hub.kill()


def check_leftovers(hub: RunningHub) -> None:
    """What the crashes left is removed: temporary files by the sweep once they are old, files as garbage."""
    incoming, xorbs = hub.data / "contents" / "incoming", hub.data / "contents" / "xorbs"
    for path in [*incoming.iterdir(), *xorbs.glob("*/*")]:
        os.utime(path, (1, 1))
    with services_of(hub) as services:
        with services.database.write() as uow:
            services.queue.enqueue(uow, "sweep", {}, priority=1000)
        job = services.queue.claim(["sweep"], 60, "test")
        assert job is not None
        handlers(services)["sweep"](JobContext(services.queue, job))
        services.queue.finish(job)
        assert list(incoming.iterdir()) == []
        collect_garbage(services, dry_run=False)
        report = fsck(services, deep=True)
    assert report.sound, report.problems
    assert report.notes == ()
    assert list(xorbs.glob("*/*")) == []


def run_round(folder: Path, seed: int) -> None:
    """One death at each point, in an order of its own, and the life after them."""
    random = Random(seed)
    publisher = Publisher(random)
    folder.mkdir()
    hub = RunningHub(folder / "data")
    # Before a failpoint is set: this passes some of them too.
    hub.command("admin", "apply", "-", stdin=json.dumps(USERS))
    try:
        for point in random.sample(POINTS, len(POINTS)):
            live_and_die(hub, publisher, point)
        # Without workers of its own, so that the sweep that the test asks for is the test's to run.
        hub.environment = {**SETTINGS, "ALLMENDE_WORKERS": "0"}
        hub.start()
        check_whole(hub)
        with WireClient(hub.url) as client:
            publisher.check(client)
            publisher.publish(client)
            check_leftovers(hub)
            publisher.check(client)
    finally:
        hub.kill()


def run_rounds(folder: Path, seeds: tuple[int, ...]) -> None:
    """Several rounds side by side, as most of a round is starting hubs."""
    with ThreadPoolExecutor(len(seeds)) as pool:
        for each in [pool.submit(run_round, folder / str(seed), seed) for seed in seeds]:
            each.result()


@pytest.mark.timeout(1800)
def test_nothing_acknowledged_is_lost_and_nothing_half_done_shows(tmp_path):
    run_rounds(tmp_path, ROUNDS)


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(1, CAMPAIGN_ROUNDS, len(ROUNDS)))
def test_twenty_rounds_at_each_point(tmp_path, first):
    run_rounds(tmp_path, tuple(range(first, first + len(ROUNDS))))
