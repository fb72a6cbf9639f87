"""Python runs this before a client does: it refuses and writes down every way out of the machine.

`clients.py` puts this folder on PYTHONPATH. It must work in environments that hold nothing but a client, so
it imports the standard library alone. What it sees is what the audit events of CPython show: every socket of
every Python library, in the process and in the Python processes that it starts.
"""

import ipaddress
import os
import sys

_RECORD = os.environ["CONTRACT_GUARD_RECORD"]
_LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


class ForeignAddress(RuntimeError):
    """The client tried to leave the machine. No OSError, so that no client takes it for a bad line."""


def _is_local(host: object) -> bool:
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host)
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name.lower() in _LOCAL_NAMES


def _note(line: str) -> None:
    with open(_RECORD, "a", encoding="utf-8") as record:  # noqa: PTH123
        record.write(line + "\n")


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    host: object = None
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
    if not _is_local(host):
        _note(f"foreign {event} {host!r}")
        raise ForeignAddress(f"{event} to {host!r}: a client of these tests talks to this machine only")


sys.addaudithook(_guard)
_note("guarded")
