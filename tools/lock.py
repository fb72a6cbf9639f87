"""Pins what `requirements/*.in` ask for into `requirements/*.txt`: exact versions with hashes.

    python3 -m tools.lock NAME...

The files record no address of any package index: whoever installs takes the files from the index that
their own machine is set up for, and the hashes make sure that they are the same files.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.environment import REQUIREMENTS, ROOT, TorchMissing, find_links, obtain_uv, uv_settings

ALONE = frozenset({"delta-peers", "demo-model"})
"""Packages of which only the files are wanted: pinned without what they depend on."""

ADDRESS = re.compile(r"https?://|file://|--(?:extra-)?index-url|--find-links")


def main(names: Sequence[str]) -> int:
    """Write the named locks; exit 1 with a sentence when one could not be made."""
    uv = obtain_uv()
    if uv is None:
        print("Locks are made by uv, which cannot be had here.", file=sys.stderr)
        return 1
    try:
        for name in names:
            pin(uv, name)
    except (subprocess.CalledProcessError, TorchMissing, AddressRecorded) as failure:
        print(f"The lock could not be made: {failure}", file=sys.stderr)
        return 1
    return 0


class AddressRecorded(Exception):
    """A lock would have held the address of a package index."""


def pin(uv: Path, name: str) -> None:
    """Write `requirements/NAME.txt` from `NAME.in`, at the newest versions that it admits."""
    target = REQUIREMENTS / f"{name}.txt"
    command = [str(uv), "pip", "compile", "--quiet", "--generate-hashes", "--python-version", "3.11"]
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--upgrade"]
    if name in ALONE:
        command.append("--no-deps")
    if name == "torch":
        # Its other requirements are pinned; torch itself is taken from a folder of CPU builds.
        command += ["--find-links", find_links(), "--no-emit-package", "torch"]
    command += [f"requirements/{name}.in", "--output-file", str(target)]
    print(f"lock {name}", flush=True)
    subprocess.run(command, check=True, cwd=ROOT, env=uv_settings())
    if found := ADDRESS.search(target.read_text("utf-8")):
        target.unlink()
        raise AddressRecorded(f"{target.name} held {found.group()!r} and was removed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
