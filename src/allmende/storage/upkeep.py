"""Queries for keeping contents in order: garbage, scrubbing, checking.

Removing bytes has one danger: somebody uploads the same bytes again at that very moment. An upload puts its
file in place first and writes its row after it. So the row is removed inside a write transaction that has
looked at everything once more, and the bytes go inside the same transaction, by `delete_older`, which
spares a file that was put in place anew.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import exists, select, update

from allmende.ids import Sha256
from allmende.storage.contents import Content, batches, content_from_row
from allmende.storage.schema import content, possession
from allmende.storage.unit_of_work import UnitOfWork
from allmende.storage.uploaded_xorbs import named_since
from allmende.storage.xet_tables import xet_file

__all__ = ["known_locations", "list_contents", "record_scrub", "unused_since"]


def list_contents(uow: UnitOfWork, after: Sha256 | None, limit: int) -> list[Content]:
    """The contents in the order of their hashes, from the one after `after` on."""
    query = select(content).order_by(content.c.sha256).limit(limit)
    if after is not None:
        query = query.where(content.c.sha256 > after)
    return [content_from_row(row) for row in uow.all(query)]


def unused_since(uow: UnitOfWork, hashes: Iterable[Sha256], moment: datetime) -> dict[Sha256, Content]:
    """Those contents that came before `moment` and that nobody has uploaded or named again since.

    Clients of the Xet transfer name chunks that they were told of, or have uploaded, without sending them.
    """
    found: dict[Sha256, Content] = {}
    mentioned = exists().where(xet_file.c.sha256 == content.c.sha256, xet_file.c.mentioned_at >= moment)
    uploaded = exists().where(possession.c.sha256 == content.c.sha256, possession.c.at >= moment)
    for batch in batches(sorted(set(hashes))):
        query = select(content).where(
            content.c.sha256.in_(batch),
            content.c.created_at < moment,
            ~uploaded,
            ~mentioned,
            ~named_since(moment),
        )
        found.update({Sha256(row.sha256): content_from_row(row) for row in uow.all(query)})
    return found


def known_locations(uow: UnitOfWork, locations: Iterable[str]) -> set[str]:
    """Those locations at which some content is kept."""
    found: set[str] = set()
    for batch in batches(sorted(set(locations))):
        found.update(
            row.location for row in uow.all(select(content.c.location).where(content.c.location.in_(batch)))
        )
    return found


def record_scrub(uow: UnitOfWork, read: Content, damage: str | None) -> bool:
    """Record what reading a content found, unless it was verified or replaced meanwhile; returns whether."""
    unchanged = (content.c.sha256 == read.sha256) & (content.c.verified_at == read.verified_at)
    changed = uow.execute(update(content).where(unchanged).values(verified_at=uow.now, damaged=damage))
    return changed.rowcount == 1
