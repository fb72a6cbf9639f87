"""How two weight files differ, tensor by tensor: by their headers, and by bytes within a bound."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal, get_args

from allmende.formats import GgufHeader, SafetensorsHeader, read_header
from allmende.web.weight_headers import MAX_SAFETENSORS_HEADER_BYTES, read_gguf_header

__all__ = ["Allowance", "TensorChange", "WeightsDiff", "compare_weight_files"]

_PIECE_BYTES = 1 << 20
_MAX_LISTED = 500

Status = Literal["added", "removed", "other_shape", "other_type", "other_bytes", "not_compared"]


@dataclass(slots=True)
class Allowance:
    """How many bytes of tensors may still be read for a page, on both sides together."""

    left_bytes: int


@dataclass(frozen=True, slots=True)
class TensorChange:
    """One tensor that is not known to be the same; a side is empty where it is not there."""

    name: str
    status: Status
    type_before: str
    type_after: str
    shape_before: str
    shape_after: str


@dataclass(frozen=True, slots=True)
class WeightsDiff:
    """What differs: the changes by name as far as they are listed, and how many there are of each status.

    `counts` has `same` too: tensors of the same type, shape and bytes. Of `metadata` the names of entries
    that are other ones.
    """

    changes: tuple[TensorChange, ...]
    counts: Mapping[str, int]
    left_out: int
    metadata: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Tensor:
    kind: str
    shape: tuple[int, ...]
    start: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _File:
    reader: BinaryIO
    tensors: Mapping[str, _Tensor]
    metadata: Mapping[str, object]


def compare_weight_files(
    before: tuple[BinaryIO, int], after: tuple[BinaryIO, int], path: str, allowance: Allowance
) -> WeightsDiff:
    """Compare two files of the kind that `path` says, each with its size in bytes.

    Bytes are compared until the allowance is used up; what comes then is `not_compared`. Raises Malformed,
    also for headers beyond a page.
    """
    old, new = _opened(*before, path), _opened(*after, path)
    counts = dict.fromkeys(("same", *get_args(Status)), 0)
    changes: list[TensorChange] = []
    for name in sorted(old.tensors.keys() | new.tensors.keys()):
        status = _status(old, new, name, allowance)
        counts[status or "same"] += 1
        if status is not None and len(changes) < _MAX_LISTED:
            changes.append(_change(name, status, old.tensors.get(name), new.tensors.get(name)))
    different = sum(counts.values()) - counts["same"]
    return WeightsDiff(tuple(changes), counts, different - len(changes), tuple(_entries(old, new)))


def _entries(old: _File, new: _File) -> Iterator[str]:
    for name in sorted(old.metadata.keys() | new.metadata.keys())[:_MAX_LISTED]:
        if old.metadata.get(name) != new.metadata.get(name):
            yield name


def _status(old: _File, new: _File, name: str, allowance: Allowance) -> Status | None:
    a, b = old.tensors.get(name), new.tensors.get(name)
    if a is None or b is None:
        return "added" if a is None else "removed"
    if a.shape != b.shape:
        return "other_shape"
    if a.kind != b.kind or a.size_bytes != b.size_bytes:
        return "other_type"
    return _by_bytes(old.reader, new.reader, a, b, allowance)


def _by_bytes(
    old: BinaryIO, new: BinaryIO, a: _Tensor, b: _Tensor, allowance: Allowance
) -> Literal["other_bytes", "not_compared"] | None:
    done = 0
    while done < a.size_bytes:
        count = min(_PIECE_BYTES, a.size_bytes - done)
        if allowance.left_bytes < 2 * count:
            return "not_compared"
        allowance.left_bytes -= 2 * count
        old.seek(a.start + done)
        new.seek(b.start + done)
        if old.read(count) != new.read(count):
            return "other_bytes"
        done += count
    return None


def _change(name: str, status: Status, a: _Tensor | None, b: _Tensor | None) -> TensorChange:
    return TensorChange(
        name,
        status,
        "" if a is None else a.kind,
        "" if b is None else b.kind,
        "" if a is None else _shape(a.shape),
        "" if b is None else _shape(b.shape),
    )


def _opened(reader: BinaryIO, size_bytes: int, path: str) -> _File:
    if path.lower().endswith(".gguf"):
        gguf = read_gguf_header(reader, size_bytes)
        return _File(reader, dict(_of_gguf(gguf)), gguf.metadata)
    header = read_header(reader, size_bytes, MAX_SAFETENSORS_HEADER_BYTES)
    return _File(reader, dict(_of_safetensors(header)), header.metadata)


def _of_safetensors(header: SafetensorsHeader) -> Iterable[tuple[str, _Tensor]]:
    for tensor in header.tensors:
        place = header.data_start + tensor.start
        yield tensor.name, _Tensor(tensor.dtype, tensor.shape, place, tensor.end - tensor.start)


def _of_gguf(header: GgufHeader) -> Iterable[tuple[str, _Tensor]]:
    for tensor in header.tensors:
        place = header.data_start + tensor.offset
        yield tensor.name, _Tensor(tensor.type, tensor.dims, place, tensor.size_bytes)


def _shape(sizes: tuple[int, ...]) -> str:
    return "[" + ", ".join(str(size) for size in sizes) + "]"
