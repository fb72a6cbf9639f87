"""A TCP relay between a client and a hub that counts bytes, notes request lines and can cut an answer.

It understands no more of HTTP than the head of each request: what passes is what the two sides wrote.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK_BYTES = 64 * 1024
_HEAD = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE) [^\r\n]+ HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n")
_FILE_BODY = re.compile(rb"PUT |POST \S*/v1/xorbs/")


@dataclass
class Relay:
    """Listens on a free port of this machine while it is entered.

    `cuts` answers are broken off after `cut_after_bytes` of a connection. Of the bodies that carry files (PUT
    requests, and xorbs) only the first `bodies_let_through` pass whole; the others stop at their beginning.
    """

    target: str
    cut_after_bytes: int = 0
    cuts: int = 0
    bodies_let_through: int | None = None
    sent_bytes: int = 0
    received_bytes: int = 0
    heads: list[str] = field(default_factory=list)
    _bodies: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: list[socket.socket] = field(default_factory=list)
    _listener: socket.socket = field(default_factory=socket.socket)

    def __enter__(self) -> Self:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        _close(self._listener)
        with self._lock:
            remaining = list(self._open)
        for end in remaining:
            _close(end)

    @property
    def url(self) -> str:
        """Where clients reach the hub through this relay."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def requests(self, method: str, needle: str) -> list[str]:
        """The heads of requests of that method with `needle` in the address."""
        with self._lock:
            heads = list(self.heads)
        return [head for head in heads if head.startswith(method + " ") and needle in head.split("\r\n")[0]]

    def sent_by(self, act: Callable[..., object], *arguments: object) -> int:
        """How many bytes clients sent through this relay while `act` ran, heads of requests included."""
        before = self.sent_bytes
        act(*arguments)
        return self.sent_bytes - before

    def _accept(self) -> None:
        target = urlsplit(self.target)
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            hub = socket.create_connection((str(target.hostname), target.port or 80))
            with self._lock:
                self._open += [client, hub]
            threading.Thread(target=self._upstream, args=(client, hub), daemon=True).start()
            threading.Thread(target=self._downstream, args=(hub, client), daemon=True).start()

    def _upstream(self, client: socket.socket, hub: socket.socket) -> None:
        tail, goes_on = b"", True
        while goes_on and (chunk := _received(client)):
            tail, held = self._note_heads(tail + chunk)
            with self._lock:
                self.sent_bytes += len(chunk)
            goes_on = _passed_on(hub, chunk)
            if held:
                self._over.wait()
        _close(hub)

    def _downstream(self, hub: socket.socket, client: socket.socket) -> None:
        passed_bytes = 0
        while chunk := _received(hub):
            passed_bytes += len(chunk)
            with self._lock:
                self.received_bytes += len(chunk)
            if self._is_cut(passed_bytes) or not _passed_on(client, chunk):
                break
        _close(client)
        _close(hub)

    def _is_cut(self, passed_bytes: int) -> bool:
        with self._lock:
            if not self.cuts or passed_bytes < self.cut_after_bytes:
                return False
            self.cuts -= 1
            return True

    def _note_heads(self, data: bytes) -> tuple[bytes, bool]:
        """Note the complete heads in `data`.

        Returns the end of it in which the next may begin, and whether the body that follows is to be held.
        """
        end, held = 0, False
        for match in _HEAD.finditer(data):
            with self._lock:
                self.heads.append(match[0].decode("latin-1"))
                is_file = _FILE_BODY.match(match[0]) is not None
                self._bodies += is_file
                allowed = self.bodies_let_through
                held = is_file and allowed is not None and self._bodies > allowed
            end = match.end()
        return data[max(end, len(data) - 8192) :], held


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(_CHUNK_BYTES)
    except OSError:  # the other side or the test closed it
        return b""


def _passed_on(end: socket.socket, chunk: bytes) -> bool:
    try:
        end.sendall(chunk)
    except OSError:
        return False
    return True


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):  # not connected any more
        end.shutdown(socket.SHUT_RDWR)
    end.close()
