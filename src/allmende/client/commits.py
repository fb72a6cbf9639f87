"""Changing a repo on a hub: creating it, asking how each file goes there, and the commit that names them."""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from allmende.client.connection import Connection
from allmende.client.errors import UnexpectedAnswer
from allmende.client.listing import RemoteRepo
from allmende.errors import Conflict
from allmende.ids import COMMIT_OID, Sha256

__all__ = ["LocalFile", "Plan", "ask_plans", "commit", "create_repo"]

_AT_ONCE = 256
_SAMPLE_BYTES = 512
_NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file here, and its path in the repo."""

    path: Path
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file goes to a repo; `oid` is the hash of what is there under its name."""

    file: LocalFile
    is_large: bool
    is_ignored: bool
    oid: str | None


def create_repo(hub: Connection, repo: RemoteRepo, *, private: bool | None) -> None:
    """Make the repo, if it is not there yet; what is there stays as it is. Raises what the hub refuses."""
    namespace, _, name = repo.name.partition("/")
    asked: dict[str, Any] = {"name": name, "organization": namespace, "type": repo.type}
    if private is not None:
        asked["private"] = private
    if repo.type == "space":
        asked["sdk"] = "static"
    try:
        hub.json("POST", "/api/repos/create", asked)
    except Conflict:
        return


def ask_plans(hub: Connection, repo: RemoteRepo, revision: str, files: Sequence[LocalFile]) -> list[Plan]:
    """How each file goes, in their order. Raises NotFound, what the hub refuses, UnexpectedAnswer."""
    plans: list[Plan] = []
    for start in range(0, len(files), _AT_ONCE):
        batch = files[start : start + _AT_ONCE]
        asked = {
            "files": [
                {"path": one.name, "size": one.size_bytes, "sample": _sample(one.path)} for one in batch
            ]
        }
        address = f"{repo.api}/preupload/{quote(revision, safe='')}"
        said, _ = hub.json("POST", address, asked)
        plans += _plans(batch, said)
    return plans


def commit(
    hub: Connection,
    repo: RemoteRepo,
    revision: str,
    title: str,
    small: Iterable[LocalFile],
    large: Iterable[tuple[str, Sha256, int]],
) -> str:
    """Commit files that are small, with their bytes, and contents that have arrived; the commit's id.

    Raises what the hub refuses: whoever reads this has to know that it may have been done all the same when
    the hub is not reached for the answer.
    """
    body = b"".join(json.dumps(line).encode() + b"\n" for line in _lines(title, small, large))
    address = f"{repo.api}/commit/{quote(revision, safe='')}"
    said = hub.document("POST", address, headers={"Content-Type": _NDJSON}, body=body, repeatable=False)
    oid = said.get("commitOid") if isinstance(said, dict) else None
    if not isinstance(oid, str) or COMMIT_OID.fullmatch(oid) is None:
        raise UnexpectedAnswer("The hub does not say which commit it made.")
    return oid


def _lines(
    title: str, small: Iterable[LocalFile], large: Iterable[tuple[str, Sha256, int]]
) -> Iterator[dict[str, Any]]:
    yield {"key": "header", "value": {"summary": title, "description": ""}}
    for one in small:
        content = base64.b64encode(one.path.read_bytes()).decode("ascii")
        yield {"key": "file", "value": {"path": one.name, "content": content, "encoding": "base64"}}
    for name, sha256, size_bytes in large:
        yield {"key": "lfsFile", "value": {"path": name, "algo": "sha256", "oid": sha256, "size": size_bytes}}


def _plans(batch: Sequence[LocalFile], said: Any) -> list[Plan]:
    listed = said.get("files") if isinstance(said, dict) else None
    by_path = {one.get("path"): one for one in listed or () if isinstance(one, dict)}
    plans = []
    for file in batch:
        one = by_path.get(file.name)
        mode = None if one is None else one.get("uploadMode")
        if one is None or mode not in {"lfs", "regular"}:
            raise UnexpectedAnswer(f"The hub does not say how {file.name} is to be sent.")
        oid = one.get("oid")
        # An empty file has no content to send.
        is_large = mode == "lfs" and file.size_bytes > 0
        plans.append(
            Plan(file, is_large, bool(one.get("shouldIgnore")), oid if isinstance(oid, str) else None)
        )
    return plans


def _sample(path: Path) -> str:
    with path.open("rb") as file:
        return base64.b64encode(file.read(_SAMPLE_BYTES)).decode("ascii")
