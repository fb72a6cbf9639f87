"""What clients can be told of a repo, field by field: the same for one repo and for a list of them.

Every field comes from what is stored or was measured. What this hub does not know (likes, trends, hosting)
is left out and never made up. Each kind of source is read once for a whole list, and only if a field needs
it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allmende.clock import iso
from allmende.errors import BadRequest
from allmende.facts import RevisionFacts, examined_value, revisions_facts
from allmende.flows import SCAN, Services, repository_rules, verdicts_of
from allmende.formats import pipeline_tag_of, tags_of
from allmende.hub.security_status import repo_status
from allmende.ids import GitOid, RepoId, RepoType
from allmende.registry import (
    Actor,
    CardText,
    FileEntry,
    Repo,
    Revision,
    base_tags,
    card_at,
    cards_of,
    count_tagged,
    heads_of,
    list_files,
    measured_bases,
    storage_of,
    tags_by_repo,
)
from allmende.scan import Status
from allmende.storage import UnitOfWork

__all__ = [
    "INFO_FIELDS",
    "LIST_FIELDS",
    "check_expand",
    "describe_head",
    "describe_list",
    "describe_revision",
    "describe_scan",
]

_COMMON = ("author", "createdAt", "disabled", "gated", "lastModified", "private", "sha", "tags")
LIST_FIELDS: dict[RepoType, tuple[str, ...]] = {
    "model": (*_COMMON, "downloads", "library_name", "pipeline_tag"),
    "dataset": (*_COMMON, "downloads"),
    "space": (*_COMMON, "sdk"),
}
"""What an item of a list has unless the client asks for more or less."""

_ALSO_ALONE = ("cardData", "siblings", "usedStorage")
INFO_FIELDS: dict[RepoType, tuple[str, ...]] = {
    "model": (*LIST_FIELDS["model"], *_ALSO_ALONE, "config", "gguf", "model-index", "safetensors"),
    "dataset": (*LIST_FIELDS["dataset"], *_ALSO_ALONE),
    "space": (*LIST_FIELDS["space"], *_ALSO_ALONE, "datasets", "models"),
}
"""What the description of one repo has unless the client asks for less."""

_WITHOUT_FACTS = frozenset(
    {
        "citation",
        "description",
        "downloadsAllTime",
        "evalResults",
        "inference",
        "inferenceProviderMapping",
        "likes",
        "mainSize",
        "mask_token",
        "paperswithcode_id",
        "region",
        "resourceGroup",
        "runtime",
        "spaces",
        "subdomain",
        "transformersInfo",
        "trendingScore",
        "widgetData",
        "xetEnabled",
    }
)
"""Fields that clients may ask for and of which this hub knows nothing yet: accepted, and left out."""

_OF_ONE = "securityRepoStatus"
"""A field of one repo alone: it asks for the verdict on every file. In lists it is left out."""

_CHILDREN = "childrenModelCount"
"""Counted for each repo, as the caller sees them."""

_FACTS = {"config": "config", "gguf": "gguf", "safetensors": "safetensors"}
"""Fields that are a fact of the revision, and the fact's name."""

_STOPPED = frozenset({Status.BLOCKED.word, Status.QUARANTINED.word})

_FROM_CARD = frozenset({"baseModels", "cardData", "datasets", "model-index", "models"})
_FROM_REVISION_FACTS = frozenset({*_FACTS, "library_name", "pipeline_tag", "tags"})
_EXPANDABLE: dict[RepoType, frozenset[str]] = {
    "model": frozenset({*INFO_FIELDS["model"], "baseModels", _CHILDREN, _OF_ONE}),
    "dataset": frozenset({*INFO_FIELDS["dataset"], _OF_ONE}),
    "space": frozenset({*INFO_FIELDS["space"], _OF_ONE}),
}


@dataclass(frozen=True, slots=True)
class _Subject:
    """One repo at one revision, with as much as the wanted fields need."""

    repo: Repo
    oid: GitOid | None
    last_modified: str
    tags: Sequence[str] = ()
    card: Mapping[str, Any] | None = None
    facts: RevisionFacts | None = None
    used_bytes: int | None = None
    files: Sequence[FileEntry] | None = None
    pipeline_tag: str | None = None
    library_name: str | None = None
    measured: Sequence[tuple[str, str]] = ()
    """Bases that the weights tell: the cards' word for the relation, and the full name."""
    children: int | None = None


def check_expand(repo_type: RepoType, expand: Iterable[str]) -> tuple[str, ...]:
    """The fields that a client names in `expand`; raises BadRequest for one that no client knows."""
    chosen = tuple(dict.fromkeys(expand))
    for field in chosen:
        if field not in _EXPANDABLE[repo_type] and field not in _WITHOUT_FACTS:
            known = ", ".join(sorted(_EXPANDABLE[repo_type] | _WITHOUT_FACTS))
            raise BadRequest(
                f'"expand" cannot be {field[:60]!r}.', hint=f"Use any of: {known}.", code="expand_invalid"
            )
    return chosen


def describe_head(
    uow: UnitOfWork, actor: Actor, repo: Repo, revision: Revision, fields: Collection[str], *, blobs: bool
) -> dict[str, Any]:
    """A repo at the head of `main`: from what is kept beside the repo."""
    (subject,) = _subjects(uow, actor, [repo], {repo.id: revision.oid}, fields)
    return _described(subject, fields, blobs=blobs)


def describe_revision(
    uow: UnitOfWork, actor: Actor, repo: Repo, revision: Revision, fields: Collection[str], *, blobs: bool
) -> dict[str, Any]:
    """A repo at any revision: card, tags and facts are those of that revision."""
    wanted = frozenset(fields)
    card = card_at(uow, repo.id, revision.oid) if wanted & (_FROM_CARD | _FROM_REVISION_FACTS) else None
    data = (card.data if card is not None else None) or {}
    facts = revisions_facts(uow, [(repo.id, revision.oid)])[repo.id, revision.oid]
    is_head = heads_of(uow, [repo.id]).get(repo.id) == revision.oid
    measured = measured_bases(uow, [repo.id]).get(repo.id, []) if is_head else []
    subject = _Subject(
        repo=repo,
        oid=revision.oid,
        last_modified=iso(revision.commit.at),
        tags=_tags_at(repo, card, facts, measured),
        measured=measured,
        card=None if card is None else data,
        facts=facts,
        used_bytes=storage_of(uow, [repo.id])[repo.id] if "usedStorage" in wanted else None,
        files=list_files(uow, repo, revision.oid) if "siblings" in wanted else None,
        pipeline_tag=pipeline_tag_of(data) or _text(facts.value("pipeline_tag")),
        library_name=_text(data.get("library_name")) or _text(facts.value("library_name")),
        children=_children(uow, actor, repo) if _CHILDREN in wanted else None,
    )
    return _described(subject, fields, blobs=blobs)


def describe_list(
    uow: UnitOfWork, actor: Actor, repos: Sequence[Repo], fields: Collection[str]
) -> list[dict[str, Any]]:
    """Several repos, each at the head of `main`."""
    heads = heads_of(uow, [repo.id for repo in repos])
    return [
        _described(subject, fields, blobs=False) for subject in _subjects(uow, actor, repos, heads, fields)
    ]


def _subjects(
    uow: UnitOfWork,
    actor: Actor,
    repos: Sequence[Repo],
    heads: Mapping[RepoId, GitOid],
    fields: Collection[str],
) -> list[_Subject]:
    wanted = frozenset(fields)
    ids = [repo.id for repo in repos]
    tags = tags_by_repo(uow, ids) if "tags" in wanted else {}
    cards = cards_of(uow, ids) if wanted & _FROM_CARD else {}
    measured = measured_bases(uow, ids) if "baseModels" in wanted else {}
    used = storage_of(uow, ids) if "usedStorage" in wanted else {}
    named = [name for field, name in _FACTS.items() if field in wanted]
    named += [SCAN] if "gguf" in wanted else []
    facts = revisions_facts(uow, heads.items(), named) if named else {}
    return [
        _Subject(
            repo=repo,
            oid=heads.get(repo.id),
            last_modified=iso(repo.updated_at),
            tags=tags.get(repo.id, ()),
            card=cards.get(repo.id),
            facts=facts.get((repo.id, heads[repo.id])) if repo.id in heads else None,
            used_bytes=used.get(repo.id),
            files=list_files(uow, repo, heads[repo.id])
            if "siblings" in wanted and repo.id in heads
            else None,
            pipeline_tag=repo.pipeline_tag,
            library_name=repo.library_name,
            measured=measured.get(repo.id, ()),
            children=_children(uow, actor, repo) if _CHILDREN in wanted else None,
        )
        for repo in repos
    ]


def _described(subject: _Subject, fields: Collection[str], *, blobs: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"_id": subject.repo.public_id, "id": subject.repo.full_name}
    if subject.repo.type == "model":
        answer["modelId"] = subject.repo.full_name
    for field in fields:
        if field == "siblings":
            if subject.files is not None:
                answer["siblings"] = [_sibling(entry, blobs=blobs) for entry in subject.files]
        elif field in _READERS and (value := _READERS[field](subject)) is not None:
            answer[field] = value
    return answer


def describe_scan(services: Services, uow: UnitOfWork, repo: Repo, revision: Revision) -> dict[str, Any]:
    """The field `securityRepoStatus` of a revision: the verdicts of this moment."""
    examined = examined_value(uow, repo.id, revision.oid)
    files = list_files(uow, repo, revision.oid)
    verdicts = verdicts_of(services, uow, repo.id, files, repository_rules(examined))
    return repo_status(verdicts, examined=examined is not None)


def _sibling(entry: FileEntry, *, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": entry.path}
    item: dict[str, Any] = {"rfilename": entry.path, "size": entry.size_bytes, "blobId": entry.oid}
    if entry.pointer is not None:
        item["lfs"] = {
            "sha256": entry.pointer.oid,
            "size": entry.pointer.size_bytes,
            "pointerSize": entry.pointer_bytes,
        }
    return item


def _tags_at(
    repo: Repo, card: CardText | None, facts: RevisionFacts, measured: Iterable[tuple[str, str]]
) -> list[str]:
    declared = [] if card is None else tags_of(card.data or {}, repo.type, card.body)
    derived = facts.value("tags")
    listed = derived if isinstance(derived, list) else []
    of_bases = () if any(tag.startswith("base_model:") for tag in declared) else base_tags(measured)
    return list(dict.fromkeys([*declared, *(tag for tag in listed if isinstance(tag, str)), *of_bases]))


def _base_models(subject: _Subject) -> dict[str, Any] | None:
    """What the card declares its bases to be, and behind them those that only the weights tell."""
    card = subject.card or {}
    bases = dict.fromkeys(_listed(card.get("base_model")))
    measured = {name: relation for relation, name in subject.measured if name not in bases}
    if not bases and not measured:
        return None
    answer: dict[str, Any] = {
        "models": [*({"id": base} for base in bases), *({"id": name, "measured": True} for name in measured)]
    }
    if isinstance(card.get("base_model_relation"), str):
        answer["relation"] = card["base_model_relation"]
    elif not bases:
        answer["relation"] = next(iter(measured.values()))
    return answer


def _children(uow: UnitOfWork, actor: Actor, repo: Repo) -> int | None:
    """How many models name this one as their base, or were found to come from it."""
    return count_tagged(uow, actor, "model", f"base_model:{repo.full_name}") if repo.type == "model" else None


def _gguf(subject: _Subject) -> Any:
    """What the header of a GGUF file says; without its chat template where the scan stopped a file."""
    if subject.facts is None:
        return None
    value, scan = subject.facts.value("gguf"), subject.facts.value(SCAN)
    stopped = isinstance(scan, dict) and scan.get("status") in _STOPPED
    if stopped and isinstance(value, dict):
        return {name: item for name, item in value.items() if name != "chat_template"}
    return value


def _from_fact(name: str) -> Callable[[_Subject], Any]:
    return lambda subject: None if subject.facts is None else subject.facts.value(name)


def _from_card(key: str) -> Callable[[_Subject], Any]:
    return lambda subject: _listed((subject.card or {}).get(key)) or None


def _listed(value: object) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


_READERS: dict[str, Callable[[_Subject], Any]] = {
    "author": lambda subject: subject.repo.namespace,
    "baseModels": _base_models,
    "cardData": lambda subject: subject.card,
    _CHILDREN: lambda subject: subject.children,
    "config": _from_fact(_FACTS["config"]),
    "createdAt": lambda subject: iso(subject.repo.created_at),
    "datasets": _from_card("datasets"),
    "disabled": lambda subject: subject.repo.disabled,
    "downloads": lambda subject: subject.repo.downloads,
    "gated": lambda subject: subject.repo.gated or False,
    "gguf": _gguf,
    "lastModified": lambda subject: subject.last_modified,
    "library_name": lambda subject: subject.library_name,
    "model-index": lambda subject: (subject.card or {}).get("model-index"),
    "models": _from_card("models"),
    "pipeline_tag": lambda subject: subject.pipeline_tag,
    "private": lambda subject: subject.repo.private,
    "safetensors": _from_fact(_FACTS["safetensors"]),
    "sdk": lambda subject: subject.repo.details.get("sdk") or (subject.card or {}).get("sdk"),
    "sha": lambda subject: subject.oid,
    "tags": lambda subject: list(subject.tags),
    "usedStorage": lambda subject: subject.used_bytes,
}
