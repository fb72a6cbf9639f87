"""Checkpoints as torch writes them, made without torch: its names are written, never imported."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

STORAGE_OF = {
    "float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage", "int64": "LongStorage",
    "int32": "IntStorage", "int16": "ShortStorage", "int8": "CharStorage", "uint8": "ByteStorage",
    "bool": "BoolStorage",
}  # fmt: skip


@dataclass(frozen=True)
class Name:
    """What the pickle is to import."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """A name called with arguments; `state` is handed to what came of it."""

    function: Name
    arguments: tuple
    state: object = None


@dataclass(frozen=True)
class Persistent:
    identity: tuple


class Saved:
    """An array in a storage of its own or in a part of another's."""

    def __init__(
        self, array: np.ndarray, *, storage: np.ndarray | None = None, dtype: str | None = None
    ) -> None:
        self.array = array
        self.storage = array if storage is None else storage
        self.dtype = dtype


PythonPickler: Any = pickle._Pickler


class Pickler(PythonPickler):  # type: ignore[misc]
    """Writes Name, Call, Persistent and Saved as torch's pickler would."""

    def __init__(self, file: io.BytesIO, protocol: int = 2, *, legacy: bool = False) -> None:
        super().__init__(file, protocol)
        self.storages: list[np.ndarray] = []
        self.legacy = legacy

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Name):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Persistent):
            self.save(obj.identity)
            self.write(b"Q")
        elif isinstance(obj, Call):
            self.save(obj.function)
            self.save(obj.arguments)
            self.write(b"R")
            if obj.state is not None:
                self.save(obj.state)
                self.write(b"b")
        elif isinstance(obj, Saved):
            self.save(self.tensor(obj))
        elif isinstance(obj, OrderedDict):
            self.write(b"ccollections\nOrderedDict\n)R(")
            for key, value in obj.items():
                self.save(key)
                self.save(value)
            self.write(b"u")
        else:
            super().save(obj, save_persistent_id)

    def tensor(self, saved: Saved) -> Call:
        storage = saved.storage
        known = [place for place, other in enumerate(self.storages) if other is storage]
        if not known:
            self.storages.append(storage)
        key = str(known[0] if known else len(self.storages) - 1)
        kind = Name("torch", STORAGE_OF[storage.dtype.name])
        identity: tuple = ("storage", kind, key, "cpu", storage.size)
        offset = (saved.array.ctypes.data - storage.ctypes.data) // storage.itemsize
        stride = tuple(step // storage.itemsize for step in saved.array.strides)
        arguments: tuple = (
            Persistent((*identity, None) if self.legacy else identity),
            offset,
            saved.array.shape,
            stride,
            False,
            OrderedDict(),
        )
        return Call(Name("torch._utils", "_rebuild_tensor_v2"), arguments)


def torch_zip(value, *, compress: bool = False, root: str = "archive", byteorder: bytes = b"little") -> bytes:
    data = io.BytesIO()
    pickler = Pickler(data)
    pickler.dump(value)
    return zip_of(data.getvalue(), pickler.storages, compress=compress, root=root, byteorder=byteorder)


def zip_of(
    data: bytes,
    storages: list[np.ndarray],
    *,
    compress: bool = False,
    root: str = "archive",
    byteorder: bytes = b"little",
) -> bytes:
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(f"{root}/data.pkl", data)
        archive.writestr(f"{root}/byteorder", byteorder)
        for key, storage in enumerate(storages):
            archive.writestr(f"{root}/data/{key}", storage.tobytes())
        archive.writestr(f"{root}/version", b"3\n")
    return buffer.getvalue()


def torch_legacy(value) -> bytes:
    buffer = io.BytesIO()
    for head in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
        pickle.dump(head, buffer, 2)
    pickler = Pickler(buffer, legacy=True)
    pickler.dump(value)
    pickle.dump([str(key) for key in range(len(pickler.storages))], buffer, 2)
    for storage in pickler.storages:
        buffer.write(struct.pack("<q", storage.size) + storage.tobytes())
    return buffer.getvalue()
