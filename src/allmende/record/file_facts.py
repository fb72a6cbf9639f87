"""The facts of a record about its files: which there are, and what they are by their bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from allmende.proof import JsonObject, JsonValue
from allmende.record.form import Tool, known

__all__ = ["MAX_LISTED_FILES", "ListedFile", "files_fact"]

MAX_LISTED_FILES = 10_000
"""Of more files the first are listed; the dirHash of the subject binds all of them."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file by its path; of a symbolic link the bytes are its target's path."""

    path: str
    sha256: str
    size_bytes: int
    is_link: bool = False


def files_fact(files: Sequence[ListedFile], tool: Tool, at: datetime) -> JsonObject:
    """The fact `files`: all of them, in the order of their paths."""
    listed = sorted(files, key=lambda file: file.path)[:MAX_LISTED_FILES]
    rows: list[JsonValue] = []
    for file in listed:
        row: JsonObject = {"path": file.path, "sha256": file.sha256, "size_bytes": file.size_bytes}
        rows.append({**row, "link": True} if file.is_link else row)
    value: JsonObject = {
        "count": len(files),
        "size_bytes": sum(file.size_bytes for file in files),
        "complete": len(listed) == len(files),
        "list": rows,
    }
    return known(value, "measured", tool, at)
