"""What a repo holds at a revision, as a hub lists it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from allmende.client.connection import Connection
from allmende.client.errors import UnexpectedAnswer
from allmende.errors import BadRequest
from allmende.ids import COMMIT_OID, GitOid, RepoType, Sha256, is_git_oid, is_sha256

__all__ = ["RemoteFile", "RemoteRepo", "Snapshot", "list_snapshot", "quoted"]

_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
_MAX_FILES = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")


@dataclass(frozen=True, slots=True)
class RemoteRepo:
    """A repo on the hub, by its type and full name."""

    type: RepoType
    name: str

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise BadRequest(f"{self.name} is not the name of a repo.", hint="Such as namespace/name")

    @property
    def api(self) -> str:
        """The beginning of its addresses in the Hub's API."""
        return f"/api/{self.type}s/{self.name}"

    @property
    def files(self) -> str:
        """The beginning of the addresses of its files."""
        return f"/{self.name}" if self.type == "model" else f"/{self.type}s/{self.name}"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a revision. `sha256` is there for what git keeps only a pointer of."""

    path: str
    size_bytes: int
    oid: GitOid
    sha256: Sha256 | None

    @property
    def etag(self) -> str:
        """The name under which caches keep its bytes."""
        return self.sha256 or self.oid


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All files of one commit."""

    repo: RemoteRepo
    revision: str
    commit: GitOid
    files: tuple[RemoteFile, ...]


def list_snapshot(hub: Connection, repo: RemoteRepo, revision: str) -> Snapshot:
    """The commit that a revision names, and its files by path. Raises NotFound, UnexpectedAnswer."""
    info, _ = hub.json("GET", f"{repo.api}/revision/{quote(revision, safe='')}")
    commit = info.get("sha") if isinstance(info, dict) else None
    if not isinstance(commit, str) or COMMIT_OID.fullmatch(commit) is None:
        raise UnexpectedAnswer(f"The hub does not say which commit {revision} of {repo.name} is.")
    files: list[RemoteFile] = []
    page: str | None = f"{repo.api}/tree/{commit}?recursive=true&limit=1000"
    while page is not None:
        listed, headers = hub.json("GET", page)
        if not isinstance(listed, list) or len(files) + len(listed) > _MAX_FILES:
            raise UnexpectedAnswer(f"The hub's list of the files of {repo.name} cannot be read.")
        files += [_file(entry) for entry in listed if not _is_folder(entry)]
        following = _NEXT.search(headers.get("Link", ""))
        page = following[1] if following is not None else None
    return Snapshot(repo, revision, GitOid(commit), tuple(files))


def quoted(path: str) -> str:
    """The path of a file as it stands in an address."""
    return quote(path)


def _is_folder(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("type") == "directory"


def _file(entry: Any) -> RemoteFile:
    found: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    path, size_bytes, oid = found.get("path"), found.get("size"), found.get("oid")
    pointer = found.get("lfs")
    sha256 = pointer.get("oid") if isinstance(pointer, dict) else None
    if (
        not isinstance(path, str)
        or not isinstance(size_bytes, int)
        or size_bytes < 0
        or not isinstance(oid, str)
        or not is_git_oid(oid)
        or not (sha256 is None or (isinstance(sha256, str) and is_sha256(sha256)))
    ):
        raise UnexpectedAnswer(f"The hub lists a file that makes no sense: {str(entry)[:200]}")
    return RemoteFile(_inside(path), size_bytes, GitOid(oid), None if sha256 is None else Sha256(sha256))


def _inside(path: str) -> str:
    """The path, if it stays within the folder that it is written to, on any system."""
    parts = path.split("/")
    if any(part in {"", ".", ".."} or "\\" in part or "\0" in part or ":" in part for part in parts):
        raise UnexpectedAnswer(f"The hub lists a file under a path that is not safe: {path[:200]!r}")
    return path
