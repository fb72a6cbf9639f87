"""What other ways of storing a family of models would take: plain, zstd, zipnn, XOR against the base, chunks.

Each peer is given what it needs at its best: the XOR coder the true parent of each file, the chunk store all
files that came before.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import lz4.frame
import numpy as np
import zstandard

from allmende.formats import read_header
from allmende.xorbs import Chunker, chunk_hash
from bench.findings import Skipped
from bench.plain_http import BenchFailed

__all__ = ["ChunkStore", "tensors_of", "weight_files", "xor_bytes", "zipnn_bytes", "zstd_bytes"]

_ROOT = Path(__file__).resolve().parent.parent
_ZIPNN = _ROOT / ".venvs/delta-peers/bin/python"
_READ_BYTES = 4 * 1024 * 1024
_WORD_BYTES = {"F32": 4, "BF16": 2, "F16": 2}
_ZIPNN_TIMEOUT_S = 1800


def weight_files(model: Path) -> list[Path]:
    """The files of a model's folder that hold weights, in their order."""
    return sorted(path for path in model.iterdir() if path.suffix in {".safetensors", ".gguf"})


def zstd_bytes(path: Path) -> int:
    """The whole file through zstd at level 3."""
    total = 0
    with path.open("rb") as file:
        for block in zstandard.ZstdCompressor(level=3).read_to_iter(file):
            total += len(block)
    return total


def zipnn_bytes(paths: Sequence[Path]) -> dict[str, int]:
    """Each file by zipnn, whose package has an environment of its own. Raises Skipped without it."""
    if not _ZIPNN.exists():
        raise Skipped("zipnn is absent (run: make .venvs/delta-peers/.stamp)")
    command = [str(_ZIPNN), str(_ROOT / "bench/zipnn_sizes.py"), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_ZIPNN_TIMEOUT_S, check=False)
    if done.returncode:
        raise BenchFailed(f"zipnn ended with {done.returncode}: {done.stderr[-500:]}")
    sizes: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return sizes


def xor_bytes(path: Path, base: Path | None) -> int:
    """As published XOR coders do: by tensor against the base's of the same name, type and size; byte planes;
    zstd. Without such a tensor the planes of the tensor itself. Other formats than safetensors: zstd.
    """
    if path.suffix != ".safetensors":
        return zstd_bytes(path)
    theirs = {} if base is None or base.suffix != ".safetensors" else dict(tensors_of(base))
    compressor = zstandard.ZstdCompressor(level=1)
    total = path.stat().st_size
    for key, data in tensors_of(path):
        planes = np.frombuffer(data, np.uint8)
        other = theirs.get(key)
        if other is not None and len(other) == len(data):
            planes = planes ^ np.frombuffer(other, np.uint8)
        width = _WORD_BYTES.get(key[1], 1)
        stored = sum(len(compressor.compress(planes[at::width].tobytes())) for at in range(width))
        total += min(stored, len(data)) - len(data)
    return total


def tensors_of(path: Path) -> Iterator[tuple[tuple[str, str], bytes]]:
    """The tensors of a safetensors file by name and type, in the order of its header."""
    with path.open("rb") as file:
        header = read_header(file, path.stat().st_size)
        for tensor in header.tensors:
            file.seek(header.data_start + tensor.start)
            yield (tensor.name, tensor.dtype), file.read(tensor.end - tensor.start)


class ChunkStore:
    """A store of unique chunks, cut and compressed as the Xet clients do (LZ4, bytes regrouped or not)."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def add(self, path: Path) -> int:
        """How many bytes the new chunks of a file take."""
        chunker = Chunker()
        with path.open("rb") as file:
            return sum(self._new(chunk) for chunk in self._cut(chunker, file))

    def _cut(self, chunker: Chunker, file: BinaryIO) -> Iterator[memoryview]:
        while block := file.read(_READ_BYTES):
            yield from chunker.feed(block)
        yield from chunker.finish()

    def _new(self, chunk: memoryview) -> int:
        name = chunk_hash(chunk)
        if name in self._known:
            return 0
        self._known.add(name)
        data = np.frombuffer(chunk, np.uint8)
        regrouped = b"".join(data[at::4].tobytes() for at in range(4))
        return min(len(chunk), *(len(lz4.frame.compress(one)) for one in (bytes(chunk), regrouped)))
