"""How large the tensors are that a graph of ONNX makes of a shape that it holds itself."""

import struct
from collections.abc import Iterator
from typing import Final

from allmende.scan.graphs.protobuf import LENGTH, VARINT, Message

__all__ = ["made_sizes"]

_NODE, _INITIALIZER = 1, 5
_INPUT, _OUTPUT, _OPERATOR, _ATTRIBUTE = 1, 2, 4, 5
_TENSOR_OF_ATTRIBUTE, _NUMBERS_OF_ATTRIBUTE = 5, 8
_INT64_DATA, _NAME, _RAW_DATA = 7, 8, 9
_MAX_DIMENSIONS: Final = 16
_SHAPE_AT: Final = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1}


def made_sizes(graph: Message) -> Iterator[tuple[str, int]]:
    """The operators that make a tensor of a shape, or repeat one, and how many elements that has at least.

    Only shapes that are constants of the same graph are known. Raises Unreadable, LimitReached.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    makers: list[tuple[str, str]] = []
    for field in graph.fields():
        if field.wire != LENGTH:
            continue
        if field.number == _INITIALIZER:
            tensor = graph.inner(field)
            shapes[tensor.text(_NAME)] = _numbers(tensor)
        elif field.number == _NODE:
            _examine_node(graph.inner(field), shapes, makers)
    for operator, name in makers:
        size = 1
        for number in shapes.get(name, ()):
            size *= max(0, number)
        yield operator, size


def _examine_node(node: Message, shapes: dict[str, tuple[int, ...]], makers: list[tuple[str, str]]) -> None:
    operator = node.text(_OPERATOR)
    if operator == "Constant":
        shapes[node.text(_OUTPUT)] = _constant(node)
    elif operator in _SHAPE_AT:
        inputs = [
            node.text_of(part) for part in node.fields() if part.number == _INPUT and part.wire == LENGTH
        ]
        if len(inputs) > _SHAPE_AT[operator]:
            makers.append((operator, inputs[_SHAPE_AT[operator]]))


def _constant(node: Message) -> tuple[int, ...]:
    for part in node.fields():
        if part.number != _ATTRIBUTE or part.wire != LENGTH:
            continue
        attribute = node.inner(part)
        for inner in attribute.fields():
            if inner.number == _TENSOR_OF_ATTRIBUTE and inner.wire == LENGTH:
                return _numbers(attribute.inner(inner))
        return _repeated(attribute, _NUMBERS_OF_ATTRIBUTE)
    return ()


def _numbers(tensor: Message) -> tuple[int, ...]:
    """The values of a small tensor of 64-bit numbers, which are written apart, packed or as raw bytes."""
    for part in tensor.fields():
        if part.number == _RAW_DATA and part.wire == LENGTH and 0 < part.size_bytes <= 8 * _MAX_DIMENSIONS:
            raw = tensor.bytes_of(part)
            return struct.unpack(f"<{len(raw) // 8}q", raw[: len(raw) // 8 * 8])
    return _repeated(tensor, _INT64_DATA)


def _repeated(message: Message, number: int) -> tuple[int, ...]:
    found: list[int] = []
    for part in message.fields():
        if part.number == number and part.wire == VARINT:
            found.append(part.value)
        elif part.number == number and part.wire == LENGTH and part.size_bytes <= 10 * _MAX_DIMENSIONS:
            found += message.inner(part).numbers()
    return tuple(found[:_MAX_DIMENSIONS])
