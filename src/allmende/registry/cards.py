"""What a repo's card declares, kept beside the repo so that lists and filters can use it.

The card is the README at the head of `main`. It is indexed in the transaction that moves the head, so a
list never disagrees with it. What is measured from files comes later, from an examination, through
`index_derived`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Subquery, bindparam, delete, func, select, update

from allmende.formats import (
    BASE_MODEL_RELATIONS,
    MalformedCard,
    library_of,
    parse_card,
    pipeline_tag_of,
    tags_of,
)
from allmende.git import FileEntry, find_entry, read_blob, read_commit
from allmende.ids import GitOid, RepoId
from allmende.registry.repos import Repo
from allmende.registry.tables import card, repo, repo_tag
from allmende.storage import UnitOfWork, batches

__all__ = [
    "CARD_PATH",
    "LINKED",
    "CardText",
    "base_tags",
    "card_at",
    "card_data",
    "cards_of",
    "forget_measured_base",
    "index_card",
    "index_derived",
    "index_measured",
    "measured_base_names",
    "measured_bases",
    "read_card",
    "tags_by_repo",
]

CARD_PATH = "README.md"
DECLARED = "declared"
MEASURED = "measured"
"""The source of tags about bases that the weights tell."""
LINKED = "linked"
"""The source of those rows that are no tags but the repos that a space's card names."""
_TAGS = (
    select(repo_tag)
    .where(repo_tag.c.repo_id.in_(bindparam("repo_ids", expanding=True)), repo_tag.c.source != LINKED)
    .order_by(repo_tag.c.repo_id, repo_tag.c.source, repo_tag.c.tag)
)
_BASE = "base_model:"
_TAG_PARTS = 3
_MAX_TAG_CHARS = 200
_MAX_TAGS = 500
_MAX_COLUMN_CHARS = 96


def read_card(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> str | None:
    """The text of the card at a revision; None when there is none, or it is kept as a large file."""
    entry = _card_entry(uow, commit_oid)
    if entry is None:
        return None
    return read_blob(uow, repo_id, entry.oid).decode("utf-8", "replace")


def card_data(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> dict[str, Any] | None:
    """What the card at a revision declares; None when there is no card or its front matter is not valid."""
    text = read_card(uow, repo_id, commit_oid)
    return None if text is None else _parse(text)[0]


@dataclass(frozen=True, slots=True)
class CardText:
    """A card at some revision: what it declares (nothing if its front matter is not valid), and its body."""

    data: dict[str, Any] | None
    body: str


def card_at(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> CardText | None:
    """The card at a revision, read once for both of its parts; None when there is none."""
    text = read_card(uow, repo_id, commit_oid)
    return None if text is None else CardText(*_parse(text))


def index_card(uow: UnitOfWork, found: Repo, commit_oid: GitOid) -> None:
    """Bring the index up to the card at this head of `main`."""
    entry = _card_entry(uow, commit_oid)
    known = uow.one_or_none(select(card.c.blob_oid).where(card.c.repo_id == found.id))
    if (known.blob_oid if known else None) == (entry.oid if entry else None):
        return
    data: dict[str, Any] | None = None
    body = ""
    uow.execute(delete(card).where(card.c.repo_id == found.id))
    if entry is not None:
        data, body = _parse(read_blob(uow, found.id, entry.oid).decode("utf-8", "replace"))
        uow.execute(card.insert().values(repo_id=found.id, blob_oid=entry.oid, data=data or {}))
    _set_tags(uow, found.id, DECLARED, tags_of(data or {}, found.type, body))
    _set_tags(uow, found.id, LINKED, _links(data or {}) if found.type == "space" else ())
    uow.execute(
        update(repo)
        .where(repo.c.id == found.id)
        .values(pipeline_tag=pipeline_tag_of(data or {}), library_name=library_of(data or {}))
    )


def index_derived(
    uow: UnitOfWork, repo_id: RepoId, tags: Iterable[str], pipeline_tag: str | None, library_name: str | None
) -> None:
    """Put what an examination derived from the files beside it; what the card declares goes before."""
    _set_tags(uow, repo_id, "derived", tags)
    declared = cards_of(uow, [repo_id]).get(repo_id, {})
    uow.execute(
        update(repo)
        .where(repo.c.id == repo_id)
        .values(
            pipeline_tag=(pipeline_tag_of(declared) or pipeline_tag or "")[:_MAX_COLUMN_CHARS] or None,
            library_name=(library_of(declared) or library_name or "")[:_MAX_COLUMN_CHARS] or None,
        )
    )


def index_measured(uow: UnitOfWork, repo_id: RepoId, bases: Iterable[tuple[str, str]]) -> None:
    """Put the bases that were measured (relation and full name) among a repo's tags, in the cards' own form.

    Whoever sees the repo sees them: so the caller names only bases that all of those may see.
    """
    _set_tags(uow, repo_id, MEASURED, base_tags(bases))


def measured_bases(uow: UnitOfWork, repo_ids: Iterable[RepoId]) -> dict[RepoId, list[tuple[str, str]]]:
    """The same back: relation and full name of each measured base of these repos."""
    found: dict[RepoId, list[tuple[str, str]]] = {}
    for batch in batches(sorted(set(repo_ids))):
        query = select(repo_tag).where(repo_tag.c.repo_id.in_(batch), repo_tag.c.source == MEASURED)
        for row in uow.all(query.order_by(repo_tag.c.repo_id, repo_tag.c.tag)):
            parts = row.tag.split(":", 2)
            if len(parts) == _TAG_PARTS:
                found.setdefault(RepoId(row.repo_id), []).append((parts[1], parts[2]))
    return found


def measured_base_names() -> Subquery:
    """Rows (`repo_id`, `base`: a full name) of the measured bases of all repos, to join with.

    A base is there only where all who see the repo may see it too, as `index_measured` has it.
    """
    name = func.substr(repo_tag.c.tag, len(_BASE) + 1)
    return (
        select(repo_tag.c.repo_id, name.label("base"))
        .where(
            repo_tag.c.source == MEASURED,
            repo_tag.c.tag.startswith(_BASE, autoescape=True),
            ~name.contains(":", autoescape=True),
        )
        .subquery("measured")
    )


def forget_measured_base(uow: UnitOfWork, full_name: str) -> None:
    """No repo is said to come from this one any more: not all who see them may see it."""
    tags = base_tags((relation, full_name) for relation in sorted(BASE_MODEL_RELATIONS))
    uow.execute(delete(repo_tag).where(repo_tag.c.source == MEASURED, repo_tag.c.tag.in_(tags)))


def base_tags(bases: Iterable[tuple[str, str]]) -> list[str]:
    """The tags of bases, by relation and full name."""
    return [tag for relation, name in bases for tag in (f"{_BASE}{name}", f"{_BASE}{relation}:{name}")]


def tags_by_repo(uow: UnitOfWork, repo_ids: Iterable[RepoId]) -> dict[RepoId, list[str]]:
    """All tags of several repos, without repetition, declared ones first.

    Measured bases are told here where the card declares none: two answers to one question would confuse.
    """
    found: dict[RepoId, list[str]] = {}
    declaring: set[RepoId] = set()
    for batch in batches(sorted(set(repo_ids))):
        for row in uow.execute(_TAGS, {"repo_ids": batch}):
            tags = found.setdefault(RepoId(row.repo_id), [])
            if row.source == MEASURED and RepoId(row.repo_id) in declaring:
                continue
            declaring |= (
                {RepoId(row.repo_id)} if row.source == DECLARED and row.tag.startswith(_BASE) else set()
            )
            if row.tag not in tags:
                tags.append(row.tag)
    return found


def cards_of(uow: UnitOfWork, repo_ids: Iterable[RepoId]) -> Mapping[RepoId, dict[str, Any]]:
    """What the cards at the heads of several repos declare."""
    found: dict[RepoId, dict[str, Any]] = {}
    for batch in batches(sorted(set(repo_ids))):
        for row in uow.all(select(card.c.repo_id, card.c.data).where(card.c.repo_id.in_(batch))):
            found[RepoId(row.repo_id)] = row.data
    return found


def _card_entry(uow: UnitOfWork, commit_oid: GitOid) -> FileEntry | None:
    entry = find_entry(uow, read_commit(uow, commit_oid).tree_oid, CARD_PATH)
    return None if entry is None or entry.is_directory or entry.pointer is not None else entry


def _parse(text: str) -> tuple[dict[str, Any] | None, str]:
    """Front matter and body. A card with a broken front matter declares nothing; validation says why."""
    try:
        parsed = parse_card(text)
    except MalformedCard:
        return None, text
    return parsed.data, parsed.body


def _links(data: Mapping[str, Any]) -> Iterator[str]:
    for key, prefix in (("models", "model"), ("datasets", "dataset")):
        named = data.get(key)
        for name in named if isinstance(named, list) else [named]:
            if isinstance(name, str):
                yield f"{prefix}:{name}"


def _set_tags(uow: UnitOfWork, repo_id: RepoId, source: str, tags: Iterable[str]) -> None:
    uow.execute(delete(repo_tag).where(repo_tag.c.repo_id == repo_id, repo_tag.c.source == source))
    chosen = [tag for tag in dict.fromkeys(tags) if 0 < len(tag) <= _MAX_TAG_CHARS][:_MAX_TAGS]
    uow.insert_new(repo_tag, [{"repo_id": repo_id, "source": source, "tag": tag} for tag in chosen])
