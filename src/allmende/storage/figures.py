"""Counts for the operator's metrics: how much the hub keeps."""

from sqlalchemy import func, select

from allmende.storage.schema import content, outbox
from allmende.storage.unit_of_work import UnitOfWork

__all__ = ["damaged_contents", "outbox_events", "stored_contents"]


def stored_contents(uow: UnitOfWork) -> tuple[int, int]:
    """How many contents there are, and how many bytes they have together."""
    query = select(
        func.count().label("contents"), func.coalesce(func.sum(content.c.size_bytes), 0).label("size")
    )
    row = uow.execute(query.select_from(content)).one()
    return int(row.contents), int(row.size)


def damaged_contents(uow: UnitOfWork) -> int:
    """How many contents were found damaged when they were last verified."""
    query = select(func.count()).select_from(content).where(content.c.damaged.is_not(None))
    return int(uow.execute(query).scalar_one())


def outbox_events(uow: UnitOfWork) -> int:
    """How many events the outbox holds; rows of it are never deleted, so that this only grows."""
    return int(uow.execute(select(func.count()).select_from(outbox)).scalar_one())
