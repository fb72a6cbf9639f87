"""ONNX models (onnx.proto): where their weights lie, which operators they need, and what they bring along."""

import re
from collections.abc import Iterator
from typing import Final

from allmende.scan.code.secrets import examine_secrets
from allmende.scan.containers.member_paths import is_outside
from allmende.scan.findings import Rule, Severity
from allmende.scan.graphs.onnx_sizes import made_sizes
from allmende.scan.graphs.protobuf import LENGTH, VARINT, Field, Message
from allmende.scan.provable import IMPOSSIBLE_BYTES, IMPOSSIBLE_SIZE
from allmende.scan.scanning import LIMIT_REACHED, Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

OUTSIDE_DATA = Rule(
    "onnx-outside-data",
    Severity.CRITICAL,
    "reads weights from outside the model's folder",
    "The place of a tensor's data is an absolute path, an address, or climbs out of the folder: loading the "
    "model reads that file.",
    "Save the model with its data beside it.",
    "CVE-2024-27318, CVE-2024-5187, CVE-2026-27489.",
)
BAD_RANGE = Rule(
    "onnx-bad-data-range",
    Severity.HIGH,
    "impossible place of external data",
    "Offset or length of a tensor's data are negative, no numbers, or overflow.",
    "Save the model again.",
    "CVE-2026-34445.",
)
UNKNOWN_ENTRY = Rule(
    "onnx-unknown-data-entry",
    Severity.HIGH,
    "unknown entries for external data",
    "Some loaders set every entry as an attribute of their own object, whatever its name is.",
    "Save the model again.",
    "CVE-2026-34445.",
)
CUSTOM_OPERATOR = Rule(
    "onnx-custom-operator",
    Severity.MEDIUM,
    "needs operators from outside",
    "The graph uses operators that are neither of ONNX nor of its runtime: a library must be loaded for "
    "them.",
    "Say in the card which library is needed.",
    "ONNX specification, operator sets.",
)
PYTHON_OPERATOR = Rule(
    "onnx-python-operator",
    Severity.CRITICAL,
    "runs Python functions",
    "An operator of the graph calls back into Python.",
    "Export the model without such operators.",
    "onnxruntime documentation, PyOp.",
)
RULES = (OUTSIDE_DATA, BAD_RANGE, UNKNOWN_ENTRY, CUSTOM_OPERATOR, PYTHON_OPERATOR)

_DOMAINS: Final = frozenset(
    ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "ai.onnx.preview",
     "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc", "com.microsoft.experimental",
     "org.pytorch.aten", "org.pytorch.prim", "com.microsoft.dml", "com.microsoft.extensions",
     "ai.onnx.contrib")
)  # fmt: skip
_SHIPPED_APART: Final = frozenset(("com.microsoft.extensions", "ai.onnx.contrib"))
_PYTHON_OPERATORS: Final = frozenset(("PyOp", "PythonOp", "PythonOpGrad", "PyCustomOp", "PyCustomOpDef"))
_DATA_KEYS: Final = frozenset(("location", "offset", "length", "checksum", "basepath"))
_URL: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]*:")
_ODD: Final = re.compile(r"[\\\x00-\x1f]")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_MAX_DEPTH: Final = 32
_MAX_PATH_CHARS: Final = 1000
_MAX_MADE: Final = 10**10
"""Elements of a tensor that a graph makes of a shape of its own."""
_MEMORY: Final = "_ORT_MEM_ADDR_"
"""By this name a runtime takes the offset for an address in its own memory."""
_I64: Final = 2**63


def _claims(probe: Probe) -> Claim:
    if probe.format_name == "onnx":
        return Claim.CONTENT
    flatbuffer = probe.head[4:8] == b"ORTM" and probe.head[3:4] == b"\0"
    return Claim.NAME if probe.hint == "onnx" and not flatbuffer else Claim.NONE


class _Model:
    """One model: what its functions define, and what is found in its graphs."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._own: set[tuple[str, str]] = set()
        self._foreign: set[tuple[str, str]] = set()

    def read(self, model: Message) -> None:
        """All parts of a ModelProto that lead somewhere."""
        fields = list(model.fields())
        for field in _messages(fields, 25):
            self._own.add((model.inner(field).text(10), model.inner(field).text(1)))
        for field in _messages(fields, 7):
            self._graph(model.inner(field), 0)
        for field in _messages(fields, 25):
            self._function(model.inner(field))
        for field in _messages(fields, 20):
            training = model.inner(field)
            for part in training.fields():
                if part.number in (1, 2) and part.wire == LENGTH:
                    self._graph(training.inner(part), 0)
        for field in _messages(fields, 14):
            entry = model.inner(field)
            examine_secrets(entry.text(2), self._scan, "metadata_props")
        for domain, name in sorted(self._foreign - self._own):
            self._scan.found(CUSTOM_OPERATOR, f"{domain}.{name}")

    def _function(self, function: Message) -> None:
        for field in function.fields():
            if field.number == 7 and field.wire == LENGTH:
                self._node(function.inner(field), 0)
            elif field.number == 11 and field.wire == LENGTH:
                self._attribute(function.inner(field), 0)

    def _graph(self, graph: Message, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise Unreadable(f"Graphs are nested more than {_MAX_DEPTH} deep.")
        for maker, size in made_sizes(graph):
            if size > _MAX_MADE:
                self._scan.found(LIMIT_REACHED, f"{maker} of {size} elements")
        for field in graph.fields():
            if field.wire != LENGTH:
                continue
            if field.number == 1:
                self._node(graph.inner(field), depth)
            elif field.number == 5:
                self._tensor(graph.inner(field))
            elif field.number == 15:
                self._sparse(graph.inner(field))

    def _node(self, node: Message, depth: int) -> None:
        operator = domain = ""
        for field in node.fields():
            if field.wire != LENGTH:
                continue
            if field.number == 4:
                operator = node.text_of(field)
            elif field.number == 7:
                domain = node.text_of(field)
            elif field.number == 5:
                self._attribute(node.inner(field), depth)
        if operator == "EPContext":
            self._context(node)
        if operator in _PYTHON_OPERATORS:
            self._scan.found(PYTHON_OPERATOR, f"{domain}.{operator}")
        elif domain in _SHIPPED_APART or domain not in _DOMAINS:
            self._foreign.add((domain, operator))

    def _context(self, node: Message) -> None:
        """What a runtime compiled for its device: beside the model, or wherever the node says."""
        for field in _messages(list(node.fields()), 5):
            attribute = node.inner(field)
            place = attribute.text(4) if attribute.text(1) == "ep_cache_context" else ""
            if len(place) < _MAX_PATH_CHARS and place.isprintable() and is_outside(place):
                self._scan.found(OUTSIDE_DATA, place, inside="EPContext")

    def _attribute(self, attribute: Message, depth: int) -> None:
        for field in attribute.fields():
            if field.wire != LENGTH:
                continue
            if field.number in (5, 10):
                self._tensor(attribute.inner(field))
            elif field.number in (6, 11):
                self._graph(attribute.inner(field), depth + 1)
            elif field.number in (22, 23):
                self._sparse(attribute.inner(field))

    def _sparse(self, sparse: Message) -> None:
        for field in sparse.fields():
            if field.number in (1, 2) and field.wire == LENGTH:
                self._tensor(sparse.inner(field))

    def _tensor(self, tensor: Message) -> None:
        name, entries, elements = "", [], 1
        for field in tensor.fields():
            if field.number == 8 and field.wire == LENGTH:
                name = tensor.text_of(field)
            elif field.number == 13 and field.wire == LENGTH:
                entry = tensor.inner(field)
                entries.append((entry.text(1), entry.text(2)))
            elif field.number == 1:
                elements = self._elements(tensor, field, elements)
        if entries:
            self._external(name, entries)

    def _elements(self, tensor: Message, field: Field, elements: int) -> int:
        """The product of the dimensions so far, which are written one by one or packed. Raises Unreadable."""
        for value in [field.value] if field.wire == VARINT else tensor.inner(field).numbers():
            elements *= value
            if value >= _I64 or elements >= _I64:
                raise Unreadable("The dimensions of a tensor are negative or overflow.", field.start)
        return elements

    def _external(self, name: str, entries: list[tuple[str, str]]) -> None:
        told = dict(entries)
        for key in sorted({key for key, _ in entries} - _DATA_KEYS):
            self._scan.found(UNKNOWN_ENTRY, key, inside=name)
        if len(told) < len(entries):
            self._scan.found(UNKNOWN_ENTRY, "an entry is there twice", inside=name)
        location = told.get("location", "")
        for place in (location, told.get("basepath", ".")):
            memory = _MEMORY in place
            if memory or is_outside(place) or _URL.match(place) or _ODD.search(place) or not place:
                self._scan.found(OUTSIDE_DATA, place, inside=name)
        numbers = [told.get(key, "0") or "0" for key in ("offset", "length")]
        if not all(_NUMBER.fullmatch(number) and int(number) < _I64 for number in numbers):
            self._scan.found(BAD_RANGE, ", ".join(numbers), inside=name)
        elif sum(map(int, numbers)) > IMPOSSIBLE_BYTES:
            self._scan.found(IMPOSSIBLE_SIZE, ", ".join(numbers), inside=name)
        elif location and not is_outside(location):
            self._scan.refers("external_data", location, sum(int(number) for number in numbers))


def _messages(fields: list[Field], number: int) -> Iterator[Field]:
    return (field for field in fields if field.number == number and field.wire == LENGTH)


def _read(source: Source, scan: Scan) -> None:
    """The whole model. Raises Unreadable, LimitReached."""
    _Model(scan).read(Message(source))


READER = Reader("onnx", "onnx", _claims, _read)
