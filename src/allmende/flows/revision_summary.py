"""What follows for a revision from what is known of its files: pure functions, no reading.

Facts that people see on a page and clients in the model info: `files`, `unreadable`, `safetensors`, `gguf`,
`config`, `library_name`, `pipeline_tag`, `tags`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allmende.facts import ContentKey, Fact, FactSource
from allmende.flows.content_examination import TOOL, TOOL_VERSION, HeldFile, format_fact
from allmende.formats import (
    JsonObject,
    JsonValue,
    library_from_files,
    library_of,
    pipeline_tag_of,
    tags_from_files,
    task_of,
    transformers_summary,
)

__all__ = ["RevisionFiles", "choose_safetensors", "summarise"]

_MAX_LISTED = 100
_SPLIT_GGUF = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")

Facts = Mapping[ContentKey, Mapping[str, Fact]]


@dataclass(frozen=True, slots=True)
class RevisionFiles:
    """Everything that a summary is made from."""

    is_model: bool
    files: tuple[HeldFile, ...]
    absent: tuple[str, ...]
    """Paths whose bytes the repo does not have: they were deleted for good."""
    facts: Facts
    config: JsonObject | None
    """`config.json`, where there is one that can be read."""
    index: JsonObject | None
    """`model.safetensors.index.json`, likewise."""
    card: JsonObject | None
    """What the card declares."""
    misread: tuple[JsonObject, ...] = ()
    """Configuration files that could not be read, as `{"path", "error", "code"}`."""

    def fact(self, file: HeldFile, name: str) -> Fact | None:
        """What is known of a file."""
        return self.facts.get(file.key, {}).get(name)


def summarise(revision: RevisionFiles, now: datetime) -> list[Fact]:
    """The facts of the revision, as far as its files support them."""
    found = [_derived("files", _files(revision), now)]
    unreadable = _unreadable(revision)
    if unreadable:
        found.append(_derived("unreadable", unreadable, now))
    if revision.is_model:
        found += _model_facts(revision, now)
    return found


def choose_safetensors(paths: Iterable[str], index: JsonObject | None) -> list[str]:
    """The safetensors files that together are the model of a repo with these paths.

    The first rule that finds any decides: the files that `model.safetensors.index.json` names; then
    `model.safetensors` alone, beside which other files are variants; then all `model*.safetensors` at the
    root, which are shards; then the one file of the format at the root, whatever its name. What the index
    names is returned also where it is missing, so that the caller notices.
    """
    named = _named_by_index(index)
    if named:
        return named
    at_root = sorted(path for path in paths if "/" not in path and path.endswith(".safetensors"))
    if "model.safetensors" in at_root:
        return ["model.safetensors"]
    shards = [path for path in at_root if path.startswith("model")]
    if shards:
        return shards
    return at_root if len(at_root) == 1 else []


def _derived(
    name: str,
    value: JsonValue,
    now: datetime,
    evidence: Mapping[str, Any] | None = None,
    source: FactSource = "derived",
) -> Fact:
    return Fact(name, value, source, TOOL, TOOL_VERSION, now, evidence or {})


def _files(revision: RevisionFiles) -> JsonObject:
    counts: dict[str, list[int]] = {}
    misnamed = []
    for file in revision.files:
        fact = revision.fact(file, format_fact(file.entry.path))
        value = fact.value if fact is not None and isinstance(fact.value, dict) else {}
        count = counts.setdefault(str(value.get("name", "unknown")), [0, 0])
        count[0] += 1
        count[1] += file.entry.size_bytes
        if value.get("name_disagrees"):
            misnamed.append(file.entry.path)
    formats: JsonObject = {
        name: {"count": counts[name][0], "size_bytes": counts[name][1]} for name in sorted(counts)
    }
    summary: JsonObject = {
        "count": len(revision.files) + len(revision.absent),
        "size_bytes": sum(file.entry.size_bytes for file in revision.files),
        "formats": formats,
    }
    for name, paths in (("misnamed", misnamed), ("absent", revision.absent)):
        if paths:
            summary[name] = {"count": len(paths), "first": list(paths[:_MAX_LISTED])}
    return summary


def _unreadable(revision: RevisionFiles) -> list[JsonValue]:
    listed: list[JsonValue] = list(revision.misread)
    for file in revision.files:
        fact = revision.fact(file, "format.error")
        if fact is not None and isinstance(fact.value, dict) and len(listed) < _MAX_LISTED:
            listed.append({"path": file.entry.path, **fact.value})
    return listed


def _model_facts(revision: RevisionFiles, now: datetime) -> list[Fact]:
    paths = [file.entry.path for file in revision.files]
    found = [*_safetensors(revision, now), *_gguf(revision, now)]
    if revision.config is not None:
        summary = transformers_summary(revision.config)
        if summary:
            found.append(_derived("config", summary, now, {"path": "config.json"}, "declared"))
    card = revision.card or {}
    library = library_of(card) or library_from_files(paths, revision.config)
    task = pipeline_tag_of(card) or task_of(library, revision.config)
    for name, value, declared in (
        ("library_name", library, library_of(card)),
        ("pipeline_tag", task, pipeline_tag_of(card)),
    ):
        if value is not None:
            source: FactSource = "derived" if declared is None else "declared"
            found.append(_derived(name, value, now, source=source))
    tags = dict.fromkeys([*filter(None, [library]), *tags_from_files(paths, revision.config)])
    found.append(_derived("tags", [*tags, *([task] if task and task not in tags else [])], now))
    return found


def _safetensors(revision: RevisionFiles, now: datetime) -> list[Fact]:
    by_path = {file.entry.path: file for file in revision.files}
    chosen = choose_safetensors(by_path, revision.index)
    evidence: list[JsonValue] = []
    parameters: dict[str, int] = {}
    for path in chosen:
        file = by_path.get(path)
        fact = None if file is None else revision.fact(file, "safetensors.parameters")
        if file is None or fact is None or not isinstance(fact.value, dict):
            # A sum over some of the shards would be a wrong number.
            return []
        evidence.append({"path": path, "content": file.key})
        counts = fact.value.get("parameters")
        for dtype, count in counts.items() if isinstance(counts, dict) else ():
            parameters[dtype] = parameters.get(dtype, 0) + (count if isinstance(count, int) else 0)
    if not chosen:
        return []
    value: JsonObject = {"parameters": dict(parameters), "total": sum(parameters.values())}
    return [_derived("safetensors", value, now, {"files": evidence[:_MAX_LISTED], "of": len(evidence)})]


def _named_by_index(index: JsonObject | None) -> list[str]:
    weight_map = None if index is None else index.get("weight_map")
    if not isinstance(weight_map, dict):
        return []
    return sorted({path for path in weight_map.values() if isinstance(path, str)})


def _gguf(revision: RevisionFiles, now: datetime) -> list[Fact]:
    """The first GGUF model by path: the others are mostly the same model in another quantisation.

    Of a model that is split over files the first one describes it, and the elements of all are added up.
    """
    with_header = sorted(
        (file.entry.path, file.key, fact.value)
        for file in revision.files
        if (fact := revision.fact(file, "gguf")) is not None and isinstance(fact.value, dict)
        if "mmproj" not in file.entry.path
    )
    if not with_header:
        return []
    path, key, value = with_header[0]
    parts = _parts_of(path, [(other, summary) for other, _key, summary in with_header])
    total = sum(int(str(summary.get("total", 0))) for summary in parts)
    evidence = {"path": path, "content": key, "parts": len(parts)}
    kept: JsonObject = {name: item for name, item in value.items() if name != "tensors"}
    return [_derived("gguf", {**kept, "total": total}, now, evidence)]


def _parts_of(path: str, files: list[tuple[str, JsonObject]]) -> list[JsonObject]:
    split = _SPLIT_GGUF.fullmatch(path)
    if split is None:
        return [summary for other, summary in files if other == path]
    return [
        summary
        for other, summary in files
        if (part := _SPLIT_GGUF.fullmatch(other)) is not None
        and (part["stem"], part["count"]) == (split["stem"], split["count"])
    ]
