"""TensorFlow: saved models, meta graphs, bare graphs and their functions; Keras metadata beside them.

All of them are nested messages in which a node has its operator in field 2. Operators that reach out are
looked for by exact name wherever a node may be, so that it does not matter which of the messages a
loader takes.
"""

import re
from typing import Final

from allmende.formats import MalformedJson, read_json
from allmende.scan.graphs.keras_config import examine_keras_config
from allmende.scan.graphs.protobuf import LENGTH, VARINT, Field, Message, nested_messages
from allmende.scan.graphs.tensorflow_operators import FILE_OPERATOR, judge_custom, judge_operator
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER"]

_NODE_NAME, _NODE_OPERATOR = 1, 2
_NODE, _LIBRARY, _FUNCTION, _SIGNATURE, _FUNCTION_NODE = 1, 2, 1, 1, 3
_GRAPH_OF_META, _META_OF_MODEL = 2, 2
_MAX_NAME_BYTES: Final = 200
_MAX_JSON_BYTES: Final = 64 * 1024 * 1024
_MAX_PRINT_BYTES: Final = 64 * 1024
_FIELDS_TO_CLAIM: Final = 32
_OPERATOR_NAME: Final = re.compile(r"[A-Za-z_][\w>./-]*")
_GRAPH_WIRES: Final = {1: LENGTH, 2: LENGTH, 3: VARINT, 4: LENGTH, 5: LENGTH}
_KERAS_WORDS: Final = (b"class_name", b"\\u00")


def _claims(probe: Probe) -> Claim:
    if probe.format_name == "tensorflow" or _starts_with_nodes(probe):
        return Claim.CONTENT
    named = probe.hint == "tensorflow" and _is_message(probe.source)
    return Claim.NAME if named else Claim.NONE


def _starts_with_nodes(probe: Probe) -> bool:
    """A bare graph: among its first fields are nodes, each with a name and an operator in words."""
    message = Message(probe.source)
    nodes = 0
    try:
        for number, field in enumerate(message.fields()):
            if number == _FIELDS_TO_CLAIM or _GRAPH_WIRES.get(field.number) != field.wire:
                break
            if field.number == _NODE:
                if not _operator(message, field):
                    return False
                nodes += 1
    except Unreadable:
        return False
    whole = nodes > 0 and probe.source.size_bytes < len(probe.head)
    return nodes >= 3 or (whole and probe.hint == "tensorflow")


def _is_message(source: Source) -> bool:
    """Whether the first fields are those of any message: what is none, no loader of graphs opens."""
    try:
        for number, _field in enumerate(Message(source).fields()):
            if number == _FIELDS_TO_CLAIM:
                break
    except Unreadable:
        return False
    return True


def _operator(message: Message, field: Field) -> str:
    """The operator of a node; empty where the field is none."""
    inner = message.inner(field)
    operator = ""
    for part in inner.fields():
        if part.number == _NODE_NAME and part.wire != LENGTH:
            return ""
        if part.number == _NODE_OPERATOR:
            if part.wire != LENGTH or part.size_bytes > _MAX_NAME_BYTES:
                return ""
            operator = inner.text_of(part)
    return operator if _OPERATOR_NAME.fullmatch(operator) else ""


def _read(source: Source, scan: Scan) -> None:
    """Every node of every message. Raises Unreadable where the outermost message is broken, LimitReached."""
    for _field in Message(source).fields():
        pass
    for message, fields in nested_messages(Message(source)):
        for field in fields:
            if field.wire != LENGTH:
                continue
            if field.number == _NODE_OPERATOR and 3 < field.size_bytes <= _MAX_NAME_BYTES:
                _judge(message, field, scan)
            elif field.size_bytes > 16 and message.bytes_of(field, 16).lstrip()[:1] == b"{":
                _examine_keras(message.bytes_of(field, _MAX_JSON_BYTES), scan)
    _examine_graphs(Message(source), scan)


def _judge(message: Message, field: Field, scan: Scan) -> None:
    operator = message.bytes_of(field).decode("latin-1")
    judge_operator(operator, scan, field.start)
    if operator == "PrintV2" and b"file://" in message.beginning(_MAX_PRINT_BYTES):
        scan.found(FILE_OPERATOR, "PrintV2 to a file", offset=field.start)


def _examine_keras(data: bytes, scan: Scan) -> None:
    """The configuration of a Keras model. Raises Unreadable where a looser reader would find one."""
    if not any(word in data for word in _KERAS_WORDS):
        return
    try:
        value = read_json(data, _MAX_JSON_BYTES)
    except MalformedJson as error:
        if b"class_name" in data:
            raise Unreadable(f"The metadata of Keras are no JSON: {error.message}") from None
        return
    examine_keras_config(value, scan, "keras metadata")


def _examine_graphs(outermost: Message, scan: Scan) -> None:
    """Operators from outside, in the graphs of a saved model, of a meta graph, or in a bare graph."""
    operators: set[str] = set()
    own: set[str] = set()
    metas = _inner(outermost, _META_OF_MODEL)
    for graph in (outermost, *metas, *(graph for meta in metas for graph in _inner(meta, _GRAPH_OF_META))):
        try:
            _collect(graph, operators, own)
        except Unreadable:
            continue  # a message of another kind, which was walked through all the same
    judge_custom(operators, own, scan)


def _collect(graph: Message, operators: set[str], own: set[str]) -> None:
    for library in _inner(graph, _LIBRARY):
        for function in _inner(library, _FUNCTION):
            own |= {signature.text(_NODE_NAME) for signature in _inner(function, _SIGNATURE)}
            operators |= _operators(function, _FUNCTION_NODE)
    operators |= _operators(graph, _NODE)


def _operators(message: Message, number: int) -> set[str]:
    """The operators of the nodes in this field; none where one of them is no node."""
    found = {
        _operator(message, field)
        for field in message.fields()
        if field.number == number and field.wire == LENGTH
    }
    return set() if "" in found else found


def _inner(message: Message, number: int) -> list[Message]:
    """The messages in this field; none where the message is none itself."""
    try:
        return [
            message.inner(field)
            for field in message.fields()
            if field.number == number and field.wire == LENGTH
        ]
    except Unreadable:
        return []


READER = Reader("tensorflow", "tensorflow", _claims, _read)
