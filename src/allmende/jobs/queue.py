"""The port through which work is put off: enqueue in the transaction that causes it.

Delivery is at least once, so every handler is idempotent. Adapters: `SqlJobQueue` (embedded); later one
on PostgreSQL's own queue. Both give the same meaning.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from allmende.storage import UnitOfWork

__all__ = ["JobQueue"]


class JobQueue(Protocol):
    """Where jobs are put."""

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
        """Put a job into the queue with the transaction of `uow`; it exists if and only if that commits.

        While a waiting job has the same `key`, no second one is made.
        """
