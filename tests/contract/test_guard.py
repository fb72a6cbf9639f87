"""The guard itself: it stands in each environment, stops what leaves, and tells. And native code stays."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.clients import GUARD, Client, LeftHome, NotGuarded
from tests.contract.conftest import XET_VERSIONS, ClientOf
from tests.contract.folders import MIB, write_noise
from tests.contract.tracer import foreign_addresses, threads_at_port, tracing
from tests.contract.traffic import RECONSTRUCTIONS, XORBS, Traffic
from tests.hubs import RunningHub


def test_what_leaves_is_stopped_and_told(client: Client, version: str):
    with pytest.raises(LeftHome, match=r"foreign socket.getaddrinfo 'example.org'"):
        client.run("leaving", host="example.org")
    record = client.guard_record.read_text("utf-8").splitlines()
    assert "guarded" in record
    assert "foreign socket.connect '192.0.2.1'" in record
    assert "foreign socket.sendto '192.0.2.1'" in record
    assert "foreign socket.gethostbyname 'example.org'" in record


def test_processes_that_a_client_starts_are_guarded_too(client: Client):
    with pytest.raises(LeftHome, match=r"192\.0\.2\.1"):
        client.run("leaving_in_a_child")
    assert client.guard_record.read_text("utf-8").splitlines().count("guarded") == 2


def test_what_stays_is_let_through(client: Client, version: str):
    assert client.run("who_am_i")["name"] == "alice"
    client.assert_stayed_home()


def test_a_run_without_the_guard_is_no_proof(client: Client):
    client.home.mkdir(parents=True)
    client.guard_record.touch()
    with pytest.raises(NotGuarded):
        client.assert_stayed_home()


@pytest.mark.clients
@pytest.mark.parametrize("version", ["client-1", "client-1.19"])
def test_cards_of_the_1_series_are_asked_about_elsewhere(client_of: ClientOf, version: str, name: str):
    """Why docs/clients.md tells users of 1.x to upload cards as files."""
    client = client_of("alice")
    with pytest.raises(LeftHome, match=r"huggingface\.co"):
        client.run("pushing_a_card", repo=f"alice/{name}")
    foreign = client.guard_record.read_text("utf-8").splitlines()
    assert "foreign socket.getaddrinfo 'huggingface.co'" in foreign


def test_the_guard_is_the_only_thing_added_to_a_client(client: Client):
    assert [path.name for path in GUARD.iterdir() if path.is_file()] == ["sitecustomize.py"]
    assert client.environment["PYTHONPATH"].startswith(str(GUARD))


@pytest.mark.parametrize("version", XET_VERSIONS)
def test_native_code_stays_at_home_too(
    hub: RunningHub,
    client: Client,
    version: str,
    name: str,
    tmp_path: Path,
    require_tool: Callable[[str], str],
):
    """A round trip over Xet, whose transfers are made by threads of native code, under a tracer."""
    require_tool("strace")
    record, traffic = tmp_path / "trace.txt", Traffic.from_now(hub)
    write_noise(tmp_path / "model" / "weights.bin", 3 * MIB, 7)
    (tmp_path / "model" / "config.json").write_text("{}")
    traced = client.under(*tracing(record))
    traced.run(
        "round_trip", repo=f"alice/{name}", folder=str(tmp_path / "model"), into=str(tmp_path / "into")
    )
    assert traffic.answered("POST", XORBS)
    assert traffic.answered("GET", RECONSTRUCTIONS)
    assert foreign_addresses(record) == set()
    port = int(hub.url.rpartition(":")[2])
    assert len(threads_at_port(record, port)) > 1, "the main thread and those of native code"


def test_a_tracer_sees_what_the_guard_does_not(
    client: Client, tmp_path: Path, require_tool: Callable[[str], str]
):
    require_tool("strace")
    record = tmp_path / "trace.txt"
    assert client.under(*tracing(record, refuse=True)).run("leaving_natively") == -1
    client.assert_stayed_home()
    assert foreign_addresses(record) == {"192.0.2.1"}
