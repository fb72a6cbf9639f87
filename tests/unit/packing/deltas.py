"""Files to build deltas of, and deltas of them."""

import hashlib
import io
import json
import struct
from collections.abc import Sequence

import numpy as np

from allmende.codecs import BytesPlain
from allmende.ids import Sha256
from allmende.packing import DeltaBuilder, read_delta, rebuild
from allmende.weights.places import BytesPlace

A = Sha256("a" * 64)


def bf16(values: np.ndarray) -> np.ndarray:
    bits = values.astype("<f4").view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def safetensors(arrays: dict[str, np.ndarray], dtype: str = "BF16") -> bytes:
    header: dict[str, object] = {}
    body = bytearray()
    for name, value in arrays.items():
        data = (bf16(value) if dtype == "BF16" else value).tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(value.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + bytes(body)


def name_of(data: bytes) -> Sha256:
    return Sha256(hashlib.sha256(data).hexdigest())


def delta_of(data: bytes, bases: Sequence[bytes]) -> bytes:
    builder = DeltaBuilder()
    for base in bases:
        builder.add_base(BytesPlace("content", base), name_of(base))
    out = io.BytesIO()
    builder.build(BytesPlace("content", data), out)
    return out.getvalue()


def rebuilt(sent: bytes, data: bytes, bases: Sequence[bytes]) -> bytes:
    plain = BytesPlain(sent)
    delta = read_delta(plain, len(data))
    by_name = {name_of(base): base for base in bases}
    places = [
        BytesPlace("base", by_name.get(one.sha256, bases[number])) for number, one in enumerate(delta.bases)
    ]
    out = bytearray()
    rebuild(plain, delta, places, len(data), io.BytesIO(), out.extend)
    return bytes(out)
