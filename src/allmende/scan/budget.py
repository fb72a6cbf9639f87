"""What one file may cost: depth, members, expansion, opcodes. All of it is counted, none of it is timed.

So a verdict follows from the bytes alone. Time and memory are bounded too, from outside: see `isolation`.
"""

from dataclasses import dataclass

__all__ = ["Budget", "LimitReached", "Limits"]

_MIB = 1024 * 1024


class LimitReached(Exception):
    """The file wants more than it may cost; what was not read is not known to be harmless."""

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit
        self.message = message


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is looked at before a file is given up and quarantined."""

    depth: int = 16
    """Containers within containers."""
    members: int = 20_000
    """Members of all containers of a file together."""
    expanded_bytes: int = 2048 * _MIB
    """Bytes that come out of compression, together."""
    ratio: int = 200
    """Bytes that come out for each byte of the file, together, once they are more than `ratio_free_bytes`."""
    ratio_free_bytes: int = 64 * _MIB
    """Expansion that is never held against a file: text compresses far, and this much is harmless."""
    bomb_bytes: int = 256 * _MIB
    """Expansion that proves a bomb, where it is beyond `ratio` too: weights never come out of so little."""
    opcodes: int = 50_000_000
    """Pickle opcodes, together."""
    text_bytes: int = 64 * _MIB
    """Texts that are read whole: JSON, YAML, templates, source code."""
    link_parts: int = 1_000_000
    """Parts of paths that are followed through the links of archives, together."""
    findings: int = 200
    """Findings that are kept; what comes after only counts for the status."""


class Budget:
    """What is left of the limits, shared by everything inside one file."""

    def __init__(self, limits: Limits, size_bytes: int) -> None:
        self.limits = limits
        self._size_bytes = size_bytes
        self._members = 0
        self._expanded_bytes = 0
        self._opcodes = 0
        self._link_parts = 0

    def descend(self, depth: int) -> None:
        """A container at this depth is opened. Raises LimitReached."""
        if depth > self.limits.depth:
            raise LimitReached("depth", f"Containers are nested more than {self.limits.depth} deep.")

    def add_members(self, count: int = 1) -> None:
        """So many more members. Raises LimitReached."""
        self._members += count
        if self._members > self.limits.members:
            raise LimitReached("members", f"There are more than {self.limits.members} members.")

    def add_expanded(self, size_bytes: int) -> None:
        """So many bytes came out of compression. Raises LimitReached."""
        self._expanded_bytes += size_bytes
        if self._expanded_bytes > self.limits.expanded_bytes:
            raise LimitReached("expanded", f"It unpacks to more than {self.limits.expanded_bytes} bytes.")
        free = self._expanded_bytes <= self.limits.ratio_free_bytes
        if not free and self._expanded_bytes > self.limits.ratio * max(1, self._size_bytes):
            if self._expanded_bytes > self.limits.bomb_bytes:
                what = f"{self._size_bytes} bytes unpack to more than {self.limits.bomb_bytes}."
                raise LimitReached("bomb", what)
            raise LimitReached("ratio", f"It unpacks to more than {self.limits.ratio} times its size.")

    def add_link_parts(self, count: int = 1) -> None:
        """So many more parts of paths are followed through links. Raises LimitReached."""
        self._link_parts += count
        if self._link_parts > self.limits.link_parts:
            raise LimitReached(
                "links", f"Its links lead over more than {self.limits.link_parts} parts of paths."
            )

    @property
    def opcodes_left(self) -> int:
        """How many pickle opcodes may still be interpreted."""
        return max(0, self.limits.opcodes - self._opcodes)

    def add_opcodes(self, count: int) -> None:
        """So many opcodes were interpreted; whoever interprets stops at `opcodes_left`."""
        self._opcodes += count
