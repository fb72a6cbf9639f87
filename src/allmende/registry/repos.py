"""Repos: making, finding, renaming, changing and deleting them, and who may do so.

A private repo looks exactly like a missing one to everybody who may not see it: every look-up goes
through `readable_repo`, which raises the same error for both.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, bindparam, delete, select, update

from allmende.errors import BadRequest
from allmende.formats import DEFAULT_GITATTRIBUTES
from allmende.git import (
    FILE,
    Signature,
    TreeEntry,
    blob_object,
    commit_object,
    move_ref,
    tree_object,
    write_objects,
)
from allmende.git import forget_repo as forget_git
from allmende.ids import AccountId, GitOid, RepoId, RepoType
from allmende.jobs import JobQueue
from allmende.registry.accounts import Account, find_account
from allmende.registry.actors import Actor
from allmende.registry.errors import (
    AccessDenied,
    RepoDisabled,
    RepoExists,
    RepoGated,
    RepoMoved,
    RepoNotFound,
)
from allmende.registry.names import check_repo_name, name_key
from allmende.registry.tables import access_grant, account, repo, repo_former_name
from allmende.storage import UnitOfWork

__all__ = [
    "MAIN",
    "Gate",
    "Repo",
    "changeable_repo",
    "check_gate",
    "create_repo",
    "delete_repo",
    "enqueue_examination",
    "find_repo_by_id",
    "grant_access",
    "is_visible",
    "lookup_repo",
    "move_repo",
    "public_id_of",
    "readable_repo",
    "signature_of",
    "subject_of",
    "touch_repo",
    "update_repo",
]

MAIN = "refs/heads/main"

Gate = Literal["", "auto", "manual"]

_BY_NAME = (
    select(repo, account.c.name.label("namespace"))
    .join(account, account.c.id == repo.c.namespace_id)
    .where(repo.c.type == bindparam("type"), repo.c.full_name_key == bindparam("key"))
)

_SALT_BYTES = 32
_PUBLIC_ID_DIGITS = 24
"""As many as the clients' own examples have; some keep them in columns of that width."""

EXAMINE_PRIORITY = 10
"""Above housekeeping: people wait for what an examination says."""


@dataclass(frozen=True, slots=True)
class Repo:
    """A model, dataset or space in a namespace."""

    id: RepoId
    type: RepoType
    namespace_id: AccountId
    namespace: str
    name: str
    private: bool
    gated: Gate
    disabled: bool
    xet_reads: bool
    """Whether its files are offered over Xet; the hub's own setting must allow it too."""
    details: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    downloads: int
    pipeline_tag: str | None
    library_name: str | None
    public_id: str
    """For clients: it stays when the repo is renamed, and tells nothing, such as how many repos there are."""

    @property
    def full_name(self) -> str:
        """`namespace/name`, as clients write it."""
        return f"{self.namespace}/{self.name}"


def create_repo(
    uow: UnitOfWork,
    queue: JobQueue,
    actor: Actor,
    repo_type: RepoType,
    namespace: str,
    name: str,
    *,
    private: bool | None = None,
    details: Mapping[str, Any] | None = None,
) -> Repo:
    """A new repo with its first commit, which holds `.gitattributes` alone.

    Without `private` the namespace's default applies. Raises SignInRequired, AccessDenied (also for a
    namespace that does not exist), NameInvalid, RepoExists.
    """
    actor.require_account()
    check_repo_name(name)
    owner = find_account(uow, namespace)
    if owner is None or actor.role_in(owner.id) is None:
        raise AccessDenied(
            f"You don't have the rights to create a {repo_type} under the namespace {namespace!r}.",
            hint="Create it under your own name or under an organisation in which you may write.",
        )
    full_name = f"{owner.name}/{name}"
    known = actor.require_change(owner.id, repo_type, full_name)
    taken = _row_by_name(uow, repo_type, full_name)
    if taken is not None:
        raise RepoExists(repo_type, repo_from_row(taken).full_name)
    # A new repo takes a name over that another one had once: the redirect ends.
    uow.execute(
        delete(repo_former_name).where(
            repo_former_name.c.type == repo_type, repo_former_name.c.full_name_key == name_key(full_name)
        )
    )
    inserted = uow.execute(
        repo.insert().values(
            type=repo_type,
            namespace_id=owner.id,
            name=name,
            full_name=full_name,
            full_name_key=name_key(full_name),
            private=owner.default_visibility == "private" if private is None else private,
            gated="",
            disabled=False,
            details=dict(details or {}),
            created_at=uow.now,
            updated_at=uow.now,
            next_number=1,
            downloads=0,
            salt=secrets.token_bytes(_SALT_BYTES),
        )
    ).inserted_primary_key
    if inserted is None:
        raise RuntimeError("the database gave a new repo no id")
    repo_id = RepoId(int(inserted[0]))
    head = _first_commit(uow, repo_id, known)
    move_ref(uow, repo_id, MAIN, expected=None, new=head)
    enqueue_examination(uow, queue, repo_id, head)
    created = find_repo_by_id(uow, repo_id)
    if created is None:
        raise RuntimeError("a repo that was just inserted is not there")
    uow.emit(
        "repo.created",
        {"type": repo_type, "name": full_name, "private": created.private, "commit": head},
        repo_id=repo_id,
        actor_id=known.id,
    )
    return created


def find_repo_by_id(uow: UnitOfWork, repo_id: RepoId) -> Repo | None:
    """The repo, or None when it was deleted. For work inside the hub: checks no right."""
    row = uow.one_or_none(_select().where(repo.c.id == repo_id))
    return None if row is None else repo_from_row(row)


def lookup_repo(uow: UnitOfWork, repo_type: RepoType, full_name: str) -> Repo | None:
    """The repo that has this name now. For the operator's own commands: checks no right."""
    row = _row_by_name(uow, repo_type, full_name)
    return None if row is None else repo_from_row(row)


def readable_repo(uow: UnitOfWork, actor: Actor, repo_type: RepoType, full_name: str) -> Repo:
    """The repo, if the actor may know of it.

    Raises RepoNotFound, RepoMoved (to those who may see the repo under its new name), RepoDisabled. Its
    files may still be gated: `check_gate`.
    """
    row = _row_by_name(uow, repo_type, full_name)
    if row is None:
        moved = _row_by_former_name(uow, repo_type, full_name)
        if moved is None or not is_visible(actor, repo_from_row(moved)):
            raise RepoNotFound
        raise RepoMoved(repo_type, repo_from_row(moved).full_name)
    found = repo_from_row(row)
    if not is_visible(actor, found):
        raise RepoNotFound
    if found.disabled and not actor.administers_hub:
        raise RepoDisabled
    return found


def changeable_repo(uow: UnitOfWork, actor: Actor, repo_type: RepoType, full_name: str) -> Repo:
    """The repo, if the actor may change it.

    Raises what `readable_repo` raises, SignInRequired, AccessDenied.
    """
    found = readable_repo(uow, actor, repo_type, full_name)
    actor.require_change(found.namespace_id, repo_type, found.full_name)
    return found


def check_gate(uow: UnitOfWork, actor: Actor, found: Repo) -> None:
    """Raises RepoGated unless the actor may read the files of this (readable) repo."""
    if not found.gated or actor.may_see(found.namespace_id, found.type, found.full_name):
        return
    if actor.account is not None:
        query = select(access_grant).where(
            access_grant.c.repo_id == found.id, access_grant.c.account_id == actor.account.id
        )
        if uow.one_or_none(query) is not None:
            return
    raise RepoGated(found.type, found.full_name, known=actor.account is not None)


def grant_access(uow: UnitOfWork, actor: Actor, found: Repo, user: Account) -> None:
    """Let a user read the files of a gated repo. Raises BadRequest when they may already."""
    known = actor.require_change(found.namespace_id, found.type, found.full_name)
    if not found.gated:
        raise BadRequest("This repo is not gated.", code="not_gated")
    query = select(access_grant).where(
        access_grant.c.repo_id == found.id, access_grant.c.account_id == user.id
    )
    if uow.one_or_none(query) is not None:
        raise BadRequest(f"{user.name} has access already.", code="already_granted")
    uow.execute(access_grant.insert().values(repo_id=found.id, account_id=user.id, at=uow.now))
    uow.emit("repo.access_granted", {"user": user.name}, repo_id=found.id, actor_id=known.id)


def move_repo(uow: UnitOfWork, actor: Actor, found: Repo, new_full_name: str) -> Repo:
    """Rename a repo, also into another namespace where the actor may write; the old name redirects.

    Raises AccessDenied, NameInvalid, RepoExists.
    """
    known = actor.require_change(found.namespace_id, found.type, found.full_name)
    namespace, _, name = new_full_name.partition("/")
    check_repo_name(name)
    owner = find_account(uow, namespace)
    if owner is None or actor.role_in(owner.id) is None:
        raise AccessDenied(f"You may not move a repo into the namespace {namespace!r}.")
    full_name = f"{owner.name}/{name}"
    actor.require_change(owner.id, found.type, full_name)
    taken = _row_by_name(uow, found.type, full_name)
    if taken is not None and taken.id != found.id:
        raise RepoExists(found.type, repo_from_row(taken).full_name)
    if name_key(full_name) != name_key(found.full_name):
        uow.execute(
            delete(repo_former_name).where(
                repo_former_name.c.type == found.type, repo_former_name.c.full_name_key == name_key(full_name)
            )
        )
        uow.upsert(
            repo_former_name,
            {
                "type": found.type,
                "full_name_key": name_key(found.full_name),
                "repo_id": found.id,
                "at": uow.now,
            },
        )
    uow.execute(
        update(repo)
        .where(repo.c.id == found.id)
        .values(namespace_id=owner.id, name=name, full_name=full_name, full_name_key=name_key(full_name))
    )
    uow.emit("repo.moved", {"from": found.full_name, "to": full_name}, repo_id=found.id, actor_id=known.id)
    moved = find_repo_by_id(uow, found.id)
    if moved is None:
        raise RuntimeError("a repo vanished while it was moved")
    return moved


def update_repo(
    uow: UnitOfWork,
    actor: Actor,
    found: Repo,
    *,
    private: bool | None = None,
    gated: Gate | None = None,
    xet_reads: bool | None = None,
) -> None:
    """Change visibility, gate or the switch of Xet reads; what is None stays. Raises AccessDenied."""
    known = actor.require_change(found.namespace_id, found.type, found.full_name)
    if private is not None and private != found.private:
        uow.execute(update(repo).where(repo.c.id == found.id).values(private=private))
        uow.emit("repo.visibility", {"private": private}, repo_id=found.id, actor_id=known.id)
    if gated is not None and gated != found.gated:
        uow.execute(update(repo).where(repo.c.id == found.id).values(gated=gated))
        uow.emit("repo.gated", {"gated": gated}, repo_id=found.id, actor_id=known.id)
    if xet_reads is not None and xet_reads != found.xet_reads:
        uow.execute(update(repo).where(repo.c.id == found.id).values(xet_reads=xet_reads))
        uow.emit("repo.xet_reads", {"xet_reads": xet_reads}, repo_id=found.id, actor_id=known.id)


def delete_repo(uow: UnitOfWork, actor: Actor, found: Repo) -> None:
    """Delete a repo and its history; contents that nothing else holds go with `admin gc`.

    Raises AccessDenied.
    """
    known = actor.require_change(found.namespace_id, found.type, found.full_name)
    told = _row_by_name(uow, found.type, found.full_name)
    salt = None if told is None else told.salt
    forget_git(uow, found.id)
    uow.execute(delete(repo).where(repo.c.id == found.id))
    # No name: what is deleted is to be forgotten, and only those who know the salt can tell what it was.
    uow.emit(
        "repo.deleted",
        {
            "type": found.type,
            "id": found.public_id,
            "subject": subject_of(salt or found.full_name.encode(), found.type, found.public_id),
            "hidden": found.private or found.disabled,
        },
        repo_id=found.id,
        actor_id=known.id,
    )


def enqueue_examination(uow: UnitOfWork, queue: JobQueue, repo_id: RepoId, commit_oid: GitOid) -> None:
    """Have a revision examined; part of the transaction that makes it."""
    queue.enqueue(
        uow,
        "examine",
        {"repo_id": repo_id, "commit_oid": commit_oid},
        key=f"examine:{repo_id}:{commit_oid}",
        priority=EXAMINE_PRIORITY,
    )


def touch_repo(uow: UnitOfWork, repo_id: RepoId) -> None:
    """Record that the repo's contents changed now."""
    uow.execute(update(repo).where(repo.c.id == repo_id).values(updated_at=uow.now))


def signature_of(known: Account, at: datetime) -> Signature:
    """How an account signs commits. Its e-mail stays private unless the commit came with one."""
    return Signature(known.name, f"{known.name}@users.noreply.allmende", at)


def _first_commit(uow: UnitOfWork, repo_id: RepoId, author: Account) -> GitOid:
    attributes = blob_object(DEFAULT_GITATTRIBUTES.encode())
    root = tree_object([TreeEntry(".gitattributes", FILE, attributes.oid)])
    first = commit_object(root.oid, [], signature_of(author, uow.now), "initial commit", "")
    write_objects(uow, repo_id, [attributes, root, first])
    return first.oid


def is_visible(actor: Actor, found: Repo) -> bool:
    """Whether the actor may know of the repo."""
    return not found.private or actor.may_see(found.namespace_id, found.type, found.full_name)


def _select() -> Any:
    return select(repo, account.c.name.label("namespace")).join(account, account.c.id == repo.c.namespace_id)


def _row_by_name(uow: UnitOfWork, repo_type: RepoType, full_name: str) -> Row[Any] | None:
    return uow.execute(_BY_NAME, {"type": repo_type, "key": name_key(full_name)}).one_or_none()


def _row_by_former_name(uow: UnitOfWork, repo_type: RepoType, full_name: str) -> Row[Any] | None:
    return uow.one_or_none(
        _select()
        .join(repo_former_name, repo_former_name.c.repo_id == repo.c.id)
        .where(repo_former_name.c.type == repo_type, repo_former_name.c.full_name_key == name_key(full_name))
    )


def repo_from_row(row: Row[Any]) -> Repo:
    """A row of `repo` joined with its namespace's name."""
    return Repo(
        id=RepoId(row.id),
        type=row.type,
        namespace_id=AccountId(row.namespace_id),
        namespace=row.namespace,
        name=row.name,
        private=row.private,
        gated=row.gated,
        disabled=row.disabled,
        xet_reads=row.xet_reads,
        details=row.details,
        created_at=row.created_at,
        updated_at=row.updated_at,
        downloads=row.downloads,
        pipeline_tag=row.pipeline_tag,
        library_name=row.library_name,
        public_id=public_id_of(row.salt or row.full_name.encode()),
    )


def subject_of(secret: bytes, repo_type: RepoType, public_id: str) -> str:
    """What stands for the repo in the log: who knows the salt can tell."""
    return hmac.digest(secret, f"{repo_type}/{public_id}".encode(), hashlib.sha256).hex()


def public_id_of(secret: bytes) -> str:
    """The id that clients see, from the repo's salt."""
    return hashlib.sha256(b"allmende repo " + secret).hexdigest()[:_PUBLIC_ID_DIGITS]
