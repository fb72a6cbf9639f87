"""Jobs: work that is put off, and the cache of steps that are done already."""

from allmende.jobs.job import Job, JobState, back_off_s
from allmende.jobs.queue import JobQueue
from allmende.jobs.reports import JobReport, keep_report, last_report
from allmende.jobs.sql_queue import JobUnknown, SqlJobQueue
from allmende.jobs.steps import cached_step, canonical_json, forget_step
from allmende.jobs.worker import Handler, JobContext, JobInterrupted, Schedule, Worker

__all__ = [
    "Handler",
    "Job",
    "JobContext",
    "JobInterrupted",
    "JobQueue",
    "JobReport",
    "JobState",
    "JobUnknown",
    "Schedule",
    "SqlJobQueue",
    "Worker",
    "back_off_s",
    "cached_step",
    "canonical_json",
    "forget_step",
    "keep_report",
    "last_report",
]
