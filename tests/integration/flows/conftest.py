"""The services of a hub in a temporary folder, and a short way to run the jobs that wait."""

from collections.abc import Callable
from pathlib import Path

import pytest

from allmende.flows import HotContents, Services
from allmende.flows.worker import handlers
from allmende.jobs import Job, JobContext, SqlJobQueue
from allmende.settings import load_settings
from allmende.storage import Database, LinkSigner, LocalContentStore, LocalPackStore, LocalXorbStore
from tests.integration.flows.packed_hub import packed
from tests.integration.registry.conftest import commit, make_repo, upload
from tests.scanners import scanner_in_process

__all__ = ["commit", "make_repo", "packed", "upload"]

RunJobs = Callable[[], list[Job]]


@pytest.fixture
def services(tmp_path: Path, database: Database, contents: LocalContentStore, queue: SqlJobQueue) -> Services:
    settings = load_settings({"data": tmp_path, "unreferenced_grace_s": 3600, "scrub_age_s": 3600}, {})
    return Services(
        settings=settings,
        database=database,
        contents=contents,
        signer=LinkSigner(b"s" * 32),
        queue=queue,
        xorbs=LocalXorbStore(contents.root / "xorbs", contents.incoming),
        packs=LocalPackStore(contents.root / "packs", contents.incoming),
        hot=HotContents(LocalContentStore(contents.root / "hot"), 1024**2, settings.hot_reads),
        scanner=scanner_in_process(),
    )


@pytest.fixture
def context(queue: SqlJobQueue, database: Database) -> JobContext:
    """The context of a job that does nothing, for calling a handler by itself."""
    with database.write() as uow:
        queue.enqueue(uow, "test", {}, priority=100)
    run = queue.claim(("test",), 1e6, "test")
    assert run is not None
    return JobContext(queue, run)


@pytest.fixture
def run_jobs(services: Services) -> RunJobs:
    """Run every job that waits, in this thread; what a handler raises reaches the test."""

    def run() -> list[Job]:
        ran = []
        kinds = handlers(services)
        while (job := services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
            kinds[job.kind](JobContext(services.queue, job))
            assert services.queue.finish(job)
            ran.append(job)
        return ran

    return run
