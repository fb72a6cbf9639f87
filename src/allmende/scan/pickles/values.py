"""What the abstract pickle machine keeps on its stack instead of objects.

Plain things are kept plain: whole numbers as `int`, texts as `bytes` (UTF-8) while they are short, everything
else that cannot matter as `PLAIN`. What can matter is a `Global`, a `Node`, or a `Chunk`.
"""

from typing import Final

__all__ = ["MAX_TEXT_BYTES", "NONE", "PLAIN", "Chunk", "Global", "Node", "Value", "described"]

MAX_TEXT_BYTES: Final = 4096
"""Longer texts name nothing; that they are there is all that is kept of them."""


class _Plain:
    """A constant whose value does not matter."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "…"


PLAIN: Final = _Plain()
NONE: Final = _Plain()
"""What is written as None, apart from other constants."""


class Global:
    """Something imported by name; `is_function` where it may only be called, and not lie in data."""

    __slots__ = ("is_function", "module", "name")

    def __init__(self, module: str, name: str, *, is_function: bool = False) -> None:
        self.module = module
        self.name = name
        self.is_function = is_function

    @property
    def path(self) -> str:
        """The name with its module."""
        return f"{self.module}.{self.name}"


class Chunk:
    """A bytes constant: where it lies in the stream, and how long it is."""

    __slots__ = ("offset", "size_bytes")

    def __init__(self, offset: int, size_bytes: int) -> None:
        self.offset = offset
        self.size_bytes = size_bytes


class Node:
    """A container, or what a call gave.

    `size` counts what is below it, each time that it is referred to; `depth` how deep that goes. Both would
    be spent by whoever walks over the object. `items` is kept for tuples, and as the arguments of calls;
    `mapping` holds the keys of a dict that somebody asks for (`WATCHED_KEYS`), `pairs` keys and values of a
    dict of tuples, `odd_keys` says that keys of it were made by calls, `keyed` that it has keys at all, and
    `carried` which function lies somewhere in a tuple.
    """

    __slots__ = (
        "callee", "carried", "depth", "items", "keyed", "mapping", "odd_keys", "pairs", "size", "state",
    )  # fmt: skip

    def __init__(
        self,
        items: "tuple[Value, ...] | None" = None,
        callee: "Value | None" = None,
        size: int = 1,
        depth: int = 1,
    ) -> None:
        self.items = items
        self.callee = callee
        self.mapping: dict[bytes, Value] | None = None
        self.pairs: list[Value] | None = None
        self.keyed = False
        self.odd_keys = False
        self.carried: Global | None = None
        self.state: Value | None = None
        self.size = size
        self.depth = depth


Value = _Plain | bytes | int | Global | Chunk | Node


def described(value: "Value | None") -> str:
    """A value in a few words, for evidence."""
    if isinstance(value, Global):
        return value.path
    if isinstance(value, bytes):
        return repr(value.decode("utf-8", "replace"))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Chunk):
        return f"{value.size_bytes} bytes"
    if isinstance(value, Node) and value.callee is not None:
        return f"what {described(value.callee)} returns" if isinstance(value.callee, Global) else "a result"
    return "…"
