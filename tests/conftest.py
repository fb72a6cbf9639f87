"""What holds for every test: no way out of the machine, and no silent skipping.

A connection or a name look-up beyond this machine raises `ForeignAddress` at the test that asked for it. A
tool or an environment that a test needs is asked for with the fixtures `require_tool` and
`require_environment`: where it is absent the test is skipped with a reason that names it, and with `CI` set
it fails, so that nothing is left out there unnoticed.
"""

import gc
import ipaddress
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

# As many processes as there are processors compute already. Threads of the linear algebra would wait for each
# other by spinning: a small matrix then takes a hundred times the processor time. Before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost", "testserver"})


class ForeignAddress(RuntimeError):
    """A test tried to reach beyond this machine. No OSError, so that no client takes it for a bad line."""


def is_local(host: object) -> bool:
    """Whether a host, as the socket calls take it, lies on this machine."""
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host)
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name.lower() in LOCAL_NAMES


def guard(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: it sees the sockets of every library in this process, however they were made."""
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        if isinstance(address, tuple) and not is_local(address[0]):
            raise ForeignAddress(f"{event} to {address[:2]}: tests talk to this machine only")
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"} and not is_local(arguments[0]):
        raise ForeignAddress(f"look-up of {arguments[0]!r}: tests talk to this machine only")


def in_ci() -> bool:
    """Whether this run decides about a change."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def pytest_configure() -> None:
    """Close the way out before the first test module is imported, and set up the property tests.

    They have no deadline for one example, as the machine is shared; the timeout of pytest holds. In CI they
    try the same examples each time: new ones are looked for where a person is there to read the find.
    """
    sys.addaudithook(guard)
    hypothesis.settings.register_profile("house", deadline=None, derandomize=in_ci(), print_blob=True)
    hypothesis.settings.load_profile("house")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the campaigns out unless they are asked for: they take hours."""
    if os.environ.get("CAMPAIGN"):
        return
    kept = [item for item in items if item.get_closest_marker("campaign") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def pytest_collection_finish() -> None:
    """What was loaded and collected stays: only among what tests make is garbage looked for."""
    gc.collect()
    gc.freeze()


def absent(what: str, remedy: str) -> None:
    """Skip the test, saying what is absent and what would help; with `CI` set, fail it."""
    sentence = f"NOT TESTED HERE: {what} is absent ({remedy})"
    if in_ci():
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """`require_tool("strace")` answers the path of a program, or skips (fails in CI) where it is absent."""

    def require(name: str) -> str:
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        if found is None:
            absent(name, f"install {name}")
        return str(found)

    return require


@pytest.fixture(scope="session")
def require_environment() -> Callable[[str], Path]:
    """`require_environment("client-1.19")` answers the folder of programs of one of the environments.

    Its `python` and `hf` are those of that client version. Skips (fails in CI) where it is not built.
    """

    def require(name: str) -> Path:
        programs = ROOT / ".venvs" / name / "bin"
        if not (programs.parent / ".stamp").exists():
            absent(f"the environment {name}", f"run: make .venvs/{name}/.stamp")
        return programs

    return require
