"""Models kept as protocol buffers (ONNX, TensorFlow SavedModel), told by their outermost fields.

Neither has a magic number. The fields at the top are few and of known kinds, which random bytes and texts
do not keep up for long.
"""

__all__ = ["protobuf_model"]

_VARINT = 0
_LENGTH = 2

# onnx.proto, ModelProto: field number → wire type.
_ONNX_FIELDS = {
    1: _VARINT, 2: _LENGTH, 3: _LENGTH, 4: _LENGTH, 5: _VARINT, 6: _LENGTH, 7: _LENGTH, 8: _LENGTH,
    14: _LENGTH, 20: _LENGTH, 25: _LENGTH, 26: _LENGTH,
}  # fmt: skip
_IR_VERSION = 1
_PRODUCER_NAME = 2
_GRAPH = 7
_OPSET_IMPORT = 8
_MAX_IR_VERSION = 100
_MAX_PRODUCER_BYTES = 256
_MAX_FIELDS = 64


def protobuf_model(head: bytes, size_bytes: int) -> str | None:
    """`onnx` or `tensorflow` where the fields at the top of `head` are theirs, else None."""
    fields = _fields(head, size_bytes)
    if not fields or fields[0][0] != _IR_VERSION:
        return None
    versions = [value for number, value, _ in fields if number == _IR_VERSION]
    if len(versions) != 1 or not 1 <= versions[0] <= _MAX_IR_VERSION:
        return None
    if any(number in (_GRAPH, _OPSET_IMPORT) for number, _, _ in fields):
        return "onnx"
    return _by_producer(fields)


def _by_producer(fields: list[tuple[int, int, bytes]]) -> str | None:
    for number, length, payload in fields:
        if number == _PRODUCER_NAME:
            # In a SavedModel field 2 is the graph itself, and nested messages begin with a control byte.
            if length <= _MAX_PRODUCER_BYTES and payload.isascii() and payload.decode("ascii").isprintable():
                return "onnx"
            return "tensorflow" if fields[0][1] == 1 and payload[:1] in (b"\x0a", b"\x12") else None
    return None


def _fields(head: bytes, size_bytes: int) -> list[tuple[int, int, bytes]]:
    """Number, value or length, and payload of each field; empty where one of them cannot be ONNX's."""
    found: list[tuple[int, int, bytes]] = []
    at = 0
    while at < len(head) and len(found) < _MAX_FIELDS:
        key, at = _varint(head, at)
        value, at = _varint(head, at)
        if at < 0:
            break
        if key & 7 != _ONNX_FIELDS.get(key >> 3, -1):
            return []
        payload = b""
        if key & 7 == _LENGTH:
            if at + value > size_bytes:
                return []
            payload = head[at : at + value]
            at += value
        found.append((key >> 3, value, payload))
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at` and where it ends; the end is -1 where the bytes end first or it is too long."""
    value = 0
    for shift in range(0, 70, 7):
        if not 0 <= at < len(data):
            return 0, -1
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    return 0, -1
