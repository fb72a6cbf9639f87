"""`allmende serve`: real processes on free ports, each started from nothing."""

import http.client
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.hubs import RunningHub

started_anew = partial(RunningHub, from_nothing=True)
TOKEN = re.compile(r"^    (hf_\S+)$", re.MULTILINE)


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def allmende(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ALLMENDE_")}
    return subprocess.run(
        [sys.executable, "-m", "allmende", *arguments],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def server_of(hub_pid: int) -> list[int]:
    """The server process under a supervisor."""
    return [int(pid) for pid in Path(f"/proc/{hub_pid}/task/{hub_pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub that was started with few open files allowed; for tests that leave it running."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    running = started_anew(tmp_path_factory.mktemp("hub") / "data")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        running.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    yield running
    running.stop()


def whoami(hub: RunningHub, token: str) -> httpx2.Response:
    return httpx2.get(f"{hub.url}/api/whoami-v2", headers={"Authorization": f"Bearer {token}"})


def test_the_first_start_prints_the_administrators_token_once(tmp_path: Path) -> None:
    hub = started_anew(tmp_path / "data", people=None)
    with hub:
        (token,) = TOKEN.findall(hub.log)
        assert whoami(hub, token).json()["name"] == "admin"
        assert stat.S_IMODE(hub.data.stat().st_mode) == 0o700
        assert stat.S_IMODE((hub.data / "allmende.db").stat().st_mode) == 0o600
        hub.stop()
        assert hub.process is not None
        assert hub.process.returncode == 0
        hub.start()
        assert TOKEN.findall(hub.log) == [token]
        assert hub.log.count(token) == 1
        assert whoami(hub, token).status_code == 200


def test_a_hub_with_accounts_prints_no_token_and_takes_more_while_it_runs(hub: RunningHub) -> None:
    assert not TOKEN.findall(hub.log)
    assert whoami(hub, "token-of-alice").json()["name"] == "alice"
    hub.command("admin", "apply", "-", stdin='{"users": [{"name": "zoe", "token": "token-of-zoe"}]}')
    assert whoami(hub, "token-of-zoe").json()["name"] == "zoe"
    hub.command("admin", "token", "revoke", "zoe", "default")
    assert whoami(hub, "token-of-zoe").status_code == 401


@pytest.mark.parametrize(
    ("number", "sends_half"),
    [
        (signal.SIGINT, False),
        (signal.SIGHUP, False),
        pytest.param(signal.SIGTERM, True, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_it_though_connections_are_open(
    tmp_path: Path, number: signal.Signals, sends_half: bool
) -> None:
    with started_anew(tmp_path / "data", people=None) as hub:
        address = (httpx2.URL(hub.url).host, httpx2.URL(hub.url).port or 0)
        lines = [socket.create_connection(address) for _ in range(3)]
        if sends_half:
            lines[1].sendall(b"POST /api/validate-yaml HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        (server,) = server_of(hub.pid)
        os.kill(hub.pid, number)
        assert hub.process is not None
        assert hub.process.wait(60) == 0
        assert not is_running(server)
        for line in lines:
            line.close()


def test_ctrl_c_reaches_both_processes_and_is_no_error(tmp_path: Path) -> None:
    with started_anew(tmp_path / "data", people=None) as hub:
        os.killpg(hub.pid, signal.SIGINT)
        assert hub.process is not None
        assert hub.process.wait(20) == 0
        assert "Traceback" not in hub.log


def test_one_folder_has_one_server(hub: RunningHub) -> None:
    second = allmende("serve", "--port", "0", ALLMENDE_DATA=str(hub.data))
    assert second.returncode == 4
    assert f"({hub.pid}) works on the data folder" in second.stderr
    assert "Traceback" not in second.stderr
    assert whoami(hub, "token-of-alice").status_code == 200


def test_one_port_has_one_server(hub: RunningHub, tmp_path: Path) -> None:
    port = str(httpx2.URL(hub.url).port)
    second = allmende("serve", "--port", port, ALLMENDE_DATA=str(tmp_path / "second"))
    assert second.returncode == 4
    assert "cannot listen" in second.stderr


def test_a_server_process_that_crashes_is_replaced(tmp_path: Path) -> None:
    with started_anew(tmp_path / "data") as hub:
        (first,) = server_of(hub.pid)
        os.kill(first, signal.SIGKILL)
        eventually(lambda: any(child != first for child in server_of(hub.pid)))
        eventually(hub.answers)
        assert whoami(hub, "token-of-alice").status_code == 200


def test_the_server_process_ends_with_its_supervisor(tmp_path: Path) -> None:
    with started_anew(tmp_path / "data") as hub:
        (server,) = server_of(hub.pid)
        os.kill(hub.pid, signal.SIGKILL)
        eventually(lambda: not is_running(server))
        assert hub.process is not None
        hub.process.wait(10)
        hub.start()
        assert whoami(hub, "token-of-alice").status_code == 200


def test_a_server_that_cannot_start_ends_the_command_with_an_error(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    assert allmende("admin", "user", "create", "ada", ALLMENDE_DATA=str(data)).returncode == 0
    (data / "secret.key").write_bytes(b"short")
    ended = allmende("serve", "--port", "0", ALLMENDE_DATA=str(data))
    assert ended.returncode == 70
    assert "Allmende is at" not in ended.stdout


def test_the_file_limit_is_raised(hub: RunningHub) -> None:
    (server,) = server_of(hub.pid)
    limits = Path(f"/proc/{server}/limits").read_text()
    found = re.search(r"^Max open files +(\d+) +(\d+)", limits, re.MULTILINE)
    assert found is not None
    assert found[1] == found[2]


def test_options_win_over_the_file_and_both_reach_the_server(tmp_path: Path) -> None:
    hub = started_anew(tmp_path / "data", options=("--log-level", "error"))
    hub.data.mkdir()
    (hub.data / "allmende.toml").write_text('log_level = "debug"\nlist_page_size = 1\n')
    with hub:
        headers = {"Authorization": "Bearer token-of-alice"}
        for name in ("one", "two"):
            made = httpx2.post(f"{hub.url}/api/repos/create", json={"name": name}, headers=headers)
            assert made.status_code == 200, made.text
        assert len(httpx2.get(f"{hub.url}/api/models").json()) == 1
        assert "allmende.access" not in hub.log


def test_the_public_address_is_told_beside_the_local_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {**os.environ, "ALLMENDE_DATA": str(tmp_path / "data")}
    command = [sys.executable, "-m", "allmende", "serve", "--port", "0"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--public-url", "https://hub.example.org"], env=environment, stdout=out, stderr=out
        )
    try:
        eventually(
            lambda: "Allmende is at https://hub.example.org (here: http://127.0" in log.read_text(), 60
        )
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_log_lines_have_one_form_and_never_a_token(hub: RunningHub) -> None:
    whoami(hub, "token-of-alice")
    lines = [line for line in hub.log.splitlines() if "allmende.access" in line]
    assert lines
    assert all(
        re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO allmende\.access: ", line) for line in lines
    )
    assert "token-of-alice" not in hub.log


def test_many_idle_connections_are_held(hub: RunningHub) -> None:
    """More than the 1,024 at which the server stops by default; the thousands are tried elsewhere."""
    address = (httpx2.URL(hub.url).host, httpx2.URL(hub.url).port or 0)
    lines = [http.client.HTTPConnection(*address, timeout=20) for _ in range(1100)]
    try:
        for line in lines:
            line.connect()
        for line in lines[::100]:
            line.request("GET", "/healthz")
            assert line.getresponse().read() == b"ok\n"
    finally:
        for line in lines:
            line.close()
