"""The first process of the scanner, begun while the rest of the command is still being loaded.

To start Python and to load the readers takes longer than most scans. The process needs nothing of the command
for that, and so the two load side by side.
"""

from contextlib import suppress
from functools import cache

from allmende.scan import ScannerUnavailable, ServerProcess

__all__ = ["begin", "begun_server"]


def begin() -> None:
    """Start it. Where that fails, `begun_server` fails again and says so."""
    with suppress(ScannerUnavailable):
        _server()


def begun_server() -> ServerProcess:
    """What `begin` started, or one that is started now; it is the caller's. Raises ScannerUnavailable."""
    server = _server()
    _server.cache_clear()
    return server


@cache
def _server() -> ServerProcess:
    return ServerProcess()
