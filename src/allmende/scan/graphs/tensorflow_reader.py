"""TensorFlow: saved models, meta graphs, bare graphs and their functions; Keras metadata beside them.

All of them are nested messages in which a node has its operator in field 2. Operators that reach out are
looked for by exact name wherever a node may be, so that it does not matter which of the messages a
loader takes.
"""

import re
from typing import Final

from allmende.formats import MalformedJson, read_json
from allmende.scan.containers.member_paths import is_outside
from allmende.scan.graphs.keras_config import examine_keras_config
from allmende.scan.graphs.protobuf import LENGTH, VARINT, Field, Message, nested_messages
from allmende.scan.graphs.tensorflow_operators import (
    FILE_OPERATOR,
    OUTSIDE_ASSET,
    OUTSIDE_CONSTANT,
    is_registered,
    judge_custom,
    judge_operator,
)
from allmende.scan.graphs.tensorflow_paths import constant_paths
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER"]

_NODE_NAME, _NODE_OPERATOR = 1, 2
_NODE, _LIBRARY, _FUNCTION, _SIGNATURE, _FUNCTION_NODE = 1, 2, 1, 1, 3
_GRAPH_OF_META, _META_OF_MODEL = 2, 2
_ASSETS_OF_META, _COLLECTIONS_OF_META, _FILE_NAME = 6, 4, 2
_ASSET_TYPE: Final = "AssetFileDef"
_ATTRIBUTES, _KEY, _VALUE, _TEXT_VALUE = 5, 1, 2, 2
_MAPPED_FROM_THE_MODEL: Final = "memmapped_package://"
_MAX_NAME_BYTES: Final = 200
_MAX_JSON_BYTES: Final = 64 * 1024 * 1024
_MAX_PRINT_BYTES: Final = 64 * 1024
_FIELDS_TO_CLAIM: Final = 256
_NODES_TO_CLAIM: Final = 3
_FIELDS_OF_A_MODEL: Final = 2
_OPERATOR_NAME: Final = re.compile(r"[A-Za-z_][\w>./-]*")
_GRAPH_WIRES: Final = {1: LENGTH, 2: LENGTH, 3: VARINT, 4: LENGTH, 5: LENGTH}
_KERAS_WORDS: Final = (b"class_name", b"\\u00")


def _claims(probe: Probe) -> Claim:
    if probe.format_name == "tensorflow" or _starts_with_nodes(probe):
        return Claim.CONTENT
    named = probe.hint == "tensorflow" and _is_message(probe.source)
    return Claim.NAME if named else Claim.NONE


def _starts_with_nodes(probe: Probe) -> bool:
    """A bare graph: among its first fields are nodes, each with a name and an operator in words.

    One node is enough where TensorFlow has the operator. Fields that it does not know, it passes over.
    """
    message = Message(probe.source)
    nodes = 0
    try:
        for number, field in enumerate(message.fields()):
            if number == _FIELDS_TO_CLAIM:
                break
            if field.number == _NODE and field.wire == LENGTH:
                operator = _operator(message, field)
                if not operator:
                    return False
                if not operator.startswith("_") and is_registered(operator):
                    return True
                nodes += 1
            elif _GRAPH_WIRES.get(field.number, field.wire) != field.wire:
                return False
    except Unreadable:
        return False
    whole = nodes > 0 and probe.source.size_bytes < len(probe.head)
    return nodes >= _NODES_TO_CLAIM or (whole and probe.hint == "tensorflow")


def _is_message(source: Source) -> bool:
    """Whether the first fields are those of any message: what is none, no loader of graphs opens.

    One that breaks off behind the first fields is to be refused, and not to be passed over.
    """
    read = 0
    try:
        for _field in Message(source).fields():
            read += 1
            if read == _FIELDS_TO_CLAIM:
                break
    except Unreadable:
        return read >= _FIELDS_OF_A_MODEL
    return True


def _operator(message: Message, field: Field) -> str:
    """The operator of a node; empty where the field is none."""
    inner = message.inner(field)
    operator = ""
    for part in inner.fields():
        if part.number == _NODE_OPERATOR and part.wire == LENGTH:
            if part.size_bytes > _MAX_NAME_BYTES:
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
            if field.number == _NODE_OPERATOR and 3 <= field.size_bytes <= _MAX_NAME_BYTES:
                _judge(message, field, scan)
            elif field.size_bytes > 16 and message.bytes_of(field, 16).lstrip()[:1] == b"{":
                _examine_keras(message.bytes_of(field, _MAX_JSON_BYTES), scan)
    _examine_graphs(Message(source), scan)


def _judge(message: Message, field: Field, scan: Scan) -> None:
    operator = message.bytes_of(field).decode("latin-1")
    if operator == "ImmutableConst" and _is_mapped_from_the_model(message):
        return
    judge_operator(operator, scan, field.start)
    if operator == "PrintV2" and b"file://" in message.beginning(_MAX_PRINT_BYTES):
        scan.found(FILE_OPERATOR, "PrintV2 to a file", offset=field.start)


def _is_mapped_from_the_model(node: Message) -> bool:
    """Whether the region that a constant is mapped from is one of the model's own file."""
    regions = [
        value.text(_TEXT_VALUE)
        for attribute in _inner(node, _ATTRIBUTES)
        if attribute.text(_KEY) == "memory_region_name"
        for value in _inner(attribute, _VALUE)
    ]
    return bool(regions) and all(region.startswith(_MAPPED_FROM_THE_MODEL) for region in regions)


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
    for meta in (outermost, *metas):
        _examine_assets(meta, scan)
    for graph in (outermost, *metas, *(graph for meta in metas for graph in _inner(meta, _GRAPH_OF_META))):
        _examine_constants(graph, scan)
        try:
            _collect(graph, operators, own)
        except Unreadable:
            continue  # a message of another kind, which was walked through all the same
    judge_custom(operators, own, scan)


def _examine_assets(meta: Message, scan: Scan) -> None:
    """The files that a meta graph lists as its assets, in their own field and in the older collections."""
    assets = _inner(meta, _ASSETS_OF_META)
    for collection in _inner(meta, _COLLECTIONS_OF_META):
        assets += [
            asset
            for message, _fields in nested_messages(collection)
            if message.text(_KEY).endswith(_ASSET_TYPE)
            for asset in _inner(message, _VALUE)
        ]
    for asset in assets:
        try:
            name = asset.text(_FILE_NAME)
        except Unreadable:
            continue  # of another message that has this field
        if is_outside(name):
            scan.found(OUTSIDE_ASSET, name)


def _examine_constants(graph: Message, scan: Scan) -> None:
    """Names of files that are written into the graph, and given to what opens files."""
    functions = [function for library in _inner(graph, _LIBRARY) for function in _inner(library, _FUNCTION)]
    for message, number in ((graph, _NODE), *((function, _FUNCTION_NODE) for function in functions)):
        for operator, path in constant_paths(message, number):
            scan.found(OUTSIDE_CONSTANT, f"{operator} of {path}")


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
