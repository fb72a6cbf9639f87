"""Files in Zstandard streams (RFC 8878), unpacked piece by piece within the budget, all frames of them."""

from collections.abc import Iterator
from typing import Final

import zstandard

from allmende.scan.budget import LimitReached
from allmende.scan.provable import proven_by
from allmende.scan.scanning import LIMIT_REACHED, UNREADABLE, Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source, gathered

__all__ = ["READER"]

_SIGNATURE: Final = b"\x28\xb5\x2f\xfd"
_PIECE_BYTES: Final = 256 * 1024
_WINDOW_BYTES: Final = 128 * 1024 * 1024
_KEPT_HINTS: Final = frozenset({"pickle", "joblib", "torch", "numpy"})


def _claims(probe: Probe) -> Claim:
    return Claim.CONTENT if probe.head.startswith(_SIGNATURE) else Claim.NONE


def _pieces(source: Source, scan: Scan, failures: list[Unreadable | LimitReached]) -> Iterator[bytes]:
    """What comes out of all frames, until one fails or the budget is spent."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
    with decompressor.stream_reader(source.stream(), read_across_frames=True, closefd=False) as reader:
        while True:
            try:
                piece = reader.read(_PIECE_BYTES)
                scan.budget.add_expanded(len(piece))
            except zstandard.ZstdError as error:
                failures.append(Unreadable(f"The compressed data are broken: {error}."))
                return
            except LimitReached as limit:
                failures.append(limit)
                return
            if not piece:
                return
            yield piece


def _read(source: Source, scan: Scan) -> None:
    """What comes out is looked into, also where the rest is broken."""
    failures: list[Unreadable | LimitReached] = []
    unpacked = gathered(_pieces(source, scan, failures))
    scan.inside("unpacked", unpacked, hint=scan.hint if scan.hint in _KEPT_HINTS else "")
    for failure in failures:
        if isinstance(failure, LimitReached):
            scan.found(proven_by(failure) or LIMIT_REACHED, failure.limit, detail=failure.message)
        else:
            scan.found(UNREADABLE, "zstd", detail=failure.message)


READER = Reader("zstd", "zstd", _claims, _read)
