"""Shards of distributed checkpoints: archives one behind the other, as torch writes them, and what hides there."""

import io
import pickle
import struct
import zipfile
from collections.abc import Iterator

import zstandard

from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.pickles import global_call

__all__ = ["cases"]

PLAIN = pickle.dumps({"step": 3}, 2)
HOSTILE = global_call("os", "system")
METADATA = "torch.distributed.checkpoint.metadata"


def archive(data: bytes) -> bytes:
    """What `torch.save` makes of one object."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in (("data.pkl", data), ("byteorder", b"little"), ("version", b"3\n")):
            made.writestr(zipfile.ZipInfo(f"archive/{name}"), content)
    return file.getvalue()


def _two_ends() -> bytes:
    """Two archives: the locator of the second points to the end record of the first."""
    parts = []
    for data in (PLAIN, HOSTILE):
        made = archive(data)
        end = made.rindex(b"PK\5\6")
        count, size_bytes, offset = struct.unpack_from("<H2L", made, end + 10)
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size_bytes, offset)
        parts.append((made[:end] + record, made[end:]))
    (first, _), (second, tail) = parts
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(first) - 56, 1)
    return first + second + locator + tail


def _enum_member(module: str, name: str) -> bytes:
    """A pickle that asks an enumeration for its first member."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"K\x00\x85R."


def _instance(module: str, name: str) -> bytes:
    """A pickle that makes an object of a class, with a state of one text."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b")\x81}X\x04\x00\x00\x00pathX\x01\x00\x00\x00asb."


def _files() -> Iterator[tuple[str, str, Label, bytes]]:
    good, bad = archive(PLAIN), archive(HOSTILE)
    name = "__0_0.distcp"
    yield "one", name, "benign", good
    yield "three", name, "benign", good * 3
    yield "renamed", "model.pt", "malicious", good * 3
    yield "first-acts", name, "malicious", bad + good
    yield "middle-acts", name, "malicious", good + bad + good
    yield "last-acts", name, "malicious", good + bad
    yield "gap", name, "malicious", good + b"between" + good
    yield "pickle-between", name, "malicious", good + HOSTILE + good
    yield "pickle-before", name, "malicious", HOSTILE + good
    yield "pickle-behind", name, "malicious", good + good + HOSTILE
    yield "end-record-twice", "model.pt", "malicious", _two_ends()
    packed = zstandard.ZstdCompressor().compress
    yield "zstd", "model.pkl.zst", "malicious", packed(HOSTILE)
    yield "zstd-frames", "model.pkl.zst", "malicious", packed(PLAIN) + packed(HOSTILE)
    yield "zstd-plain", "model.pkl.zst", "benign", packed(PLAIN)
    yield "zstd-bomb", "model.pkl.zst", "malicious", packed(bytes(300 * 1024 * 1024))
    yield "zstd-cut", "model.pkl.zst", "malicious", packed(PLAIN) + b"behind"
    for kind in ("Metadata", "TensorStorageMetadata", "MetadataIndex", "StorageMeta"):
        yield f"metadata-{kind}", ".metadata", "benign", _instance(METADATA, kind)
    yield "metadata-order", ".metadata", "benign", _enum_member(METADATA, "_MEM_FORMAT_ENCODING")
    yield "metadata-other", ".metadata", "policy", _instance(METADATA, "SomethingElse")
    yield (
        "metadata-near",
        ".metadata",
        "malicious",
        _instance("torch.distributed.checkpoint.state_dict", "_load"),
    )
    yield "metadata-module", ".metadata", "malicious", global_call(METADATA, "os.system")
    yield (
        "metadata-reader",
        ".metadata",
        "policy",
        _instance("torch.distributed.checkpoint.filesystem", "FileSystemReader"),
    )


def cases() -> Iterator[Case]:
    """All of them."""
    for name, file_name, label, data in _files():
        yield Case("torch-parts", name, file_name, label, fixed(data))
