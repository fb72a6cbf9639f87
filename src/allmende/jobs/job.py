"""What a job is, and when one that failed is tried again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from allmende.ids import JobId

__all__ = ["Job", "JobState", "back_off_s"]

JobState = Literal["waiting", "running", "done", "failed"]

_FIRST_BACK_OFF_S = 2.0
_LONGEST_BACK_OFF_S = 3600.0
_JITTERED_PART = 0.5


@dataclass(frozen=True, slots=True)
class Job:
    """One job as its row stood when it was read.

    `owner` and `attempts` together say which run of the job this is: what a run reports is taken only
    while the row still names that run.
    """

    id: JobId
    kind: str
    key: str | None
    payload: Mapping[str, Any]
    state: JobState
    priority: int
    run_after: datetime
    lease_until: datetime | None
    owner: str | None
    attempts: int
    progress: float | None
    progress_note: str | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


def back_off_s(attempts: int, jitter: float) -> float:
    """Seconds to wait after the given number of attempts: doubling, at most an hour.

    `jitter` from 0 to 1 shortens the wait by up to half, so that jobs that failed together do not come
    back together.
    """
    # The exponent is bounded first: 2.0 ** attempts would overflow for a job that was tried forever.
    longest = min(_LONGEST_BACK_OFF_S, _FIRST_BACK_OFF_S * 2.0 ** min(attempts - 1, 32))
    return longest * (1.0 - _JITTERED_PART * jitter)
