"""The facts of a revision's transparency record, put together from what the hub knows of it.

Nothing is found out here: values, sources, evidence and tools are those of the facts, and what no fact says
is said to be unknown. Of lineage only that is told which everybody may know who may read the repo.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from allmende.bom import compare_boms
from allmende.clock import iso
from allmende.facts import EXAMINED, Fact, RevisionFacts, attestations_of, revision_facts
from allmende.flows.record_files import json_objects
from allmende.flows.record_lineage import lineage_facts_of
from allmende.flows.scan_summary import SCAN
from allmende.flows.tree_digests import TreeFile
from allmende.flows.weights_files import ADAPTER_CONFIG
from allmende.flows.weights_measuring import LINEAGE, LINEAGE_ERROR
from allmende.formats import JsonObject, JsonValue
from allmende.ids import GitOid, RepoId
from allmende.record import (
    Facts,
    ListedFile,
    Record,
    Subject,
    Tool,
    card_facts,
    files_fact,
    hyperparameters,
    known,
    unknown,
)
from allmende.registry import CARD_PATH, Repo, card_at, read_commit
from allmende.storage import UnitOfWork

__all__ = ["CONFIGS", "MAX_CONFIG_BYTES", "Gathered", "gather"]

CONFIGS = frozenset({"config.json", ADAPTER_CONFIG, "tokenizer_config.json"})
MAX_CONFIG_BYTES = 4 * 1024 * 1024

_BOM_TOOL = Tool("allmende.bom", "1")
_TREE_TOOL = Tool("allmende.tree", "1")
_MODELS_ALONE = ("parameters", "architecture", "hyperparameters", "library", "task", "tags", "weights")
_NOT_FOUND_OUT = ("licence_composition", "energy")
_SIGNATURE = "signature"
_MAX_ATTESTATIONS = 200
_TIMES = frozenset({"checked_at", "first_seen_at"})


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts of a record, and the other repos that they name."""

    facts: Facts
    named: frozenset[RepoId]


def gather(
    uow: UnitOfWork,
    repo: Repo,
    commit_oid: GitOid,
    tree: Sequence[TreeFile],
    configs: Mapping[str, bytes],
    boms: Mapping[str, bytes],
    *,
    shows_card: bool,
) -> Gathered:
    """The facts of a revision. `tree` is all of its files, `configs` the bytes of those of `CONFIGS`.

    `boms` are bills of materials among the files, with their bytes. What the card says stands in it only with
    `shows_card`.
    """
    now = uow.now
    found = revision_facts(uow, repo.id, commit_oid)
    parsed = json_objects(dict(configs), MAX_CONFIG_BYTES)
    lineage, named = lineage_facts_of(uow, repo, commit_oid, found)
    facts: Facts = {
        "files": files_fact([_listed(file) for file in tree], _TREE_TOOL, now),
        "commit": _commit(uow, commit_oid, now),
        **_examined(found),
        **_card(uow, repo, commit_oid, tree, now, shows=shows_card),
        **lineage,
    }
    facts["hyperparameters"] = hyperparameters(
        parsed.get("config.json"),
        parsed.get(ADAPTER_CONFIG),
        _object(found.value("gguf")),
        parsed.get("tokenizer_config.json"),
        now,
    )
    if repo.type != "model":
        facts |= {name: unknown("not_applicable") for name in _MODELS_ALONE}
    facts |= {name: unknown("not_offered") for name in _NOT_FOUND_OUT}
    facts["attestations"] = _attestations(uow, repo, commit_oid)
    facts["supplied_boms"] = _supplied(repo, commit_oid, tree, facts, boms, now)
    return Gathered(facts, named)


def _listed(file: TreeFile) -> ListedFile:
    return ListedFile(file.path, file.sha256, file.size_bytes, file.is_link)


def _commit(uow: UnitOfWork, commit_oid: GitOid, now: datetime) -> JsonObject:
    """Without author and message: who wrote it may ask to be forgotten, and the commit id names it."""
    commit = read_commit(uow, commit_oid)
    value = {"tree": commit.tree_oid, "parents": list(commit.parents), "at": iso(commit.at)}
    return known(value, "measured", Tool("git", "1"), now, {"gitCommit": commit_oid})


def _card(
    uow: UnitOfWork,
    repo: Repo,
    commit_oid: GitOid,
    tree: Iterable[TreeFile],
    now: datetime,
    *,
    shows: bool,
) -> Facts:
    card = card_at(uow, repo.id, commit_oid)
    digest = next((file.sha256 for file in tree if file.path == CARD_PATH), None)
    evidence: JsonObject = {"path": CARD_PATH, "sha256": digest}
    if not shows:
        return dict.fromkeys(card_facts(repo.type, None, "", now, evidence), unknown("held_back"))
    if card is None:
        return card_facts(repo.type, None, "", now, evidence)
    return card_facts(repo.type, card.data, card.body, now, evidence)


def _examined(found: RevisionFacts) -> Facts:
    """What an examination found, under the names of a record."""
    facts: Facts = {
        "formats": _of(found, "files", {"formats", "misnamed", "absent"}),
        "unreadable": _unreadable(found),
        "parameters": _parameters(found),
        "architecture": _of(found, "config"),
        "library": _of(found, "library_name"),
        "task": _of(found, "pipeline_tag"),
        "tags": _of(found, "tags"),
        "weights": _weights(found),
        "scan": _of(found, SCAN),
        "signatures": _signatures(found),
    }
    if not found.examined:
        return {name: unknown("not_examined") for name in facts}
    return facts


def _of(found: RevisionFacts, name: str, keys: Iterable[str] | None = None) -> JsonObject:
    fact = found.get(name)
    if fact is None or not fact.value:
        return unknown(
            "not_declared" if name in ("config", "library_name", "pipeline_tag") else "not_measured"
        )
    value = fact.value
    if keys is not None and isinstance(value, dict):
        wanted = set(keys)
        value = {key: item for key, item in value.items() if key in wanted}
    return _as_known(fact, value)


def _as_known(fact: Fact, value: JsonValue) -> JsonObject:
    return known(value, fact.source, Tool(fact.tool, fact.tool_version), fact.at, fact.evidence)


def _unreadable(found: RevisionFacts) -> JsonObject:
    """That every file of a known format could be read is a finding, and not a gap."""
    fact = found.get("unreadable") or found.get(EXAMINED)
    if fact is None:
        return unknown("not_examined")
    return _as_known(fact, fact.value if fact.name == "unreadable" else [])


def _parameters(found: RevisionFacts) -> JsonObject:
    for name in ("safetensors", "gguf"):
        fact = found.get(name)
        value = _object(None if fact is None else fact.value)
        if fact is None or value is None or not isinstance(value.get("total"), int):
            continue
        said: JsonObject = {"total": value["total"]}
        for key, as_key in (("parameters", "by_dtype"), ("quantization", "quantization")):
            if value.get(key):
                said[as_key] = value[key]
        return _as_known(fact, said)
    return unknown("not_measured")


def _weights(found: RevisionFacts) -> JsonObject:
    fact = found.get(LINEAGE) or found.get(LINEAGE_ERROR)
    value = _object(None if fact is None else fact.value)
    if fact is None or value is None:
        return unknown("not_measured")
    if fact.name == LINEAGE_ERROR:
        return _as_known(fact, value)
    named: JsonObject = {("id" if key == "weights" else key): item for key, item in value.items()}
    return _as_known(fact, named)


def _signatures(found: RevisionFacts) -> JsonObject:
    """The verdicts on signatures; when they were looked at is no part of what the record says."""
    fact = found.get(_SIGNATURE)
    if fact is None:
        return unknown("not_declared")
    return _as_known(fact, _without_times(fact.value))


def _attestations(uow: UnitOfWork, repo: Repo, commit_oid: GitOid) -> JsonObject:
    listed = attestations_of(uow, repo.id, commit_oid, limit=_MAX_ATTESTATIONS)
    if not listed:
        return unknown("not_declared")
    rows = [
        {
            "digest": one.digest,
            "predicate_type": one.predicate_type,
            "maker": one.maker,
            "signers": list(one.signers),
        }
        for _number, one in listed
    ]
    at = max(one.added_at for _number, one in listed)
    return known(rows, "attested", Tool("allmende.proof", "1"), at)


def _supplied(
    repo: Repo,
    commit_oid: GitOid,
    tree: Iterable[TreeFile],
    facts: Facts,
    boms: Mapping[str, bytes],
    now: datetime,
) -> JsonObject:
    if not boms:
        return unknown("not_declared")
    digests = {file.path: file.sha256 for file in tree}
    supplied = {path: (data, str(digests[path])) for path, data in boms.items()}
    subject = Subject(repo.type, repo.full_name, repo.public_id, commit_oid, None)
    return known(compare_boms(supplied, Record({}, subject, facts)), "derived", _BOM_TOOL, now)


def _without_times(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in _TIMES}
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    return value


def _object(value: JsonValue) -> JsonObject | None:
    return value if isinstance(value, dict) else None
