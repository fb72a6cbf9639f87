"""What joblib writes between the opcodes of a pickle: the bytes of arrays, behind the BUILD of a wrapper.

joblib/numpy_pickle.py: padding to an alignment (one byte tells its length), then the elements; object arrays
are a pickle of their own at that place.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

from allmende.scan.pickles.dtype_states import Forged, checked_element_type
from allmende.scan.pickles.element_types import ElementType
from allmende.scan.pickles.values import NONE, PLAIN, Node, Value
from allmende.scan.scanning import Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["JoblibArrays"]

_WRAPPERS: Final = frozenset(
    ("joblib.numpy_pickle.NumpyArrayWrapper", "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper")
)
_SNIFFED_BYTES: Final = 64 * 1024


class JoblibArrays:
    """Skips the arrays of one file; `count` says how many there were."""

    def __init__(self, source: Source, scan: Scan, run: Callable[[int], int]) -> None:
        """`run` interprets the pickle of an object array at an offset, and returns where it ends."""
        self.count = 0
        self._source = source
        self._scan = scan
        self._run = run

    def after_build(self, class_name: str, state: Mapping[str, Value], position: int) -> int | None:
        """See `machine.ArraySkipper`. Raises Unreadable where the wrapper does not say what follows."""
        if class_name not in _WRAPPERS:
            if class_name.endswith(".NumpyArrayWrapper"):
                raise Unreadable("Whether joblib takes this for a wrapper of an array is unknown.", position)
            return None
        self.count += 1
        kind = _element_type(state.get("dtype"), position)
        if kind.has_objects:
            return self._run(position)
        start = position
        alignment = state.get("numpy_array_alignment_bytes", NONE)
        if isinstance(alignment, int):
            start += 1 + int.from_bytes(self._source.read_at(position, 1), "little")
        elif alignment is not NONE:
            raise Unreadable("The alignment of an array is no number.", position)
        size_bytes = kind.size_bytes * math.prod(_shape(state.get("shape"), position))
        if start + size_bytes > self._source.size_bytes:
            raise Unreadable("An array is longer than the file.", position)
        self._scan.inside(
            f"array at {start}", self._source.window(start, min(size_bytes, _SNIFFED_BYTES)), raw=True
        )
        return start + size_bytes


def _shape(value: Value | None, position: int) -> tuple[int, ...]:
    items = value.items if isinstance(value, Node) and value.callee is None else None
    if items is None:
        raise Unreadable("The shape of an array is not written in the pickle.", position)
    lengths = tuple(length for length in items if isinstance(length, int) and 0 <= length < 2**63)
    if len(lengths) != len(items):
        raise Unreadable("The shape of an array is not written in the pickle.", position)
    return lengths


def _element_type(dtype: Value | None, position: int) -> ElementType:
    """What the elements of a pickled `numpy.dtype` take."""
    try:
        return checked_element_type(PLAIN if dtype is None else dtype)
    except Forged as forged:
        raise Unreadable(str(forged), position) from None
