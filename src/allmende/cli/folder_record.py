"""The transparency record of a file or folder, from its bytes alone: what only a hub finds out is unknown."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from allmende import __version__
from allmende.cli.inspection import Inspected, inspect_file, list_files, summarise
from allmende.errors import AllmendeError
from allmende.formats import JsonObject, JsonValue, parse_card, read_json_object
from allmende.ids import RepoType
from allmende.proof import dir_hash
from allmende.record import (
    Facts,
    ListedFile,
    Subject,
    Tool,
    card_facts,
    files_fact,
    hyperparameters,
    known,
    make_record,
    unknown,
)

__all__ = ["folder_record"]

_READ_BYTES = 1024 * 1024
_MAX_CARD_BYTES = 1024 * 1024
_MAX_CONFIG_BYTES = 4 * 1024 * 1024
_TOOL = Tool("allmende", __version__)
_FORMATS = Tool("allmende.formats", "1")
_NOT_HERE = ("scan", "lineage", "declared_bases", "licence_composition", "energy", "weights")


def folder_record(place: Path, name: str, repo_type: RepoType, now: datetime) -> JsonObject:
    """The record of what lies at a place; every byte is read. Raises PathMissing, TooLarge, OSError."""
    found = list(list_files(place))
    listed = [_listed(path, file) for path, file in found]
    inspected = [inspect_file(path, file, with_tensors=False) for path, file in found]
    summary = summarise(place, inspected, repo_type)
    subject = Subject(repo_type, name, None, None, _tree_hash(listed))
    digests = {file.path: file.sha256 for file in listed}
    facts = _facts(place, repo_type, listed, inspected, summary, digests, now)
    return make_record(subject, facts, hub=None, tool=_TOOL, at=now)


def _tree_hash(listed: list[ListedFile]) -> str | None:
    tree_hash: str | None = None
    # Names come with their odd characters escaped, but a line break may stand in one as it is.
    if not any("\n" in file.path for file in listed):
        tree_hash = dir_hash([(file.path, file.sha256) for file in listed])
    return tree_hash


def _listed(path: str, file: Path) -> ListedFile:
    digest = hashlib.sha256()
    size_bytes = 0
    with file.open("rb") as reader:
        while block := reader.read(_READ_BYTES):
            digest.update(block)
            size_bytes += len(block)
    return ListedFile(path, digest.hexdigest(), size_bytes)


def _facts(
    place: Path,
    repo_type: RepoType,
    listed: list[ListedFile],
    inspected: list[Inspected],
    summary: JsonObject,
    digests: dict[str, str],
    now: datetime,
) -> Facts:
    def derived(value: JsonValue) -> JsonObject:
        return known(value, "derived", _FORMATS, now) if value else unknown("not_declared")

    misnamed = summary.get("misnamed")
    formats: JsonObject = {"formats": summary.get("formats", {})}
    if isinstance(misnamed, list) and misnamed:
        formats["misnamed"] = {"count": len(misnamed), "first": misnamed}
    unreadable = [{"path": one.path, **one.error} for one in inspected if one.error is not None]
    facts: Facts = {
        "files": files_fact(listed, Tool("allmende.tree", "1"), now),
        "formats": known(formats, "measured", _FORMATS, now),
        "unreadable": known(unreadable, "measured", _FORMATS, now),
        "parameters": _parameters(inspected, now),
        "architecture": _architecture(summary, now),
        "library": derived(summary.get("library_name")),
        "task": derived(summary.get("pipeline_tag")),
        "tags": derived(summary.get("tags")),
        **_card(place, repo_type, digests, now),
        **{fact: unknown("not_offered") for fact in _NOT_HERE},
    }
    facts["hyperparameters"] = hyperparameters(
        _json(place, "config.json", digests),
        _json(place, "adapter_config.json", digests),
        next((_object(one.headers.get("gguf")) for one in inspected if "gguf" in one.headers), None),
        _json(place, "tokenizer_config.json", digests),
        now,
    )
    return facts


def _card(place: Path, repo_type: RepoType, digests: dict[str, str], now: datetime) -> Facts:
    evidence: JsonObject = {"path": "README.md", "sha256": digests.get("README.md")}
    if "README.md" not in digests or not place.is_dir():
        return card_facts(repo_type, None, "", now, evidence)
    text = _beginning(place / "README.md", _MAX_CARD_BYTES).decode("utf-8", "replace")
    try:
        card = parse_card(text)
    except AllmendeError:
        return card_facts(repo_type, {}, text, now, evidence)
    return card_facts(repo_type, card.data, card.body, now, evidence)


def _parameters(inspected: Iterable[Inspected], now: datetime) -> JsonObject:
    """Of all safetensors files together, or of the first GGUF file: others are mostly variants of it."""
    headers = [(one.path, header) for one in inspected if (header := _object(one.headers.get("safetensors")))]
    if not headers:
        headers = [(one.path, header) for one in inspected if (header := _object(one.headers.get("gguf")))][
            :1
        ]
    if not headers:
        return unknown("not_measured")
    total = 0
    by_dtype: dict[str, int] = {}
    for _path, header in headers:
        total += _whole(header.get("total"))
        counts = _object(header.get("parameters")) or {}
        for dtype, count in counts.items():
            by_dtype[dtype] = by_dtype.get(dtype, 0) + _whole(count)
    evidence = {"files": [path for path, _header in headers]}
    return known({"total": total, "by_dtype": by_dtype}, "measured", _FORMATS, now, evidence)


def _architecture(summary: JsonObject, now: datetime) -> JsonObject:
    config = _object(summary.get("config")) or {}
    said: JsonObject = {}
    listed = config.get("architectures")
    if isinstance(listed, list) and listed and all(isinstance(one, str) for one in listed):
        said["architectures"] = listed
    if isinstance(config.get("model_type"), str):
        said["model_type"] = config["model_type"]
    if not said:
        return unknown("not_declared")
    return known(said, "declared", _FORMATS, now, {"path": "config.json"})


def _json(place: Path, name: str, digests: dict[str, str]) -> JsonObject | None:
    if name not in digests or not place.is_dir():
        return None
    found: JsonObject | None = None
    try:
        found = read_json_object(_beginning(place / name, _MAX_CONFIG_BYTES + 1), _MAX_CONFIG_BYTES)
    except AllmendeError:
        # `allmende inspect` says what is wrong with it.
        found = {}
    return found


def _beginning(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as reader:
        return reader.read(max_bytes)


def _object(value: JsonValue) -> JsonObject | None:
    return value if isinstance(value, dict) else None


def _whole(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
