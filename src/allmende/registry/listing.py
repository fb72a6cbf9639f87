"""Listing repos: who may see which, filters, order, pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, Subquery, and_, bindparam, false, func, or_, select

from allmende.errors import BadRequest
from allmende.git import heads
from allmende.ids import AccountId, GitOid, RepoId, RepoType, Sha256
from allmende.registry.actors import Actor
from allmende.registry.cards import LINKED
from allmende.registry.names import name_key
from allmende.registry.repos import MAIN, Repo, is_visible, repo_from_row
from allmende.registry.tables import account, repo, repo_content, repo_tag
from allmende.storage import UnitOfWork, batches, content

__all__ = [
    "Order",
    "Place",
    "RepoPage",
    "RepoQuery",
    "all_repos",
    "contents_seen",
    "count_by_type",
    "count_repos",
    "count_tagged",
    "heads_of",
    "list_repos",
    "private_namespaces",
    "repos_by_id",
    "tagged_with",
    "tags_in_use",
    "visible_among",
    "visible_repos",
    "visible_storage",
]

_MAX_TAGS_IN_USE = 20_000

_KEY = repo.c.type + "/" + repo.c.full_name_key
_BY_ID = (
    select(repo, account.c.name.label("namespace"))
    .join(account, account.c.id == repo.c.namespace_id)
    .where(repo.c.id.in_(bindparam("ids", expanding=True)))
)

Order = Literal["created", "updated", "downloads"]

Place = tuple[int, int, str]
"""Where a repo stands in a list: what the list is ordered by, when the repo was made, its type and name.

All of that can be seen by whoever sees the repo; row numbers would tell how many repos others have.
"""


@dataclass(frozen=True, slots=True)
class RepoQuery:
    """What is looked for; every condition must hold. `after` is a cursor of the page before.

    Without a `type` repos of all types are found. `links` are repos that a space must name as its own,
    as `dataset:ns/name` or `model:ns/name`; with `linked` it must name any.
    """

    type: RepoType | None
    author: str | None = None
    search: Sequence[str] = ()
    tags: Sequence[str] = ()
    links: Sequence[str] = ()
    linked: bool = False
    pipeline_tag: str | None = None
    library_name: str | None = None
    gated: bool | None = None
    order: Order = "created"
    descending: bool = True
    limit: int = 100
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class RepoPage:
    """Some repos, and the cursor with which the next ones are had; None at the end."""

    repos: list[Repo]
    next: Place | None


def list_repos(uow: UnitOfWork, actor: Actor, query: RepoQuery) -> RepoPage:
    """One page of the repos that the actor may see."""
    column = {"created": repo.c.created_at, "updated": repo.c.updated_at, "downloads": repo.c.downloads}[
        query.order
    ]
    statement = select(repo, account.c.name.label("namespace")).join(
        account, account.c.id == repo.c.namespace_id
    )
    statement = _filtered(statement, actor, query)
    if query.after is not None:
        statement = statement.where(_beyond(column, query.after, query))
    places = (column, repo.c.created_at, _KEY)
    ordering = [place.desc() if query.descending else place.asc() for place in places]
    rows = uow.all(statement.order_by(*ordering).limit(query.limit + 1))
    repos = [repo_from_row(row) for row in rows[: query.limit]]
    return RepoPage(repos, _place(repos[-1], query.order) if len(rows) > query.limit else None)


def count_repos(uow: UnitOfWork, actor: Actor, repo_type: RepoType) -> int:
    """How many repos of a type the actor may see."""
    statement = select(func.count()).select_from(repo).where(repo.c.type == repo_type, _visible(actor))
    return int(uow.connection.execute(statement).scalar_one())


def count_by_type(uow: UnitOfWork, actor: Actor, namespace_id: AccountId) -> dict[RepoType, int]:
    """How many repos of each type in a namespace the actor may see."""
    statement = (
        select(repo.c.type, func.count().label("total"))
        .where(repo.c.namespace_id == namespace_id, _visible(actor))
        .group_by(repo.c.type)
    )
    found: dict[RepoType, int] = {"model": 0, "dataset": 0, "space": 0}
    return found | {row.type: row.total for row in uow.all(statement)}


def visible_storage(uow: UnitOfWork, actor: Actor, namespace_id: AccountId) -> int:
    """Bytes of all contents in those repos of a namespace that the actor may see, each repo for itself."""
    statement = (
        select(func.coalesce(func.sum(content.c.size_bytes), 0))
        .select_from(repo_content)
        .join(content, content.c.sha256 == repo_content.c.sha256)
        .join(repo, repo.c.id == repo_content.c.repo_id)
        .where(repo.c.namespace_id == namespace_id, _visible(actor))
    )
    return int(uow.connection.execute(statement).scalar_one())


def contents_seen(uow: UnitOfWork, actor: Actor, after: Sha256 | None, limit: int) -> list[Sha256]:
    """The contents in all repos that the actor may see, each once, in the order of their hashes."""
    statement = select(repo_content.c.sha256).join(repo, repo.c.id == repo_content.c.repo_id)
    statement = statement.where(_visible(actor)).distinct().order_by(repo_content.c.sha256).limit(limit)
    if after is not None:
        statement = statement.where(repo_content.c.sha256 > after)
    return [Sha256(row.sha256) for row in uow.all(statement)]


def tags_in_use(uow: UnitOfWork, actor: Actor, repo_type: RepoType) -> list[str]:
    """The tags of all repos of a type that the actor may see, by name, without repetition, bounded."""
    statement = (
        select(repo_tag.c.tag)
        .join(repo, repo.c.id == repo_tag.c.repo_id)
        .where(repo.c.type == repo_type, repo_tag.c.source != LINKED, _visible(actor))
        .distinct()
        .order_by(repo_tag.c.tag)
        .limit(_MAX_TAGS_IN_USE)
    )
    return [row.tag for row in uow.all(statement)]


def heads_of(uow: UnitOfWork, repo_ids: Iterable[RepoId]) -> Mapping[RepoId, GitOid]:
    """The commits at the heads of `main` of several repos."""
    return heads(uow, repo_ids, MAIN)


def repos_by_id(uow: UnitOfWork, ids: Iterable[RepoId]) -> dict[RepoId, Repo]:
    """These repos, as far as they exist. For work inside the hub: checks no right."""
    found: dict[RepoId, Repo] = {}
    for batch in batches(sorted(set(ids))):
        found |= {RepoId(row.id): repo_from_row(row) for row in uow.execute(_BY_ID, {"ids": batch})}
    return found


def visible_repos(actor: Actor) -> Subquery:
    """The repos that the actor may see, as a subquery for other rooms to join with."""
    return _listed().where(_visible(actor)).subquery("listed")


def private_namespaces(actor: Actor) -> list[AccountId]:
    """Where the actor may see private repos: all that are there, or those that a fine-grained token names."""
    return [] if actor.account is None or actor.token is None else [actor.account.id, *actor.roles]


def tagged_with(tag: str) -> Select[Any]:
    """The ids of repos that have a tag, as task or library too: clients look for these by the bare word."""
    return select(repo.c.id).where(_has_label(tag))


def all_repos() -> Subquery:
    """The same of all repos. For work inside the hub: checks no right."""
    return _listed().subquery("listed")


def visible_among(uow: UnitOfWork, actor: Actor, ids: Iterable[RepoId]) -> dict[RepoId, Repo]:
    """Those of these repos that the actor may see; disabled ones are shown to nobody."""
    return {
        repo_id: found
        for repo_id, found in repos_by_id(uow, ids).items()
        if not found.disabled and is_visible(actor, found)
    }


def count_tagged(uow: UnitOfWork, actor: Actor, repo_type: RepoType, tag: str) -> int:
    """How many repos of a type that the actor may see have a tag."""
    statement = (
        select(func.count())
        .select_from(repo)
        .where(repo.c.type == repo_type, _visible(actor), _has_tag(tag, linked=False))
    )
    return int(uow.connection.execute(statement).scalar_one())


def _listed() -> Select[Any]:
    return select(
        repo.c.id,
        repo.c.type,
        repo.c.namespace_id,
        repo.c.full_name_key,
        repo.c.private,
        repo.c.disabled,
        repo.c.created_at,
        repo.c.updated_at,
        repo.c.downloads,
    )


def _filtered(statement: Select[Any], actor: Actor, query: RepoQuery) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = [_visible(actor)]
    if query.type is not None:
        conditions.append(repo.c.type == query.type)
    if query.author is not None:
        conditions.append(account.c.name_key == name_key(query.author))
    for words in query.search:
        conditions.extend(
            repo.c.full_name_key.contains(word, autoescape=True) for word in words.lower().split()
        )
    for tag in query.tags:
        conditions.append(_has_label(tag))
    conditions.extend(_has_tag(link, linked=True) for link in query.links)
    if query.linked:
        conditions.append(_has_tag(None, linked=True))
    if query.pipeline_tag is not None:
        conditions.append(repo.c.pipeline_tag == query.pipeline_tag)
    if query.library_name is not None:
        conditions.append(repo.c.library_name == query.library_name)
    if query.gated is not None:
        conditions.append((repo.c.gated != "") if query.gated else (repo.c.gated == ""))
    return statement.where(*conditions)


def _has_label(tag: str) -> ColumnElement[bool]:
    """Whether it is a tag, or the task or library of a repo, whether a card or the files told them."""
    return or_(_has_tag(tag, linked=False), repo.c.pipeline_tag == tag, repo.c.library_name == tag)


def _has_tag(tag: str | None, *, linked: bool) -> ColumnElement[bool]:
    of_kind = repo_tag.c.source == LINKED if linked else repo_tag.c.source != LINKED
    query = select(repo_tag.c.tag).where(repo_tag.c.repo_id == repo.c.id, of_kind)
    return (query if tag is None else query.where(repo_tag.c.tag == tag)).exists()


def _visible(actor: Actor) -> ColumnElement[bool]:
    """The same rule as `Actor.may_see`, in SQL."""
    public = repo.c.private.is_(False)
    own = _own(actor)
    return and_(repo.c.disabled.is_(False), or_(public, own))


def _own(actor: Actor) -> ColumnElement[bool]:
    namespaces = private_namespaces(actor)
    if not namespaces or actor.token is None:
        return false()
    within = repo.c.namespace_id.in_(namespaces)
    if actor.token.role != "fine_grained":
        return within
    entities = [scope.entity.lower() for scope in actor.token.scopes]
    owner = account.alias("owner")
    owner_key = select(owner.c.name_key).where(owner.c.id == repo.c.namespace_id).scalar_subquery()
    return and_(
        within, or_((repo.c.type + "/" + repo.c.full_name_key).in_(entities), owner_key.in_(entities))
    )


def _beyond(column: ColumnElement[Any], after: Place, query: RepoQuery) -> ColumnElement[bool]:
    """What comes after a place, in the order of the list."""
    value = after[0] if query.order == "downloads" else _moment(after[0])
    created = _moment(after[1])
    if query.descending:
        within = or_(repo.c.created_at < created, and_(repo.c.created_at == created, after[2] > _KEY))
        return or_(column < value, and_(column == value, within))
    within = or_(repo.c.created_at > created, and_(repo.c.created_at == created, after[2] < _KEY))
    return or_(column > value, and_(column == value, within))


def _place(last: Repo, order: Order) -> Place:
    created = _microseconds(last.created_at)
    value = {"created": created, "updated": _microseconds(last.updated_at), "downloads": last.downloads}
    return value[order], created, f"{last.type}/{name_key(last.full_name)}"


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def _moment(microseconds: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise BadRequest("The cursor is not valid.", code="cursor_invalid") from error
