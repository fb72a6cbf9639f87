"""What the log takes from the outbox, and what it asks of whoever knows what an act means.

The room of the log knows no repos: it gives out rows of the outbox, and gets statements for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from allmende.ids import GitOid, RepoId
from allmende.proof import JsonValue
from allmende.storage import UnitOfWork

__all__ = ["Act", "Stated", "Statements", "day_of", "second_of"]


@dataclass(frozen=True, slots=True)
class Act:
    """A row of the outbox that is no entry yet."""

    id: int
    at: datetime
    kind: str
    repo_id: RepoId | None
    payload: Mapping[str, Any]
    erased: bool = False
    """Whether it was forgotten before it became an entry: the payload is gone."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What an act says: for the statement, and what of it the entry may show.

    `shown` are fields of the statement, with the same values; of a veiled act the entry shows none of them,
    not even its kind. `subject` is 64 hexadecimal digits that stand for the repo.
    """

    kind: str
    said: Mapping[str, JsonValue] = field(default_factory=dict)
    shown: Mapping[str, JsonValue] = field(default_factory=dict)
    subject: str | None = None
    veiled: bool = False
    commit_oid: GitOid | None = None


class Statements(Protocol):
    """Says what acts mean."""

    def prepare(self, acts: Sequence[Act], /) -> None:
        """Find out what takes time, before the transaction: the digests of files."""

    def state(self, uow: UnitOfWork, acts: Sequence[Act], /) -> list[Stated]:
        """What the first of these acts say, in their order, and no more than are known by now."""


def second_of(at: datetime) -> str:
    """A time as statements have it: `2026-11-28T09:00:00Z`."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def day_of(at: datetime) -> str:
    """A time as veiled entries have it: `2026-11-28`."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"
