"""Tables of the embedded job queue and of the step cache."""

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from allmende.storage import Document, Moment, RowId, metadata

__all__ = ["job", "job_report", "step_result"]

job = Table(
    "job",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("kind", String(64), nullable=False),
    Column("key", String(255), unique=True, comment="at most one unfinished job has it; cleared when done"),
    Column("payload", Document, nullable=False),
    Column("state", String(16), nullable=False, comment="waiting, running, done or failed"),
    Column("priority", Integer, nullable=False, comment="higher goes first"),
    Column("run_after", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("owner", String(64)),
    Column("attempts", Integer, nullable=False),
    Column("progress", Float, comment="0 to 1"),
    Column("progress_note", Text),
    Column("error", Text),
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Index("ix_job_state_priority", "state", "priority", "run_after"),
)

job_report = Table(
    "job_report",
    metadata,
    Column("kind", String(64), primary_key=True, comment="of the job; one report each, of its last run"),
    Column("found", Document, nullable=False),
    Column("began_at", Moment, nullable=False),
    Column("ended_at", Moment, nullable=False),
)

step_result = Table(
    "step_result",
    metadata,
    Column("step", String(64), primary_key=True),
    Column("input_digest", String(64), primary_key=True),
    Column("tool_version", String(64), primary_key=True),
    Column("result", Document, nullable=False),
    Column("at", Moment, nullable=False),
)
