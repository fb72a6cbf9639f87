"""Objects that lie in files of this machine: read where they are, and only after their name was verified."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from allmende.client.offers import Span
from allmende.codecs import BytesPlain, ObjectId, ObjectMissing, Plain, object_id
from allmende.ids import Sha256

__all__ = ["LocalObjects"]

_KEPT_BYTES = 512 * 1024 * 1024


class LocalObjects:
    """What lies in local files, by the stretches that a hub named. For one thread.

    A file may have changed since it was pulled, and a hub may name stretches wrongly: an object is read whole
    and hashed before any of it is used. A few are kept in memory, at most 512 MiB.
    """

    def __init__(
        self,
        files: Mapping[Sha256, Path],
        elsewhere: Mapping[ObjectId, Mapping[Sha256, Sequence[Span]]],
        sizes: Mapping[ObjectId, int],
    ) -> None:
        self._files = dict(files)
        self._elsewhere = {one: dict(places) for one, places in elsewhere.items()}
        self._sizes = dict(sizes)
        self._kept: dict[ObjectId, bytes] = {}
        self._absent: set[ObjectId] = set()

    def add(self, one: ObjectId, size_bytes: int, path: Path, sha256: Sha256, spans: Sequence[Span]) -> None:
        """An object that was just written into a file that is being built."""
        self._files[sha256] = path
        self._elsewhere.setdefault(one, {})[sha256] = spans
        self._sizes[one] = size_bytes
        self._absent.discard(one)

    def has(self, ids: Iterable[ObjectId]) -> bool:
        """Whether all of these lie here; whether their bytes are right is seen when they are read."""
        return all(self._is_here(one) for one in ids)

    def read(self, one: ObjectId) -> Plain:
        """The bytes of an object. Raises ObjectMissing where no file holds them as they should be."""
        known = self._kept.get(one)
        if known is None:
            known = self._verified(one)
            while self._kept and sum(map(len, self._kept.values())) + len(known) > _KEPT_BYTES:
                self._kept.pop(next(iter(self._kept)))
            self._kept[one] = known
        return BytesPlain(known)

    def _is_here(self, one: ObjectId) -> bool:
        places = self._elsewhere.get(one, {})
        return one not in self._absent and any(sha256 in self._files for sha256 in places)

    def _verified(self, one: ObjectId) -> bytes:
        for sha256, spans in self._elsewhere.get(one, {}).items():
            path = self._files.get(sha256)
            data = None if path is None else _read(path, spans, self._sizes[one])
            if data is not None and object_id(data) == one:
                return bytes(data)
        self._absent.add(one)
        raise ObjectMissing(f"The object {one[:16]}… lies in no file here any more.")


def _read(path: Path, spans: Sequence[Span], size_bytes: int) -> bytearray | None:
    data = bytearray(size_bytes)
    view = memoryview(data)
    try:
        with path.open("rb", buffering=0) as file:
            for span in spans:
                file.seek(span.file_start)
                part = view[span.object_start : span.object_start + span.size_bytes]
                while part:
                    count = file.readinto(part)
                    if not count:
                        return None
                    part = part[count:]
    except FileNotFoundError:
        return None
    return data
