"""Builds the virtual environments of the Makefile from the hash-pinned files in `requirements/`.

    python3 -m tools.environment NAME

Needs nothing but Python 3.11 with pip: the environment is made without pip (which takes a fraction of the
time), uv is installed through the system's pip and fills the environment; where uv cannot be had, pip does
the same, slower. Every file is checked against its pinned hash either way. The result is `.venvs/NAME`
with a `.stamp` that make compares with the requirement files.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"
REQUIREMENTS = ROOT / "requirements"
TORCH = "torch==2.13.0"


@dataclass(frozen=True, slots=True)
class Environment:
    """What one environment holds: requirement files, and whether the project itself and torch are in it."""

    files: tuple[str, ...]
    project: bool = True
    torch: bool = False
    npm: str = ""
    """A folder of `requirements/` with packages for node; they come to lie in `node_modules`."""


ENVIRONMENTS = {
    "dev": Environment(("dev.txt",)),
    "demo": Environment(("demo.txt", "demo-model.txt")),
    "torch": Environment(("torch.txt",), torch=True),
    "client-1.19": Environment(("client-1.19.txt",), project=False),
    "client-1": Environment(("client-1.txt",), project=False),
    "scan-peers": Environment(("scan-peers.txt",), project=False),
    "log-judge": Environment(("log-judge.txt",), project=False),
    "proof-judge": Environment(("proof-judge.txt",), project=False, npm="proof-judge-npm"),
    "bom-judge": Environment(("bom-judge.txt",), project=False),
    "delta-peers": Environment(("torch.txt", "delta-peers.txt"), project=False, torch=True),
    "fuzz": Environment(("fuzz.txt",)),
}


def main(arguments: Sequence[str]) -> int:
    """Build the named environment; exit 2 on an unknown name, 1 with a sentence when a step failed."""
    if len(arguments) != 1 or arguments[0] not in ENVIRONMENTS:
        print(f"usage: python3 -m tools.environment {'|'.join(ENVIRONMENTS)}", file=sys.stderr)
        return 2
    try:
        build(arguments[0])
    except (subprocess.CalledProcessError, TorchMissing) as failure:
        print(f"The environment {arguments[0]} could not be built: {failure}", file=sys.stderr)
        return 1
    return 0


class TorchMissing(Exception):
    """No folder with a CPU build of torch is known, and a CUDA build is never taken."""


def build(name: str) -> None:
    """Make `.venvs/NAME` hold exactly what its requirement files say; the stamp is written last."""
    wanted = ENVIRONMENTS[name]
    links = find_links() if wanted.torch else ""
    folder = VENVS / name
    print(f"environment {name}: {', '.join(wanted.files)}", flush=True)
    uv = obtain_uv()
    if uv is None:
        build_with_pip(folder, wanted, links)
    else:
        build_with_uv(uv, folder, wanted, links)
    if wanted.npm:
        add_node_packages(folder, REQUIREMENTS / wanted.npm)
    if wanted.project:
        say_whether_compiled(folder)
    (folder / ".stamp").touch()


def obtain_uv() -> Path | None:
    """The pinned uv, in an environment of its own; None where it cannot be had or is not wanted.

    A second call with the same pin costs nothing.
    """
    if os.environ.get("INSTALLER") == "pip":
        return None
    folder, pin = VENVS / "uv", REQUIREMENTS / "uv.txt"
    program, kept = folder / "bin" / "uv", folder / ".pin"
    if program.exists() and kept.exists() and kept.read_bytes() == pin.read_bytes():
        return program
    make_venv(folder)
    try:
        run([*pip(folder), "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", str(pin)])
    except subprocess.CalledProcessError:
        print("uv cannot be had here; pip installs instead, which takes longer.", file=sys.stderr)
        shutil.rmtree(folder)
        return None
    shutil.copyfile(pin, kept)
    return program


def build_with_uv(uv: Path, folder: Path, wanted: Environment, links: str) -> None:
    """Install with uv, which also removes what the files no longer name."""
    python = folder / "bin" / "python"
    if not python.exists():
        make_venv(folder)
    quietly, into = ["--quiet", "--no-progress"], ["--python", str(python)]
    files = [str(REQUIREMENTS / file) for file in wanted.files]
    run([str(uv), "pip", "sync", *quietly, *into, "--require-hashes", *files], uv_settings())
    install = [str(uv), "pip", "install", *quietly, *into, "--no-deps"]
    if wanted.torch:
        run([*install, "--no-index", "--find-links", links, TORCH], uv_settings())
    if wanted.project:
        # built anew each time: uv would take a former build from its cache, without the compiled coder
        editable = ["--reinstall-package", "allmende", "--editable", str(ROOT)]
        run([*install, "--offline", "--no-build-isolation", *editable], uv_settings())


def build_with_pip(folder: Path, wanted: Environment, links: str) -> None:
    """Install with pip into a fresh environment, since pip does not remove what is no longer named."""
    make_venv(folder)
    install = [*pip(folder), "install", "--quiet", "--no-deps"]
    named = [part for file in wanted.files for part in ("--requirement", str(REQUIREMENTS / file))]
    run([*install, "--require-hashes", *named])
    if wanted.torch:
        run([*install, "--no-index", "--find-links", links, TORCH])
    if wanted.project:
        run([*install, "--no-index", "--no-build-isolation", "--editable", str(ROOT)])


def add_node_packages(folder: Path, asked: Path) -> None:
    """Install with npm what a lock names, by its hashes, and run nothing of it; without npm say so."""
    npm = shutil.which("npm")
    if npm is None:
        print(f"There is no npm: {folder.name} lacks the judges that run in node.", file=sys.stderr)
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(asked / name, folder / name)
    quietly = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    run([npm, "ci", *quietly, "--prefix", str(folder)])


def say_whether_compiled(folder: Path) -> None:
    """Say so where the coder in C is missing: everything works without it, and the delta store is slower."""
    asked = [str(folder / "bin" / "python"), "-c", "import allmende.codecs._coder"]
    if subprocess.run(asked, cwd=folder, capture_output=True, check=False).returncode:
        print(
            "There is no compiled coder (a C compiler is missing?); numpy does the same, slower.", flush=True
        )


def make_venv(folder: Path) -> None:
    """An empty environment without pip, in place of whatever was there."""
    venv.create(folder, clear=True, symlinks=True, with_pip=False)


def pip(folder: Path) -> list[str]:
    """The command that installs into `folder`: the system's pip, or the one that Python carries."""
    python, quietly = str(folder / "bin" / "python"), "--disable-pip-version-check"
    system = [sys.executable, "-m", "pip", quietly]
    if subprocess.run([*system, "--version"], capture_output=True, check=False).returncode == 0:
        return [*system, "--python", python]
    run([python, "-m", "ensurepip", "--default-pip"])
    return [python, "-m", "pip", quietly]


def find_links() -> str:
    """The folder of wheels that holds a CPU build of torch; raises TorchMissing where none is set up."""
    links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS") or pip_setting("find-links")
    if not links:
        raise TorchMissing(
            f"put a CPU build of {TORCH} into a folder and name that in UV_FIND_LINKS; "
            "a CUDA build is never taken"
        )
    return links


def uv_settings() -> dict[str, str]:
    """The process environment for uv, which does not read pip's settings: pass on the package index."""
    environ = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    environ.pop("VIRTUAL_ENV", None)
    index = os.environ.get("PIP_INDEX_URL") or pip_setting("index-url")
    if index and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & environ.keys():
        environ["UV_DEFAULT_INDEX"] = index
    return environ


def pip_setting(name: str) -> str:
    """One of pip's global settings, empty where it is not set."""
    command = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def run(command: list[str], environ: dict[str, str] | None = None) -> None:
    """Run a step; its messages go to the terminal, a failure raises CalledProcessError."""
    subprocess.run(command, check=True, cwd=ROOT, env=environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
