"""Sending large contents to a hub: what it wants of them (the LFS batch call), and the bytes to signed links.

Links may lie on another host, as an object store's do; the caller's token goes to none of them.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from allmende.client.connection import Connection, refused
from allmende.client.errors import BytesDiffer, HubUnreachable, UnexpectedAnswer
from allmende.client.listing import RemoteRepo
from allmende.errors import Unavailable
from allmende.ids import Sha256
from allmende.packing import DELTA_TRANSFER

__all__ = ["LargeFile", "Link", "Sender", "ask_links", "known_to"]

_LFS_JSON = "application/vnd.git-lfs+json"
_DELTA_TYPE = "application/vnd.allmende.delta"
_AT_ONCE = 100
_BLOCK_BYTES = 256 * 1024
_TRIES = 5
_MOST_PARTS = 10_000
_LEAST_BYTES_A_SECOND = 4 * 1024 * 1024
"""A hub that rebuilds or hashes slower than this is not waited for."""

Moved = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A file that goes by LFS."""

    path: Path
    sha256: Sha256
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Link:
    """Where a content that is wanted goes, and how."""

    transfer: str
    href: str
    header: Mapping[str, str]
    verify: str | None

    @property
    def takes_delta(self) -> bool:
        """Whether a delta is taken there, and nothing else."""
        return self.transfer == DELTA_TRANSFER


def ask_links(
    hub: Connection, repo: RemoteRepo, contents: Sequence[tuple[Sha256, int]], transfers: Sequence[str]
) -> dict[Sha256, Link | None]:
    """For each content where it is wanted; None for what the hub has and the caller may use.

    Raises what the hub says against one of them, and UnexpectedAnswer.
    """
    found: dict[Sha256, Link | None] = {}
    for sha256, (transfer, item) in _batched(hub, repo, contents, transfers):
        if "error" in item:
            error = item["error"]
            raise refused(int(error.get("code", 422)), f"{sha256[:12]}…: {error.get('message')}")
        found[sha256] = _link(transfer, item)
    missing = [sha256 for sha256, _ in contents if sha256 not in found]
    if missing:
        raise UnexpectedAnswer(f"The hub does not say whether it wants {missing[0]}.")
    return found


def known_to(hub: Connection, repo: RemoteRepo, contents: Sequence[tuple[Sha256, int]]) -> frozenset[Sha256]:
    """Those contents that the hub has and the caller may use; of others nothing is learned."""
    return frozenset(
        sha256
        for sha256, (_, item) in _batched(hub, repo, contents, ("basic",))
        if "error" not in item and "actions" not in item
    )


def _batched(
    hub: Connection, repo: RemoteRepo, contents: Sequence[tuple[Sha256, int]], transfers: Sequence[str]
) -> Iterator[tuple[Sha256, tuple[str, dict[str, Any]]]]:
    wanted = dict(contents)
    ordered = list(wanted.items())
    for start in range(0, len(ordered), _AT_ONCE):
        asked = {
            "operation": "upload",
            "transfers": list(transfers),
            "hash_algo": "sha256",
            "objects": [{"oid": oid, "size": size} for oid, size in ordered[start : start + _AT_ONCE]],
        }
        headers = {"Accept": _LFS_JSON, "Content-Type": _LFS_JSON}
        address = f"{repo.files}.git/info/lfs/objects/batch"
        said = hub.document("POST", address, headers=headers, body=json.dumps(asked).encode())
        listed = said.get("objects") if isinstance(said, dict) else None
        if not isinstance(listed, list):
            raise UnexpectedAnswer("The hub's answer to an LFS batch call makes no sense.")
        transfer = str(said.get("transfer") or "basic")
        for item in listed:
            if isinstance(item, dict) and item.get("oid") in wanted:
                yield Sha256(item["oid"]), (transfer, item)


def _link(transfer: str, item: Mapping[str, Any]) -> Link | None:
    actions = item.get("actions")
    if actions is None:
        return None
    try:
        upload = actions["upload"]
        header = {str(name): str(value) for name, value in (upload.get("header") or {}).items()}
        verify = (actions.get("verify") or {}).get("href")
        return Link(transfer, _address(upload["href"]), header, None if verify is None else str(verify))
    except (AttributeError, KeyError, TypeError) as error:
        raise UnexpectedAnswer("The hub's link for an upload makes no sense.") from error


def _address(href: object) -> str:
    if not isinstance(href, str) or urlsplit(href).scheme not in {"http", "https"}:
        raise UnexpectedAnswer("The hub's link for an upload is no address.")
    return href


class Sender:
    """Sends bytes to signed links. May be used by several threads at once."""

    def __init__(self, hub: Connection, stop: threading.Event) -> None:
        self._hub = hub
        self._stop = stop
        self._pool = urllib3.PoolManager(maxsize=8, blocksize=_BLOCK_BYTES)

    def send_plain(self, file: LargeFile, link: Link, moved: Moved) -> None:
        """A whole file, in one piece or in the parts that the link names.

        Raises HubUnreachable, InterruptedError when `stop` is set, and what the hub refuses.
        """
        size = link.header.get("chunk_size")
        if link.transfer == "multipart" or size is not None:
            self._send_parts(file, link, size, moved)
        else:
            with file.path.open("rb") as reader:
                self._put(link.href, reader, 0, file.size_bytes, link.header, moved, file.size_bytes)
        self._verify(file, link)

    def send_delta(self, file: LargeFile, delta: BinaryIO, size_bytes: int, link: Link, moved: Moved) -> None:
        """A delta of a file; raises as `send_plain`."""
        headers = {**link.header, "Content-Type": _DELTA_TYPE}
        self._put(link.href, delta, 0, size_bytes, headers, moved, file.size_bytes)
        self._verify(file, link)

    def _send_parts(self, file: LargeFile, link: Link, size: str | None, moved: Moved) -> None:
        if size is None or not size.isdecimal() or not int(size):
            raise UnexpectedAnswer("The hub does not say how large the parts of an upload are.")
        part_bytes = int(size)
        count = -(-file.size_bytes // part_bytes)
        if count > _MOST_PARTS:
            raise UnexpectedAnswer("The hub wants an upload in too many parts.")
        parts = []
        for number in range(1, count + 1):
            href = link.header.get(str(number)) or link.header.get(f"{number:05d}")
            start = (number - 1) * part_bytes
            length = min(part_bytes, file.size_bytes - start)
            with file.path.open("rb") as reader:
                etag = self._put(_address(href), reader, start, length, {}, moved, length)
            parts.append({"partNumber": number, "etag": etag})
        body = json.dumps({"oid": file.sha256, "parts": parts}).encode()
        self._post(link.href, body, file.size_bytes)

    def _verify(self, file: LargeFile, link: Link) -> None:
        if link.verify is None:
            return
        body = json.dumps({"oid": file.sha256, "size": file.size_bytes}).encode()
        headers = {"Accept": _LFS_JSON, "Content-Type": _LFS_JSON}
        with self._hub.open("POST", link.verify, headers=headers, body=body):
            pass

    def _post(self, href: str, body: bytes, size_bytes: int) -> None:
        headers = {"Accept": _LFS_JSON, "Content-Type": _LFS_JSON}
        self._again(lambda: self._request("POST", href, body, headers, size_bytes))

    def _put(
        self,
        href: str,
        reader: BinaryIO,
        start: int,
        count: int,
        header: Mapping[str, str],
        moved: Moved,
        size_bytes: int,
    ) -> str:
        """The ETag under which bytes were taken."""
        headers = {**header, "Content-Length": str(count)}

        def once() -> str:
            body = _Part(reader, start, count, moved, self._stop)
            try:
                return self._request("PUT", href, body, headers, size_bytes)
            except (HubUnreachable, Unavailable):
                body.take_back()
                raise

        return self._again(once)

    def _again(self, once: Callable[[], str]) -> str:
        """Try again while the hub is not to be reached, or busy."""
        for number in range(1, _TRIES + 1):
            try:
                return once()
            except Unavailable:
                if number == _TRIES or self._stop.wait(0.3 * 2**number):
                    raise
        raise AssertionError

    def _request(
        self, method: str, href: str, body: "bytes | _Part", headers: Mapping[str, str], size_bytes: int
    ) -> str:
        timeout = urllib3.Timeout(connect=10.0, read=120.0 + size_bytes / _LEAST_BYTES_A_SECOND)
        headers = {"User-Agent": "allmende", **headers}
        try:
            answer = self._pool.request(
                method, href, body=body, headers=headers, timeout=timeout, retries=False, redirect=False
            )
        except HTTPError as error:
            raise HubUnreachable(f"An upload broke off: {_told(error)}") from error
        if answer.status >= 300:
            raise refused(answer.status, None, answer.headers, answer.data)
        return answer.headers.get("ETag", "")


def _told(error: HTTPError) -> str:
    """What went wrong, without the address: the right to upload is in it."""
    return type(error).__name__


class _Part:
    """Some bytes of a file, for a request; tells of them as they go."""

    def __init__(self, reader: BinaryIO, start: int, count: int, moved: Moved, stop: threading.Event) -> None:
        reader.seek(start)
        self._reader = reader
        self._left = count
        self._sent = 0
        self._moved = moved
        self._stop = stop

    def __iter__(self) -> Iterator[bytes]:
        """The next bytes, block by block. Raises InterruptedError."""
        while self._left:
            if self._stop.is_set():
                raise InterruptedError
            data = self._reader.read(min(_BLOCK_BYTES, self._left))
            if not data:
                raise BytesDiffer("A file became shorter while it was sent.")
            self._left -= len(data)
            self._sent += len(data)
            self._moved(len(data))
            yield data

    def take_back(self) -> None:
        """They have to be sent again."""
        self._moved(-self._sent)
        self._sent = 0
