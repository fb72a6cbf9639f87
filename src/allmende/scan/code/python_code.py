"""Python source: what it does when it is imported, and what it hides; parsed, never compiled to run.

Code in a repository is ordinary and is noted. What acts as soon as the file is imported, or a model is loaded
by it, is another matter, and so is code that unpacks other code before it runs it.
"""

import ast
import warnings
from typing import Final

from allmende.scan.budget import LimitReached
from allmende.scan.code.python_calls import EVALUATING, LOADERS, TEXT_RUNNERS, Calls, Moment, is_acting
from allmende.scan.code.python_names import Names, parts_of
from allmende.scan.code.python_rules import (
    ACTS_AT_IMPORT,
    DATASET_SCRIPT,
    DISGUISED_SOURCE,
    PYTHON_CODE,
    REPLACES_LOADER,
    RULES,
    UNPARSED,
)
from allmende.scan.code.python_running import running_at_import, running_at_load
from allmende.scan.code.python_source import DisguisedSource, decoded_source
from allmende.scan.findings import Rule
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER", "RULES", "examine_python"]

_MAX_NESTING: Final = 90
_MAX_PARTS: Final = 2_000_000
_MAX_WITHIN: Final = 3
"""Programs within texts of programs."""
_BUILDERS: Final = (
    "GeneratorBasedBuilder",
    "ArrowBasedBuilder",
    "DatasetBuilder",
    "BeamBasedBuilder",
    "BuilderConfig",
)
_ASKING: Final = frozenset(
    ("hasattr", "getattr", "isinstance", "issubclass", "callable", "print", "id", "type", "inspect.signature",
     "functools.wraps", "unittest.mock.patch", "mock.patch", "repr", "str", "setattr", "vars", "dir", "help")
)  # fmt: skip
"""What is given a function and does not call it."""


def examine_python(text: str, scan: Scan, inside: str = "", *, imported: bool = True) -> None:
    """Find what a program does. With `imported` its top level runs by itself, unlike a cell.

    Raises LimitReached for a program that is too large.
    """
    tree = _parsed(text)
    if tree is None:
        scan.found(UNPARSED, inside=inside)
        return
    _Program(tree, scan, inside, None, imported=imported, depth=0).examine()


class _Program:
    """One program, or a text that another one runs."""

    def __init__(
        self, tree: ast.Module, scan: Scan, inside: str, outer: Names | None, *, imported: bool, depth: int
    ) -> None:
        self._scan = scan
        self._inside = inside
        self._depth = depth
        self._parts = parts_of(tree)
        if len(self._parts) > _MAX_PARTS:
            raise LimitReached("program", f"The program has more than {_MAX_PARTS} parts.")
        self._names = Names(self._parts, outer)
        self._calls = Calls(self._parts, self._names)
        classes = [node for node in self._parts if isinstance(node, ast.ClassDef)]
        self._at_import = running_at_import(tree, classes, self._names) if imported else set()
        self._at_load = running_at_load(tree, classes, self._names)

    def examine(self) -> None:
        """All nodes; each is judged by when it runs."""
        for node in self._parts:
            moment = self._moment(node)
            if isinstance(node, ast.Call):
                self._call(node, moment)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                if moment is Moment.IMPORT:
                    self._handed_over(node.decorator_list)
                if isinstance(node, ast.ClassDef):
                    self._class(node)
            elif isinstance(node, ast.Assign) and moment is Moment.IMPORT:
                for target in node.targets:
                    self._replaces(
                        self._names.path(target) if isinstance(target, ast.Attribute) else None, node
                    )

    def _moment(self, node: ast.AST) -> Moment:
        if id(node) in self._at_import:
            return Moment.IMPORT
        return Moment.LOAD if id(node) in self._at_load else Moment.LATER

    def _found(self, rule: Rule, evidence: str, node: ast.stmt | ast.expr) -> None:
        self._scan.found(rule, evidence, detail=f"Line {node.lineno}.", inside=self._inside)

    def _call(self, node: ast.Call, moment: Moment) -> None:
        found = self._calls.rule_of(node, moment)
        if found is not None:
            rule, path = found
            shown = self._names.text(node.args[0]) if node.args else None
            self._found(rule, path if shown is None else f"{path}({shown!r})", node)
        path = self._names.path(node.func) or ""
        if moment is not Moment.LATER and (path in EVALUATING or path in TEXT_RUNNERS):
            self._text(node)
        if moment is Moment.IMPORT and path not in _ASKING:
            self._handed_over([*node.args, *(keyword.value for keyword in node.keywords)])
        if moment is Moment.IMPORT and path == "setattr" and len(node.args) == 3:
            name = self._names.text(node.args[1])
            self._replaces(f"{self._names.path(node.args[0])}.{name}", node)

    def _text(self, node: ast.Call) -> None:
        """A program that is written out as a text."""
        text = self._names.text(node.args[0]) if node.args else None
        tree = _parsed(text) if text and self._depth < _MAX_WITHIN else None
        if tree is not None:
            inner = _Program(
                tree, self._scan, self._inside, self._names, imported=True, depth=self._depth + 1
            )
            inner.examine()

    def _handed_over(self, values: list[ast.expr]) -> None:
        """Functions that start programs, given to what will call them."""
        for value in values:
            if isinstance(value, ast.Call) and self._names.path(value.func) not in {
                "getattr",
                "builtins.getattr",
            }:
                continue
            for path in self._names.paths(value):
                if is_acting(path):
                    self._found(ACTS_AT_IMPORT, f"{path} is handed over", value)

    def _replaces(self, path: str | None, node: ast.stmt | ast.expr) -> None:
        if path in LOADERS:
            self._found(REPLACES_LOADER, path, node)

    def _class(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            path = self._names.path(base) or ""
            if path.rpartition(".")[2] in _BUILDERS:
                self._found(DATASET_SCRIPT, path, node)


def _parsed(text: str) -> ast.Module | None:
    """The syntax tree; None where there is none, or where it would be nested too deep to walk."""
    depth = 0
    for character in text:
        if character in "([{":
            depth += 1
            if depth > _MAX_NESTING:
                return None
        elif character in ")]}":
            depth = max(0, depth - 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _claims(probe: Probe) -> Claim:
    shebang = probe.head.startswith(b"#!") and b"python" in probe.head[:80].split(b"\n", 1)[0]
    return Claim.NAME if probe.hint in {"python", "startup"} or shebang else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Note the program, and what it does."""
    scan.found(PYTHON_CODE)
    limit = scan.budget.limits.text_bytes
    if source.size_bytes > limit:
        raise LimitReached("text", f"A text has more than {limit} bytes.")
    try:
        text = decoded_source(source.read_at(0, source.size_bytes))
    except DisguisedSource as disguised:
        scan.found(DISGUISED_SOURCE, disguised.encoding)
        return
    examine_python(text, scan)


READER = Reader("python", "text", _claims, _read)
