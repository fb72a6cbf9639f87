"""Models are looked into with few reads, and in little memory, however large they are."""

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize

from allmende.weights import RangedPlace, open_places
from tests.unit.formats.torch_files import Call, Name, Persistent, Pickler, Saved, torch_zip

TENSORS = 60
SHAPE = (256, 512)


class Counted:
    """Answers ranges of bytes, and counts them."""

    def __init__(self, name: str, data: bytes) -> None:
        self.data = data
        self.ranges: list[tuple[int, int]] = []
        self.place = RangedPlace(name, len(data), self.fetch)

    def fetch(self, start: int, end: int) -> bytes:
        self.ranges.append((start, end))
        return self.data[start:end]

    @property
    def fetched_bytes(self) -> int:
        return sum(end - start for start, end in self.ranges)


def safetensors() -> bytes:
    size = SHAPE[0] * SHAPE[1] * 4
    header = {
        f"layer.{number}.weight": {
            "dtype": "F32",
            "shape": list(SHAPE),
            "data_offsets": [number * size, (number + 1) * size],
        }
        for number in range(TENSORS)
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(size * TENSORS)


def gguf(folder: Path) -> bytes:
    path = folder / "m.gguf"
    writer = GGUFWriter(path, "llama")
    raw = quantize(np.zeros(SHAPE, np.float32), GGMLQuantizationType.Q8_0)
    for number in range(TENSORS):
        writer.add_tensor(f"blk.{number}.weight", raw, raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["safetensors", "gguf", "pt"])
def test_headers_and_samples_take_few_ranges(tmp_path, kind):
    if kind == "pt":
        data = torch_zip({f"w{number}": Saved(np.zeros(SHAPE, np.float32)) for number in range(TENSORS)})
    else:
        data = safetensors() if kind == "safetensors" else gguf(tmp_path)
    counted = Counted(f"m.{kind}", data)
    found = open_places("m", [counted.place])
    assert len(found.tensors) == TENSORS
    # A zip file says where its entries begin before each of them.
    assert len(counted.ranges) <= (2 * TENSORS + 4 if kind == "pt" else 4)
    before = len(counted.ranges)
    places = np.arange(64) + 1000
    for tensor in found.tensors.values():
        tensor.at(places)
    assert len(counted.ranges) - before <= 2 * TENSORS
    assert counted.fetched_bytes <= 4 * 65536 * TENSORS
    again = len(counted.ranges)
    for tensor in found.tensors.values():
        tensor.at(places)
    assert len(counted.ranges) == again


PROGRAM = """
import itertools, resource, sys
from pathlib import Path
import numpy as np
from allmende.weights import open_model
import gguf
limit = int(sys.argv[2]) * 1024 * 1024
# What is mapped from a file does not count as data.
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
tensor = open_model(Path(sys.argv[1])).tensors["w"]
total = 0
for _, values in itertools.islice(tensor.pieces(), int(sys.argv[3])):
    total += values.size
tensor.at(np.arange(0, tensor.elements, tensor.elements // 64))
print(total)
"""
ROWS = COLUMNS = 32768
SIZE = ROWS * COLUMNS * 4


def local(name: str, size: int, crc: int) -> bytes:
    raw = name.encode()
    wide = struct.pack("<HHQQ", 1, 16, size, size) if size >= 2**32 else b""
    short = min(size, 2**32 - 1)
    fields = (b"PK\x03\x04", 45, 0, 0, 0, 0, crc, short, short, len(raw), len(wide))
    return struct.pack("<4s5H3L2H", *fields) + raw + wide


def central(name: str, size: int, crc: int, start: int) -> bytes:
    raw = name.encode()
    wide = struct.pack("<HHQQ", 1, 16, size, size) if size >= 2**32 else b""
    short = min(size, 2**32 - 1)
    fields = (b"PK\x01\x02", 45, 45, 0, 0, 0, 0, crc, short, short, len(raw), len(wide), 0, 0, 0, 0, start)
    return struct.pack("<4s6H3L5H2L", *fields) + raw + wide


def sparse_torch_zip() -> tuple[bytes, bytes]:
    """What is before and behind four gigabytes of a transposed matrix."""
    storage = Persistent(("storage", Name("torch", "FloatStorage"), "0", "cpu", ROWS * COLUMNS))
    shape_and_stride = ((COLUMNS, ROWS), (1, COLUMNS))
    buffer = io.BytesIO()
    Pickler(buffer).dump(
        {
            "w": Call(
                Name("torch._utils", "_rebuild_tensor_v2"),
                (storage, 0, *shape_and_stride, False, OrderedDict()),
            )
        }
    )
    pickle = buffer.getvalue()
    crc = zlib.crc32(pickle)
    first = local("archive/data.pkl", len(pickle), crc) + pickle
    head = first + local("archive/data/0", SIZE, 0)
    start = len(head) + SIZE
    listed = central("archive/data.pkl", len(pickle), crc, 0) + central("archive/data/0", SIZE, 0, len(first))
    end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, len(listed), start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(listed), 1)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, len(listed), 2**32 - 1, 0)
    return head, listed + end + locator + last


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "pieces"), [("safetensors", 5000), ("pt", 4)])
def test_four_gigabytes_are_read_in_bounded_memory(tmp_path, kind, pieces):
    """A sparse file: all of a plain matrix as safetensors, some of a transposed one as torch saves it."""
    path = tmp_path / f"model.{kind}"
    head, tail = sparse_torch_zip()
    if kind == "safetensors":
        text = json.dumps(
            {"w": {"dtype": "F32", "shape": [ROWS, COLUMNS], "data_offsets": [0, SIZE]}}
        ).encode()
        head, tail = len(text).to_bytes(8, "little") + text, b""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + SIZE)
        file.seek(0, 2)
        file.write(tail)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), "256", str(pieces)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert int(run.stdout) == min(ROWS * COLUMNS, pieces << 20)
