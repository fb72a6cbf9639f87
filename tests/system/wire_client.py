"""A client of the hub that does one thing on one connection at a time, and hides nothing that happens to it.

Stock clients repeat what failed and open connections as they like; tests of crashes and of order must not.
"""

import base64
import hashlib
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

LFS_JSON = "application/vnd.git-lfs+json"

GONE = (ConnectionError, http.client.HTTPException, TimeoutError)
"""What a request raises when the hub dies under it."""


class Refused(AssertionError):
    """The hub answered, and not with success."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the hub."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Publication:
    """Files that one commit brings: small ones inside it, large ones uploaded before."""

    title: str
    small: Mapping[str, bytes] = field(default_factory=dict)
    large: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, bytes]:
        return {**self.small, **self.large}

    def lines(self, parent: str | None = None) -> bytes:
        """The body of the commit call."""
        header = {"summary": self.title, "description": ""}
        items: list[dict[str, object]] = [
            {"key": "header", "value": header if parent is None else {**header, "parentCommit": parent}}
        ]
        for path, data in self.small.items():
            content = base64.b64encode(data).decode()
            items.append({"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}})
        for path, data in self.large.items():
            value = {"path": path, "algo": "sha256", "oid": sha256_of(data), "size": len(data)}
            items.append({"key": "lfsFile", "value": value})
        return b"".join(json.dumps(item).encode() + b"\n" for item in items)


class WireClient:
    """One connection, kept open, used by one user on one model repo."""

    def __init__(
        self, url: str, user: str = "alice", repo: str = "alice/model", timeout_s: float = 60
    ) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=timeout_s)
        # Without this a kept connection is silently opened anew where the hub has closed it.
        self._connection.auto_open = 0
        self._connection.connect()
        self.authorization = f"Bearer token-of-{user}"
        self.repo = repo
        self.api = f"/api/models/{repo}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @property
    def port(self) -> int:
        """This side's port."""
        return int(self._connection.sock.getsockname()[1])

    def call(
        self, method: str, address: str, body: bytes | None = None, *, kind: str = "application/json"
    ) -> Answer:
        """One request; an absolute address is a signed link and goes without the token, as clients do it."""
        parts = urlsplit(address)
        headers = {"Content-Type": kind} if body is not None else {}
        if not parts.netloc:
            headers["Authorization"] = self.authorization
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._connection.request(method, target, body, headers)
        response = self._connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def ask(
        self, method: str, address: str, body: bytes | None = None, *, kind: str = "application/json"
    ) -> Answer:
        """One request that must succeed; raises Refused."""
        answer = self.call(method, address, body, kind=kind)
        if answer.status != 200:
            raise Refused(f"{method} {address}: {answer.status} {answer.body[:500]!r}")
        return answer

    def create_repo(self) -> None:
        namespace, _, name = self.repo.partition("/")
        self.ask("POST", "/api/repos/create", json.dumps({"name": name, "organization": namespace}).encode())

    def wanted(self, files: Mapping[str, int]) -> dict[str, Any]:
        """Of these contents (SHA-256 to size) those that the hub wants, with the actions that it names."""
        actions: dict[str, Any] = {}
        items = [{"oid": oid, "size": size_bytes} for oid, size_bytes in files.items()]
        for start in range(0, len(items), 200):
            asked = {
                "operation": "upload",
                "transfers": ["basic", "multipart"],
                "hash_algo": "sha256",
                "objects": items[start : start + 200],
            }
            address = f"/{self.repo}.git/info/lfs/objects/batch"
            answer = self.ask("POST", address, json.dumps(asked).encode(), kind=LFS_JSON)
            actions |= {item["oid"]: item["actions"] for item in answer.json["objects"] if "actions" in item}
        return actions

    def upload(self, data: bytes) -> None:
        """Store a content, in one piece or in parts as the hub asks; nothing is sent that it has already."""
        oid = sha256_of(data)
        actions = self.wanted({oid: len(data)}).get(oid)
        if actions is None:
            return
        upload = actions["upload"]
        if "chunk_size" not in upload.get("header", {}):
            self.ask("PUT", upload["href"], data, kind="application/octet-stream")
            return
        self.ask("POST", upload["href"], self.upload_parts(data, upload))

    def upload_parts(self, data: bytes, upload: Mapping[str, Any]) -> bytes:
        """Send the parts that an upload action names; returns what completes the upload."""
        header = dict(upload["header"])
        part_bytes = int(header.pop("chunk_size"))
        parts = []
        for number in sorted(map(int, header)):
            part = data[(number - 1) * part_bytes : number * part_bytes]
            answer = self.ask("PUT", header[str(number)], part, kind="application/octet-stream")
            parts.append({"partNumber": number, "etag": answer.headers["ETag"]})
        return json.dumps({"oid": sha256_of(data), "parts": parts}).encode()

    def commit(self, publication: Publication, parent: str | None = None) -> Answer:
        """The commit call; returns whatever the hub answers."""
        return self.call(
            "POST", f"{self.api}/commit/main", publication.lines(parent), kind="application/x-ndjson"
        )

    def head(self) -> str:
        """The commit at the branch main."""
        return str(self.ask("GET", f"{self.api}/revision/main").json["sha"])

    def titles(self) -> list[str]:
        """Titles of all commits of main, newest first."""
        return [commit["title"] for commit in self._pages(f"{self.api}/commits/main")]

    def paths(self) -> set[str]:
        """Paths of all files of main."""
        entries = self._pages(f"{self.api}/tree/main?recursive=true")
        return {entry["path"] for entry in entries if entry["type"] == "file"}

    def read(self, path: str) -> bytes:
        """The bytes of a file of main."""
        return self.ask("GET", f"/{self.repo}/resolve/main/{quote(path)}").body

    def _pages(self, address: str) -> list[Any]:
        items: list[Any] = []
        while address:
            answer = self.ask("GET", address)
            items += answer.json
            link = answer.headers.get("Link", "")
            parts = urlsplit(link[1 : link.index(">")]) if link else None
            address = f"{parts.path}?{parts.query}" if parts else ""
        return items
