"""Weights as the hub knows them: sets of contents, what was measured of each, and which revisions hold them.

They are true wherever the bytes lie. Whether somebody may know of them is decided by the caller, who looks
which repos hold them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, or_, select, update

from allmende.facts.fact import ContentKey
from allmende.facts.lineage_tables import declared_base, revision_weights, weights, weights_content
from allmende.ids import GitOid, RepoId, Sha256, WeightsId, is_sha256
from allmende.storage import UnitOfWork, batches

__all__ = [
    "Declared",
    "HeldWeights",
    "Measured",
    "SearchKey",
    "Weights",
    "WeightsFile",
    "forget_weights",
    "forget_weights_of_contents",
    "forget_weights_of_repo",
    "hold_weights",
    "holders_declaring",
    "holders_in",
    "holders_of",
    "keys_of",
    "put_measured",
    "release_weights",
    "search_keys",
    "weights_by_number",
    "weights_of",
    "weights_of_build",
    "weights_of_revision",
    "weights_sharing_contents",
    "weights_with_content",
]

_OF_REVISION = select(revision_weights).where(
    revision_weights.c.repo_id == bindparam("repo_id"),
    revision_weights.c.commit_oid == bindparam("commit_oid"),
)

_MAX_DECLARED = 100
_MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of weights, or the configuration that goes with them."""

    path: str
    key: ContentKey
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Declared:
    """A base that a revision names, as written; `relation` is None where nothing is said of it."""

    name: str
    relation: str | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What was read from weights. `key` is None where nothing in them tells their descent."""

    tool_version: str
    key: bytes | None
    build: str | None
    layout: str | None
    parameters: int | None
    problems: tuple[str, ...]
    error: str | None


@dataclass(frozen=True, slots=True)
class Weights:
    """One set of weights; `measured` is None until they were looked into."""

    number: int
    id: WeightsId
    measured: Measured | None


@dataclass(frozen=True, slots=True)
class HeldWeights:
    """Weights in a revision. Of all revisions, `number` gives the order in which they were first seen."""

    number: int
    repo_id: RepoId
    commit_oid: GitOid
    weights_id: WeightsId
    files: tuple[WeightsFile, ...]
    config: WeightsFile | None
    declared: tuple[Declared, ...]


@dataclass(frozen=True, slots=True)
class SearchKey:
    """By what weights are found among many."""

    number: int
    key: bytes
    measured_at: datetime


def hold_weights(
    uow: UnitOfWork,
    repo_id: RepoId,
    commit_oid: GitOid,
    weights_id: WeightsId,
    files: Sequence[WeightsFile],
    config: WeightsFile | None,
    declared: Iterable[Declared],
) -> None:
    """Record what a revision holds and declares; a repeat keeps its place in the order of being seen."""
    uow.insert_new(weights, [{"id": weights_id, "problems": []}])
    uow.insert_new(
        weights_content,
        [{"weights_id": weights_id, "content_key": key} for key in {file.key for file in files}],
    )
    values = {
        "weights_id": weights_id,
        "files": [_file_row(file) for file in files],
        "config": None if config is None else _file_row(config),
    }
    at_revision = (revision_weights.c.repo_id == repo_id) & (revision_weights.c.commit_oid == commit_oid)
    found = uow.one_or_none(select(revision_weights.c.number).where(at_revision))
    if found is None:
        row = {"repo_id": repo_id, "commit_oid": commit_oid, **values}
        inserted = uow.execute(revision_weights.insert().values(row)).inserted_primary_key
        if inserted is None:
            raise RuntimeError("the database gave a revision's weights no number")
        number = int(inserted[0])
    else:
        number = found.number
        uow.execute(update(revision_weights).where(at_revision).values(values))
    _declare(uow, number, declared)


def release_weights(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> None:
    """The revision holds no weights that can be looked into."""
    uow.execute(
        delete(revision_weights).where(
            revision_weights.c.repo_id == repo_id, revision_weights.c.commit_oid == commit_oid
        )
    )


def put_measured(
    uow: UnitOfWork, weights_id: WeightsId, found: Measured, sketch: bytes | None = None
) -> None:
    """Record what was read from weights, with their sketch; nothing happens when they are gone."""
    uow.execute(
        update(weights)
        .where(weights.c.id == weights_id)
        .values(
            tool_version=found.tool_version,
            measured_at=uow.now,
            sketch=sketch,
            search_key=found.key,
            build=found.build,
            layout=found.layout,
            parameters=found.parameters,
            problems=list(found.problems),
            error=found.error,
        )
    )


def weights_of(uow: UnitOfWork, ids: Iterable[WeightsId]) -> dict[WeightsId, Weights]:
    """What is known of these weights; unknown ones are absent."""
    found: dict[WeightsId, Weights] = {}
    # Sketches are 40 times as large as everything else, and are not wanted here.
    columns = [column for column in weights.c if column.name != "sketch"]
    for batch in batches(sorted(set(ids))):
        for row in uow.all(select(*columns).where(weights.c.id.in_(batch))):
            found[WeightsId(row.id)] = _weights(row)
    return found


def weights_of_revision(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> HeldWeights | None:
    """What a revision holds; None while it is unexamined, and where there are no weights."""
    rows = uow.execute(_OF_REVISION, {"repo_id": repo_id, "commit_oid": commit_oid}).all()
    found = _with_declared(uow, rows)
    return found[0] if found else None


def holders_of(uow: UnitOfWork, ids: Iterable[WeightsId]) -> list[HeldWeights]:
    """Every revision that holds any of these weights, first seen first."""
    rows: list[Row[Any]] = []
    for batch in batches(sorted(set(ids))):
        rows += uow.all(select(revision_weights).where(revision_weights.c.weights_id.in_(batch)))
    return _with_declared(uow, sorted(rows, key=lambda row: int(row.number)))


def holders_in(uow: UnitOfWork, repo_id: RepoId) -> list[HeldWeights]:
    """Every revision of a repo that holds weights, first seen first."""
    query = select(revision_weights).where(revision_weights.c.repo_id == repo_id)
    return _with_declared(uow, uow.all(query.order_by(revision_weights.c.number)))


def holders_declaring(uow: UnitOfWork, names: Iterable[str], limit: int) -> list[WeightsId]:
    """Weights of revisions that name any of these as a base, the latest first."""
    query = (
        select(revision_weights.c.weights_id)
        .join(declared_base, declared_base.c.holder == revision_weights.c.number)
        .where(declared_base.c.name_key.in_(sorted({name.lower()[:_MAX_NAME_CHARS] for name in names})))
        .order_by(revision_weights.c.number.desc())
        .limit(limit)
    )
    return list(dict.fromkeys(WeightsId(row.weights_id) for row in uow.all(query)))


def weights_sharing_contents(uow: UnitOfWork, weights_id: WeightsId, limit: int) -> list[WeightsId]:
    """Other weights that have a file of these, bounded."""
    other = weights_content.alias("other")
    query = (
        select(other.c.weights_id)
        .join(weights_content, weights_content.c.content_key == other.c.content_key)
        .where(weights_content.c.weights_id == weights_id, other.c.weights_id != weights_id)
        .distinct()
        .order_by(other.c.weights_id)
        .limit(limit)
    )
    return [WeightsId(row.weights_id) for row in uow.all(query)]


def weights_with_content(uow: UnitOfWork, key: ContentKey, limit: int) -> list[WeightsId]:
    """Weights of which a file has these bytes, bounded."""
    query = (
        select(weights_content.c.weights_id)
        .where(weights_content.c.content_key == key)
        .order_by(weights_content.c.weights_id)
        .limit(limit)
    )
    return [WeightsId(row.weights_id) for row in uow.all(query)]


def weights_of_build(uow: UnitOfWork, build: str, limit: int) -> list[WeightsId]:
    """Weights whose tensors have these names and shapes, bounded."""
    query = select(weights.c.id).where(weights.c.build == build).order_by(weights.c.number).limit(limit)
    return [WeightsId(row.id) for row in uow.all(query)]


def search_keys(
    uow: UnitOfWork, tool_version: str, after: tuple[datetime, int], limit: int
) -> list[SearchKey]:
    """The keys of weights that this version measured, in that order, after a moment and a number."""
    moment, number = after
    columns = (weights.c.number, weights.c.search_key, weights.c.measured_at)
    at_once = and_(weights.c.measured_at == moment, weights.c.number > number)
    query = (
        select(*columns)
        .where(or_(weights.c.measured_at > moment, at_once))
        .where(weights.c.tool_version == tool_version, weights.c.search_key.is_not(None))
        .order_by(weights.c.measured_at, weights.c.number)
        .limit(limit)
    )
    return [SearchKey(int(row.number), bytes(row.search_key), row.measured_at) for row in uow.all(query)]


def keys_of(uow: UnitOfWork, ids: Iterable[WeightsId], tool_version: str) -> dict[WeightsId, bytes]:
    """The keys of these weights that this version measured; those of others cannot be compared with them."""
    found: dict[WeightsId, bytes] = {}
    for batch in batches(sorted(set(ids))):
        query = select(weights.c.id, weights.c.search_key).where(
            weights.c.id.in_(batch),
            weights.c.tool_version == tool_version,
            weights.c.search_key.is_not(None),
        )
        found |= {WeightsId(row.id): row.search_key for row in uow.all(query)}
    return found


def weights_by_number(uow: UnitOfWork, numbers: Iterable[int]) -> dict[int, WeightsId]:
    """The weights that have these numbers; those that are gone are absent."""
    found: dict[int, WeightsId] = {}
    for batch in batches(sorted(set(numbers))):
        query = select(weights.c.number, weights.c.id).where(weights.c.number.in_(batch))
        found |= {int(row.number): WeightsId(row.id) for row in uow.all(query)}
    return found


def forget_weights_of_repo(uow: UnitOfWork, repo_id: RepoId) -> None:
    """A repo is gone, and so is what it held."""
    held = {found.weights_id for found in holders_in(uow, repo_id)}
    uow.execute(delete(revision_weights).where(revision_weights.c.repo_id == repo_id))
    forget_weights(uow, held)


def forget_weights_of_contents(uow: UnitOfWork, keys: Iterable[ContentKey]) -> None:
    """The bytes are gone for good, and with them all weights that they were part of."""
    for batch in batches(sorted(set(keys))):
        ids = select(weights_content.c.weights_id).where(weights_content.c.content_key.in_(batch))
        uow.execute(delete(weights).where(weights.c.id.in_(ids)))


def forget_weights(uow: UnitOfWork, ids: Iterable[WeightsId]) -> None:
    """Forget those among these that no revision holds, and where they come from."""
    held = select(revision_weights.c.number).where(revision_weights.c.weights_id == weights.c.id)
    for batch in batches(sorted(set(ids))):
        uow.execute(delete(weights).where(weights.c.id.in_(batch), ~held.exists()))


def _declare(uow: UnitOfWork, holder: int, declared: Iterable[Declared]) -> None:
    uow.execute(delete(declared_base).where(declared_base.c.holder == holder))
    rows = [
        {
            "holder": holder,
            "ordinal": ordinal,
            "name": base.name[:_MAX_NAME_CHARS],
            "name_key": base.name.lower()[:_MAX_NAME_CHARS],
            "relation": base.relation,
        }
        for ordinal, base in enumerate(list(declared)[:_MAX_DECLARED])
    ]
    uow.insert_new(declared_base, rows)


def _with_declared(uow: UnitOfWork, rows: Sequence[Row[Any]]) -> list[HeldWeights]:
    declared: dict[int, list[Declared]] = {}
    for batch in batches([int(row.number) for row in rows]):
        query = (
            select(declared_base)
            .where(declared_base.c.holder.in_(batch))
            .order_by(declared_base.c.holder, declared_base.c.ordinal)
        )
        for base in uow.all(query):
            declared.setdefault(int(base.holder), []).append(Declared(base.name, base.relation))
    return [_held(row, declared.get(int(row.number), ())) for row in rows]


def _held(row: Row[Any], declared: Iterable[Declared]) -> HeldWeights:
    return HeldWeights(
        int(row.number),
        RepoId(row.repo_id),
        GitOid(row.commit_oid),
        WeightsId(row.weights_id),
        tuple(_file(file) for file in row.files),
        None if row.config is None else _file(row.config),
        tuple(declared),
    )


def _weights(row: Row[Any]) -> Weights:
    measured = None
    if row.tool_version is not None:
        measured = Measured(
            row.tool_version,
            row.search_key,
            row.build,
            row.layout,
            row.parameters,
            tuple(row.problems),
            row.error,
        )
    return Weights(int(row.number), WeightsId(row.id), measured)


def _file_row(file: WeightsFile) -> list[str | int]:
    return [file.path, file.key, file.size_bytes]


def _file(row: Sequence[Any]) -> WeightsFile:
    path, key, size_bytes = row
    return WeightsFile(path, Sha256(key) if is_sha256(key) else GitOid(key), int(size_bytes))
