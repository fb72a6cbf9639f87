"""Where the tensors of a torch checkpoint lie, read from its pickle without running it.

Two layouts of `torch.save`: the zip file (`<name>/data.pkl`, and `<name>/data/<key>` for each storage), and
the older one of five pickles with the storages behind them. Storages must stand in the file as they are,
which is how torch writes them: an archive that was compressed afterwards is refused. The tar files of before
torch 0.1.10 are not read.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from allmende.formats.errors import MalformedTorch
from allmende.formats.pickle_values import Value, read_pickle_values
from allmende.formats.safetensors import DTYPE_BITS
from allmende.formats.torch_names import named_tensors
from allmende.formats.torch_objects import Storage, StoredTensor, TorchObjects
from allmende.formats.zip_directory import ZipEntry, read_directory, stored_start

__all__ = ["TorchTensor", "read_torch_checkpoint"]

_MAX_PICKLE_BYTES = 32 * 1024 * 1024
_MAX_REPEATED = 16
"""Tied weights are named twice or a few times; a small storage named often is a way to keep readers busy."""

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_HEAD = b"\x80\x02\x8a\x0a" + _LEGACY_MAGIC.to_bytes(10, "little")
_COUNT = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class TorchTensor:
    """One tensor: word `offset + sum(index * stride)` of the storage at `storage_start` in the file.

    `offset` and `stride` are in words of the dtype, whose name is that of safetensors. All words that the
    shape reaches lie within the `storage_bytes`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    storage_start: int
    storage_bytes: int


@dataclass(frozen=True, slots=True)
class _Place:
    start: int
    size_bytes: int


def read_torch_checkpoint(reader: BinaryIO, size_bytes: int) -> tuple[TorchTensor, ...]:
    """The tensors of the model in a checkpoint of `size_bytes`, in the order of its dicts.

    Names are paths joined by dots; see `torch_names` for what is left out. Raises MalformedTorch,
    MalformedPickle or MalformedZip; the code ends in `_beyond_limits` where the file is only too large.
    """
    reader.seek(0)
    head = reader.read(len(_LEGACY_HEAD))
    if head.startswith(b"PK"):
        value, places = _read_zip(reader, size_bytes)
    elif head == _LEGACY_HEAD:
        value, places = _read_legacy(reader, size_bytes)
    else:
        raise MalformedTorch("The file is no checkpoint of torch: neither its zip file nor its older form.")
    tensors = tuple(_placed(name, tensor, places) for name, tensor in named_tensors(value))
    _check_amount(tensors, size_bytes)
    return tensors


# --- the zip file ------------------------------------------------------------------------------------------


def _read_zip(reader: BinaryIO, size_bytes: int) -> tuple[Value, Mapping[str, _Place]]:
    listed = read_directory(reader, size_bytes)
    entries = {entry.name: entry for entry in listed}
    if len(entries) != len(listed):
        raise MalformedTorch("The checkpoint has two entries of one name.")
    # torch takes the folder of the first entry for the name of the archive.
    root = listed[0].name.split("/", 1)[0] if listed else ""
    pickle = _whole(reader, size_bytes, entries.get(f"{root}/data.pkl"), _MAX_PICKLE_BYTES, "data.pkl")
    order = entries.get(f"{root}/byteorder")
    if order is not None and _whole(reader, size_bytes, order, 16, "byteorder") != b"little":
        raise MalformedTorch("The checkpoint was written in big-endian order, which is not read.")
    objects = TorchObjects()
    value = read_pickle_values(BytesIO(pickle), objects.calls, objects.persistent)
    places = {
        key: _entry_place(reader, size_bytes, entries.get(f"{root}/data/{key}"), key)
        for key in objects.storages
    }
    return value, places


def _whole(reader: BinaryIO, size_bytes: int, entry: ZipEntry | None, most: int, what: str) -> bytes:
    place = _entry_place(reader, size_bytes, entry, what)
    if place.size_bytes > most:
        raise MalformedTorch(
            f"{what} of the checkpoint has {place.size_bytes} bytes; at most {most} are read.",
            code="torch_beyond_limits",
        )
    return _exactly(reader, place.start, place.size_bytes)


def _entry_place(reader: BinaryIO, size_bytes: int, entry: ZipEntry | None, what: str) -> _Place:
    if entry is None:
        raise MalformedTorch(f"The checkpoint has no entry for {what[:100]!r}.")
    if entry.compressed or entry.packed_bytes != entry.size_bytes:
        raise MalformedTorch(
            f"The entry {entry.name[:100]!r} of the checkpoint is compressed, as torch never writes it.",
            hint="Unpack the archive and pack it again without compression, or save it again with torch.",
        )
    return _Place(stored_start(reader, size_bytes, entry), entry.size_bytes)


# --- the older form ----------------------------------------------------------------------------------------


def _read_legacy(reader: BinaryIO, size_bytes: int) -> tuple[Value, Mapping[str, _Place]]:
    stream = BytesIO(_exactly(reader, 0, min(size_bytes, _MAX_PICKLE_BYTES)))
    objects = TorchObjects()
    parts = [read_pickle_values(stream, objects.calls, objects.persistent) for _ in range(5)]
    _, _, system, value, keys = parts
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise MalformedTorch("The checkpoint was written in big-endian order, which is not read.")
    names = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
    if set(names) != set(objects.storages) or len(set(names)) != len(names):
        raise MalformedTorch("The checkpoint does not list the storages that it uses.")
    places: dict[str, _Place] = {}
    at = stream.tell()
    for key in names:
        storage = objects.storages[key]
        (count,) = _COUNT.unpack(_exactly(reader, at, _COUNT.size))
        if storage.dtype is None or count != storage.elements:
            raise MalformedTorch(f"The storage {key[:100]!r} is of a kind or length that is not read.")
        places[key] = _Place(at + _COUNT.size, count * _word_bytes(storage.dtype))
        at += _COUNT.size + places[key].size_bytes
    if at > size_bytes:
        raise MalformedTorch(f"The storages end at byte {at}, the file has {size_bytes}.")
    return value, places


# --- tensors in their storages -----------------------------------------------------------------------------


def _placed(name: str, tensor: StoredTensor, places: Mapping[str, _Place]) -> TorchTensor:
    storage: Storage = tensor.storage
    place = places[storage.key]
    word = _word_bytes(tensor.dtype)
    end = 0
    if math.prod(tensor.shape):
        reach = sum((length - 1) * step for length, step in zip(tensor.shape, tensor.stride, strict=True))
        end = tensor.offset + reach + 1
    if end * word > place.size_bytes:
        raise MalformedTorch(
            f"The tensor {name[:200]!r} ends at byte {end * word} of a storage of {place.size_bytes}."
        )
    return TorchTensor(
        name, tensor.dtype, tensor.shape, tensor.stride, tensor.offset, place.start, place.size_bytes
    )


def _check_amount(tensors: tuple[TorchTensor, ...], size_bytes: int) -> None:
    claimed = sum(math.prod(tensor.shape) * _word_bytes(tensor.dtype) for tensor in tensors)
    if claimed > _MAX_REPEATED * size_bytes:
        raise MalformedTorch(
            f"The tensors of the checkpoint take {claimed} bytes by their shapes, in a file of {size_bytes}.",
            code="torch_beyond_limits",
        )


def _word_bytes(dtype: str) -> int:
    return DTYPE_BITS[dtype] // 8


def _exactly(reader: BinaryIO, start: int, count: int) -> bytes:
    reader.seek(start)
    found = bytearray()
    while len(found) < count:
        more = reader.read(count - len(found))
        if not more:
            raise MalformedTorch(f"The checkpoint ends {count - len(found)} bytes before its parts do.")
        found += more
    return bytes(found)
