"""What a hub costs that nobody asks anything, and how soon one has a hub: memory, and time from nothing."""

import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path

from bench.findings import Finding
from bench.place import OWNER, Place
from bench.plain_http import BenchFailed
from bench.processes import memory_mb
from bench.repos import client_environment, model_folder
from tools.serving import HubProcess

__all__ = ["measure_first_upload", "measure_memory"]

_IDLE_S = 10.0
_INSTALL_S = 300
_ROOT = Path(__file__).resolve().parent.parent
_SOURCES = ("src", "requirements", "tools", "pyproject.toml", "README.md", "LICENSE")
# The environment of the demonstration, but for the model: the hub and the stock client.
_BUILD = """
from tools import environment
environment.ENVIRONMENTS["first"] = environment.Environment(("demo.txt",))
environment.build("first")
"""


def measure_memory(place: Place, _rounds: int) -> list[Finding]:
    """All processes of a hub that has just started: proportional set size, summed, after ten idle seconds."""
    with HubProcess(data=place.folder / "idle") as hub:
        time.sleep(_IDLE_S)
        idle = memory_mb(hub.pid)
    worked = memory_mb(place.hub.pid)
    details = {"idle": idle, "after_the_rest_of_this_bench": worked}
    return [Finding("memory", "Idle memory of all processes", idle["pss_mb"], "MB", 200.0, details=details)]


def measure_first_upload(place: Place, _rounds: int) -> list[Finding]:
    """From the sources and Python with pip to a published model: install by the lock, serve, `hf upload`.

    Caches are empty: every package comes from the index that this machine is set to, so the figure contains
    the network. Once, however many rounds: packages are not fetched over and over for a figure.
    """
    place_of_sources = _copy_sources(place.folder / "sources")
    began = time.perf_counter()
    _install(place_of_sources, place.folder / "packages")
    installed = time.perf_counter()
    programs = place_of_sources / ".venvs" / "first" / "bin"
    token = f"hf_{secrets.token_urlsafe(24)}"
    hub = HubProcess(data=place.folder / "first", python=str(programs / "python"))
    hub.apply({"users": [{"name": OWNER, "fullname": "Bench", "token": token, "token_role": "write"}]})
    with hub:
        served = time.perf_counter()
        first = Place(place.folder / "first-client", hub, token)
        _hf_upload(first, programs / "hf", model_folder(place.folder / "first-model"))
        uploaded = time.perf_counter()
    details = {
        "install_s": installed - began,
        "accounts_and_start_s": served - installed,
        "upload_s": uploaded - served,
    }
    what = "From the sources to the first upload"
    return [Finding("first_upload", what, uploaded - began, "s", 60.0, details=details)]


def _copy_sources(into: Path) -> Path:
    into.mkdir()
    for name in _SOURCES:
        if (_ROOT / name).is_dir():
            shutil.copytree(
                _ROOT / name, into / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy2(_ROOT / name, into / name)
    return into


def _install(sources: Path, cache: Path) -> None:
    python = shutil.which("python3.11") or shutil.which("python3")
    if python is None:
        raise BenchFailed("there is no python3 to begin with")
    environment = {**os.environ, "UV_CACHE_DIR": str(cache), "PIP_NO_CACHE_DIR": "1"}
    done = subprocess.run(
        [python, "-c", _BUILD],
        cwd=sources,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_INSTALL_S,
    )
    if done.returncode:
        raise BenchFailed(f"the installation failed: {done.stderr[-2000:]}")


def _hf_upload(place: Place, program: Path, folder: Path) -> None:
    done = subprocess.run(
        [str(program), "upload", f"{OWNER}/first", str(folder)],
        env=client_environment(place),
        capture_output=True,
        text=True,
        check=False,
        timeout=_INSTALL_S,
    )
    if done.returncode:
        raise BenchFailed(f"hf upload failed: {done.stderr[-2000:]}")
