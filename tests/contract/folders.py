"""Folders to publish, made quickly and the same each time, with the hash of each file."""

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

MIB = 2**20

CARD = """---
license: apache-2.0
language: en
tags:
- contract
pipeline_tag: text-classification
library_name: transformers
---
# A model of noise

It is as good as its seed.
"""


@dataclass(frozen=True)
class Folder:
    """A folder and the SHA-256 of each file in it, by path."""

    path: Path
    sha256s: dict[str, str]


def digests(path: Path) -> dict[str, str]:
    """The SHA-256 of each file below `path`; what clients keep for themselves there does not count."""
    return {
        str(file.relative_to(path)): _digest(file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and ".cache" not in file.relative_to(path).parts
    }


def noise(size_bytes: int, seed: int) -> Iterator[bytes]:
    """Bytes that neither compress nor repeat anywhere, so that nothing can be saved on sending them."""
    for start in range(0, size_bytes, MIB):
        yield Random(f"{seed} {start}").randbytes(min(MIB, size_bytes - start))


def write_noise(path: Path, size_bytes: int, seed: int) -> None:
    """A file of that many bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for block in noise(size_bytes, seed):
            file.write(block)


def overwrite(path: Path, start: int, size_bytes: int, seed: int) -> None:
    """Other bytes in one run of a file, which stays as long as it was."""
    with path.open("r+b") as file:
        file.seek(start)
        for block in noise(size_bytes, seed):
            file.write(block)


def write_safetensors(path: Path, values: int, seed: int) -> None:
    """A valid safetensors file with one tensor of that many 32-bit floats."""
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "weight": {"dtype": "F32", "shape": [values], "data_offsets": [0, values * 4]},
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for block in noise(values * 4, seed):
            file.write(block)


def model_of_200_mb(path: Path, seed: int) -> Folder:
    """Weights of 200 MB, a card, a configuration, odd names, an empty file and a middling LFS file."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "README.md").write_text(CARD, "utf-8")
    (path / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    write_safetensors(path / "model.safetensors", 50_000_000, seed)
    write_noise(path / "original" / "state.bin", 3 * MIB + 17, seed)
    (path / "empty.txt").touch()
    (path / "Übersicht & 100% [neu].txt").write_text("Umlaute, Leerzeichen, Klammern: ÄÖÜ\n", "utf-8")
    (path / "deep" / "er" / "still").mkdir(parents=True)
    (path / "deep" / "er" / "still" / "vocab.txt").write_text("\n".join(f"token{n}" for n in range(2000)))
    return Folder(path, digests(path))


def many_small_files(path: Path, count: int) -> Folder:
    """`count` small text files in folders of 20."""
    for number in range(count):
        file = path / f"part-{number // 20:03}" / f"file-{number:04}.{('txt', 'json')[number % 2]}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"number": number}), "utf-8")
    return Folder(path, digests(path))


def many_binary_files(path: Path, count: int, seed: int) -> Folder:
    """`count` files of noise of 1 to 60 kB in one folder: none fits into git, each goes by LFS or Xet."""
    for number in range(count):
        write_noise(path / f"shard-{number:04}.bin", 1000 + number % 60 * 1000, seed + number)
    return Folder(path, digests(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
