"""Calls of the bench without a client library: JSON requests, and whole files by curl or a bare socket.

The same code serves hub and nginx, so that what the client costs is in both.
"""

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["BenchFailed", "call", "download", "upload"]

_TIMEOUT_S = 120
_READ_BYTES = 1024 * 1024
_CURL = shutil.which("curl")


class BenchFailed(Exception):
    """An answer was not what the measurement is about."""


def call(method: str, url: str, token: str | None = None, body: Any = None, media_type: str = "") -> Any:
    """One request; returns the parsed answer. A body that is no text is sent as JSON.

    Raises BenchFailed unless the answer is a 2xx.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
    headers = {"Content-Type": media_type or "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    try:
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        connection.request(method, target, data, headers)
        answer = connection.getresponse()
        read = answer.read()
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise BenchFailed(f"{method} {url} was answered with {answer.status}: {read[:300]!r}")
    return json.loads(read) if read else None


def download(url: str, size_bytes: int, token: str | None = None) -> float:
    """Seconds until all bytes of the file have arrived (and were thrown away)."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    started = time.perf_counter()
    received_bytes = _curl_get(url, headers) if _CURL else _socket_get(url, headers)
    seconds = time.perf_counter() - started
    if received_bytes != size_bytes:
        raise BenchFailed(f"{url} gave {received_bytes} of {size_bytes} bytes")
    return seconds


def upload(url: str, file: Path) -> float:
    """Seconds until the PUT of the file is answered."""
    started = time.perf_counter()
    status = _curl_put(url, file) if _CURL else _socket_put(url, file)
    seconds = time.perf_counter() - started
    if not 200 <= status < 300:
        raise BenchFailed(f"PUT {url} was answered with {status}")
    return seconds


def _curl(arguments: list[str]) -> str:
    command = [str(_CURL), "--silent", "--show-error", "--noproxy", "*", "--output", "/dev/null"]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
    )
    if done.returncode:
        raise BenchFailed(f"curl ended with {done.returncode}: {done.stderr[:300]}")
    return done.stdout


def _curl_get(url: str, headers: Mapping[str, str]) -> int:
    given = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    return int(_curl(["--fail", "--write-out", "%{size_download}", *given, url]))


def _curl_put(url: str, file: Path) -> int:
    # Without the header, curl waits up to a second for a permission that no stock client asks for.
    return int(_curl(["--write-out", "%{http_code}", "--header", "Expect:", "--upload-file", str(file), url]))


def _socket_get(url: str, headers: Mapping[str, str]) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
    connection.request("GET", parts.path, headers=dict(headers))
    answer = connection.getresponse()
    buffer, received_bytes = bytearray(_READ_BYTES), 0
    while count := answer.readinto(buffer):
        received_bytes += count
    connection.close()
    return received_bytes if answer.status == 200 else -1


def _socket_put(url: str, file: Path) -> int:
    parts = urlsplit(url)
    host, _, port = parts.netloc.partition(":")
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = (
        f"PUT {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        f"Content-Length: {file.stat().st_size}\r\n\r\n"
    )
    with (
        socket.create_connection((host, int(port)), timeout=_TIMEOUT_S) as connection,
        file.open("rb") as data,
    ):
        connection.sendall(head.encode())
        connection.sendfile(data)
        return int(connection.recv(_READ_BYTES).split(b" ", 2)[1])
