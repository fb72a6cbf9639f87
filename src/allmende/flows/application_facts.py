"""What the hub knows of the models that an application uses, as facts for its assessment.

The facts come from the transparency record at the head of `main`, each with its source and with the record
as its evidence. A repo counts only where everybody who may read the application may see it, so that nobody
learns from an assessment what they may not read: one that is private, gone or barred looks like one that
never was. What somebody declares in the description goes before; where the hub knows otherwise, that is told
beside it and changes nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from allmende.applications import Application
from allmende.clock import parse_iso
from allmende.errors import NotFound
from allmende.flows.records import record_envelope, record_of
from allmende.ids import AccountId, RepoId, TokenId
from allmende.record import Record
from allmende.registry import (
    ANONYMOUS,
    MAIN,
    Actor,
    Repo,
    Scope,
    Token,
    find_repo_by_id,
    is_visible,
    lookup_repo,
    read_ref,
)
from allmende.storage import UnitOfWork

__all__ = ["SEEN", "HubModel", "join_facts", "known_of_models", "links_of", "readers_of"]

OUTSIDE, SEEN = "outside", "seen"

_ARCHITECTURE = "architecture"


@dataclass(frozen=True, slots=True)
class HubModel:
    """What the hub knows of a model that a description names.

    `state` is `seen`, or `outside`: no repo of this hub that everybody who reads the application may see.
    `facts` are by the words that descriptions have for them.
    """

    name: str
    state: str
    repo: Repo | None = None
    commit: str | None = None
    record: str | None = None
    scan: str | None = None
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def basis(self) -> dict[str, Any]:
        """What is kept of it, so that a later assessment can say what has changed."""
        if self.repo is None:
            return {"state": self.state}
        return {
            "state": self.state,
            "repo": self.repo.full_name,
            "commit": self.commit,
            "record": self.record,
            "scan": self.scan,
            "visibility": "private" if self.repo.private else "gated" if self.repo.gated else "public",
            "licence": self.facts.get("licence", {}).get("value"),
        }


def readers_of(uow: UnitOfWork, namespace_id: AccountId, namespace: str, *, private: bool) -> Actor:
    """The least of those who may read an application: everybody, or who sees what is private there."""
    if not private:
        return ANONYMOUS
    token = Token(
        id=TokenId(-1),
        account_id=AccountId(-1),
        name="readers of an application",
        role="fine_grained",
        scopes=(Scope(namespace, "read"),),
        created_at=uow.now,
        expires_at=None,
        last_used_at=None,
    )
    return Actor(None, token, {namespace_id: "read"})


def links_of(uow: UnitOfWork, readers: Actor, names: list[str]) -> dict[str, RepoId | None]:
    """The repos that the models of a description are, by their names: model repos that all readers see."""
    found: dict[str, RepoId | None] = {}
    for name in names:
        repo = lookup_repo(uow, "model", name) if name.count("/") == 1 else None
        seen = repo is not None and is_visible(readers, repo) and not repo.disabled
        found[name] = repo.id if repo is not None and seen else None
    return found


def known_of_models(
    uow: UnitOfWork, found: Application, models: Mapping[str, RepoId | None]
) -> dict[str, HubModel]:
    """What the hub may tell of each model to all who read the application."""
    readers = readers_of(uow, found.namespace_id, found.namespace, private=found.private)
    return {name: _known(uow, readers, name, repo_id) for name, repo_id in models.items()}


def join_facts(
    description: Mapping[str, Any], known: Mapping[str, HubModel]
) -> tuple[bytes, list[dict[str, Any]]]:
    """The description with the hub's facts in it, as JSON that is read like YAML, and where they differ.

    A difference is `{"model", "fact", "described", "known"}`.
    """
    joined = dict(description)
    differ: list[dict[str, Any]] = []
    models = description.get("models")
    if isinstance(models, list):
        joined["models"] = [_joined(entry, known, differ) for entry in models]
    return json.dumps(joined, ensure_ascii=False).encode(), differ


def _joined(entry: Any, known: Mapping[str, HubModel], differ: list[dict[str, Any]]) -> Any:
    hub = known.get(str(entry.get("name"))) if isinstance(entry, dict) else None
    if hub is None:
        return entry
    joined = dict(entry)
    for word, fact in hub.facts.items():
        given = entry.get(word)
        described = given.get("value") if isinstance(given, dict) else given
        if described in (None, "unknown"):
            joined[word] = dict(fact)
        elif _comparable(described) != _comparable(fact["value"]):
            differ.append(
                {"model": hub.name, "fact": f"model.{word}", "described": described, "known": fact["value"]}
            )
    return joined


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(map(str, value))
    return value.lower() if isinstance(value, str) else value


def _known(uow: UnitOfWork, readers: Actor, name: str, repo_id: RepoId | None) -> HubModel:
    repo = None if repo_id is None else find_repo_by_id(uow, repo_id)
    if repo is None or not is_visible(readers, repo) or repo.disabled:
        return HubModel(name, OUTSIDE)
    head = read_ref(uow, repo.id, MAIN)
    if head is None:
        return HubModel(name, SEEN, repo)
    commit = head.commit_oid
    try:
        envelope = record_envelope(uow, repo, commit)
    except NotFound:
        # It is not made yet, or not told any more: then nothing is known, and a new one brings us back.
        return HubModel(name, SEEN, repo, commit)
    record = record_of(envelope)
    where = f"transparency record {envelope.digest} of {repo.full_name} at {commit}"
    facts = dict(_facts(record, repo, where))
    return HubModel(
        name, SEEN, repo, commit, envelope.digest, _text(record.object("scan").get("status")), facts
    )


def _facts(record: Record, repo: Repo, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The facts of a record that law packs ask for."""

    def fact(name: str, value: object, source: str | None = None) -> dict[str, Any]:
        said = record.facts[name]
        told = {"value": value, "source": source or said["source"], "evidence": where}
        at = said.get("at")
        return told | ({"at": parse_iso(at).date().isoformat()} if isinstance(at, str) else {})

    licence = record.object("licence")
    ids = licence.get("ids")
    if (
        isinstance(ids, list)
        and len(ids) == 1
        and isinstance(ids[0], str)
        and ids[0] not in ("other", "unknown")
    ):
        yield "licence", fact("licence", ids[0])
    total = record.object("parameters").get("total")
    # Of a mixture of experts the law asks for those that one token meets, which no header tells.
    if isinstance(total, int) and total > 0 and "experts" not in record.object("hyperparameters"):
        yield "parameters", fact("parameters", total)
    if not repo.private and not repo.gated and _is_open(record):
        yield "public_information", fact("files", ["weights", "architecture", "usage"], "derived")


def _is_open(record: Record) -> bool:
    """Whether weights, architecture and usage can all be read here; one of them may be public elsewhere.

    A list of what is public is taken to be complete, so that it is given only where nothing is left out.
    """
    sections = record.object("card").get("sections")
    return (
        isinstance(record.object("parameters").get("total"), int)
        and bool(record.object(_ARCHITECTURE))
        and isinstance(sections, dict)
        and "intended_use" in sections
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
