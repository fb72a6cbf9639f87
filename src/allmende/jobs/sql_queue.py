"""The embedded job queue: rows with leases in the hub's own database.

A job belongs to a run while its lease lasts; a worker that dies stops renewing, and the job is claimed
again. A job's `key` is released the moment a run begins: what is asked for from then on may rest on a
state that the run has read already, so it gets a job of its own.
"""

import random
import threading
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, func, or_, select, update

from allmende.errors import NotFound
from allmende.ids import JobId
from allmende.jobs.job import Job, JobState, back_off_s
from allmende.jobs.tables import job
from allmende.storage import Database, UnitOfWork

__all__ = ["JobUnknown", "SqlJobQueue"]

MAX_ATTEMPTS = 8
_MAX_ERROR_CHARACTERS = 8192


class JobUnknown(NotFound):
    """There is no job of this number in a state that the act is for."""

    code = "job_unknown"


class SqlJobQueue:
    """Implements the `JobQueue` port; workers, the command line and metrics use the rest."""

    def __init__(self, database: Database, max_attempts: int = MAX_ATTEMPTS) -> None:
        self._database = database
        self._max_attempts = max_attempts
        self._random = random.Random()  # noqa: S311 (spreads retries in time; nothing secret)
        self._woken = threading.Condition()
        self._wake_count = 0

    def enqueue(
        self,
        uow: UnitOfWork,
        kind: str,
        payload: Mapping[str, Any],
        *,
        key: str | None = None,
        priority: int = 0,
        delay_s: float = 0.0,
    ) -> None:
        """See JobQueue. Workers of this process hear of the job at the commit, others at their next poll."""
        uow.insert_new(
            job,
            [
                {
                    "kind": kind,
                    "key": key,
                    "payload": dict(payload),
                    "state": "waiting",
                    "priority": priority,
                    "run_after": uow.now + timedelta(seconds=delay_s),
                    "attempts": 0,
                    "created_at": uow.now,
                }
            ],
        )
        uow.after_commit(self.wake)

    def enqueue_if_due(self, kind: str, payload: Mapping[str, Any], every_s: float) -> bool:
        """Enqueue a job of a periodic kind unless one waits or was made less than `every_s` ago.

        Returns whether one was made. Any number of processes may ask; the rows themselves remember.
        """

        def due(uow: UnitOfWork) -> bool:
            waits_or_recent = or_(
                job.c.state == "waiting", job.c.created_at > uow.now - timedelta(seconds=every_s)
            )
            query = select(job.c.id).where(job.c.kind == kind, waits_or_recent).limit(1)
            return uow.one_or_none(query) is None

        with self._database.read() as uow:
            if not due(uow):
                return False
        with self._database.write() as uow:
            # Asked again inside the transaction: another process may have been faster.
            made = due(uow)
            if made:
                self.enqueue(uow, kind, payload, key=f"periodic:{kind}")
        return made

    def claim(self, kinds: Collection[str], lease_s: float, owner: str) -> Job | None:
        """Take the most urgent job that is due, for `lease_s` seconds; None when there is none.

        A job whose lease ran out counts as waiting, unless it has used up its attempts: then it has
        killed its worker every time, and it ends as failed.
        """
        with self._database.read() as uow:
            # An idle worker must not take the write lock at each poll.
            if not uow.connection.execute(select(exists().where(_due(uow, kinds)))).scalar_one():
                return None
        with self._database.write() as uow:
            self._bury_killers(uow, kinds)
            first = (
                select(job.c.id)
                .where(_due(uow, kinds))
                .order_by(job.c.priority.desc(), job.c.run_after, job.c.id)
                .limit(1)
                .with_for_update(skip_locked=True)
                .scalar_subquery()
            )
            row = uow.execute(
                update(job)
                .where(job.c.id == first)
                .values(
                    state="running",
                    key=None,
                    owner=owner,
                    attempts=job.c.attempts + 1,
                    lease_until=uow.now + timedelta(seconds=lease_s),
                )
                .returning(*job.c)
            ).one_or_none()
        return None if row is None else _job(row)

    def heartbeat(self, run: Job, lease_s: float) -> bool:
        """Extend the lease; False when the run has lost it and should stop."""
        with self._database.write() as uow:
            return _report(uow, run, lease_until=uow.now + timedelta(seconds=lease_s))

    def progress(self, run: Job, fraction: float, note: str) -> bool:
        """Record how far the run is, from 0 to 1, and a word on it; False when it has lost its lease."""
        with self._database.write() as uow:
            return _report(uow, run, progress=min(max(fraction, 0.0), 1.0), progress_note=note)

    def finish(self, run: Job) -> bool:
        """The job is done; False when the run had lost its lease, so that another run counts."""
        with self._database.write() as uow:
            return _report(
                uow, run, state="done", lease_until=None, finished_at=uow.now, progress=1.0, error=None
            )

    def fail(self, run: Job, error: str) -> bool:
        """The run went wrong: try again after a growing pause, or give up after the last attempt."""
        text = error[:_MAX_ERROR_CHARACTERS]
        with self._database.write() as uow:
            if run.attempts >= self._max_attempts:
                return _report(uow, run, state="failed", lease_until=None, finished_at=uow.now, error=text)
            pause = timedelta(seconds=back_off_s(run.attempts, self._random.random()))
            return _report(uow, run, state="waiting", lease_until=None, run_after=uow.now + pause, error=text)

    def release(self, run: Job) -> bool:
        """Give the job back unfinished, for any worker to take up at once; does not count as an attempt."""
        with self._database.write() as uow:
            released = _report(
                uow, run, state="waiting", lease_until=None, owner=None, attempts=run.attempts - 1
            )
            uow.after_commit(self.wake)
        return released

    def counts(self) -> dict[tuple[str, JobState], int]:
        """How many jobs there are, by kind and state."""
        query = select(job.c.kind, job.c.state, func.count().label("jobs")).group_by(job.c.kind, job.c.state)
        with self._database.read() as uow:
            return {(row.kind, row.state): row.jobs for row in uow.all(query)}

    def list_jobs(
        self, state: JobState | None = None, limit: int = 100, after: JobId | None = None
    ) -> list[Job]:
        """Jobs with the newest first; `after` is the last one of the page before."""
        query = select(job).order_by(job.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(job.c.state == state)
        if after is not None:
            query = query.where(job.c.id < after)
        with self._database.read() as uow:
            return [_job(row) for row in uow.all(query)]

    def unfinished(self, kind: str) -> Job | None:
        """The job of this kind that runs, or else one that waits; None when there is none."""
        query = (
            select(job)
            .where(job.c.kind == kind, job.c.state.in_(("running", "waiting")))
            .order_by(job.c.state, job.c.id)
            .limit(1)
        )
        with self._database.read() as uow:
            row = uow.one_or_none(query)
        return None if row is None else _job(row)

    def retry(self, job_id: JobId) -> None:
        """Let a failed job run again, with all its attempts before it; raises JobUnknown."""
        if self._retry(job.c.id == job_id) == 0:
            raise JobUnknown(
                f"There is no failed job {job_id}.", hint="List the failed jobs to see their numbers."
            )

    def retry_all(self) -> int:
        """Let all failed jobs run again; returns how many."""
        return self._retry(job.c.id.is_not(None))

    def cancel(self, job_id: JobId) -> None:
        """Forget a job that waits or has failed; raises JobUnknown, also for one that runs or is done.

        Periodic work comes again when it is due; what else it was for is done when something asks anew.
        """
        with self._database.write() as uow:
            gone = uow.execute(delete(job).where(job.c.id == job_id, job.c.state.in_(("waiting", "failed"))))
        if gone.rowcount == 0:
            raise JobUnknown(
                f"No job {job_id} waits or has failed.", hint="What runs already ends by itself."
            )

    def prune(self, uow: UnitOfWork, older_than_s: float) -> int:
        """Forget jobs that were done so long ago; returns how many. Failed ones stay until somebody looks."""
        finished_before = uow.now - timedelta(seconds=older_than_s)
        return uow.execute(
            delete(job).where(job.c.state == "done", job.c.finished_at < finished_before)
        ).rowcount

    def wake(self) -> None:
        """Tell the waiting workers of this process to look for jobs."""
        with self._woken:
            self._wake_count += 1
            self._woken.notify_all()

    @property
    def wake_count(self) -> int:
        """How often workers were woken so far; read it before looking for jobs, then pass it to `wait`."""
        return self._wake_count

    def wait(self, seen: int, timeout_s: float) -> None:
        """Sleep until woken after the moment when `wake_count` was `seen`, at most `timeout_s`."""
        with self._woken:
            self._woken.wait_for(lambda: self._wake_count != seen, timeout_s)

    def _bury_killers(self, uow: UnitOfWork, kinds: Collection[str]) -> None:
        uow.execute(
            update(job)
            .where(
                job.c.kind.in_(kinds),
                job.c.state == "running",
                job.c.lease_until < uow.now,
                job.c.attempts >= self._max_attempts,
            )
            .values(
                state="failed",
                lease_until=None,
                finished_at=uow.now,
                error="Its worker died or was stopped in every attempt.",
            )
        )

    def _retry(self, which: ColumnElement[bool]) -> int:
        with self._database.write() as uow:
            uow.after_commit(self.wake)
            return uow.execute(
                update(job)
                .where(job.c.state == "failed", which)
                .values(state="waiting", attempts=0, run_after=uow.now, finished_at=None)
            ).rowcount


def _due(uow: UnitOfWork, kinds: Collection[str]) -> ColumnElement[bool]:
    return and_(
        job.c.kind.in_(kinds),
        or_(
            and_(job.c.state == "waiting", job.c.run_after <= uow.now),
            and_(job.c.state == "running", job.c.lease_until < uow.now),
        ),
    )


def _report(uow: UnitOfWork, run: Job, **values: Any) -> bool:
    """Change the row of a run, if it still is the row of that run."""
    same_run = and_(
        job.c.id == run.id,
        job.c.state == "running",
        job.c.owner == run.owner,
        job.c.attempts == run.attempts,
    )
    return uow.execute(update(job).where(same_run).values(**values)).rowcount == 1


def _job(row: Row[Any]) -> Job:
    return Job(**row._asdict())
