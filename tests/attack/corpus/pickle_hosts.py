"""Pickles where other formats keep them: JSON, Arrow, Parquet, HDF5, and the comments of archives."""

import base64
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO

import h5py
import numpy as np

from tests.attack.corpus.case import Case, Label
from tests.attack.corpus.payloads import BENIGN_PICKLE, EVIL

__all__ = ["cases"]

_Files = Iterator[tuple[str, str, Label, Callable[[], bytes]]]
EVIL_TEXT = b"cos\ngetpid\n(tR."
MARKER = b"arrow.py_extension_type"


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


def _schema(pickled: bytes) -> bytes:
    parts = (b"ARROW:extension:name", MARKER, b"ARROW:extension:metadata", pickled)
    return bytes(40) + b"\0".join(map(_sized, parts)) + bytes(40)


def _arrow(schema: bytes) -> bytes:
    return b"ARROW1\0\0" + schema + bytes(200) + b"ARROW1"


def _parquet(schema: bytes) -> bytes:
    footer = bytes(30) + b"ARROW:schema" + b"\x18" + base64.b64encode(schema) + bytes(30)
    return b"PAR1" + bytes(100) + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _data_of_baselines(pickled: bytes) -> bytes:
    inner = {":type:": "<class 'abc.ABCMeta'>", ":serialized:": base64.b64encode(pickled).decode()}
    return json.dumps({"policy_class": inner, "verbose": 0}).encode()


def _zip(members: dict[str, bytes], comment: bytes = b"") -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member), data)
        archive.comment = comment
    return out.getvalue()


def _hdf5(fill: Callable[[h5py.File], None]) -> bytes:
    out = BytesIO()
    with h5py.File(out, "w", track_order=False) as file:
        fill(file)
    return out.getvalue()


def _attribute(value: bytes, file: h5py.File) -> None:
    file.attrs["info"] = np.bytes_(value)


def _opaque(value: bytes, file: h5py.File) -> None:
    file.attrs["info"] = np.void(value)


def _array_of_objects(value: bytes, file: h5py.File) -> None:
    data = file.create_dataset("df/block0_values", (1,), dtype=h5py.vlen_dtype(np.uint8))
    data[0] = np.frombuffer(value, np.uint8)
    data.attrs["PSEUDOATOM"] = np.bytes_(b"object")


def _files() -> _Files:
    verdicts: tuple[tuple[str, bytes, Label], ...] = (
        ("evil", EVIL, "malicious"),
        ("good", BENIGN_PICKLE, "benign"),
    )
    for word, pickled, label in verdicts:
        yield (
            f"baselines-{word}",
            "m.zip",
            label,
            partial(_zip, {"data": _data_of_baselines(pickled), "version": b"2.0.0"}),
        )
        yield f"baselines-data-{word}", "data.json", label, partial(_data_of_baselines, pickled)
        yield f"hdf5-objects-{word}", "m.h5", label, partial(_hdf5, partial(_array_of_objects, pickled))
        yield f"hdf5-attribute-{word}", "m.h5", label, partial(_hdf5, partial(_attribute, pickled))
        yield f"hdf5-opaque-{word}", "m.h5", label, partial(_hdf5, partial(_opaque, pickled))
        yield f"zip-comment-{word}", "m.zip", label, partial(_zip, {"a.txt": b"a"}, pickled)
        kind: Label = "malicious" if word == "evil" else "policy"
        yield f"arrow-{word}", "m.arrow", kind, partial(_arrow, _schema(pickled))
        yield (
            f"arrow-far-{word}",
            "m.arrow",
            kind,
            partial(_arrow, bytes(1024 * 1024 - 60) + _schema(pickled)),
        )
        yield f"parquet-{word}", "m.parquet", kind, partial(_parquet, _schema(pickled))
    yield "hdf5-attribute-text", "m.h5", "malicious", partial(_hdf5, partial(_attribute, EVIL_TEXT))
    yield (
        "hdf5-attribute-sentence",
        "m.h5",
        "benign",
        partial(_hdf5, partial(_attribute, b"Version 1.0 of the data.")),
    )
    for key in ("filters", "compressor"):
        array = {"zarr_format": 2, key: [{"id": "pickle", "protocol": 5}]}
        yield f"zarr-{key}", "a.json", "policy", partial(json.dumps(array).encode)
    plain = {"zarr_format": 2, "filters": [{"id": "delta"}], "compressor": {"id": "blosc"}}
    yield "zarr-plain", "a.json", "benign", partial(json.dumps(plain).encode)
    yield "parquet-plain", "m.parquet", "benign", partial(_parquet, bytes(200))
    yield "arrow-plain", "m.arrow", "benign", partial(_arrow, bytes(200))
    words = json.dumps({":serialized:": base64.b64encode(pickle.dumps(["os.system"])).decode()})
    yield "baselines-words", "data.json", "benign", partial(words.encode)


def cases() -> Iterator[Case]:
    """All of them."""
    for name, file_name, label, make in _files():
        yield Case("pickle-hosts", name, file_name, label, make)
