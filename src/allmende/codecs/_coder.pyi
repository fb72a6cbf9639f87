# The coder of blocks, in C; rans_numpy says what each function promises.

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.rans_numpy import Call

Bytes: TypeAlias = bytes | bytearray | memoryview

def analyse(
    plain: Bytes,
    predicted: Bytes,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
    tokens: NDArray[np.uint8],
    counts: NDArray[np.uint32],
    /,
) -> int: ...
def plan(counts: NDArray[np.uint32], /) -> tuple[bytes, int]: ...
def encode_residual(
    head: bytes,
    tokens: NDArray[np.uint8],
    plain: Bytes,
    predicted: Bytes,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
    /,
) -> bytes: ...
def decode_residual(
    payload: Bytes,
    predicted: Bytes,
    out: bytearray | memoryview,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
    /,
) -> None: ...
def encode_plane(head: bytes, plane: Bytes, /) -> bytes: ...
def decode_planes(payload: Bytes, out: bytearray | memoryview, size_bytes: int, turn: int, /) -> None: ...
def brain_words(singles: NDArray[np.uint32], out: NDArray[np.uint16], /) -> None: ...
def carry_out(calls: list[Call], /) -> None: ...
def joined(parts: list[memoryview], /) -> bytes: ...
def split(plain: Bytes, out: bytearray | memoryview, size_bytes: int, turn: int, /) -> None: ...
def join(planes: Bytes, out: bytearray | memoryview, size_bytes: int, turn: int, /) -> None: ...
def fold(
    plain: Bytes,
    predicted: Bytes,
    out: bytearray | memoryview,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
    /,
) -> None: ...
def unfold(
    folded: Bytes,
    predicted: Bytes,
    out: bytearray | memoryview,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
    /,
) -> None: ...
def is_same(one: Bytes, other: Bytes, /) -> bool: ...
def histogram(data: Bytes, counts: NDArray[np.uint32], /) -> None: ...
def use_vectors(wanted: bool, /) -> bool: ...
