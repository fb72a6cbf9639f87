"""Which contents a repo holds, and whose bytes an actor may link into a repo.

A content is linked only by somebody who has shown to have it: by uploading every byte, or by being able
to read a repo that holds it. And a content is served only through a repo that holds it: a pointer alone,
however it came into a tree, opens nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select

from allmende.git import owns
from allmende.ids import AccountId, GitOid, RepoId, Sha256, is_sha256
from allmende.registry.actors import Actor
from allmende.registry.content_hints import forget_hints
from allmende.registry.errors import RepoGated
from allmende.registry.repos import Repo, check_gate, find_repo_by_id
from allmende.registry.tables import repo_content
from allmende.storage import Content, UnitOfWork, batches, content, find_contents, outbox, possessed

__all__ = [
    "HeldContent",
    "foreign_sources",
    "held_content",
    "hold",
    "is_borrowed",
    "list_held",
    "record_copies",
    "release",
    "storage_of",
    "usable",
]


@dataclass(frozen=True, slots=True)
class HeldContent:
    """A content that a repo holds, and how it came there."""

    sha256: Sha256
    size_bytes: int
    filename: str
    ref: str
    commit_oid: GitOid
    pushed_at: datetime


def usable(uow: UnitOfWork, actor: Actor, target: Repo, hashes: Iterable[Sha256]) -> dict[Sha256, Content]:
    """Those contents among `hashes` that the actor may link into `target`.

    The answer for bytes that the hub has but the actor has no right to is the same as for bytes that it
    does not have.
    """
    stored = find_contents(uow, hashes)
    allowed: set[Sha256] = set()
    if actor.account is not None:
        allowed |= possessed(uow, actor.account.id, stored)
    readable: dict[int, bool] = {target.id: True}
    for batch in batches(sorted(set(stored) - allowed)):
        query = select(repo_content.c.sha256, repo_content.c.repo_id).where(repo_content.c.sha256.in_(batch))
        for row in uow.all(query):
            if row.repo_id not in readable:
                readable[row.repo_id] = _may_read_files(uow, actor, RepoId(row.repo_id))
            if readable[row.repo_id]:
                allowed.add(Sha256(row.sha256))
    return {sha256: found for sha256, found in stored.items() if sha256 in allowed}


def hold(
    uow: UnitOfWork,
    repo_id: RepoId,
    paths: Mapping[Sha256, str],
    ref: str,
    commit_oid: GitOid,
    author_id: AccountId,
) -> None:
    """Record that the repo holds these contents, under the paths by which they came; older records stay.

    What the author of the commit has not uploaded is borrowed: see `is_borrowed`.
    """
    own = possessed(uow, author_id, paths)
    uow.insert_new(
        repo_content,
        [
            {
                "repo_id": repo_id,
                "sha256": sha256,
                "filename": path,
                "ref": ref,
                "commit_oid": commit_oid,
                "pushed_at": uow.now,
                "borrowed": sha256 not in own,
            }
            for sha256, path in paths.items()
        ],
    )


def held_content(uow: UnitOfWork, repo_id: RepoId, sha256: Sha256) -> Content | None:
    """The content, if the repo holds it."""
    query = select(repo_content.c.sha256).where(
        repo_content.c.repo_id == repo_id, repo_content.c.sha256 == sha256
    )
    if uow.one_or_none(query) is None:
        return None
    return find_contents(uow, [sha256]).get(sha256)


def is_borrowed(uow: UnitOfWork, repo_id: RepoId, key: str, account_id: AccountId | None) -> bool:
    """Whether these bytes came into the repo from another one, past the people of this one.

    To have copied what one may read makes nobody its owner. Who has uploaded the bytes is asked first, then
    how the repo came to hold them: by a link, or as a duplicate of a repo whose maker could only read it.
    """
    if is_sha256(key) and account_id is not None and possessed(uow, account_id, [Sha256(key)]):
        return False
    query = select(repo_content.c.borrowed).where(
        repo_content.c.repo_id == repo_id, repo_content.c.sha256 == key
    )
    row = uow.one_or_none(query)
    if row is not None and row.borrowed:
        return True
    if is_sha256(key):
        return False
    sources = foreign_sources(uow, repo_id)
    return any(find_repo_by_id(uow, source) is None or owns(uow, source, GitOid(key)) for source in sources)


def foreign_sources(uow: UnitOfWork, repo_id: RepoId) -> list[RepoId]:
    """The repo of which this one was made as a duplicate, if that was not, all of it, its maker's own."""
    query = select(outbox.c.payload).where(outbox.c.repo_id == repo_id, outbox.c.kind == "repo.duplicated")
    return [
        RepoId(row.payload["source_repo_id"]) for row in uow.all(query) if row.payload.get("foreign") is True
    ]


def list_held(uow: UnitOfWork, repo_id: RepoId, after: Sha256 | None, limit: int) -> list[HeldContent]:
    """The contents of a repo in the order of their hashes, from the one after `after` on."""
    query = (
        select(repo_content, content.c.size_bytes)
        .join(content, content.c.sha256 == repo_content.c.sha256)
        .where(repo_content.c.repo_id == repo_id)
        .order_by(repo_content.c.sha256)
        .limit(limit)
    )
    if after is not None:
        query = query.where(repo_content.c.sha256 > after)
    return [
        HeldContent(
            Sha256(row.sha256), row.size_bytes, row.filename, row.ref, GitOid(row.commit_oid), row.pushed_at
        )
        for row in uow.all(query)
    ]


def record_copies(
    uow: UnitOfWork, actor: Actor, source: Repo, target: Repo, paths: Mapping[Sha256, str]
) -> None:
    """Record that contents of one repo are about to be linked into another: lineage, said outright.

    Nothing is linked yet; the commit that follows does it, and asks for itself what its author may link.
    """
    if paths:
        uow.emit(
            "contents.copied",
            {"source_repo_id": source.id, "files": [[sha256, path] for sha256, path in paths.items()]},
            repo_id=target.id,
            actor_id=actor.account_id,
        )


def release(uow: UnitOfWork, repo_id: RepoId, hashes: Iterable[Sha256]) -> None:
    """The repo holds these contents no longer; their bytes go with garbage collection."""
    released = sorted(set(hashes))
    forget_hints(uow, repo_id, released)
    for batch in batches(released):
        uow.execute(
            delete(repo_content).where(repo_content.c.repo_id == repo_id, repo_content.c.sha256.in_(batch))
        )


def storage_of(uow: UnitOfWork, repo_ids: Iterable[RepoId]) -> dict[RepoId, int]:
    """Bytes of all contents that each of these repos holds, in all its revisions."""
    wanted = sorted(set(repo_ids))
    found = dict.fromkeys(wanted, 0)
    for batch in batches(wanted):
        query = (
            select(repo_content.c.repo_id, func.sum(content.c.size_bytes).label("size_bytes"))
            .join(content, content.c.sha256 == repo_content.c.sha256)
            .where(repo_content.c.repo_id.in_(batch))
            .group_by(repo_content.c.repo_id)
        )
        found.update({RepoId(row.repo_id): int(row.size_bytes) for row in uow.all(query)})
    return found


def _may_read_files(uow: UnitOfWork, actor: Actor, repo_id: RepoId) -> bool:
    found = find_repo_by_id(uow, repo_id)
    if found is None or found.disabled:
        return False
    if found.private and not actor.may_see(found.namespace_id, found.type, found.full_name):
        return False
    try:
        check_gate(uow, actor, found)
    except RepoGated:
        return False
    return True
