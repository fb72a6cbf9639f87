"""kill -9 at every named point of packing, again and again on one data folder.

Each life packs what was published since the last one, on what the crashes before have left. After every death
all contents have their bytes and `fsck --deep` finds no damage; after the last life all of them are packed,
and what the crashes left behind is gone.
"""

import hashlib
import json
import os
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from allmende.failpoints import PACK_POINTS
from allmende.flows import Services, collect_garbage, fsck, open_content, open_services
from allmende.flows.worker import handlers
from allmende.ids import Sha256
from allmende.jobs import JobContext
from allmende.registry import (
    LinkContent,
    Submission,
    authenticate,
    create_repo,
    delete_repo,
    find_repo_by_id,
    prepare,
    receive,
)
from allmende.settings import load_settings
from allmende.storage import add_content, contents_by_age, find_content, list_packs, take_possession
from tests.hubs import USERS
from tests.integration.flows.packed_hub import family
from tests.nursery import run_command

SEEDS = (1, 2, 3)
CAMPAIGN_SEEDS = tuple(range(10, 40))
SETTINGS: Mapping[str, str] = {
    "ALLMENDE_PACK_MIN_BYTES": "10000",
    "ALLMENDE_PACK_QUIET_S": "0",
    "ALLMENDE_UNREFERENCED_GRACE_S": "0",
}
LATER = {"pack.writing": 5, "pack.switched": 2, "pack.dropped": 2}
"""Points that a life passes several times, and how often at least."""
OWN_JOBS = ("pack", "pack_missing", "settle")


@contextmanager
def services_of(data: Path) -> Iterator[Services]:
    services = open_services(load_settings({"data": data}, dict(SETTINGS)))
    try:
        yield services
    finally:
        services.close()


def admin(data: Path, *words: str, stdin: str = "", failpoint: str = "") -> int:
    """Run `allmende admin`; returns how it ended."""
    given = {**os.environ, **SETTINGS, "ALLMENDE_DATA": str(data), "ALLMENDE_FAILPOINT": failpoint}
    return run_command(["admin", *words], env=given, input=stdin).returncode


def publish(services: Services, name: str, data: bytes) -> Sha256:
    """A new model with one file, examined and traced."""
    sha256 = Sha256(hashlib.sha256(data).hexdigest())
    writer = services.contents.open_write(sha256, len(data))
    writer.write(data)
    location = writer.finish()
    with services.database.write() as uow:
        actor = authenticate(uow, "token-of-alice")
        assert actor.account is not None
        add_content(uow, sha256, len(data), location)
        take_possession(uow, actor.account.id, sha256)
        repo = create_repo(uow, services.queue, actor, "model", "alice", name)
        linked = (LinkContent("model.safetensors", sha256, len(data)),)
        submission = Submission("main", "add", "", linked, None, False)
        receive(uow, services.queue, actor, repo, prepare(submission, 10_000_000))
    return sha256


def run_jobs(services: Services) -> None:
    """Examine and trace; what packs is left to the process that dies."""
    kinds = {kind: run for kind, run in handlers(services).items() if kind not in OWN_JOBS}
    while (job := services.queue.claim(kinds.keys(), 60, "test")) is not None:
        kinds[job.kind](JobContext(services.queue, job))
        services.queue.finish(job)


def check_whole(services: Services) -> None:
    """Every content has its bytes, and nothing is damaged."""
    with services.database.read() as uow:
        every = contents_by_age(uow, services.database.clock(), 1000)
    for content in every:
        with open_content(services, content) as reader:
            assert hashlib.sha256(reader.read()).hexdigest() == content.sha256
    report = fsck(services, deep=True)
    assert report.sound, report.problems
    assert {note.kind for note in report.notes} <= {"orphan"}


def free_jobs(services: Services) -> None:
    """The jobs of a process that died come back at once, and not when their lease has ended."""
    for job in services.queue.list_jobs("running"):
        services.queue.release(job)


def delete_last(services: Services) -> None:
    """The repo that was made last goes, so that there is something to put in order."""
    from allmende.registry import repo_ids

    with services.database.write() as uow:
        actor = authenticate(uow, "token-of-alice")
        repo = find_repo_by_id(uow, repo_ids(uow)[-1])
        assert repo is not None
        delete_repo(uow, actor, repo)


def live_and_die(data: Path, number: int, point: str, random: Random) -> None:
    """One life: publish a family, pack it, and be killed at `point`."""
    with services_of(data) as services:
        for member, file in enumerate(family(random.randrange(2**32), 1e-6, 1e-5)):
            publish(services, f"model-{number}-{member}", file)
        run_jobs(services)
    nth = random.randint(1, LATER.get(point, 1))
    ended = admin(data, "pack", "now", "--wait", failpoint=f"{point}:{nth}")
    assert ended == -signal.SIGKILL, f"{point}:{nth} was never reached: {ended}"
    with services_of(data) as services:
        free_jobs(services)
        check_whole(services)


def age(data: Path) -> None:
    for folder in ("packs", "incoming"):
        for path in (data / "contents" / folder).rglob("*"):
            if path.is_file():
                os.utime(path, (1, 1))


def check_end(data: Path) -> None:
    """All is packed, and nothing of the crashes is left."""
    assert admin(data, "pack", "now", "--wait") == 0
    age(data)
    with services_of(data) as services:
        with services.database.write() as uow:
            services.queue.enqueue(uow, "sweep", {}, priority=1000)
        run_jobs(services)
        delete_last(services)
        collect_garbage(services, dry_run=False)
        check_whole(services)
        assert fsck(services, deep=True).notes == ()
        assert list((data / "contents" / "incoming").iterdir()) == []
        with services.database.read() as uow:
            every = contents_by_age(uow, services.database.clock(), 1000)
            packs = list_packs(uow, 0, 1000)
            assert all(find_content(uow, content.sha256) for content in every)
        assert every
        assert all(content.is_packed for content in every)
        assert {pack.location for pack in packs} == {found.location for found in services.packs.iterate()}
        assert sum(content.size_bytes for content in every) > sum(pack.live_bytes for pack in packs)


def run_lives(folder: Path, seed: int) -> None:
    """One data folder through a death at each point, in an order of its own."""
    random = Random(seed)
    data = folder / str(seed)
    assert admin(data, "apply", "-", stdin=json.dumps(USERS)) == 0
    for number, point in enumerate(random.sample(PACK_POINTS, len(PACK_POINTS))):
        live_and_die(data, number, point, random)
    check_end(data)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_packing_survives_every_death(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(run_lives, tmp_path, seed) for seed in SEEDS]:
            each.result()


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_packing_survives_every_death_many_times(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(run_lives, tmp_path, seed) for seed in CAMPAIGN_SEEDS]:
            each.result()
