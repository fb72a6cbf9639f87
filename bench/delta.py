"""The delta store on a family of models of 26 million weights, against other ways of keeping them.

The family is made once, by real training, with the environment `torch` (some minutes), and kept in
`.cache/families/large`. Each model is stored on the bases that the family's truth names, each peer gets what
it needs at its best. Sizes do not depend on the machine; speeds are of processor time, beside sha256.
"""

import hashlib
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allmende.codecs import Recipe, write_recipe
from allmende.ids import Sha256
from allmende.packing import build, open_recipe
from allmende.weights import MappedFile
from bench.delta_peers import ChunkStore, weight_files, xor_bytes, zipnn_bytes, zstd_bytes
from bench.findings import Finding, Skipped
from bench.place import Place
from tests.unit.packing.memory_shelf import MemoryShelf

__all__ = ["measure_delta"]

_ROOT = Path(__file__).resolve().parent.parent
_FAMILY = _ROOT / ".cache/families/large"
_TORCH = _ROOT / ".venvs/torch/bin/python"
_MAKING_S = 3600
_READ_BYTES = 1024 * 1024
_EXACT = (
    "lg_bf16",
    "lg_fp16",
    "lg_linear",
    "lg_linear_bf16",
    "lg_slerp",
    "lg_q8_0",
    "lg_q4_0",
    "lg_pruned_50",
)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Bytes of one model, plain and in each store."""

    plain: int
    ours: int
    chunks: int
    xor: int
    zipnn: int
    zstd: int


def measure_delta(_place: Place, _rounds: int) -> list[Finding]:
    """All of it; sizes are the same in every round, so there is one."""
    truth = _family()
    files = [file for name in truth for file in weight_files(_FAMILY / name)]
    zipnn = zipnn_bytes(files)
    shelf, chunks = MemoryShelf(), ChunkStore()
    recipes: dict[str, list[Recipe]] = {}
    sizes: dict[str, _Sizes] = {}
    speeds: dict[str, dict[str, float]] = {}
    for name, entry in truth.items():
        parents = [parent["name"] for parent in entry["parents"]]
        ours, recipes[name], speeds[name] = _stored(shelf, name, [recipes[parent] for parent in parents])
        base = weight_files(_FAMILY / parents[0])[0] if parents else None
        own = weight_files(_FAMILY / name)
        sizes[name] = _Sizes(
            plain=sum(file.stat().st_size for file in own),
            ours=ours,
            chunks=sum(chunks.add(file) for file in own),
            xor=sum(xor_bytes(file, base) for file in own),
            zipnn=sum(zipnn[str(file)] for file in own),
            zstd=sum(zstd_bytes(file) for file in own),
        )
    return [*_families(sizes), *_models(sizes), *_speeds(speeds)]


def _family() -> dict[str, Any]:
    manifest = _FAMILY / "manifest.json"
    if not manifest.exists():
        if not _TORCH.exists():
            raise Skipped("the family is absent, and torch to make it (run: make .venvs/torch/.stamp)")
        command = [str(_TORCH), "-m", "tests.families.make", str(_FAMILY), "--large"]
        environ = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, cwd=_ROOT, env=environ, check=True, timeout=_MAKING_S)
    truth: dict[str, Any] = json.loads(manifest.read_text("utf-8"))
    return truth


def _stored(
    shelf: MemoryShelf, name: str, bases: list[list[Recipe]]
) -> tuple[int, list[Recipe], dict[str, float]]:
    """What a model takes, its recipes, and how quickly it was hashed, written and read."""
    before, recipe_bytes = shelf.stored_bytes, 0
    recipes: list[Recipe] = []
    seconds = {"sha256": 0.0, "write": 0.0, "read": 0.0}
    size = 0
    for path in weight_files(_FAMILY / name):
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


def _families(sizes: dict[str, _Sizes]) -> list[Finding]:
    total = {one: sum(getattr(size, one) for size in sizes.values()) for one in _Sizes.__slots__}
    details = {"bytes": total, "models": {name: _ratios(size) for name, size in sizes.items()}}
    plain, chunks = total["plain"] / total["ours"], total["chunks"] / total["ours"]
    return [
        _larger("delta_family", "a family of models, plain against stored", plain, "x smaller", 3, details),
        _larger("delta_family_chunks", "the same, a chunk store against it", chunks, "x smaller", 1.5),
        _larger(
            "delta_family_xor",
            "the same, XOR and planes against it",
            total["xor"] / total["ours"],
            "x smaller",
            1.0,
        ),
    ]


def _ratios(size: _Sizes) -> dict[str, float]:
    return {one: round(size.plain / max(1, getattr(size, one)), 3) for one in _Sizes.__slots__}


def _models(sizes: dict[str, _Sizes]) -> list[Finding]:
    near, far, single = sizes["lg_bf16_near"], sizes["lg_bf16_far"], sizes["lg_ft"]
    exact = min(sizes[name].plain / sizes[name].ours for name in _EXACT)
    alone = sizes["lg_base"].zipnn / sizes["lg_base"].ours
    return [
        _larger(
            "delta_bf16",
            "bf16, drift 1e-3: a chunk store against it",
            near.chunks / near.ours,
            "x smaller",
            8,
        ),
        _larger(
            "delta_bf16_xor", "the same, XOR and planes against it", near.xor / near.ours, "x smaller", 1.5
        ),
        _larger("delta_bf16_far", "bf16, drift 1e-2", far.plain / far.ours, "x smaller", 6),
        _larger("delta_fp32", "fp32 fine-tune", single.plain / single.ours, "x smaller", 2.7),
        _larger("delta_exact", "merges, casts, quantised, pruned: the least", exact, "x smaller", 500),
        _larger("delta_alone", "without a base, zipnn against it", alone, "x smaller", 0.98),
    ]


def _speeds(speeds: dict[str, dict[str, float]]) -> list[Finding]:
    near = speeds["lg_bf16_near"]
    reading = near["read"] / near["sha256"]
    details = {"megabytes_a_second": speeds}
    return [
        _larger(
            "delta_read", "a whole bf16 fine-tune read through its recipe", reading, "x sha256", 0.3, details
        ),
        _larger("delta_write", "the same stored, choosing included", near["write"], "MB/s", 150),
    ]


def _larger(
    name: str, what: str, value: float, unit: str, goal: float, details: dict[str, Any] | None = None
) -> Finding:
    return Finding(name, what, value, unit, goal, "at least", details or {})
