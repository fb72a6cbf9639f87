"""Files are told by their content; a name decides only where the content leaves a choice."""

import gzip
import io
import json
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from allmende.formats import Format, Pointer, identify, identify_file, write_pointer
from allmende.formats.identify import HEAD_BYTES
from allmende.formats.kinds import MEDIA_TYPES
from allmende.ids import Sha256
from tests.unit.formats.gguf_files import small_llama


def _identify(data: bytes, name: str = "file") -> Format:
    found = identify(data[:HEAD_BYTES], len(data), name)
    assert found.media_type == MEDIA_TYPES[found.name]
    return found


def _zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    return buffer.getvalue()


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


class _Calls:
    def __reduce__(self) -> tuple:
        return print, ("never",)


_PE = b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0" + bytes(20)
_ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.1.0\x3a\x80\x08" + b"\x0a" * 1024
_SAVED_MODEL = b"\x08\x01\x12\xf4\x10\x0a\x20" + bytes(2162)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "empty"),
        (save({"a": np.zeros(3)}), "safetensors"),
        (save({"a": np.zeros(3)}, {"format": "pt"}), "safetensors"),
        (small_llama().to_bytes(), "gguf"),
        (small_llama(">").to_bytes(), "gguf"),
        (_npy(), "npy"),
        (_zip("archive/data.pkl", "archive/version"), "torch_zip"),
        (_zip("m/data.pkl"), "torch_zip"),
        (_zip("a.npy", "b.npy"), "npz"),
        (_zip("a.txt"), "zip"),
        (b"PK\x05\x06" + bytes(18), "zip"),
        (_tar(), "tar"),
        (gzip.compress(b"x", mtime=0), "gzip"),
        (b"BZh91AY&SY" + bytes(10), "bzip2"),
        (b"\xfd7zXZ\x00" + bytes(10), "xz"),
        (b"\x28\xb5\x2f\xfd" + bytes(10), "zstd"),
        (b"PAR1\x15\x04" + bytes(20) + b"PAR1", "parquet"),
        (b"ARROW1\0\0" + bytes(20), "arrow"),
        (b"\xff\xff\xff\xff\x10\0\0\0" + bytes(20), "arrow_stream"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "hdf5"),
        (_ONNX, "onnx"),
        (_SAVED_MODEL, "tensorflow"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "jpeg"),
        (b"GIF89a" + bytes(20), "gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"\0\0\0\x20ftypavif", "avif"),
        (b"\0\0\0\x20ftypisom", "mp4"),
        (b"%PDF-1.7\n", "pdf"),
        (b"\x7fELF\x02\x01", "elf"),
        (_PE, "pe"),
        (b"\xcf\xfa\xed\xfe" + bytes(20), "macho"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02" + bytes(20), "macho"),
        (b"\xca\xfe\xba\xbe\0\0\0\x41" + bytes(20), "java_class"),
        (b"\0\0\0\0TFL3", "tflite"),
        (b'{"a": 1}', "json"),
        (b'{"a": 1}\n{"a": 2}\n', "jsonl"),
        (b"[1, 2]", "json"),
        (b'{"a": "' + b"x" * 10_000 + b'"}', "json"),
        (b"{ not json", "text"),
        (b"---\na: b\n", "yaml"),
        (b"#!/usr/bin/env python3\n", "python"),
        (b"#!/bin/sh\n", "shell"),
        (b"<!DOCTYPE html><p>", "html"),
        (b"<?xml version='1.0'?><svg/>", "svg"),
        (b"<svg onload='x'/>", "svg"),
        (b"plain words\n", "text"),
        ("Grüße, 世界\n".encode(), "text"),
        (bytes(100), "unknown"),
        (b"\x01\x02\x03\xff\xfe", "unknown"),
        (write_pointer(Pointer(Sha256("0" * 64), 5)), "git_lfs_pointer"),
    ],
)
def test_content_is_told(data: bytes, name: str) -> None:
    assert _identify(data).name == name


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [_Calls(), {"a": [1, 2.5, None]}, [("x", b"y")] * 2000, {"w": np.arange(3)}],
    ids=["calls", "dict", "list", "array"],
)
def test_pickles_of_all_protocols_are_told(value: object, protocol: int) -> None:
    found = _identify(pickle.dumps(value, protocol))
    assert found.name == "pickle"
    assert int(found.detail.removeprefix("protocol ")) in (protocol, max(protocol - 1, 0))


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(cos\nsystem\nS'true'\no.",
        b"(S'true'\nios\nsystem\n.",
        b"cos\nsystem\n.",
    ],
)
def test_handwritten_pickles_are_told(data: bytes) -> None:
    found = _identify(data, "README.txt")
    assert (found.name, found.name_disagrees) == ("pickle", True)


@pytest.mark.parametrize(
    "text",
    [
        "stateless people",
        "Very\n.gitignore",
        "(see below)",
        "based",
        "N.",
        "cat\ndog\nhorse\n",
        "]q",
        "0.5\n1.5\n",
    ],
)
def test_texts_are_no_pickles(text: str) -> None:
    assert _identify(text.encode()).name == "text"


@pytest.mark.parametrize(
    "text",
    [
        "GGUF is a format",
        "PAR1 words here",
        "ID3 tags",
        "BZh9 is not",
        "BM is a label",
        "MZ",
        "OggS",
        "TIFF II",
        "Rar! it is",
    ],
)
def test_texts_that_begin_like_a_signature_are_texts(text: str) -> None:
    assert _identify(text.encode()).name == "text"


@pytest.mark.parametrize(
    ("data", "name", "kind", "disagrees"),
    [
        (b"# Title\n", "README.md", "markdown", False),
        (b"import os\n", "a/b.py", "python", False),
        (b"a: b\n", "x.YML", "yaml", False),
        (b"a,b\n", "x.csv", "csv", False),
        (b'{"a":1}\n', "x.jsonl", "jsonl", False),
        (b"true", "x.json", "json", False),
        (b"not json", "config.json", "text", True),
        (b"words", "model.safetensors", "text", True),
        (pickle.dumps({}), "model.safetensors", "pickle", True),
        (pickle.dumps({}), "pytorch_model.bin", "pickle", False),
        (save({"a": np.zeros(1)}), "pytorch_model.bin", "safetensors", True),
        (save({"a": np.zeros(1)}), "weights.bin", "safetensors", False),
        (save({"a": np.zeros(1)}), "x.gguf", "safetensors", True),
        (_zip("a.txt"), "model.pt", "zip", False),
        (_PE, "photo.png", "pe", True),
        (pickle.dumps({}), "notes.txt", "pickle", True),
        (b"", "model.safetensors", "empty", False),
        (write_pointer(Pointer(Sha256("0" * 64), 5)), "model.safetensors", "git_lfs_pointer", False),
        (b"words", "LICENSE", "text", False),
    ],
)
def test_a_name_that_promises_something_else_is_noticed(
    data: bytes, name: str, kind: str, disagrees: bool
) -> None:
    found = _identify(data, name)
    assert (found.name, found.name_disagrees) == (kind, disagrees)


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (_zip(".format_version", "m/data.pkl", "m/version"), "m.pt", ("torch_zip", "", False)),
        (_zip("z.txt", "m/data.pkl"), "m.pt", ("torch_zip", "", False)),
        (_zip("m/data.pkl", "m/code/a.py", "m/constants.pkl"), "m.pt", ("torch_zip", "torchscript", False)),
        (_zip("a.npy"), "a.npz", ("npz", "1 arrays", False)),
        (_zip("metadata.json", "config.json", "model.weights.h5"), "a.keras", ("keras", "zip", False)),
        (_zip("a.npy", "b.exe"), "a.npz", ("zip", "2 entries", True)),
        (_zip("a.txt"), "m.pt", ("zip", "1 entries", True)),
        (save({"a": np.zeros(1)}), "m.safetensors", ("safetensors", "", False)),
    ],
)
def test_a_zip_is_told_by_its_directory(data: bytes, name: str, expected: tuple[str, str, bool]) -> None:
    found = identify_file(io.BytesIO(data), len(data), name)
    assert (found.name, found.detail, found.name_disagrees) == expected


def test_a_zip_cut_anywhere_still_gets_an_answer() -> None:
    data = _zip("m/data.pkl", "m/version")
    for cut in range(4, len(data)):
        found = identify_file(io.BytesIO(data[:cut]), cut, "m.pt")
        assert found.name in ("torch_zip", "zip", "unknown"), cut


@given(st.binary(max_size=300), st.text(max_size=10))
def test_any_bytes_get_an_answer(data: bytes, name: str) -> None:
    for prefix in (b"", b"\x80\x04", b"PK\x03\x04", b"PK\x05\x06", b"\x08\x08", b"{", b"c"):
        whole = prefix + data
        assert _identify(whole, name).name in MEDIA_TYPES
        assert identify_file(io.BytesIO(whole), len(whole), name).name in MEDIA_TYPES


def test_a_safetensors_header_beyond_the_head_is_still_told() -> None:
    header = json.dumps({"__metadata__": {"a": "x" * 10_000}}).encode()
    assert _identify(len(header).to_bytes(8, "little") + header).name == "safetensors"
