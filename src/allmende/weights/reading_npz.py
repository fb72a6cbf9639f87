"""The tensors of NumPy's archives and arrays. Those of Python objects are left out and never unpickled."""

import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from allmende.formats import (
    MAX_NPY_HEADER_BYTES,
    MalformedNpy,
    MalformedZip,
    ZipEntry,
    read_npy,
    read_zip_directory,
    stored_start,
)
from allmende.weights.number_types import number_type
from allmende.weights.places import BytesPlace, Place
from allmende.weights.row_major import words_in_order
from allmende.weights.streams import stream_of
from allmende.weights.tensors import Span, WeightTensor

__all__ = ["read_npz_tensors"]

_DEFLATED = 8
_MAX_UNPACKED_BYTES = 256 * 1024 * 1024
"""Compressed arrays can only be read by unpacking them, and then stay in memory."""

_PIECE_BYTES = 1024 * 1024


def read_npz_tensors(place: Place) -> tuple[list[WeightTensor], Mapping[str, str]]:
    """The arrays of numbers in an archive, or the one of a single file, named without `.npy`. No metadata.

    Raises MalformedZip or MalformedNpy, also where all that is there are Python objects.
    """
    if bytes(place.read_at(0, min(4, place.size_bytes))) != b"PK\x03\x04":
        spans = [(PurePosixPath(place.name).name, Span(place, 0, place.size_bytes))]
    else:
        spans = _members(place)
    tensors: list[WeightTensor] = []
    objects: list[str] = []
    for name, span in spans:
        tensor = _array(name.removesuffix(".npy"), span, objects)
        if tensor is not None:
            tensors.append(tensor)
    if objects and not tensors:
        raise MalformedNpy(f"{objects[0][:200]} holds Python objects, which are not unpickled.")
    return tensors, {}


def _array(name: str, span: Span, objects: list[str]) -> WeightTensor | None:
    array = read_npy(bytes(span.read(0, min(span.size_bytes, MAX_NPY_HEADER_BYTES))), span.size_bytes)
    if array.holds_objects:
        objects.append(name)
    if array.dtype is None or number_type(array.dtype) is None:
        return None
    data = Span(span.place, span.start + array.data_start, span.size_bytes - array.data_start)
    return WeightTensor(
        name, array.dtype, array.shape, words_in_order(data, array.dtype, array.shape, array.stride)
    )


def _members(place: Place) -> list[tuple[str, Span]]:
    stream = stream_of(place)
    entries = [entry for entry in read_zip_directory(stream, place.size_bytes) if entry.name.endswith(".npy")]
    if len({entry.name for entry in entries}) != len(entries):
        raise MalformedZip("The archive has two arrays of one name.")
    if sum(entry.packed_bytes for entry in entries) > place.size_bytes:
        raise MalformedZip("The arrays of the archive overlap each other.")
    unpacked = sum(entry.size_bytes for entry in entries if entry.compressed)
    if unpacked > _MAX_UNPACKED_BYTES:
        raise MalformedZip(
            f"The compressed arrays take {unpacked} bytes unpacked; at most {_MAX_UNPACKED_BYTES} are read.",
            hint="Save them with numpy.savez, which does not compress.",
            code="zip_beyond_limits",
        )
    spans = []
    for entry in entries:
        span = Span(place, stored_start(stream, place.size_bytes, entry), entry.packed_bytes)
        if entry.compressed:
            data = _unpacked(span, entry)
            span = Span(BytesPlace(f"{place.name}:{entry.name}", data), 0, len(data))
        elif entry.packed_bytes != entry.size_bytes:
            raise MalformedZip(f"The entry {entry.name[:100]!r} has two sizes.")
        spans.append((entry.name, span))
    return spans


def _unpacked(span: Span, entry: ZipEntry) -> bytes:
    if entry.method != _DEFLATED:
        raise MalformedZip(f"The entry {entry.name[:100]!r} is compressed in a way that is not read.")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    found = bytearray()
    try:
        for first in range(0, span.size_bytes, _PIECE_BYTES):
            piece = span.read(first, min(_PIECE_BYTES, span.size_bytes - first))
            found += inflater.decompress(piece, entry.size_bytes + 1 - len(found))
            if len(found) > entry.size_bytes or inflater.eof:
                break
    except zlib.error as error:
        raise MalformedZip(f"The entry {entry.name[:100]!r} cannot be unpacked.") from error
    if len(found) != entry.size_bytes:
        raise MalformedZip(f"The entry {entry.name[:100]!r} does not unpack to the size that it claims.")
    return bytes(found)
