"""Whether the state of a pickled `numpy.dtype` is one that numpy writes.

numpy believes it: fields that lie outside an element, or references to objects that the flags do not tell of,
let a file read foreign memory or make objects of its own bytes. numpy/_core/src/multiarray/descriptor.c,
`arraydescr_setstate`: version, byte order, sub-array, names, fields, size, alignment, flags, metadata.
"""

import math
from collections.abc import Iterable
from typing import Final

from allmende.scan.pickles.element_types import ElementType, element_type
from allmende.scan.pickles.values import NONE, Global, Node, Value
from allmende.scan.scanning import Unreadable

__all__ = ["Forged", "checked_element_type", "mark_used", "was_used"]

_HAS_OBJECTS: Final = 1
_LENGTHS: Final = range(8, 10)
_OF_THE_MACHINE: Final = frozenset((b"l", b"L", b"p", b"P", b"g", b"G"))
"""Codes whose size differs from machine to machine; numpy writes the size instead."""

_MAX_PAIRS: Final = 20_000


class Forged(Exception):
    """The state contradicts itself, or cannot be followed; the message says how."""


def checked_element_type(dtype: Value, state: Value | None = None) -> ElementType:
    """The bytes of one element of this dtype, and whether they refer to objects. Raises Forged.

    `state` takes the place of the state that the dtype has.
    """
    if not isinstance(dtype, Node) or not isinstance(dtype.callee, Global):
        raise Forged("A type is not written in the file.")
    if dtype.callee.path != "numpy.dtype" or not dtype.items:
        raise Forged("A type is made in a way that numpy does not use.")
    kind = _named(dtype.items[0])
    state = state or dtype.state
    if state is None:
        return kind
    items = state.items if isinstance(state, Node) and state.callee is None else None
    if items is None or len(items) not in _LENGTHS:
        raise Forged("The state of a type is not a tuple of eight or nine.")
    _, _, subarray, names, fields, told_bytes, _, flags = items[:8]
    if not isinstance(told_bytes, int) or not isinstance(flags, int):
        raise Forged("Size and flags of a type are not written in the file.")
    size_bytes = kind.size_bytes
    if told_bytes != -1:
        if told_bytes < 0 or (size_bytes and told_bytes != size_bytes):
            raise Forged(f"A type of {size_bytes} bytes claims to have {told_bytes}.")
        size_bytes = told_bytes
    has_objects = kind.has_objects
    if subarray is not NONE:
        has_objects |= _check_subarray(subarray, size_bytes)
    if fields is not NONE or names is not NONE:
        has_objects |= _check_fields(fields, size_bytes)
    if has_objects != bool(flags & _HAS_OBJECTS):
        raise Forged("The flags of a type do not say whether it refers to objects.")
    return ElementType(size_bytes, has_objects)


def _named(code: Value) -> ElementType:
    """What a type's code says; records are named by their class, and say the rest in their state."""
    if isinstance(code, Global) and code.name == "record" and code.module.partition(".")[0] == "numpy":
        return ElementType(0, has_objects=False)
    if not isinstance(code, bytes) or code.lstrip(b"<>=|") in _OF_THE_MACHINE:
        raise Forged("A type is made in a way that numpy does not use.")
    try:
        return element_type(code.decode("ascii", "replace"))
    except Unreadable as unknown:
        raise Forged(unknown.message) from None


def _inner(dtype: Value) -> ElementType:
    """A type inside another one, which was checked when it got its own state. Raises Forged."""
    if (
        not isinstance(dtype, Node)
        or not isinstance(dtype.callee, Global)
        or dtype.callee.path != "numpy.dtype"
    ):
        raise Forged("A type inside another one is not written in the file.")
    items = dtype.state.items if isinstance(dtype.state, Node) else None
    if items is None or len(items) not in _LENGTHS:
        raise Forged("A type inside another one has no state.")
    told_bytes, flags = items[5], items[7]
    if not isinstance(told_bytes, int) or not isinstance(flags, int) or not dtype.items:
        raise Forged("Size and flags of a type are not written in the file.")
    size_bytes = _named(dtype.items[0]).size_bytes if told_bytes == -1 else told_bytes
    return ElementType(size_bytes, bool(flags & _HAS_OBJECTS))


def mark_used(values: Iterable[Value]) -> None:
    """These are used from now on; a type among them that has no state yet must not get one any more."""
    for value in values:
        if isinstance(value, Node) and value.state is None and _is_type(value):
            value.keyed = True


def was_used(dtype: Node) -> bool:
    """Whether something relies on the type as it is: it has a state, or was used without one."""
    return dtype.keyed or dtype.state is not None


def _is_type(value: Node) -> bool:
    return isinstance(value.callee, Global) and value.callee.path == "numpy.dtype"


def _check_subarray(value: Value, size_bytes: int) -> bool:
    items = value.items if isinstance(value, Node) and value.callee is None else None
    if items is None or len(items) != 2:
        raise Forged("A sub-array is not a pair.")
    inner = _inner(items[0])
    shape = items[1].items if isinstance(items[1], Node) and items[1].callee is None else (items[1],)
    lengths = [length for length in shape or () if isinstance(length, int) and length >= 0]
    if shape is None or len(lengths) != len(shape) or inner.size_bytes * math.prod(lengths) != size_bytes:
        raise Forged("A sub-array is not as large as its type.")
    return inner.has_objects


def _check_fields(value: Value, size_bytes: int) -> bool:
    pairs = value.pairs if isinstance(value, Node) and value.callee is None else None
    if pairs is None or len(pairs) >= _MAX_PAIRS:
        if isinstance(value, Node) and value.callee is None and value.items is None and value.size == 1:
            return False  # a type without fields
        raise Forged("The fields of a type are not written in the file.")
    has_objects = False
    for field in pairs[1::2]:
        parts = field.items if isinstance(field, Node) and field.callee is None else None
        if parts is None or len(parts) not in {2, 3}:
            raise Forged("A field is neither a pair nor a triple.")
        inner, offset = _inner(parts[0]), parts[1]
        if not isinstance(offset, int) or offset < 0 or offset + inner.size_bytes > size_bytes:
            raise Forged("A field lies outside its element.")
        has_objects |= inner.has_objects
    return has_objects
