"""The sketch of a model: about 10 KB by which its kin are found, and a key of 256 bytes to search by.

The sketch holds 64 values of each of up to 40 matrices, drawn by hashes of their canonical names and of their
shapes, so that a model with some layers or rows more or fewer has mostly the same. The key holds signs about
each matrix's median: 32 times 64 bits, each time of the matrix whose name hashes lowest. Reading is by short
ranges alone; 64 values of each matrix are looked at, whatever its size.

Layout of the bytes, little-endian: `AMSK`, version (u8), flags (u8, 0), tensors (u16), the key, then for
each tensor the length of its name (u16), the name in UTF-8, rows (u64), columns (u64), 64 float32.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from allmende.weights.comparison import is_degenerate
from allmende.weights.errors import UnreadableWeights
from allmende.weights.models import Model
from allmende.weights.positions import RUN, run_positions
from allmende.weights.specimens import is_matrix, telling_tensors
from allmende.weights.tensors import WeightTensor

__all__ = ["KEY_BYTES", "SKETCH_VERSION", "Sketch", "SketchedTensor", "make_sketch", "read_sketch"]

SKETCH_VERSION = 1
"""Raised when sketches of another version cannot be compared with these."""

KEY_BYTES = 256
_BUCKETS = 32
_VALUES = 64
_MAX_TENSORS = 40
_MAX_NAME_BYTES = 512
_MAGIC = b"AMSK"
_HEAD = struct.Struct("<4sBBH")
_SHAPE = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class SketchedTensor:
    """64 values of one matrix, at places that follow from its shape; float32."""

    name: str
    rows: int
    columns: int
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is kept of a model for searching. `key` is None where no matrix says anything of its descent."""

    tensors: tuple[SketchedTensor, ...]
    key: bytes | None

    def to_bytes(self) -> bytes:
        """The form that is stored; see the module."""
        parts = [_HEAD.pack(_MAGIC, SKETCH_VERSION, self.key is not None, len(self.tensors))]
        parts.append(self.key or bytes(KEY_BYTES))
        for tensor in self.tensors:
            name = tensor.name.encode()
            parts += [struct.pack("<H", len(name)), name, _SHAPE.pack(tensor.rows, tensor.columns)]
            parts.append(tensor.values.astype("<f4").tobytes())
        return b"".join(parts)


def make_sketch(model: Model) -> Sketch:
    """The sketch of a model. Raises BytesMissing for a file that is shorter than its header says."""
    tensors = {
        name: tensor
        for name, tensor in telling_tensors(model).items()
        if is_matrix(tensor) and len(name.encode()) <= _MAX_NAME_BYTES
    }
    chosen = sorted(tensors, key=lambda name: _hashed(name, 0))[:_MAX_TENSORS]
    sketched = {name: _values(tensors[name], 0) for name in sorted(chosen)}
    return Sketch(
        tuple(SketchedTensor(name, *tensors[name].matrix, values) for name, values in sketched.items()),
        _key(tensors, sketched),
    )


def read_sketch(data: bytes) -> Sketch:
    """The sketch in these bytes. Raises UnreadableWeights where they are none."""
    try:
        magic, version, keyed, count = _HEAD.unpack_from(data)
        at = _HEAD.size + KEY_BYTES
        key = data[_HEAD.size : at]
        if magic != _MAGIC or version != SKETCH_VERSION or len(key) != KEY_BYTES:
            raise UnreadableWeights("These bytes are no sketch of this version.")
        tensors = []
        for _ in range(count):
            tensor, at = _read_tensor(data, at)
            tensors.append(tensor)
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise UnreadableWeights("The sketch is cut off or damaged.") from error
    if at != len(data):
        raise UnreadableWeights("The sketch has bytes behind its end.")
    return Sketch(tuple(tensors), key if keyed else None)


def _read_tensor(data: bytes, at: int) -> tuple[SketchedTensor, int]:
    (length,) = struct.unpack_from("<H", data, at)
    name = data[at + 2 : at + 2 + length].decode()
    rows, columns = _SHAPE.unpack_from(data, at + 2 + length)
    at += 2 + length + _SHAPE.size
    values = np.frombuffer(data, "<f4", _VALUES, at)
    return SketchedTensor(name, rows, columns, values), at + 4 * _VALUES


def _values(tensor: WeightTensor, seed: int) -> NDArray[np.float32]:
    positions = run_positions(*tensor.matrix, _VALUES // RUN, seed)
    with np.errstate(over="ignore"):
        return tensor.at(positions.ravel()).astype(np.float32)


def _key(tensors: Mapping[str, WeightTensor], sketched: Mapping[str, NDArray[np.float32]]) -> bytes | None:
    """Signs of 32 matrices that are chosen by hashes of their names; one may be chosen several times."""
    telling = {name: tensor for name, tensor in tensors.items() if _tells(tensor, sketched.get(name))}
    if not telling:
        return None
    names = sorted(telling)
    bits = np.empty((_BUCKETS, _VALUES), np.bool_)
    for bucket, name in enumerate(_lowest(names)):
        values = np.nan_to_num(_values(telling[name], bucket + 1), posinf=0, neginf=0)
        bits[bucket] = values > np.median(values)
    return np.packbits(bits).tobytes()


def _tells(tensor: WeightTensor, values: NDArray[np.float32] | None) -> bool:
    return not is_degenerate(tensor, _values(tensor, 0) if values is None else values)


def _lowest(names: Sequence[str]) -> list[str]:
    """For each bucket the name with the lowest hash: adding names changes few of the choices."""
    hashes = np.array(
        [np.frombuffer(blake3(name.encode()).digest(8 * _BUCKETS), "<u8") for name in names], np.uint64
    )
    return [names[int(place)] for place in hashes.argmin(axis=0)]


def _hashed(name: str, seed: int) -> bytes:
    return blake3(name.encode(), derive_key_context=f"allmende sketch {seed}").digest(8)
