"""The code of TorchScript archives: Python in form, with the operators of torch; parsed, never run."""

import ast
import warnings
from typing import Final

from allmende.scan.code.text_reader import text_of
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

FILE_OPERATOR = Rule(
    "torchscript-file-operator",
    Severity.CRITICAL,
    "the model reads or writes files",
    "The code of the model uses an operator that opens a file of the machine that runs it.",
    "Trace or script the model without such operators.",
    "PyTorch, SECURITY.md: models are programs; aten::from_file.",
)
CUSTOM_OPERATOR = Rule(
    "torchscript-custom-operator",
    Severity.MEDIUM,
    "needs operators from outside",
    "The code of the model uses operators that torch does not have: a library must be loaded for them.",
    "Say in the card which library is needed.",
    "PyTorch documentation, custom operators.",
)
RULES = (FILE_OPERATOR, CUSTOM_OPERATOR)

_NAMESPACES: Final = frozenset(
    ("aten", "prim", "prims", "quantized", "torchvision", "torchaudio", "_caffe2", "inductor", "profiler",
     "sparse", "mkldnn", "mkldnn_prepacked", "metal_prepack", "vulkan_prepack", "xnnpack", "prepacked",
     "onednn", "c10d_functional")
)  # fmt: skip
_FILE_WORDS: Final = frozenset(
    ("save", "load", "file", "pickle", "open", "unpickle", "shell", "system", "exec")
)
_HARMLESS: Final = frozenset(("load_state_dict", "_load_from_state_dict"))
_CLASSES: Final = ("__torch__", "torch", "classes")
_CLASS_SPACES: Final = frozenset(
    ("quantized", "sparse", "xnnpack", "rnn", "mkldnn", "metal", "vulkan", "profiling", "profiler", "c10d",
     "dist_c10d", "dist_rpc", "caffe2", "_nnapi", "aten", "torchaudio", "torchvision", "at", "inductor")
)  # fmt: skip
_PYTHON: Final = frozenset(("eval", "exec", "open", "compile", "__import__", "globals"))
_MAX_NESTING: Final = 150


def _claims(probe: Probe) -> Claim:
    return Claim.CONTENT if probe.hint == "torchscript" else Claim.NONE  # an archive told what it is


def _read(source: Source, scan: Scan) -> None:
    """Every dotted name in the code. Raises Unreadable, LimitReached."""
    text = text_of(source, scan)
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth > _MAX_NESTING:
            raise Unreadable("The code is nested too deep.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"The code is no TorchScript: {error}.") from None
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            raise Unreadable("The code has imports, which TorchScript does not.", None)
        if isinstance(node, ast.Attribute):
            _examine(_path(node), scan)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _PYTHON:
            scan.found(FILE_OPERATOR, node.func.id)


def _path(node: ast.expr) -> tuple[str, ...]:
    """The parts of a dotted name; empty where it is none."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def _examine(path: tuple[str, ...], scan: Scan) -> None:
    if len(path) < 2:
        return
    shown = ".".join(path)
    operator = path[0] in {"torch", "ops", "aten"}
    if operator and not _FILE_WORDS.isdisjoint(path[-1].split("_")) and path[-1] not in _HARMLESS:
        scan.found(FILE_OPERATOR, shown)
    elif (
        (path[0] == "ops" and path[1] not in _NAMESPACES)
        or (path[:2] == ("torch", "ops") and len(path) > 2 and path[2] not in _NAMESPACES)
        or (path[:3] == _CLASSES and len(path) > 4 and path[3] not in _CLASS_SPACES)
    ):
        scan.found(CUSTOM_OPERATOR, shown)


READER = Reader("torchscript code", "text", _claims, _read)
