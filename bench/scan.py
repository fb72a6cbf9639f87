"""The scanner against its bounds: gigabytes of weights, a dense pickle, a folder of files and two peers.

Every figure is that of a whole command, started anew: interpreter, isolation and all. The pickle alone is
measured inside one process, against `pickletools.genops` on the same bytes, turn by turn.
"""

import io
import json
import pickle
import pickletools
import random
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from allmende.scan import Source, Status, scan_source
from bench.findings import Finding, Series, Skipped, versus
from bench.place import Place
from bench.plain_http import BenchFailed

__all__ = ["measure_scan"]

_GIB = 1024**3
_MIB = 1024 * 1024
_RECORDS = 400_000
_FILES = 500
_PEERS = Path(".venvs/scan-peers/bin")


@dataclass(frozen=True, slots=True)
class _Run:
    """One command from start to end. Memory is the largest that any one of its processes had."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    status: int


def measure_scan(place: Place, rounds: int) -> list[Finding]:
    """All of it; the folder needs the environment `scan-peers`."""
    folder = place.folder / "scan"
    folder.mkdir()
    return [
        *(found for name, write in _LARGE.items() for found in _large(folder, name, write, rounds)),
        _dense_pickle(rounds),
        *_many_files(folder, rounds),
    ]


# --- 1 GiB of weights, structure only -------------------------------------------------------------------


def _large(folder: Path, name: str, write: Callable[[Path], None], rounds: int) -> list[Finding]:
    path = folder / name
    write(path)
    try:
        runs = [_run([*_ALLMENDE, str(path)], accepted=(0,)) for _ in range(rounds)]
    finally:
        path.unlink()
    kind = path.suffix.removeprefix(".")
    details = {"seconds": [run.seconds for run in runs], "cpu_seconds": [run.cpu_seconds for run in runs]}
    return [
        Finding(
            f"scan_1gib_{kind}",
            f"scan of 1 GiB {kind}, whole command",
            median(run.seconds for run in runs),
            "s",
            1.0,
            details=details,
        ),
        Finding(
            f"scan_1gib_{kind}_memory",
            f"scan of 1 GiB {kind}, largest process",
            max(run.peak_mib for run in runs),
            "MiB",
            100,
        ),
    ]


def _write_safetensors(path: Path) -> None:
    each = _GIB // 64
    header = {
        f"model.layers.{number}.weight": {
            "dtype": "BF16",
            "shape": [each // 2048, 1024],
            "data_offsets": [number * each, (number + 1) * each],
        }
        for number in range(64)
    }
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        _write_data(file, _GIB)


def _write_torch_zip(path: Path) -> None:
    each = _GIB // 64
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr("model/data.pkl", _torch_pickle(64, each // 4))
        archive.writestr("model/byteorder", "little")
        for number in range(64):
            with archive.open(f"model/data/{number}", "w", force_zip64=True) as member:
                _write_data(member, each)
        archive.writestr("model/version", "3\n")


def _torch_pickle(count: int, elements: int) -> bytes:
    """A state dict as `torch.save` writes it, in opcodes, since the bench has no torch."""
    out = io.BytesIO(b"")
    out.write(b"\x80\x02}(")
    for number in range(count):
        name = f"layers.{number}.weight".encode()
        out.write(b"X" + struct.pack("<I", len(name)) + name)
        out.write(b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n")
        key = str(number).encode()
        out.write(
            b"X" + struct.pack("<I", len(key)) + key + b"X\x03\x00\x00\x00cpuJ" + struct.pack("<i", elements)
        )
        out.write(b"tQK\x00J" + struct.pack("<i", elements) + b"\x85K\x01\x85\x89")
        out.write(b"ccollections\nOrderedDict\n)RtR")
    out.write(b"u.")
    return out.getvalue()


def _write_gguf(path: Path) -> None:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    tokens = 128_000
    head = b"GGUF" + struct.pack("<IQQ", 3, 64, 2)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    head += text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, tokens)
    head += b"".join(text(f"token{number}") for number in range(tokens))
    each = _GIB // 64
    for number in range(64):
        head += text(f"blk.{number}.weight") + struct.pack("<IQQIQ", 2, 1024, each // 2048, 1, number * each)
    with path.open("wb") as file:
        file.write(head + bytes(-len(head) % 32))
        _write_data(file, _GIB)


def _write_data(file: object, size_bytes: int) -> None:
    block = random.Random(7).randbytes(_MIB)
    for _ in range(size_bytes // _MIB):
        file.write(block)  # type: ignore[attr-defined]  # a file, or a member of an archive


_LARGE: dict[str, Callable[[Path], None]] = {
    "model.safetensors": _write_safetensors,
    "model.pt": _write_torch_zip,
    "model.gguf": _write_gguf,
}


# --- a dense pickle -------------------------------------------------------------------------------------


def _dense_pickle(rounds: int) -> Finding:
    source = random.Random(11)
    records = [
        {"id": number, "score": source.random(), "tag": f"t{number % 97}"} for number in range(_RECORDS)
    ]
    data = pickle.dumps(records, 4)
    ours, theirs = Series(), Series()
    for _ in range(rounds):
        started = time.perf_counter()
        report = scan_source(Source.of_bytes(data), "records.pkl")
        ours.seconds.append(time.perf_counter() - started)
        if report.status() is not Status.CLEAN:
            raise BenchFailed(f"a harmless pickle is {report.status().word}")
        started = time.perf_counter()
        for _opcode in pickletools.genops(data):
            pass
        theirs.seconds.append(time.perf_counter() - started)
    return versus(
        "scan_dense_pickle",
        f"a dense pickle of {len(data) / 1e6:.1f} MB, time against genops",
        2.0,
        ours,
        theirs,
        ("scan", "genops"),
    )


# --- a folder of files ----------------------------------------------------------------------------------


def _many_files(folder: Path, rounds: int) -> list[Finding]:
    missing = [name for name in ("picklescan", "modelscan") if not (_PEERS / name).exists()]
    if missing:
        raise Skipped(
            f"{' and '.join(missing)} are not here; `python3 -m tools.environment scan-peers` builds them"
        )
    place = folder / "files"
    place.mkdir()
    _write_files(place)
    commands = {
        "ours": ([*_ALLMENDE, str(place)], (0, 1, 2, 3)),
        "picklescan": ([str(_PEERS / "picklescan"), "--path", str(place)], (0, 1)),
        "modelscan": ([str(_PEERS / "modelscan"), "--path", str(place)], (0, 1, 2, 3)),
    }
    series = {name: Series() for name in commands}
    for _ in range(rounds):
        for name, (command, accepted) in commands.items():
            run = _run(command, accepted)
            series[name].seconds.append(run.seconds)
            series[name].cpu_seconds.append(run.cpu_seconds)
    return [
        versus(
            f"scan_folder_{peer}",
            f"a folder of {_FILES} files, time against {peer}",
            goal,
            series["ours"],
            series[peer],
            ("ours", peer),
        )
        for peer, goal in (("modelscan", 1.0), ("picklescan", 2.0))
    ]


def _write_files(folder: Path) -> None:
    """Checkpoints as a model folder has them, a tenth of them hostile."""
    source = random.Random(13)
    for number in range(_FILES):
        values = {f"layer{index}": [source.random() for _ in range(50)] for index in range(40)}
        stem = folder / f"file{number:03}"
        kind = number % 5
        if kind == 0:
            stem.with_suffix(".pkl").write_bytes(pickle.dumps(values, number % 6))
        elif kind == 1:
            with zipfile.ZipFile(stem.with_suffix(".pt"), "w") as archive:
                archive.writestr("archive/data.pkl", _torch_pickle(20, 256))
                for index in range(20):
                    archive.writestr(f"archive/data/{index}", source.randbytes(1024))
        elif kind == 2:
            stem.with_suffix(".bin").write_bytes(b"cos\ngetpid\n)R0" + pickle.dumps(values, 0))
        elif kind == 3:
            data = json.dumps({"w": {"dtype": "F32", "shape": [256], "data_offsets": [0, 1024]}}).encode()
            stem.with_suffix(".safetensors").write_bytes(struct.pack("<Q", len(data)) + data + bytes(1024))
        else:
            stem.with_suffix(".json").write_text(json.dumps(values))


_ALLMENDE = [sys.executable, "-m", "allmende", "scan", "--jsonl"]


_LAUNCHER = """
import os, sys, time
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
started = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - started
print(os.waitstatus_to_exitcode(status), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""
"""Linux counts what a process was before it became the command as its memory, so a small one starts it."""


def _run(command: Sequence[str], accepted: Sequence[int]) -> _Run:
    """Run a command to its end. Raises BenchFailed when it ends otherwise than `accepted`."""
    launched = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command], capture_output=True, text=True, check=False
    )
    code, seconds, cpu_seconds, peak_mib = launched.stdout.split() or ("-1", "0", "0", "0")
    if int(code) not in accepted:
        raise BenchFailed(f"{command[0]} ended with {code}: {launched.stderr[-300:]!r}")
    return _Run(float(seconds), float(cpu_seconds), float(peak_mib), int(code))
