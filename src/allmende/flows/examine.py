"""The job `examine`: what the files of a revision are, read once, and what follows for the revision.

Its payload is `{"repo_id", "commit_oid"}`. It is idempotent and can be interrupted anywhere: facts about
bytes are kept as they are found, facts about the revision are written together at the end, with the fact
`examined`, and in the same transaction the index of the repo if the revision is the head of `main`.

`examine_revision` is the same for other jobs: those that go through everything again.
"""

import json
import logging
from hashlib import sha256
from typing import Any

from allmende.clock import iso
from allmende.facts import EXAMINED, Fact, put_revision_facts, revision_facts
from allmende.flows.content_examination import TOOL, TOOL_VERSION, HeldFile, examine_files, file_facts
from allmende.flows.content_packing import enqueue_packing
from allmende.flows.file_scanning import SCAN_TOOL, scan_files
from allmende.flows.lineage_index import index_head
from allmende.flows.meaning import enqueue_meaning
from allmende.flows.own_attestations import enqueue_attesting
from allmende.flows.reading import open_content
from allmende.flows.record_queue import enqueue_record
from allmende.flows.revision_summary import RevisionFiles, summarise
from allmende.flows.scan_summary import RevisionScan, revision_scan
from allmende.flows.search_index import index_for_search
from allmende.flows.services import Services
from allmende.flows.signature_checking import check_signatures
from allmende.flows.weighing import Weighing, hold_weighed, weigh
from allmende.flows.weights_files import ADAPTER_CONFIG, MAX_CONFIG_BYTES
from allmende.formats import JsonObject, MalformedJson, read_json_object
from allmende.git import owns
from allmende.ids import GitOid, RepoId
from allmende.jobs import JobContext
from allmende.registry import (
    MAIN,
    Repo,
    card_data,
    find_repo_by_id,
    held_contents,
    index_derived,
    list_files,
    read_blob,
    read_ref,
)
from allmende.scan import RULE_SET
from allmende.storage import UnitOfWork

__all__ = ["examine", "examine_revision"]

_log = logging.getLogger(__name__)

_CONFIG = "config.json"
_INDEX = "model.safetensors.index.json"
_MAX_JSON_BYTES = {_CONFIG: 1024 * 1024, _INDEX: 16 * 1024 * 1024, ADAPTER_CONFIG: MAX_CONFIG_BYTES}
_JSON_DEPTH = 64
_LINK_MODE = 0o120000
_MAX_LINK_BYTES = 4096


def examine(services: Services, context: JobContext) -> None:
    """Examine one revision. Does nothing when the repo or the revision is gone.

    Raises JobInterrupted when the job should stop, and NotFound when the store has lost bytes of a content
    that the repo holds: then a repeat, or an operator, has to bring them back.
    """
    repo_id = RepoId(int(context.payload["repo_id"]))
    examine_revision(services, context, repo_id, GitOid(str(context.payload["commit_oid"])))


def examine_revision(
    services: Services, context: JobContext, repo_id: RepoId, commit_oid: GitOid
) -> list[HeldFile]:
    """The same for a revision that the caller names; returns its files, as far as their bytes are there."""
    with services.database.read() as uow:
        repo = _repo_of(uow, repo_id, commit_oid)
        if repo is None:
            _log.info("revision %s of repo %s is gone; nothing to examine", commit_oid, repo_id)
            return []
        files, absent = _held_files(uow, repo, commit_oid)
    examine_files(services, context, repo_id, files)
    scan_files(services, context, repo_id, files)
    misread: list[JsonObject] = []
    config = _read_json(services, repo_id, files, _CONFIG, misread)
    index = _read_json(services, repo_id, files, _INDEX, misread)
    with services.database.read() as uow:
        facts = file_facts(uow, files)
        card = card_data(uow, repo_id, commit_oid)
        scan = _summarise_scan(services, uow, repo_id, files)
    revision = RevisionFiles(
        is_model=repo.type == "model",
        files=tuple(files),
        absent=tuple(absent),
        facts=facts,
        config=config,
        index=index,
        card=card,
        misread=tuple(misread),
    )
    weighing = None
    if repo.type == "model":
        adapter = _read_json(services, repo_id, files, ADAPTER_CONFIG, [])
        weighing = weigh(files, card, adapter)
    facts_found = summarise(revision, services.database.clock())
    signature = check_signatures(services, repo_id, commit_oid, context.checkpoint)
    if signature is not None:
        facts_found.append(signature)
    _record(services, repo_id, commit_oid, files, facts_found, scan, weighing)
    return files


def _summarise_scan(
    services: Services, uow: UnitOfWork, repo_id: RepoId, files: list[HeldFile]
) -> RevisionScan:
    named = [(file.entry.path, file.key) for file in files]
    sizes = {file.entry.path: file.entry.size_bytes for file in files}
    links = {
        file.entry.path: read_blob(uow, repo_id, file.entry.oid)[:_MAX_LINK_BYTES].decode("utf-8", "replace")
        for file in files
        if file.entry.mode == _LINK_MODE and file.content is None
    }
    return revision_scan(services, uow, repo_id, named, sizes, links)


def _repo_of(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> Repo | None:
    """The repo, if it still has the commit."""
    return find_repo_by_id(uow, repo_id) if owns(uow, repo_id, commit_oid) else None


def _held_files(uow: UnitOfWork, repo: Repo, commit_oid: GitOid) -> tuple[list[HeldFile], list[str]]:
    """The files whose bytes the repo holds, and the paths of those that it does not.

    A pointer alone opens nothing: what the hub knows of bytes that the repo does not hold stays unsaid.
    """
    entries = list_files(uow, repo, commit_oid)
    held = held_contents(uow, repo.id, (entry.pointer.oid for entry in entries if entry.pointer is not None))
    files: list[HeldFile] = []
    absent: list[str] = []
    for entry in entries:
        content = None if entry.pointer is None else held.get(entry.pointer.oid)
        if entry.pointer is not None and content is None:
            absent.append(entry.path)
        else:
            files.append(HeldFile(entry, content))
    return files, absent


def _read_json(
    services: Services, repo_id: RepoId, files: list[HeldFile], path: str, misread: list[JsonObject]
) -> JsonObject | None:
    """The JSON object at a path, if there is such a file; one that cannot be read is added to `misread`."""
    file = next((file for file in files if file.entry.path == path), None)
    if file is None:
        return None
    # One byte more than allowed is enough for the reader to refuse what is too long.
    max_bytes = _MAX_JSON_BYTES[path]
    data = _read_beginning(services, repo_id, file, max_bytes + 1)
    found: JsonObject | None = None
    try:
        found = read_json_object(data, max_bytes, _JSON_DEPTH)
    except MalformedJson as error:
        misread.append({"path": path, "error": error.message, "code": error.code})
    return found


def _read_beginning(services: Services, repo_id: RepoId, file: HeldFile, max_bytes: int) -> bytes:
    if file.content is None:
        with services.database.read() as uow:
            return read_blob(uow, repo_id, file.entry.oid)[:max_bytes]
    with open_content(services, file.content) as reader:
        return reader.read(max_bytes)


def _record(
    services: Services,
    repo_id: RepoId,
    commit_oid: GitOid,
    files: list[HeldFile],
    found: list[Fact],
    scan: RevisionScan,
    weighing: Weighing | None,
) -> None:
    now = services.database.clock()
    finished: JsonObject = {"at": iso(now), "tools": {TOOL: TOOL_VERSION, SCAN_TOOL: RULE_SET}}
    together = scan.rules_by_path()
    if together:
        finished["repository"] = {path: {**rules} for path, rules in together.items()}
    values: dict[str, Any] = {fact.name: fact.value for fact in found}
    with services.database.write() as uow:
        if _repo_of(uow, repo_id, commit_oid) is None:
            return
        _tell_verdict(uow, repo_id, commit_oid, scan.fact(now))
        examined = Fact(EXAMINED, finished, "measured", TOOL, TOOL_VERSION, now)
        put_revision_facts(uow, repo_id, commit_oid, [*found, scan.fact(now), examined])
        for file in files:
            if file.content is not None and file.content.size_bytes >= services.settings.pack_min_bytes:
                enqueue_packing(
                    services, uow, file.content.sha256, delay_s=services.settings.pack_quiet_s + 1
                )
        hold_weighed(services, uow, repo_id, commit_oid, weighing)
        enqueue_record(services, uow, repo_id, commit_oid)
        enqueue_attesting(services, uow, repo_id, commit_oid)
        head = read_ref(uow, repo_id, MAIN)
        if head is not None and head.commit_oid == commit_oid:
            index_derived(
                uow,
                repo_id,
                tags=values.get("tags", []),
                pipeline_tag=values.get("pipeline_tag"),
                library_name=values.get("library_name"),
            )
            index_head(uow, repo_id, commit_oid)
            index_for_search(uow, repo_id)
            enqueue_meaning(services, uow)


def _tell_verdict(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, found: Fact) -> None:
    """Emit what a scan says of a revision, if it says something new."""
    before = revision_facts(uow, repo_id, commit_oid).get(found.name)
    if before is not None and before.value == found.value:
        return
    value = json.dumps(found.value, sort_keys=True, separators=(",", ":"))
    payload = {
        "revision": commit_oid,
        "status": found.value["status"] if isinstance(found.value, dict) else None,
        "digest": sha256(value.encode("ascii")).hexdigest(),
    }
    uow.emit("scan.verdict", payload, repo_id=repo_id)
