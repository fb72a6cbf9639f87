"""The worker with real threads and real time, in one process."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import pytest

from allmende.clock import Clock, system_clock
from allmende.jobs import Handler, JobContext, JobInterrupted, Schedule, SqlJobQueue, Worker
from allmende.storage import Database
from tests.integration.jobs.conftest import Put

PATIENCE_S = 60.0


class Start(Protocol):
    """Start a worker that is stopped at the end of the test."""

    def __call__(self, handlers: Mapping[str, Handler], **options: Any) -> Worker: ...


@pytest.fixture
def clock() -> Clock:
    """These tests live in real time."""
    return system_clock


@pytest.fixture
def start(queue: SqlJobQueue) -> Iterator[Start]:
    workers = []

    def start_worker(handlers: Mapping[str, Handler], **options: Any) -> Worker:
        worker = Worker(queue, handlers, **{"poll_s": 0.05, **options})
        workers.append(worker)
        worker.start()
        return worker

    yield start_worker
    for worker in workers:
        worker.stop()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_job_is_run_and_done(queue: SqlJobQueue, put: Put, start: Start) -> None:
    seen: list[Mapping[str, Any]] = []
    start({"scan": lambda context: seen.append(context.payload)})
    put("scan", {"n": 1})
    eventually(lambda: queue.counts() == {("scan", "done"): 1})
    assert seen == [{"n": 1}]


def test_a_job_of_this_process_does_not_wait_for_the_poll(queue: SqlJobQueue, put: Put, start: Start) -> None:
    ran = threading.Event()
    start({"scan": lambda _context: ran.set()}, poll_s=3600)
    time.sleep(0.2)
    put("scan")
    assert ran.wait(5)


def test_a_job_of_another_process_is_found_by_the_poll(database: Database, start: Start) -> None:
    ran = threading.Event()
    start({"scan": lambda _context: ran.set()})
    stranger = SqlJobQueue(database)
    with database.write() as uow:
        stranger.enqueue(uow, "scan", {})
    assert ran.wait(PATIENCE_S)


def test_a_handler_that_raises_is_logged_with_its_traceback_and_tried_again(
    queue: SqlJobQueue, put: Put, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(_context: JobContext) -> None:
        raise ZeroDivisionError("one by nothing")

    with caplog.at_level(logging.ERROR, "allmende.jobs"):
        start({"scan": breaks})
        put("scan")
        eventually(lambda: any(found.error for found in queue.list_jobs()))
    assert queue.list_jobs()[0].error == "ZeroDivisionError: one by nothing"
    assert "Traceback" in caplog.text
    eventually(lambda: queue.list_jobs()[0].attempts == 2)


def test_the_lease_of_a_long_job_is_kept_alive(queue: SqlJobQueue, put: Put, start: Start) -> None:
    runs = []

    def long(context: JobContext) -> None:
        runs.append(context.run.attempts)
        time.sleep(1.5)

    start({"scan": long}, lease_s=0.4, threads=3)
    put("scan")
    eventually(lambda: queue.counts() == {("scan", "done"): 1})
    assert runs == [1]


def test_progress_is_written_but_not_at_every_call(queue: SqlJobQueue, put: Put, start: Start) -> None:
    written = threading.Event()
    go_on = threading.Event()

    def long(context: JobContext) -> None:
        for n in range(1000):
            context.progress(n / 1000, f"step {n}")
        written.set()
        go_on.wait(PATIENCE_S)

    start({"scan": long})
    put("scan")
    assert written.wait(PATIENCE_S)
    found = queue.list_jobs()[0]
    go_on.set()
    assert found.progress_note == "step 0"


def test_stopping_waits_for_a_job_that_ends(queue: SqlJobQueue, put: Put, start: Start) -> None:
    begun = threading.Event()

    def short(_context: JobContext) -> None:
        begun.set()
        time.sleep(0.3)

    worker = start({"scan": short})
    put("scan")
    assert begun.wait(PATIENCE_S)
    assert worker.stop()
    assert queue.counts() == {("scan", "done"): 1}


def test_stopping_lets_a_long_job_give_way_and_another_worker_resumes_it(
    queue: SqlJobQueue, put: Put, start: Start
) -> None:
    begun = threading.Event()
    attempts = []

    def long(context: JobContext) -> None:
        attempts.append(context.run.attempts)
        begun.set()
        while len(attempts) == 1:
            context.checkpoint()
            time.sleep(0.01)

    worker = start({"scan": long})
    put("scan")
    assert begun.wait(PATIENCE_S)
    assert worker.stop()
    assert queue.counts() == {("scan", "waiting"): 1}
    start({"scan": long})
    eventually(lambda: queue.counts() == {("scan", "done"): 1})
    assert attempts == [1, 1]


def test_a_job_that_does_not_give_way_is_released_and_its_late_end_ignored(
    queue: SqlJobQueue, put: Put, start: Start
) -> None:
    begun, let_go, ended = threading.Event(), threading.Event(), threading.Event()

    def stubborn(_context: JobContext) -> None:
        begun.set()
        let_go.wait(PATIENCE_S)
        ended.set()

    worker = start({"scan": stubborn})
    put("scan")
    assert begun.wait(PATIENCE_S)
    assert not worker.stop(timeout_s=0.2)
    run = queue.claim(("scan",), 60, "other")
    assert run is not None
    let_go.set()
    assert ended.wait(PATIENCE_S)
    worker.stop()
    assert queue.counts() == {("scan", "running"): 1}
    assert queue.finish(run)


def test_a_run_that_lost_its_lease_is_asked_to_stop(
    database: Database, queue: SqlJobQueue, put: Put, start: Start
) -> None:
    begun, told = threading.Event(), threading.Event()

    def long(context: JobContext) -> None:
        begun.set()
        deadline = time.monotonic() + PATIENCE_S
        while not context.stopping and time.monotonic() < deadline:
            time.sleep(0.01)
        told.set()
        raise JobInterrupted

    start({"scan": long}, lease_s=0.4)
    put("scan")
    assert begun.wait(PATIENCE_S)
    mine = queue.list_jobs()[0]
    assert queue.release(mine)
    taken = queue.claim(("scan",), 60, "other")
    assert taken is not None
    assert told.wait(PATIENCE_S)
    assert queue.finish(taken)


def test_periodic_jobs_come_by_themselves(queue: SqlJobQueue, start: Start) -> None:
    ran = threading.Event()
    start(
        {"sweep": lambda _context: ran.set()},
        schedules=[Schedule("sweep", every_s=3600)],
        lease_s=0.2,
    )
    assert ran.wait(PATIENCE_S)
    time.sleep(0.3)
    assert queue.counts() == {("sweep", "done"): 1}


def test_a_schedule_without_a_handler_is_refused(queue: SqlJobQueue) -> None:
    with pytest.raises(ValueError):
        Worker(queue, {}, schedules=[Schedule("sweep", 60)])


def test_the_worker_outlives_a_database_that_is_busy(
    database: Database,
    queue: SqlJobQueue,
    start: Start,
    put: Put,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran = threading.Event()
    put("scan")
    with database.write():
        # Nobody can write for a while: the claim has to wait, and then succeeds.
        start({"scan": lambda _context: ran.set()})
        assert not ran.wait(0.3)
    assert ran.wait(PATIENCE_S)
