"""The schema of skops: a tree of nodes, each of which names a class that skops imports and makes."""

from collections.abc import Mapping
from typing import Final

from allmende.formats import JsonValue, MalformedJson, read_json
from allmende.scan.code.text_reader import text_of
from allmende.scan.findings import Rule, Severity
from allmende.scan.pickles.allow_list import Allowed, allowed, is_standard_library
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES", "SKOPS_KEY", "examine_skops_node"]

SKOPS_KEY: Final = "__loader__"
"""The key that every node has, and other documents have not."""

REFUSED_NODE = Rule(
    "skops-refused-type",
    Severity.CRITICAL,
    "makes what is no part of a model",
    "The schema names a function or class that skops imports and calls with arguments from the file.",
    "Save the estimator again; review what `skops.io.get_untrusted_types` names.",
    "skops documentation, secure persistence; CVE-2024-37065, CVE-2025-54412.",
)
UNKNOWN_NODE = Rule(
    "skops-unknown-type",
    Severity.MEDIUM,
    "needs a class from outside",
    "The schema names a class that skops does not trust by itself.",
    "Say in the card which package is needed.",
    "skops documentation, secure persistence.",
)
RULES = (REFUSED_NODE, UNKNOWN_NODE)

_MAX_DEPTH: Final = 200
_LOADERS: Final = frozenset(
    ("DictNode", "ListNode", "SetNode", "TupleNode", "TypeNode", "SliceNode", "ObjectNode", "NdArrayNode",
     "MaskedArrayNode", "RandomStateNode", "RandomGeneratorNode", "SparseMatrixNode", "DTypeNode", "JsonNode",
     "ReduceNode", "TreeNode", "SGDNode", "BytesNode", "BytearrayNode", "CachedNode", "OrderedDictNode",
     "DefaultDictNode", "DatetimeNode", "QuantileForestNode", "FrozensetNode", "NumpyScalarNode",
     "FunctionNode", "PartialNode")
)  # fmt: skip
_ACTING_LOADERS: Final = frozenset(("MethodNode", "OperatorFuncNode", "FunctionNode", "PartialNode"))
_PLAIN_MODULES: Final = frozenset(("builtins", "numpy", "scipy", "sklearn", "collections", "datetime"))


def _read_skops(source: Source, scan: Scan) -> None:
    """Every type that the schema names. Raises Unreadable, LimitReached."""
    data = text_of(source, scan).encode()
    try:
        value = read_json(data, len(data), _MAX_DEPTH)
    except MalformedJson as error:
        raise Unreadable(error.message) from None
    waiting: list[JsonValue] = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            examine_skops_node(node, scan)
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def examine_skops_node(node: Mapping[str, JsonValue], scan: Scan) -> None:
    """Find what the class that a node names is no part of a model for, and what no loader of skops is."""
    module, name, loader = node.get("__module__"), node.get("__class__"), node.get("__loader__")
    content = node.get("content")
    if loader == "FunctionNode" and isinstance(content, dict):
        module, name = content.get("module_path"), content.get("function")
    if isinstance(loader, str) and loader not in _LOADERS | _ACTING_LOADERS:
        scan.found(UNKNOWN_NODE, loader)
    if not isinstance(module, str) or not isinstance(name, str):
        return
    path = f"{module}.{name}"
    root = module.partition(".")[0]
    if "__" in path.replace("__main__", "") or (
        name.startswith("_") and allowed(module, name) is Allowed.NOTHING
    ):
        scan.found(REFUSED_NODE, path)
    elif (
        loader == "MethodNode" and isinstance(content, dict) and str(content.get("func", "")).startswith("_")
    ):
        scan.found(REFUSED_NODE, f"{path}.{content.get('func')}")
    elif allowed(module, name) is Allowed.NOTHING:
        harmless = root in _PLAIN_MODULES and name[:1].isupper() and root != "builtins"
        acting = is_standard_library(root) and root not in {"collections", "datetime"}
        if acting or loader == "OperatorFuncNode":
            scan.found(REFUSED_NODE, path)
        elif not harmless:
            scan.found(
                REFUSED_NODE
                if loader in _ACTING_LOADERS and root not in {"numpy", "scipy", "sklearn"}
                else UNKNOWN_NODE,
                path,
            )


def _claims(probe: Probe) -> Claim:
    if probe.hint == "skops-schema":
        return Claim.CONTENT  # an archive told what it is
    return Claim.NAME if b'"__loader__"' in probe.head and b'"__module__"' in probe.head else Claim.NONE


READER = Reader("skops schema", "text", _claims, _read_skops)
