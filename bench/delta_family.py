"""A family of models in the delta store, beside other ways of keeping it: what each model takes in each.

    python -m bench.delta_family FOLDER

FOLDER holds a folder for each model and a `manifest.json` that names each model's parents, parents first, as
`python -m tests.families.make` writes it. Each model is stored on those parents, each peer gets what it needs
at its best. Prints a table; sizes do not depend on the machine, speeds are of processor time.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allmende.codecs import Recipe, write_recipe
from allmende.ids import Sha256
from allmende.packing import build, open_recipe
from allmende.weights import MappedFile
from bench.delta_peers import ChunkStore, weight_files, xor_bytes, zipnn_bytes, zstd_bytes
from bench.findings import Skipped
from bench.plain_http import BenchFailed
from tests.unit.packing.memory_shelf import MemoryShelf

__all__ = ["Compared", "Sizes", "compare", "read_truth"]

_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of one model, plain and in each store."""

    plain: int
    ours: int
    chunks: int
    xor: int
    zipnn: int
    zstd: int


@dataclass(frozen=True, slots=True)
class Compared:
    """A family that was stored: sizes by model, MB/s of processor time by model and what was done, and the
    shelf with the recipes.
    """

    sizes: dict[str, Sizes]
    speeds: dict[str, dict[str, float]]
    shelf: MemoryShelf
    recipes: dict[str, list[Recipe]]


def read_truth(family: Path) -> dict[str, list[str]]:
    """The parents of each model, as the manifest has them."""
    manifest: dict[str, dict[str, Any]] = json.loads((family / "manifest.json").read_text("utf-8"))
    return {name: [_name(parent) for parent in entry["parents"]] for name, entry in manifest.items()}


def _name(parent: str | dict[str, Any]) -> str:
    return parent if isinstance(parent, str) else str(parent["name"])


def compare(family: Path, told: Callable[[str, Sizes], None] = lambda _name, _sizes: None) -> Compared:
    """Store a family in every way. Raises Skipped without zipnn, BenchFailed where a content differs."""
    truth = read_truth(family)
    zipnn = zipnn_bytes([file for name in truth for file in weight_files(family / name)])
    chunks = ChunkStore()
    found = Compared({}, {}, MemoryShelf(), {})
    for name, parents in truth.items():
        own = weight_files(family / name)
        bases = [found.recipes[parent] for parent in parents]
        ours, found.recipes[name], found.speeds[name] = _stored(found.shelf, own, bases)
        base = weight_files(family / parents[0])[0] if parents else None
        found.sizes[name] = Sizes(
            plain=sum(file.stat().st_size for file in own),
            ours=ours,
            chunks=sum(chunks.add(file) for file in own),
            xor=sum(xor_bytes(file, base) for file in own),
            zipnn=sum(zipnn[str(file)] for file in own),
            zstd=sum(zstd_bytes(file) for file in own),
        )
        told(name, found.sizes[name])
    return found


def _stored(
    shelf: MemoryShelf, files: Sequence[Path], bases: list[list[Recipe]]
) -> tuple[int, list[Recipe], dict[str, float]]:
    """What a model takes, its recipes, and how quickly it was hashed, written and read."""
    before, recipe_bytes = shelf.stored_bytes, 0
    recipes: list[Recipe] = []
    seconds = {"sha256": 0.0, "write": 0.0, "read": 0.0}
    size = 0
    for path in files:
        data = path.read_bytes()
        size += len(data)
        started = time.process_time()
        sha256 = Sha256(hashlib.sha256(data).hexdigest())
        hashed = time.process_time()
        recipe = build(MappedFile(path.name, path), shelf, sha256, bases)
        written = time.process_time()
        # Every block is verified as it is read, and the whole by its SHA-256.
        with open_recipe(recipe, shelf) as reader:
            while reader.read(_READ_BYTES):
                pass
        seconds["sha256"] += hashed - started
        seconds["write"] += written - hashed
        seconds["read"] += time.process_time() - written
        recipes.append(recipe)
        recipe_bytes += len(write_recipe(recipe))
    speeds = {what: size / 1e6 / max(spent, 1e-9) for what, spent in seconds.items()}
    return shelf.stored_bytes - before + recipe_bytes, recipes, speeds


def main(arguments: Sequence[str]) -> int:
    """Compare, print."""
    parser = argparse.ArgumentParser(
        prog="bench.delta_family", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("family", type=Path, help="the folder of the family")
    family: Path = parser.parse_args(arguments).family
    print(f"| model | MB | {' | '.join(_PEERS.values())} | stored, MB/s | read, x sha256 |")
    print(f"| --- {'| --- ' * (len(_PEERS) + 3)}|")
    try:
        found = compare(family, lambda name, _: print(f"{name} …", file=sys.stderr, flush=True))
    except (Skipped, BenchFailed, OSError) as reason:
        print(f"Nothing could be measured: {reason}", file=sys.stderr)
        return 1
    for name, sizes in found.sizes.items():
        speeds = found.speeds[name]
        print(f"| {name} {_row(sizes)} | {speeds['write']:.1f} | {speeds['read'] / speeds['sha256']:.2f} |")
    total = Sizes(*(sum(getattr(one, peer) for one in found.sizes.values()) for peer in Sizes.__slots__))
    print(f"| all {_row(total)} | | |")
    return 0


_PEERS = {"zstd": "zstd -3", "zipnn": "zipnn", "xor": "XOR, planes, zstd", "chunks": "chunks", "ours": "ours"}


def _row(sizes: Sizes) -> str:
    """MB, and how many times smaller than plain each store has it."""
    ratios = (sizes.plain / max(1, getattr(sizes, peer)) for peer in _PEERS)
    return f"| {sizes.plain / 1e6:.1f} | {' | '.join(_ratio(ratio) for ratio in ratios)}"


def _ratio(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
