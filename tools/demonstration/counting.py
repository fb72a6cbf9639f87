"""A line to the hub that counts what a client sends over it: the bytes, and not what somebody says."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

__all__ = ["CountedLine", "counted_line"]

_BLOCK_BYTES = 256 * 1024


class CountedLine:
    """What has gone over the line so far, and the address at which the hub is reached over it."""

    def __init__(self) -> None:
        self.url = ""
        self._sent_bytes = 0
        self._lock = threading.Lock()

    @property
    def sent_bytes(self) -> int:
        """Everything that clients sent, heads of requests included."""
        with self._lock:
            return self._sent_bytes

    def count(self, size_bytes: int) -> None:
        """Note that so many bytes went to the hub."""
        with self._lock:
            self._sent_bytes += size_bytes


@contextmanager
def counted_line(hub_url: str) -> Iterator[CountedLine]:
    """A line that is open while this is entered, on a free port of this machine."""
    hub, line = urlsplit(hub_url), CountedLine()

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((str(hub.hostname), hub.port or 80)) as other:
                answers = threading.Thread(target=_pass_on, args=(other, self.request), daemon=True)
                answers.start()
                _pass_on(self.request, other, line.count)
                answers.join()

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection)
    # Clients keep connections for later; nobody waits for those.
    server.daemon_threads, server.block_on_close = True, False
    line.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield line
    finally:
        server.shutdown()
        server.server_close()


def _pass_on(
    source: socket.socket, target: socket.socket, count: Callable[[int], None] | None = None
) -> None:
    """Until one side ends it; the other side then hears of the end."""
    with contextlib.suppress(OSError):
        while block := source.recv(_BLOCK_BYTES):
            if count is not None:
                count(len(block))
            target.sendall(block)
    with contextlib.suppress(OSError):  # not connected any more
        target.shutdown(socket.SHUT_WR)
