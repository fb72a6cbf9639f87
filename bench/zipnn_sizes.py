"""Sizes of safetensors files as zipnn stores them: run by the environment `delta-peers`, prints JSON.

Each tensor of floats is compressed for itself, as its own examples do; what it does not know stays plain.
Every tenth tensor is decompressed and compared.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_TYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


def main(paths: list[str]) -> None:
    """Print the stored size of each file in bytes, by its path."""
    print(json.dumps({path: _stored(Path(path)) for path in paths}))


def _stored(path: Path) -> int:
    with path.open("rb") as file:
        if path.suffix != ".safetensors":
            return path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
        total = path.stat().st_size
        header.pop("__metadata__", None)
        for number, tensor in enumerate(header.values()):
            start, end = tensor["data_offsets"]
            file.seek(8 + length + start)
            data = file.read(end - start)
            total += _compressed(data, tensor["dtype"], compare=number % 10 == 0) - len(data)
    return total


def _compressed(data: bytes, dtype: str, *, compare: bool) -> int:
    if dtype not in _TYPES or not data:
        return len(data)
    coder = import_module("zipnn").ZipNN(bytearray_dtype=_TYPES[dtype], input_format="byte", threads=1)
    stored = coder.compress(bytearray(data))
    if compare and bytes(coder.decompress(stored)) != data:
        raise SystemExit(f"zipnn does not give {dtype} back")
    return min(len(stored), len(data))


if __name__ == "__main__":
    main(sys.argv[1:])
