"""Pull requests as far as git knows them: a number, an author, a ref."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from allmende.ids import AccountId, RepoId
from allmende.registry.tables import account, pull_request, repo
from allmende.storage import UnitOfWork

__all__ = [
    "PullRequest",
    "find_pull_request",
    "next_number",
    "open_pull_request",
    "pull_request_author",
    "recent_pull_requests",
]


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A proposal to change `target`; its commits are on `refs/pr/<number>`. Without an author: deleted."""

    number: int
    author: str | None
    title: str
    description: str
    target: str
    created_at: datetime


def next_number(uow: UnitOfWork, repo_id: RepoId) -> int:
    """Take the next number in the repo, which pull requests and discussions share."""
    number = uow.connection.execute(
        update(repo)
        .where(repo.c.id == repo_id)
        .values(next_number=repo.c.next_number + 1)
        .returning(repo.c.next_number)
    ).scalar_one()
    return int(number) - 1


def open_pull_request(
    uow: UnitOfWork, repo_id: RepoId, author_id: AccountId, title: str, description: str, target: str
) -> int:
    """Record a pull request and return its number; the caller makes `refs/pr/<number>`."""
    number = next_number(uow, repo_id)
    uow.execute(
        pull_request.insert().values(
            repo_id=repo_id,
            number=number,
            author_id=author_id,
            title=title,
            description=description,
            target=target,
            created_at=uow.now,
        )
    )
    uow.emit("pull_request.opened", {"number": number, "target": target}, repo_id=repo_id, actor_id=author_id)
    return number


def find_pull_request(uow: UnitOfWork, repo_id: RepoId, number: int) -> PullRequest | None:
    """The pull request of this number in a repo."""
    query = (
        select(pull_request, account.c.name.label("author"))
        .outerjoin(account, account.c.id == pull_request.c.author_id)
        .where(pull_request.c.repo_id == repo_id, pull_request.c.number == number)
    )
    row = uow.one_or_none(query)
    if row is None:
        return None
    return PullRequest(row.number, row.author, row.title, row.description, row.target, row.created_at)


def pull_request_author(uow: UnitOfWork, repo_id: RepoId, ref_name: str) -> AccountId | None:
    """Who opened the pull request that a ref `refs/pr/<number>` belongs to."""
    number = ref_name.removeprefix("refs/pr/")
    if not number.isascii() or not number.isdecimal() or len(number) > 9:
        return None
    query = select(pull_request.c.author_id).where(
        pull_request.c.repo_id == repo_id, pull_request.c.number == int(number)
    )
    row = uow.one_or_none(query)
    return None if row is None else AccountId(row.author_id)


def recent_pull_requests(
    uow: UnitOfWork, repo_id: RepoId, author_id: AccountId, title: str, target: str, since: datetime
) -> list[int]:
    """Numbers of what an author proposed under the same title since then, the newest first."""
    query = (
        select(pull_request.c.number)
        .where(
            pull_request.c.repo_id == repo_id,
            pull_request.c.author_id == author_id,
            pull_request.c.title == title,
            pull_request.c.target == target,
            pull_request.c.created_at >= since,
        )
        .order_by(pull_request.c.number.desc())
    )
    return [int(row.number) for row in uow.all(query)]
