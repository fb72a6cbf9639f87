"""One hub for all contract tests, and the stock clients that talk to it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from tests.contract.clients import VERSIONS, Client
from tests.contract.folders import Folder, many_small_files, model_of_200_mb
from tests.hubs import RunningHub

SMALL_PAGES = {
    "ALLMENDE_PAGE_SIZE": "100",
    "ALLMENDE_LIST_PAGE_SIZE": "7",
    "ALLMENDE_MULTIPART_THRESHOLD_BYTES": str(64 * 2**20),
    "ALLMENDE_MULTIPART_PART_BYTES": str(24 * 2**20),
}
"""Listings of a few hundred files have several pages, and the large file goes up in parts."""

ALL_VERSIONS = [
    pytest.param("newest", id="2.4.0"),
    pytest.param("client-1", id="1.33.0", marks=pytest.mark.clients),
    pytest.param("client-1.19", id="1.19.0", marks=pytest.mark.clients),
]

XET_VERSIONS = ALL_VERSIONS[:2]
"""Those that send over Xet."""


class HubWith(Protocol):
    """Starts a hub with settings from the environment."""

    def __call__(self, settings: Mapping[str, str] | None = None) -> RunningHub: ...


class ClientOf(Protocol):
    """`client_of("alice")` is a client of the version under test, with a fresh home, signed in as alice."""

    def __call__(
        self,
        user: str | None,
        *,
        endpoint: str | None = None,
        extra: Mapping[str, str] | None = None,
        timeout_s: float = 110.0,
    ) -> Client: ...


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """The hub of this run: a process of its own, as `allmende serve` starts it."""
    with RunningHub(tmp_path_factory.mktemp("hub") / "data", SMALL_PAGES) as running:
        yield running


@pytest.fixture
def hub_of_its_own(tmp_path: Path) -> Iterator[HubWith]:
    """`hub_of_its_own({"ALLMENDE_XET_READS": "false"})` is a hub for one test alone, with these settings."""
    with ExitStack() as running:

        def start(settings: Mapping[str, str] | None = None) -> RunningHub:
            data = tmp_path / f"hub-{uuid4().hex[:6]}" / "data"
            return running.enter_context(RunningHub(data, {**SMALL_PAGES, **(settings or {})}))

        yield start


@pytest.fixture(params=ALL_VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Tests that take this run with each client version; the older ones are marked `clients`."""
    return str(request.param)


@pytest.fixture
def client_of(
    request: pytest.FixtureRequest,
    hub: RunningHub,
    tmp_path: Path,
    require_environment: Callable[[str], Path],
) -> ClientOf:
    """Makes clients of the version under test; the newest where a test takes no version."""
    name = request.getfixturevalue("version") if "version" in request.fixturenames else "newest"
    programs = programs_of(name, require_environment)

    def make(
        user: str | None,
        *,
        endpoint: str | None = None,
        extra: Mapping[str, str] | None = None,
        timeout_s: float = 110.0,
    ) -> Client:
        token = None if user is None else f"token-of-{user}"
        home = tmp_path / f"home-{user}-{uuid4().hex[:6]}"
        return Client(name, programs, home, endpoint or hub.url, token, timeout_s, extra or {})

    return make


@pytest.fixture
def client(client_of: ClientOf) -> Client:
    """A client signed in as alice."""
    return client_of("alice")


@pytest.fixture
def name(version: str) -> str:
    """A name for a repo that no other test uses."""
    return f"m-{VERSIONS[version].replace('.', '-')}-{uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def large_folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A model of 200 MB in one file, with what stands beside one."""
    return model_of_200_mb(tmp_path_factory.mktemp("large"), seed=1)


@pytest.fixture(scope="session")
def wide_folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """300 small files in nested folders."""
    return many_small_files(tmp_path_factory.mktemp("wide"), 300)


def programs_of(name: str, require_environment: Callable[[str], Path]) -> Path:
    """Where `python` and `hf` of a client version are; the newest is the one that runs the tests."""
    if name == "newest":
        return Path(sys.executable).parent
    return require_environment(name)
