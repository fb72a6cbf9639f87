"""Contents as rows: which bytes the hub has, how they are represented, and who has shown to have them.

Possession is the answer to an attack: whoever merely knows a SHA-256 must not be able to link the bytes
into a repo of their own. It is proved by uploading every byte.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row, bindparam, delete, select, update

from allmende.ids import AccountId, Sha256
from allmende.storage.schema import content, possession
from allmende.storage.unit_of_work import UnitOfWork

__all__ = [
    "Content",
    "add_content",
    "batches",
    "content_from_row",
    "contents_by_age",
    "contents_to_pack",
    "find_content",
    "find_contents",
    "forget_content",
    "mark_verified",
    "possessed",
    "switch_to_recipe",
    "take_possession",
]

_T = TypeVar("_T")

PLAIN = "plain"
RECIPE = "recipe"

IN_LIMIT = 500
"""Most values in one IN list: both databases stay far from their limits on parameters."""


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one file, and how they are stored: as a file at `location`, or as a recipe."""

    sha256: Sha256
    size_bytes: int
    representation: str
    location: str
    created_at: datetime
    verified_at: datetime
    damaged: str | None

    @property
    def is_packed(self) -> bool:
        """Whether it is read by a recipe; there is no file of it then."""
        return self.representation == RECIPE


def add_content(uow: UnitOfWork, sha256: Sha256, size_bytes: int, location: str) -> None:
    """Record that plain bytes are durable at `location`; harmless when the content is known already.

    Fresh bytes that passed their check heal a content that was found damaged, and of one that was packed they
    are what is read from now on.
    """
    uow.insert_new(
        content,
        [
            {
                "sha256": sha256,
                "size_bytes": size_bytes,
                "representation": PLAIN,
                "location": location,
                "created_at": uow.now,
                "verified_at": uow.now,
            }
        ],
    )
    packed = (content.c.sha256 == sha256) & (content.c.representation == RECIPE)
    uow.execute(update(content).where(packed).values(representation=PLAIN, location=location))
    mark_verified(uow, sha256, damage=None)


def find_content(uow: UnitOfWork, sha256: Sha256) -> Content | None:
    """The content, or None when the hub does not have it."""
    row = uow.execute(_CONTENT, {"sha256": sha256}).one_or_none()
    return None if row is None else content_from_row(row)


def find_contents(uow: UnitOfWork, hashes: Iterable[Sha256]) -> dict[Sha256, Content]:
    """Those of `hashes` that the hub has."""
    found: dict[Sha256, Content] = {}
    for batch in batches(sorted(set(hashes))):
        for row in uow.all(select(content).where(content.c.sha256.in_(batch))):
            found[Sha256(row.sha256)] = content_from_row(row)
    return found


def contents_by_age(uow: UnitOfWork, verified_before: datetime, limit: int) -> list[Content]:
    """Contents whose last verification is older than that, the oldest first."""
    query = (
        select(content)
        .where(content.c.verified_at < verified_before)
        .order_by(content.c.verified_at)
        .limit(limit)
    )
    return [content_from_row(row) for row in uow.all(query)]


def mark_verified(uow: UnitOfWork, sha256: Sha256, damage: str | None) -> None:
    """Record that the bytes were read now, and what was wrong with them, if anything."""
    uow.execute(update(content).where(content.c.sha256 == sha256).values(verified_at=uow.now, damaged=damage))


def switch_to_recipe(uow: UnitOfWork, plain: Content) -> bool:
    """From now on the content is read by its recipe; False when it changed since it was looked up."""
    same = (
        (content.c.sha256 == plain.sha256)
        & (content.c.representation == PLAIN)
        & (content.c.location == plain.location)
    )
    values = {"representation": RECIPE, "location": "", "verified_at": uow.now, "damaged": None}
    return uow.execute(update(content).where(same).values(**values)).rowcount == 1


def contents_to_pack(
    uow: UnitOfWork, after: Sha256 | None, min_bytes: int, before: datetime, limit: int
) -> list[Content]:
    """Sound contents of at least that size that came until a moment, in the order of their hashes."""
    query = (
        select(content)
        .where(content.c.size_bytes >= min_bytes, content.c.created_at <= before, content.c.damaged.is_(None))
        .order_by(content.c.sha256)
        .limit(limit)
    )
    if after is not None:
        query = query.where(content.c.sha256 > after)
    return [content_from_row(row) for row in uow.all(query)]


def forget_content(uow: UnitOfWork, sha256: Sha256) -> None:
    """Remove the row (and who possessed it); the caller removes the bytes after the commit."""
    uow.execute(delete(content).where(content.c.sha256 == sha256))


def take_possession(uow: UnitOfWork, account_id: AccountId, sha256: Sha256) -> None:
    """Record that the account has uploaded every byte of the content; renews the date."""
    uow.upsert(possession, {"sha256": sha256, "account_id": account_id, "at": uow.now})


def possessed(uow: UnitOfWork, account_id: AccountId, hashes: Iterable[Sha256]) -> set[Sha256]:
    """Those of `hashes` that the account has uploaded itself and that the hub still has."""
    found: set[Sha256] = set()
    for batch in batches(sorted(set(hashes))):
        query = select(possession.c.sha256).where(
            possession.c.account_id == account_id, possession.c.sha256.in_(batch)
        )
        found.update(Sha256(row.sha256) for row in uow.all(query))
    return found


def batches(items: Sequence[_T], size: int = IN_LIMIT) -> Iterator[Sequence[_T]]:
    """`items` in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def content_from_row(row: Row[Any]) -> Content:
    """The content that a row of its table describes."""
    return Content(
        sha256=Sha256(row.sha256),
        size_bytes=row.size_bytes,
        representation=row.representation,
        location=row.location,
        created_at=row.created_at,
        verified_at=row.verified_at,
        damaged=row.damaged,
    )


# Asked with every file that is sent: made once, since making a query costs more than asking it.
_CONTENT = select(content).where(content.c.sha256 == bindparam("sha256"))
