"""How quickly contents of the delta store are read by two threads, and blocks encoded and decoded by one.

Figures are ratios of what was done turn by turn, so that a machine that others use too disturbs both sides.
"""

import hashlib
import json
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from allmende.codecs import (
    BytesPlain,
    EncodedReader,
    EncodingHead,
    KeptHeads,
    ObjectId,
    Plain,
    Prediction,
    Recipe,
    object_id,
    parse_prediction,
    word_type,
    write_encoding,
)
from allmende.packing import open_recipe
from bench.delta_peers import tensors_of, weight_files
from bench.findings import Finding
from tests.unit.packing.memory_shelf import MemoryShelf

__all__ = ["measure_codec", "measure_threads"]

_READ_BYTES = 1024 * 1024
_THREADS = 2
_LEAST_BYTES = 64 * 1024


class _KnownShelf(MemoryShelf):
    """A shelf that keeps heads of encodings once they were parsed, as a hub's does."""

    def __init__(self, shelf: MemoryShelf) -> None:
        super().__init__(**vars(shelf))
        self._heads = KeptHeads()

    def encodings(self, object_id: ObjectId) -> Sequence[Plain]:
        """See MemoryShelf."""
        found = super().encodings(object_id)
        return [_Known(one, self._heads, (object_id, number)) for number, one in enumerate(found)]


class _Known:
    """An encoding of such a shelf."""

    def __init__(self, stored: Plain, heads: KeptHeads, place: Hashable) -> None:
        self.read_at, self.size_bytes = stored.read_at, stored.size_bytes
        self._heads, self._place = heads, place

    def head(self) -> EncodingHead:
        """What stands before its payloads."""
        return self._heads.head(self._place, self)


def measure_threads(stored: MemoryShelf, recipes: Sequence[Recipe], rounds: int) -> Finding:
    """Whole contents read again through their recipes, with two threads decoding ahead against none.

    What of it cannot be shared out is the SHA-256 of the whole; its part in the time of one thread is told.
    """
    shelf = _KnownShelf(stored)
    _read(shelf, recipes, None)
    one: list[float] = []
    two: list[float] = []
    digest: list[float] = []
    for _ in range(rounds):
        digest.append(_wall(lambda: _hash(sum(recipe.size_bytes for recipe in recipes))))
        one.append(_wall(lambda: _read(shelf, recipes, None)))
        with ThreadPoolExecutor(_THREADS) as ahead:
            two.append(_wall(lambda: _read(shelf, recipes, ahead)))
    return Finding(
        "delta_threads",
        "the same read with two threads, time on the wall",
        min(one) / min(two),
        "x one thread",
        1.7,
        "at least",
        {
            "ratio_of_medians": median(one) / median(two),
            "one_s": one,
            "two_s": two,
            "sha256_share_of_one": min(digest) / min(one),
        },
    )


def _wall(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _hash(size_bytes: int) -> None:
    digest, block = hashlib.sha256(), bytes(_READ_BYTES)
    for _ in range(-(-size_bytes // _READ_BYTES)):
        digest.update(block)


def _read(shelf: MemoryShelf, recipes: Sequence[Recipe], ahead: ThreadPoolExecutor | None) -> None:
    buffer = bytearray(_READ_BYTES)
    for recipe in recipes:
        with open_recipe(recipe, shelf, ahead) as reader:
            while reader.readinto(buffer):
                pass


def measure_codec(child: Path, base: Path, rounds: int) -> list[Finding]:
    """A fine-tune's tensors encoded against its base's and decoded, both plain in memory; one thread."""
    pairs = list(_pairs(child, base))
    size = sum(len(pair.data) for pair in pairs) / 1e6
    seconds: dict[str, list[float]] = {"sha256": [], "encode": [], "decode": []}
    for _ in range(rounds):
        started = time.process_time()
        for pair in pairs:
            hashlib.sha256(pair.data)
        hashed = time.process_time()
        stored = [_encoded(pair) for pair in pairs]
        encoded = time.process_time()
        for pair, one in zip(pairs, stored, strict=True):
            _decode(pair, one)
        seconds["sha256"].append(hashed - started)
        seconds["encode"].append(encoded - hashed)
        seconds["decode"].append(time.process_time() - encoded)
    best = {what: min(spent) for what, spent in seconds.items()}
    return [
        Finding(
            "delta_encode",
            "bf16 blocks encoded and checked, one thread",
            size / best["encode"],
            "MB/s",
            150,
            "at least",
            {"cpu_s": seconds, "megabytes": size},
        ),
        Finding(
            "delta_decode",
            "the same decoded and verified",
            best["sha256"] / best["decode"],
            "x sha256",
            0.3,
            "at least",
            {"megabytes_a_second": size / best["decode"]},
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Pair:
    """The bytes of a tensor and of its base, and the type of both."""

    dtype: str
    data: bytes
    base: bytes
    prediction: Prediction

    def resolve(self, _name: ObjectId) -> Plain:
        return BytesPlain(self.base)


def _pairs(child: Path, base: Path) -> Iterator[_Pair]:
    """The tensors that both have in one form; small ones are left out."""
    theirs = {key: data for file in weight_files(base) for key, data in tensors_of(file)}
    for file in weight_files(child):
        for key, data in tensors_of(file):
            other = theirs.get(key, b"")
            if len(data) >= _LEAST_BYTES and len(other) == len(data):
                yield _Pair(key[1], data, other, _copy_of(other, key[1]))


def _copy_of(base: bytes, dtype: str) -> Prediction:
    document = {
        "version": 1,
        "parents": [object_id(base)],
        "sources": [{"words": dtype, "pieces": [0, 0, len(base)]}],
        "steps": [["load", 0]],
        "output": ["words", dtype, 1],
    }
    return parse_prediction(json.dumps(document, separators=(",", ":")).encode())


def _encoded(pair: _Pair) -> BytesPlain:
    found = write_encoding(BytesPlain(pair.data), word_type(pair.dtype), pair.prediction, pair.resolve)
    return BytesPlain(b"".join(found.parts))


def _decode(pair: _Pair, stored: BytesPlain) -> None:
    reader = EncodedReader(stored, pair.resolve)
    for start in range(0, reader.size_bytes, _READ_BYTES):
        reader.read_at(start, min(_READ_BYTES, reader.size_bytes - start))
