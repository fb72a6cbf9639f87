"""What names in a Python program stand for: imports and aliases followed, constant texts put together.

All parts of a program are walked through once, and shared by who looks at them.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["Names", "children", "parts_of"]

_MAX_TEXT_CHARS: Final = 10_000
_MAX_FOLDS: Final = 60
_MAX_ORIGINS: Final = 400
_SCOPES: Final = frozenset(
    ("globals()", "locals()", "vars()", "__builtins__", "builtins.__dict__", "__builtins__.__dict__",
     "globals().__builtins__", "globals().__builtins__.__dict__", "sys.modules")
)  # fmt: skip
_IMPORTING: Final = frozenset(
    ("__import__", "builtins.__import__", "importlib.import_module", "importlib.__import__")
)
_BUILT: Final = (ast.BinOp, ast.Call, ast.Subscript)


_LEAVES: Final = (ast.expr_context, ast.operator, ast.boolop, ast.unaryop, ast.cmpop)


def children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts right below, without those that only say how the others are meant."""
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            if not isinstance(value, _LEAVES):
                yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, ast.AST))


def parts_of(tree: ast.AST) -> list[ast.AST]:
    """All parts of a program, itself first."""
    found = [tree]
    for node in found:
        found.extend(children(node))
    return found


class Names:
    """The names of one program, in whatever block they stand: a name is what any assignment makes of it."""

    def __init__(self, nodes: Iterable[ast.AST], outer: "Names | None" = None) -> None:
        self.meant: dict[str, str] = dict(outer.meant) if outer else {}
        self.stars: list[str] = list(outer.stars) if outer else []
        self._assigned: dict[str, list[ast.expr]] = {}
        for node in nodes:
            self._import(node)
            self._assign(node)
        for _ in range(2):  # a name may be made of one that is assigned further down
            for name, values in self._assigned.items():
                meant = self.path(values[0]) if len(values) == 1 and name not in self.meant else None
                if meant is not None and meant != name and _names_something(values[0], meant):
                    self.meant[name] = meant

    def _import(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                self.meant[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if alias.name == "*":
                    self.stars.append(node.module)
                else:
                    self.meant[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def _assign(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._keep(target, node.value)
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            self._keep(node.target, node.value)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            self._keep(node.target, node.iter)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if item.optional_vars is not None:
                    self._keep(item.optional_vars, item.context_expr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Lambda):
            for parameter, value in zip(node.func.args.args, node.args, strict=False):
                self._assigned.setdefault(parameter.arg, []).append(value)

    def _keep(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._assigned.setdefault(target.id, []).append(value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                self._keep(part, value)

    def path(self, node: ast.AST, depth: int = 0) -> str | None:
        """The dotted name that an expression stands for, also by way of `getattr` and `__import__`."""
        if depth > _MAX_FOLDS:
            return None
        if isinstance(node, ast.Name):
            return self.meant.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.path(node.value, depth + 1)
            return None if owner is None else f"{owner}.{node.attr}"
        if isinstance(node, ast.Subscript):
            owner, key = self.path(node.value, depth + 1), self.text(node.slice)
            if key is not None and owner is not None:
                return key if owner in _SCOPES else f"{owner.removesuffix('.__dict__')}.{key}"
            return None
        return self._called(node, depth) if isinstance(node, ast.Call) else None

    def paths(self, node: ast.AST) -> Iterator[str]:
        """All that an expression may stand for: a name may come from any module that gave all of its own."""
        path = self.path(node)
        if path is not None:
            yield path
            if "." not in path and path not in self.meant:
                yield from (f"{module}.{path}" for module in self.stars)

    def _called(self, node: ast.Call, depth: int) -> str | None:
        """What a call returns, where that is a module or an attribute; else the call itself."""
        function = self.path(node.func, depth + 1)
        if function in _IMPORTING and node.args:
            return self.text(node.args[0])
        if function in {"getattr", "builtins.getattr"} and len(node.args) >= 2:
            owner, name = self.path(node.args[0], depth + 1), self.text(node.args[1])
            return None if owner is None or name is None else f"{owner}.{name}"
        return None if function is None else f"{function}()"

    def origins(self, node: ast.AST) -> Iterator[ast.AST]:
        """All parts of an expression, and of what its names are assigned, and so on; bounded."""
        waiting, followed, seen = [node], set[str](), 0
        while waiting and seen < _MAX_ORIGINS:
            part = waiting.pop()
            yield part
            seen += 1
            if isinstance(part, ast.Name) and part.id not in followed:
                followed.add(part.id)
                waiting += self._assigned.get(part.id, ())
            waiting += children(part)

    def is_built(self, node: ast.AST) -> bool:
        """Whether a text is put together of pieces instead of being written out."""
        parts = list(self.origins(node))
        return any(isinstance(part, _BUILT) for part in parts) and self.text(node) is not None

    def text(self, node: ast.AST, depth: int = 0) -> str | None:  # noqa: PLR0911  # one line a kind of node
        """The text that an expression makes of constants: by `+`, joins, turned round, f-strings, chr."""
        if depth > _MAX_FOLDS:
            return None
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bytes):
                return node.value[:_MAX_TEXT_CHARS].decode("latin-1")
            return node.value[:_MAX_TEXT_CHARS] if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            values = self._assigned.get(node.id, [])
            return self.text(values[0], depth + 10) if len(values) == 1 else None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.text(node.left, depth + 1), self.text(node.right, depth + 1)
            return None if left is None or right is None else (left + right)[:_MAX_TEXT_CHARS]
        if isinstance(node, ast.JoinedStr):
            parts = [self.text(part, depth + 1) for part in node.values]
            return None if None in parts else "".join(part or "" for part in parts)[:_MAX_TEXT_CHARS]
        if isinstance(node, ast.FormattedValue):
            return self.text(node.value, depth + 1)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            step, text = node.slice.step, self.text(node.value, depth + 1)
            turned = isinstance(step, ast.UnaryOp) and isinstance(step.op, ast.USub)
            return text[::-1] if turned and text is not None else None
        return self._text_of_call(node, depth) if isinstance(node, ast.Call) else None

    def _text_of_call(self, node: ast.Call, depth: int) -> str | None:
        function = node.func
        if isinstance(function, ast.Name) and node.args:
            if function.id == "chr":
                return _character(node.args[0])
            return self.text(node.args[0], depth + 1) if function.id in {"str", "bytes"} else None
        if not isinstance(function, ast.Attribute):
            return None
        base = self.text(function.value, depth + 1)
        if function.attr == "join" and node.args and base is not None:
            parts = self._parts(node.args[0], depth)
            return None if parts is None else base.join(parts)[:_MAX_TEXT_CHARS]
        if function.attr == "replace" and len(node.args) == 2 and base is not None:
            old, new = (self.text(argument, depth + 1) for argument in node.args)
            return None if old is None or new is None else base.replace(old, new)[:_MAX_TEXT_CHARS]
        return base if function.attr in {"decode", "encode", "strip", "format"} and base is not None else None

    def _parts(self, node: ast.AST, depth: int) -> list[str] | None:
        """The texts of a list; of `map(chr, …)`, `reversed(…)` and a text too. None where one is unknown."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            if node.func.id == "map" and len(node.args) == 2 and self.path(node.args[0]) == "chr":
                numbers = node.args[1].elts if isinstance(node.args[1], (ast.List, ast.Tuple)) else [node]
                return _known([_character(number) for number in numbers])
            if node.func.id in {"reversed", "list", "tuple"}:
                parts = self._parts(node.args[0], depth + 1)
                return parts if parts is None or node.func.id != "reversed" else parts[::-1]
            return None
        if isinstance(node, (ast.List, ast.Tuple)):
            return _known([self.text(item, depth + 1) for item in node.elts])
        if isinstance(node, (ast.GeneratorExp, ast.ListComp)):
            return self._characters(node)
        text = self.text(node, depth + 1)
        return None if text is None else list(text)

    def _characters(self, node: ast.GeneratorExp | ast.ListComp) -> list[str] | None:
        """`chr(x) for x in [1, 2, 3]`."""
        made, source = node.elt, node.generators[0].iter
        if (
            isinstance(made, ast.Call)
            and self.path(made.func) == "chr"
            and isinstance(source, (ast.List, ast.Tuple))
        ):
            return _known([_character(number) for number in source.elts])
        return None


def _names_something(value: ast.expr, meant: str) -> bool:
    """Whether an assignment gives a name to a module or to a part of one."""
    made = isinstance(value, ast.Call) and meant.endswith(")")
    return "." in meant or made or isinstance(value, ast.Call) or meant == "__builtins__"


def _character(node: ast.AST) -> str | None:
    number = node.value if isinstance(node, ast.Constant) else None
    return chr(number) if isinstance(number, int) and 0 <= number < 0x110000 else None


def _known(parts: list[str | None]) -> list[str] | None:
    return None if None in parts else [part or "" for part in parts]
