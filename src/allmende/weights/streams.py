"""A place as a readable stream, for the header readers of `allmende.formats`."""

import io

from allmende.weights.places import Place

__all__ = ["stream_of"]


class _PlaceStream(io.RawIOBase):
    def __init__(self, place: Place) -> None:
        self._place = place
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._place.size_bytes}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        count = min(len(buffer), max(0, self._place.size_bytes - self._position))
        buffer[:count] = self._place.read_at(self._position, count)
        self._position += count
        return count


def stream_of(place: Place) -> io.BufferedReader:
    """A reader at the beginning of the place."""
    return io.BufferedReader(_PlaceStream(place))
