"""Where the bench works: a folder in memory, with a hub that has one account, and an nginx beside it."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.findings import Skipped
from tools.serving import HubProcess

__all__ = ["OWNER", "Nginx", "Place", "open_place"]

OWNER = "measured"
_MEMORY = Path("/dev/shm")
_NEEDED_BYTES = 8 * 1024**3
_START_S = 10.0

_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/unused; fastcgi_temp_path {folder}/unused; scgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port};
        root {root};
        location /put/ {{ dav_methods PUT; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A running hub and everything around it. `token` is that of OWNER, who may write."""

    folder: Path
    hub: HubProcess
    token: str

    @contextmanager
    def nginx(self) -> Iterator["Nginx"]:
        """An nginx that serves `files/` and takes PUTs under `/put/`, one worker, on this folder."""
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="nginx-") as name:
            server = Nginx(Path(name))
            server.start()
            try:
                yield server
            finally:
                server.stop()


@contextmanager
def open_place() -> Iterator[Place]:
    """A hub on tmpfs with one account; raises Skipped where there is no room for it in memory."""
    free_bytes = shutil.disk_usage(_MEMORY).free if _MEMORY.is_dir() else 0
    if free_bytes < _NEEDED_BYTES:
        raise Skipped(f"{_MEMORY} needs {_NEEDED_BYTES >> 30} GiB free and has {free_bytes >> 30}")
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="allmende-bench-") as name:
        folder, token = Path(name), f"hf_{secrets.token_urlsafe(24)}"
        # What an upload leaves is to be collectable at once, or the rounds would fill the memory.
        hub = HubProcess(
            data=folder / "hub",
            environment={"ALLMENDE_UNREFERENCED_GRACE_S": "0"},
        )
        hub.apply({"users": [{"name": OWNER, "fullname": "Bench", "token": token, "token_role": "write"}]})
        with hub:
            yield Place(folder, hub, token)


class Nginx:
    """nginx as the operating system ships it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """The main process, which leads a session of its own; raises Skipped when it was not started."""
        if self._process is None:
            raise Skipped("nginx was not started")
        return self._process.pid

    def start(self) -> None:
        """Returns when it accepts connections; raises Skipped when it is not installed or lacks DAV."""
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise Skipped("nginx is not installed (Debian: apt-get install nginx-core)")
        built = subprocess.run([program, "-V"], capture_output=True, text=True, check=True).stderr
        if "http_dav_module" not in built:
            raise Skipped("this nginx lacks http_dav_module, which takes the PUTs")
        (self.root / "put").mkdir(parents=True)
        port = _free_port()
        configuration = self._folder / "nginx.conf"
        configuration.write_text(
            _NGINX.format(
                folder=self._folder,
                root=self.root,
                port=port,
                user="user root;" if os.geteuid() == 0 else "",
            ),
            "utf-8",
        )
        self._process = subprocess.Popen(
            [program, "-p", str(self._folder), "-c", str(configuration)],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.url = f"http://127.0.0.1:{port}"
        self._wait(port)

    def stop(self) -> None:
        """End it; no process of it remains."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_START_S)

    def _wait(self, port: int) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise Skipped(f"nginx did not start: {(self._folder / 'error.log').read_text('utf-8')[-500:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
