"""Running the server process: its limits, its address, what it inherits, and how it ends.

The process that was started supervises; a child of it answers requests. A child that crashes is replaced,
one that crashes again at once ends the command. The child ends with its supervisor, whatever ended that.
"""

import ctypes
import errno
import http.client
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from allmende.cli.logs import log_configuration
from allmende.cli.output import say
from allmende.errors import AllmendeError, BadRequest, Conflict

if TYPE_CHECKING:
    from allmende.settings import Settings

__all__ = ["AddressInUse", "ServerEnded", "supervise"]

_TARGET = "allmende.app:factory"
_CONNECTIONS = 8192
"""Connections that are held at the same time, and that wait to be accepted."""
_HEADER_TIMEOUT_MS = 60_000
_STOP_WITHIN_S = 10
_PORT_WAIT_S = 3.0
_POLL_S = 0.05
_FIRST_LOOK_AFTER_S = 0.3
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (said, not bound to)
_PR_SET_PDEATHSIG = 1


class AddressInUse(Conflict):
    """Another program listens there."""

    code = "address_in_use"


class ServerEnded(AllmendeError):
    """The server process ended although nobody asked it to."""

    code = "server_ended"


def supervise(settings: "Settings") -> None:
    """Serve until a signal ends it; prints the address as soon as requests are answered there.

    Raises AddressInUse, BadRequest for a host that does not exist, ServerEnded.
    """
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    _raise_file_limit()
    _hand_down(settings)
    os.register_at_fork(after_in_child=_end_with(os.getpid()))
    with _reserved(settings.host, settings.port) as (address, port):
        server = Granian(
            _TARGET,
            address=address,
            port=port,
            interface=Interfaces.ASGI,
            factory=True,
            http=HTTPModes.http1,
            websockets=False,
            backlog=_CONNECTIONS,
            backpressure=_CONNECTIONS,
            http1_settings=HTTP1Settings(header_read_timeout=_HEADER_TIMEOUT_MS),
            respawn_failed_workers=True,
            workers_kill_timeout=_STOP_WITHIN_S,
            log_level=LogLevels.warning,
            log_dictconfig=log_configuration(settings.log_level),
        )
        server.on_startup(_stop_on_hangup(server.signal_handler_interrupt))
        server.on_startup(lambda: _announce_later(address, port, settings.public_url))
        try:
            server.serve()
        except SystemExit:
            # How the server says that its child ended by itself; when a signal ended both, all is well.
            if not server.interrupt_signal:
                raise ServerEnded(
                    "The server process ended by itself.", hint="The lines above say why."
                ) from None


def _raise_file_limit() -> None:
    """Each connection is an open file, and so is each file that is being sent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _hand_down(settings: "Settings") -> None:
    """Leave the settings in the environment, where the server process reads them."""
    for name, value in settings.model_dump(mode="json", exclude_none=True).items():
        os.environ[f"ALLMENDE_{name.upper()}"] = str(value)


def _end_with(supervisor: int) -> Callable[[], None]:
    """What a child does first: ask the kernel to be killed when its parent is (Linux alone offers it)."""

    def in_child() -> None:
        if sys.platform != "linux":
            return
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # it ended before the kernel was asked
            os._exit(1)

    return in_child


@contextmanager
def _reserved(host: str, port: int) -> Iterator[tuple[str, int]]:
    """The address to listen on, kept from everybody else but the server process.

    The server opens its sockets so that several may share a port; two hubs on one port would then take
    requests at random. So the port is first bound as the only owner, which fails if anybody has it, and
    then opened to sharing with this user's processes. The socket never listens and gets no connections.
    """
    family, address = _resolve(host, port)
    with socket.socket(family, socket.SOCK_STREAM) as owner:
        owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(owner, address, port)
        owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        yield address, owner.getsockname()[1]


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise BadRequest(
            f"The host {host!r} is not an address of this machine.",
            hint="Give --host an address, such as 127.0.0.1 or 0.0.0.0.",
            code="settings_invalid",
        ) from error
    return found[0][0], str(found[0][4][0])


def _bind(owner: socket.socket, address: str, port: int) -> None:
    deadline = time.monotonic() + _PORT_WAIT_S
    while True:
        try:
            owner.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(_POLL_S)
                continue
            raise AddressInUse(
                f"The hub cannot listen on {_shown(address, port)}: {error.strerror}.",
                hint="Choose another --port, or 0 for a free one.",
            ) from error
        return


def _stop_on_hangup(stop: Callable[[], None]) -> Callable[[], None]:
    """A closed terminal ends the hub, unless hang-ups were to be ignored (`nohup`)."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    def hook() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else lambda _signal, _frame: stop())

    return hook


def _announce_later(address: str, port: int, public_url: str | None) -> None:
    threading.Thread(target=_announce, args=(address, port, public_url), daemon=True).start()


def _announce(address: str, port: int, public_url: str | None) -> None:
    """Print the address once a request is answered there."""
    reached = _WILDCARDS.get(address, address)
    # The server process is forked in a moment; until then this thread holds nothing.
    time.sleep(_FIRST_LOOK_AFTER_S)
    while not _answers(reached, port):
        time.sleep(_POLL_S)
    local = f"http://{_shown(reached, port)}"
    say(f"Allmende is at {local}" if public_url is None else f"Allmende is at {public_url} (here: {local})")
    sys.stdout.flush()


def _answers(address: str, port: int) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _shown(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
