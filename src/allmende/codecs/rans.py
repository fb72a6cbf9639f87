"""The coder in use: the C extension where it was built, and numpy elsewhere. Both give the same bytes."""

from types import ModuleType
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from allmende.codecs import rans_numpy
from allmende.codecs.errors import MalformedEncoding

try:
    from allmende.codecs import _coder as _compiled
except ImportError:  # no compiler was there when the package was installed
    _compiled_module: ModuleType | None = None
else:
    _compiled_module = _compiled

__all__ = ["Coder", "coder", "coder_name", "decode_planes", "decode_residual", "joined"]

Bytes = bytes | bytearray | memoryview


class Coder(Protocol):
    """What both coders can do; rans_numpy says more of each function."""

    def analyse(
        self,
        plain: Bytes,
        predicted: Bytes,
        size_bytes: int,
        exponent_bits: int,
        mantissa_bits: int,
        tokens: NDArray[np.uint8],
        counts: NDArray[np.uint32],
        /,
    ) -> int:
        """Tokens of words, and how often each comes with each key; how many raw bits there are."""
        ...

    def plan(self, counts: NDArray[np.uint32], /) -> tuple[bytes, int]:
        """Tables for tokens that come so often, and the bits of both."""
        ...

    def encode_residual(
        self,
        head: bytes,
        tokens: NDArray[np.uint8],
        plain: Bytes,
        predicted: Bytes,
        size_bytes: int,
        exponent_bits: int,
        mantissa_bits: int,
        /,
    ) -> bytes:
        """A payload of words against predicted ones."""
        ...

    def decode_residual(
        self,
        payload: Bytes,
        predicted: Bytes,
        out: bytearray | memoryview,
        size_bytes: int,
        exponent_bits: int,
        mantissa_bits: int,
        /,
    ) -> None:
        """The words of a payload."""
        ...

    def encode_plane(self, head: bytes, plane: Bytes, /) -> bytes:
        """A payload of a byte plane."""
        ...

    def decode_planes(
        self, payload: Bytes, out: bytearray | memoryview, size_bytes: int, turn: int, /
    ) -> None:
        """Words of byte planes, each stored in one of three forms."""
        ...

    def brain_words(self, singles: NDArray[np.uint32], out: NDArray[np.uint16], /) -> None:
        """The words of BF16 nearest to words of F32."""
        ...

    def carry_out(self, calls: list[rans_numpy.Call], /) -> None:
        """What calls ask for, one after another."""
        ...

    def joined(self, parts: list[memoryview], /) -> bytes:
        """Runs of bytes as one."""
        ...

    def split(self, plain: Bytes, out: bytearray | memoryview, size_bytes: int, turn: int, /) -> None:
        """Byte planes of words."""
        ...

    def join(self, planes: Bytes, out: bytearray | memoryview, size_bytes: int, turn: int, /) -> None:
        """Words of byte planes."""
        ...

    def fold(
        self,
        plain: Bytes,
        predicted: Bytes,
        out: bytearray | memoryview,
        size_bytes: int,
        exponent_bits: int,
        mantissa_bits: int,
        /,
    ) -> None:
        """How far words are from predicted ones."""
        ...

    def unfold(
        self,
        folded: Bytes,
        predicted: Bytes,
        out: bytearray | memoryview,
        size_bytes: int,
        exponent_bits: int,
        mantissa_bits: int,
        /,
    ) -> None:
        """The words that are so far from predicted ones."""
        ...

    def is_same(self, one: Bytes, other: Bytes, /) -> bool:
        """Whether two runs of bytes are equal."""
        ...

    def histogram(self, data: Bytes, counts: NDArray[np.uint32], /) -> None:
        """How often each byte comes."""
        ...


coder = cast(Coder, _compiled_module or rans_numpy)
"""The one that this process uses."""


def coder_name() -> str:
    """`C` or `numpy`: which coder this process uses."""
    return "C" if _compiled_module else "numpy"


def decode_residual(
    payload: Bytes,
    predicted: Bytes,
    out: bytearray | memoryview,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
) -> None:
    """Fill `out` with the words of a payload. Raises MalformedEncoding, whichever coder is in use."""
    try:
        coder.decode_residual(payload, predicted, out, size_bytes, exponent_bits, mantissa_bits)
    except ValueError as wrong:
        raise MalformedEncoding("The residuals of a block are malformed.") from wrong


def joined(parts: list[memoryview]) -> bytes:
    """Runs of bytes as one; other threads run meanwhile."""
    return coder.joined(parts)


def decode_planes(payload: Bytes, out: bytearray | memoryview, size_bytes: int, turn: int) -> None:
    """Fill `out` with the words of stored planes. Raises MalformedEncoding, whichever coder is in use."""
    try:
        coder.decode_planes(payload, out, size_bytes, turn)
    except ValueError as wrong:
        raise MalformedEncoding("The planes of a block are malformed.") from wrong
