"""Putting a file together from what is here and what is new in it: little is fetched, and all of it verified.

In this order: objects that lie in local files are copied; of those whose bases lie there the encodings are
fetched and decoded; the rest, and the bytes between, come as ranges of the plain file. An interrupted build
goes on: objects that are in the unfinished file already are recognised by their names.
"""

import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from allmende.client.connection import Answer, Connection
from allmende.client.downloads import Moved, verify_file
from allmende.client.errors import BytesDiffer, HubUnreachable, UnexpectedAnswer
from allmende.client.listing import RemoteFile, Snapshot, quoted
from allmende.client.local_objects import LocalObjects
from allmende.client.offers import Offer, OfferedFile, OfferedObject, encodings_address
from allmende.codecs import (
    BytesPlain,
    DamagedObject,
    EncodedReader,
    MalformedEncoding,
    ObjectId,
    ObjectMissing,
    PredictionImpossible,
    object_id,
)

__all__ = ["Savings", "rebuild_file"]

_LENGTH = struct.Struct("<Q")
_NOT_GIVEN = 2**64 - 1
_BATCH_BYTES = 64 * 1024 * 1024
_BATCH_OBJECTS = 2000
_ROUNDS = 4
_BLOCK_BYTES = 4 * 1024 * 1024
_GAP_BYTES = 16 * 1024
"""Ranges that lie nearer to each other than this are asked for as one."""
_TRIES = 4


@dataclass(slots=True)
class Savings:
    """How the bytes of files came to be here."""

    copied_bytes: int = 0
    """Out of other files on this machine."""
    decoded_bytes: int = 0
    """From encodings, which were smaller."""
    plain_bytes: int = 0
    """As they are."""
    moved_bytes: int = 0
    """Over the network, for all of it."""

    def add(self, other: "Savings") -> None:
        """Add those of another file."""
        self.copied_bytes += other.copied_bytes
        self.decoded_bytes += other.decoded_bytes
        self.plain_bytes += other.plain_bytes
        self.moved_bytes += other.moved_bytes


@dataclass
class _Building:
    hub: Connection
    snapshot: Snapshot
    file: RemoteFile
    path: Path
    local: LocalObjects
    told: Moved
    stop: threading.Event
    savings: Savings = field(default_factory=Savings)

    def moved(self, count: int) -> None:
        self.savings.moved_bytes += count
        if self.stop.is_set():
            raise InterruptedError


def rebuild_file(
    hub: Connection,
    snapshot: Snapshot,
    file: RemoteFile,
    offered: OfferedFile,
    local: LocalObjects,
    into: Path,
    told: Moved,
    stop: threading.Event,
) -> Savings:
    """Build the file at `into`, which an interrupted build may have begun.

    `told` hears of bytes of the file as they are finished. Raises BytesDiffer when the whole does not have
    the SHA-256 of the listing, InterruptedError when `stop` is set, and what the hub refuses.
    """
    building = _Building(hub, snapshot, file, into, local, told, stop)
    into.touch()
    begun = into.stat().st_size > 0
    with into.open("r+b", buffering=0) as writer:
        writer.truncate(file.size_bytes)
        left = _copy_local(building, writer, offered.objects, begun=begun)
        for _ in range(_ROUNDS):
            chosen = _decodable(building.local, left)
            if not chosen:
                break
            done = _fetch_encodings(building, writer, chosen)
            left = [one for one in left if one.id not in done]
            if not done:
                break
        _fetch_ranges(building, writer, _uncovered(file, offered.objects, left))
    try:
        verify_file(file, into)
    except BytesDiffer:
        into.unlink()
        raise
    return building.savings


# --- what is here ------------------------------------------------------------------------------------------


def _copy_local(
    building: _Building, writer: BinaryIO, objects: Sequence[OfferedObject], *, begun: bool
) -> list[OfferedObject]:
    """Copy what lies in local files, leave what is in a file that was begun; returns the other objects."""
    left: list[OfferedObject] = []
    for one in objects:
        if building.stop.is_set():
            raise InterruptedError
        if begun and _is_written(writer, one):
            _note(building, one)
        elif building.local.has([one.id]) and (data := _local(building.local, one)) is not None:
            _write(building, writer, one, data)
        else:
            left.append(one)
            continue
        building.savings.copied_bytes += one.size_bytes
    return left


def _local(local: LocalObjects, one: OfferedObject) -> memoryview | None:
    try:
        return local.read(one.id).read_at(0, one.size_bytes)
    except ObjectMissing:
        return None


def _is_written(writer: BinaryIO, one: OfferedObject) -> bool:
    data = bytearray(one.size_bytes)
    filled = 0
    for span in one.spans:
        writer.seek(span.file_start)
        part = writer.read(span.size_bytes)
        if part.count(0) == len(part):
            return False  # a hole: nothing was written here, and zeros are quickly written again
        data[span.object_start : span.object_start + len(part)] = part
        filled += len(part)
    return filled >= one.size_bytes and object_id(data) == one.id


def _write(building: _Building, writer: BinaryIO, one: OfferedObject, data: memoryview) -> None:
    for span in one.spans:
        _put(writer, span.file_start, data[span.object_start : span.object_start + span.size_bytes])
    _note(building, one)


def _put(writer: BinaryIO, start: int, data: memoryview) -> None:
    """Write all of it: an unbuffered file may take less at a time."""
    writer.seek(start)
    while data:
        data = data[writer.write(data) :]


def _note(building: _Building, one: OfferedObject) -> None:
    """The object is in the file that is being built: others may be decoded from it."""
    sha256 = building.file.sha256
    if sha256 is not None:
        building.local.add(one.id, one.size_bytes, building.path, sha256, one.spans)
    building.told(sum(span.size_bytes for span in one.spans))


# --- what is new -------------------------------------------------------------------------------------------


def _decodable(local: LocalObjects, left: Sequence[OfferedObject]) -> list[tuple[OfferedObject, Offer]]:
    """The smallest encoding of each object of which all bases are here, if it is worth it."""
    chosen = []
    for one in left:
        offers = [offer for offer in one.offers if local.has(offer.bases)]
        best = min(offers, key=lambda offer: offer.size_bytes, default=None)
        if best is not None and best.size_bytes < one.size_bytes:
            chosen.append((one, best))
    return chosen


def _fetch_encodings(
    building: _Building, writer: BinaryIO, chosen: Sequence[tuple[OfferedObject, Offer]]
) -> set[ObjectId]:
    """Fetch and decode; returns what could be."""
    done: set[ObjectId] = set()
    for batch in _batches(chosen):
        for number in range(1, _TRIES + 1):
            rest = [pair for pair in batch if pair[0].id not in done]
            try:
                _fetch_batch(building, writer, rest, done)
                break
            except HubUnreachable:
                if number == _TRIES:
                    raise
    return done


def _batches(
    chosen: Sequence[tuple[OfferedObject, Offer]],
) -> Iterator[list[tuple[OfferedObject, Offer]]]:
    batch: list[tuple[OfferedObject, Offer]] = []
    size_bytes = 0
    for pair in chosen:
        if batch and (size_bytes + pair[1].size_bytes > _BATCH_BYTES or len(batch) == _BATCH_OBJECTS):
            yield batch
            batch, size_bytes = [], 0
        batch.append(pair)
        size_bytes += pair[1].size_bytes
    if batch:
        yield batch


def _fetch_batch(
    building: _Building,
    writer: BinaryIO,
    batch: Sequence[tuple[OfferedObject, Offer]],
    done: set[ObjectId],
) -> None:
    address = encodings_address(building.snapshot, building.file)
    asked = {"numbers": [offer.number for _, offer in batch]}
    with building.hub.open_json("POST", address, asked) as answer:
        for one, offer in batch:
            (length,) = _LENGTH.unpack(_exactly(building, answer, _LENGTH.size))
            if length == _NOT_GIVEN:
                continue
            if length != offer.size_bytes:
                raise UnexpectedAnswer("The hub sends an encoding of another size than it offered.")
            data = _decoded(building.local, one, _exactly(building, answer, length))
            if data is not None:
                _write(building, writer, one, data)
                building.savings.decoded_bytes += one.size_bytes
                done.add(one.id)


def _decoded(local: LocalObjects, one: OfferedObject, stored: bytes) -> memoryview | None:
    """The object's bytes, verified by its name; None where the encoding does not give them."""
    try:
        reader = EncodedReader(BytesPlain(stored), local.read)
        if reader.size_bytes != one.size_bytes:
            return None
        data = bytearray(one.size_bytes)
        for start in range(0, one.size_bytes, _BLOCK_BYTES):
            count = min(_BLOCK_BYTES, one.size_bytes - start)
            data[start : start + count] = reader.read_at(start, count)
    except (DamagedObject, MalformedEncoding, ObjectMissing, PredictionImpossible):
        # Plain bytes take its place; that they are right is seen in the end.
        return None
    return memoryview(data) if object_id(data) == one.id else None


def _exactly(building: _Building, answer: Answer, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = answer.read(min(count - len(parts), _BLOCK_BYTES))
        if not part:
            raise HubUnreachable("The hub ended its answer too early.")
        building.moved(len(part))
        parts += part
    return bytes(parts)


# --- the rest ----------------------------------------------------------------------------------------------


def _uncovered(
    file: RemoteFile, objects: Sequence[OfferedObject], left: Sequence[OfferedObject]
) -> list[tuple[int, int]]:
    """What of the file is still to come, as starts and ends in order."""
    missing = {one.id for one in left}
    there = sorted(
        (span.file_start, span.file_end) for one in objects if one.id not in missing for span in one.spans
    )
    ranges: list[tuple[int, int]] = []
    end = 0
    for start, stop in [*there, (file.size_bytes, file.size_bytes)]:
        if start > end:
            near = ranges and end - ranges[-1][1] < _GAP_BYTES
            if near:
                ranges[-1] = (ranges[-1][0], start)
            else:
                ranges.append((end, start))
        end = max(end, stop)
    return ranges


def _fetch_ranges(building: _Building, writer: BinaryIO, ranges: Sequence[tuple[int, int]]) -> None:
    snapshot = building.snapshot
    address = f"{snapshot.repo.files}/resolve/{snapshot.commit}/{quoted(building.file.path)}"
    for start, end in ranges:
        at = start
        for number in range(1, _TRIES + 1):
            try:
                at = _fetch_range(building, writer, address, at, end)
                break
            except HubUnreachable:
                if number == _TRIES:
                    raise
        building.savings.plain_bytes += end - start
        building.told(end - start)


def _fetch_range(building: _Building, writer: BinaryIO, address: str, start: int, end: int) -> int:
    whole = (start, end) == (0, building.file.size_bytes)
    headers = {"Accept-Encoding": "identity"} | ({} if whole else {"Range": f"bytes={start}-{end - 1}"})
    with building.hub.open("GET", address, headers=headers) as answer:
        if not whole and answer.status != 206:
            raise UnexpectedAnswer("The hub does not answer ranges of a file.")
        while start < end:
            block = answer.read(min(_BLOCK_BYTES, end - start))
            if not block:
                raise HubUnreachable(f"The hub ended {building.file.path} too early.")
            building.moved(len(block))
            _put(writer, start, memoryview(block))
            start += len(block)
    return start
