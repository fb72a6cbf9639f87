"""The worker: threads that claim jobs and run their handlers, and one that keeps the leases alive.

Delivery is at least once. A handler that returns has done its job; one that raises is tried again later;
one that is asked to stop raises JobInterrupted at a point from which a repeat can go on, and the job goes
back to the queue.
"""

import logging
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from allmende.errors import AllmendeError
from allmende.jobs.job import Job
from allmende.jobs.sql_queue import SqlJobQueue

__all__ = ["Handler", "JobContext", "JobInterrupted", "Schedule", "Worker"]

_log = logging.getLogger(__name__)

_PROGRESS_EVERY_S = 1.0
_QUEUE_TROUBLE = (AllmendeError, SQLAlchemyError)


class JobInterrupted(Exception):
    """A handler stopped before its job was done, because it was asked to; see `JobContext.checkpoint`."""


class JobContext:
    """What a handler knows of the run that it is."""

    def __init__(self, queue: SqlJobQueue, run: Job) -> None:
        self.run = run
        self._queue = queue
        self._stop = threading.Event()
        self._next_progress = 0.0

    @property
    def payload(self) -> Mapping[str, Any]:
        """What was asked for."""
        return self.run.payload

    @property
    def stopping(self) -> bool:
        """Whether the run should end soon: the process stops, or another worker has taken the job over."""
        return self._stop.is_set()

    def checkpoint(self) -> None:
        """Call this where a repeat of the job could go on; raises JobInterrupted when the run should end."""
        if self.stopping:
            raise JobInterrupted

    def progress(self, fraction: float, note: str) -> None:
        """Say how far the run is, from 0 to 1. Call it as often as you like: it writes once a second."""
        now = time.monotonic()
        if now >= self._next_progress:
            self._next_progress = now + _PROGRESS_EVERY_S
            self._queue.progress(self.run, fraction, note)

    def ask_to_stop(self) -> None:
        """Make `stopping` true."""
        self._stop.set()


Handler = Callable[[JobContext], None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A kind of job that is due again and again, whatever the number of processes."""

    kind: str
    every_s: float
    payload: Mapping[str, Any] = field(default_factory=dict)


class Worker:
    """Runs the jobs of the kinds for which it has handlers, until it is stopped."""

    def __init__(
        self,
        queue: SqlJobQueue,
        handlers: Mapping[str, Handler],
        *,
        schedules: Sequence[Schedule] = (),
        threads: int = 1,
        lease_s: float = 60.0,
        poll_s: float = 3.0,
    ) -> None:
        """`poll_s` bounds how late jobs of other processes, and retries, are noticed.

        Raises ValueError when a schedule has a kind without a handler.
        """
        for schedule in schedules:
            if schedule.kind not in handlers:
                raise ValueError(f"the periodic job {schedule.kind!r} has no handler")
        self._queue = queue
        self._handlers = dict(handlers)
        self._schedules = tuple(schedules)
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._running: dict[str, JobContext] = {}
        self._running_lock = threading.Lock()
        name = f"{platform.node()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._threads = [
            threading.Thread(target=self._work, args=(f"{name}:{n}",), name=f"jobs-{n}", daemon=True)
            for n in range(threads)
        ]
        self._tender = threading.Thread(target=self._tend, name="jobs-leases", daemon=True)

    def start(self) -> None:
        """Start the threads; returns at once."""
        for thread in (*self._threads, self._tender):
            thread.start()

    def stop(self, timeout_s: float = 30.0) -> bool:
        """Take no more jobs and wait for the running ones to end or to give way.

        Returns whether they did; a job that did not is released, and what its run still reports is ignored.
        """
        self._stop.set()
        for context in self._contexts():
            context.ask_to_stop()
        self._queue.wake()
        deadline = time.monotonic() + timeout_s
        for thread in (*self._threads, self._tender):
            thread.join(max(0.0, deadline - time.monotonic()))
        abandoned = self._contexts()
        for context in abandoned:
            _log.warning("job %s (%s) did not stop in time", context.run.id, context.run.kind)
            self._queue.release(context.run)
        return not abandoned

    def _contexts(self) -> list[JobContext]:
        with self._running_lock:
            return list(self._running.values())

    def _work(self, owner: str) -> None:
        while not self._stop.is_set():
            seen = self._queue.wake_count
            try:
                run = self._queue.claim(self._handlers.keys(), self._lease_s, owner)
                if run is not None:
                    self._run(run, owner)
            except _QUEUE_TROUBLE:
                # A run whose end could not be recorded comes back when its lease ends.
                _log.warning("the job queue could not be reached; trying again", exc_info=True)
                self._stop.wait(self._poll_s)
                continue
            if run is None and not self._stop.is_set():
                self._queue.wait(seen, self._poll_s)

    def _run(self, run: Job, owner: str) -> None:
        context = JobContext(self._queue, run)
        with self._running_lock:
            self._running[owner] = context
        try:
            if self._stop.is_set():
                # `stop` may have looked at the running jobs just before this one joined them.
                context.ask_to_stop()
            self._handle(context)
        finally:
            with self._running_lock:
                del self._running[owner]

    def _handle(self, context: JobContext) -> None:
        run = context.run
        try:
            self._handlers[run.kind](context)
        except JobInterrupted:
            self._queue.release(run)
        except Exception as error:  # noqa: BLE001 (the edge of jobs: what failed is logged and tried again)
            _log.exception("job %s (%s) failed in attempt %s", run.id, run.kind, run.attempts)
            self._queue.fail(run, f"{type(error).__name__}: {error}")
        else:
            if not self._queue.finish(run):
                _log.warning("job %s (%s) was finished after its lease had ended", run.id, run.kind)

    def _tend(self) -> None:
        """Renew leases and enqueue what is due, several times within each lease."""
        while True:
            try:
                self._enqueue_due()
                self._renew_leases()
            except _QUEUE_TROUBLE:
                _log.warning("leases could not be renewed; trying again", exc_info=True)
            # While stopping, runs that are giving way still need their leases.
            if self._stop.wait(self._lease_s / 4) and not self._outlast_stop():
                return

    def _outlast_stop(self) -> bool:
        """Whether runs go on although the worker stops; waits a little between two answers."""
        time.sleep(min(0.05, self._lease_s / 4))
        return any(thread.is_alive() for thread in self._threads)

    def _enqueue_due(self) -> None:
        if self._stop.is_set():
            return
        for schedule in self._schedules:
            self._queue.enqueue_if_due(schedule.kind, schedule.payload, schedule.every_s)

    def _renew_leases(self) -> None:
        for context in self._contexts():
            if not self._queue.heartbeat(context.run, self._lease_s):
                # Finished a moment ago, or taken over by another worker after a long pause.
                context.ask_to_stop()
