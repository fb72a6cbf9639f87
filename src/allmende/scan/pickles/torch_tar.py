"""The parts of torch's oldest format, a tar archive, that hold raw data between pickles.

torch/serialization.py, `legacy_load`: `storages` is a count, then for each storage a pickle (key, place,
type), the number of elements (8 bytes) and the elements, then a pickle of views. `tensors` is a count, then
for each tensor a pickle (key, storage, type), the number of dimensions (4 bytes, 4 more), sizes, strides and
an offset.
"""

from typing import Final

from allmende.scan.pickles.running import run_pickle
from allmende.scan.pickles.torch_legacy import ELEMENT_BYTES
from allmende.scan.pickles.values import Global, Node, Value
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READERS"]

_MAX_DIMENSIONS: Final = 64


def _claims_storages(probe: Probe) -> Claim:
    return Claim.CONTENT if probe.hint == "torch-tar-storages" else Claim.NONE


def _claims_tensors(probe: Probe) -> Claim:
    return Claim.CONTENT if probe.hint == "torch-tar-tensors" else Claim.NONE


class _LastType:
    """The name of the type that a storage's pickle has imported last."""

    def __init__(self) -> None:
        self.name: str | None = None

    def __call__(self, result: Value) -> None:
        items = result.items if isinstance(result, Node) and result.items is not None else ()
        kind = items[2] if len(items) > 2 else None
        self.name = kind.name if isinstance(kind, Global) else None


def _read_storages(source: Source, scan: Scan) -> None:
    """Count, storages, views. Raises Unreadable, LimitReached."""
    position = run_pickle(source, scan, 0, torch=True)
    while position < source.size_bytes:
        told = _LastType()
        position = run_pickle(source, scan, position, torch=True, result=told)
        each = None if told.name is None else ELEMENT_BYTES.get(told.name)
        if told.name is None or position == source.size_bytes:
            break
        if each is None:
            raise Unreadable(f"How large the elements of {told.name} are is unknown.", position)
        count = int.from_bytes(source.read_at(position, 8), "little")
        position += 8
        if position + count * each > source.size_bytes:
            raise Unreadable("A storage is longer than the file.", position)
        scan.inside(f"storage at {position}", source.window(position, count * each), raw=True)
        position += count * each
    _must_end(source, position)


def _read_tensors(source: Source, scan: Scan) -> None:
    """Count, tensors. Raises Unreadable, LimitReached."""
    position = run_pickle(source, scan, 0, torch=True)
    while position < source.size_bytes:
        position = run_pickle(source, scan, position, torch=True)
        dimensions = int.from_bytes(source.read_at(position, 4), "little")
        if dimensions > _MAX_DIMENSIONS:
            raise Unreadable(f"A tensor has {dimensions} dimensions.", position)
        position += 8 + 16 * dimensions + 8
    _must_end(source, position)


def _must_end(source: Source, position: int) -> None:
    if position != source.size_bytes:
        raise Unreadable("The last part does not end with the file.", position)


READERS = (
    Reader("torch (tar, storages)", "pickle", _claims_storages, _read_storages),
    Reader("torch (tar, tensors)", "pickle", _claims_tensors, _read_tensors),
)
