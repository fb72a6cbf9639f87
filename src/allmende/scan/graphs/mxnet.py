"""Symbols of MXNet (JSON): operators that call back into Python or need a library."""

from typing import Final

from allmende.formats import MalformedJson, read_json
from allmende.scan.code.text_reader import text_of
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

CUSTOM_OPERATOR = Rule(
    "mxnet-custom-operator",
    Severity.MEDIUM,
    "needs operators from outside",
    "The graph uses operators that are written in Python: the program that loads it must bring them.",
    "Say in the card where the code is.",
    "MXNet documentation, custom operators.",
)
RULES = (CUSTOM_OPERATOR,)

_OF_PYTHON: Final = frozenset(("Custom", "_Native", "_NDArray", "_CustomFunction", "_TensorRT"))
_MAX_DEPTH: Final = 64


def _claims(probe: Probe) -> Claim:
    start = probe.head.lstrip()
    likely = start[:1] == b"{" and b'"nodes"' in start and b'"op"' in start and b'"inputs"' in start
    return Claim.CONTENT if likely and b"\0" not in start else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """The operator of every node. Raises Unreadable, LimitReached."""
    data = text_of(source, scan).encode()
    try:
        value = read_json(data, len(data), _MAX_DEPTH)
    except MalformedJson as error:
        raise Unreadable(error.message) from None
    nodes = value.get("nodes") if isinstance(value, dict) and "arg_nodes" in value else None
    for number, node in enumerate(nodes if isinstance(nodes, list) else []):
        operator = node.get("op") if isinstance(node, dict) else None
        if isinstance(operator, str) and operator in _OF_PYTHON:
            scan.found(CUSTOM_OPERATOR, operator, inside=f"nodes.{number}")


READER = Reader("mxnet symbol", "text", _claims, _read)
