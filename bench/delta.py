"""The delta store on a family of models of 26 million weights, against other ways of keeping them.

The family is made once, by real training, with the environment `torch` (some minutes), and kept in
`.cache/families/large`. Each model is stored on the bases that the family's truth names, each peer gets what
it needs at its best. Sizes do not depend on the machine; speeds are of processor time, beside sha256, but for
what several threads or a hub do.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from bench.delta_family import Sizes, compare
from bench.delta_serving import measure_serving
from bench.delta_speeds import measure_codec, measure_threads
from bench.findings import Finding, Skipped
from bench.place import Place

__all__ = ["measure_delta"]

_ROOT = Path(__file__).resolve().parent.parent
_FAMILY = _ROOT / ".cache/families/large"
_TORCH = _ROOT / ".venvs/torch/bin/python"
_MAKING_S = 3600
_LINE = ("lg_base", "lg_bf16", "lg_bf16_near")
"""Each is the parent of the next."""
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


def measure_delta(place: Place, rounds: int) -> list[Finding]:
    """All of it; sizes are the same in every round, so there is one."""
    _make_family()
    found = compare(_FAMILY)
    return [
        *_families(found.sizes),
        *_models(found.sizes),
        *_speeds(found.speeds),
        measure_threads(found.shelf, found.recipes[_LINE[-1]], rounds),
        *measure_codec(_FAMILY / _LINE[-1], _FAMILY / _LINE[-2], rounds),
        *measure_serving(place, [_FAMILY / name for name in _LINE], rounds),
    ]


def _make_family() -> None:
    if (_FAMILY / "manifest.json").exists():
        return
    if not _TORCH.exists():
        raise Skipped("the family is absent, and torch to make it (run: make .venvs/torch/.stamp)")
    command = [str(_TORCH), "-m", "tests.families.make", str(_FAMILY), "--large"]
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=_ROOT, env=environ, check=True, timeout=_MAKING_S)


def _families(sizes: dict[str, Sizes]) -> list[Finding]:
    total = {one: sum(getattr(size, one) for size in sizes.values()) for one in Sizes.__slots__}
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


def _ratios(size: Sizes) -> dict[str, float]:
    return {one: round(size.plain / max(1, getattr(size, one)), 3) for one in Sizes.__slots__}


def _models(sizes: dict[str, Sizes]) -> list[Finding]:
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
