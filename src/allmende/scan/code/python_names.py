"""What names in a Python program stand for: imports and aliases followed, constant texts put together."""

import ast
from typing import Final

__all__ = ["Names", "text_of"]

_MAX_TEXT_CHARS: Final = 10_000
_MAX_FOLDS: Final = 200


class Names:
    """The imports of one program, in whatever block they stand: a name is what any of them makes of it."""

    def __init__(self, tree: ast.Module) -> None:
        self._meant: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._meant[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    self._meant[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Assign)
                and len(node.targets) == 1
                and isinstance(node.targets[0], ast.Name)
            ):
                meant = self.path(node.value)
                if meant is not None and not isinstance(node.value, ast.Call) and "." in meant:
                    self._meant.setdefault(node.targets[0].id, meant)

    def path(self, node: ast.AST, depth: int = 0) -> str | None:
        """The dotted name that an expression stands for, also by way of `getattr` and `__import__`."""
        if depth > _MAX_FOLDS:
            return None
        if isinstance(node, ast.Name):
            return self._meant.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.path(node.value, depth + 1)
            return None if owner is None else f"{owner}.{node.attr}"
        if isinstance(node, ast.Subscript):
            owner, key = self.path(node.value, depth + 1), text_of(node.slice)
            scopes = {
                "globals()",
                "locals()",
                "vars()",
                "__builtins__",
                "builtins.__dict__",
                "__builtins__.__dict__",
            }
            if key is not None and owner is not None:
                return key if owner in scopes else f"{owner.removesuffix('.__dict__')}.{key}"
            return None
        return self._called(node, depth) if isinstance(node, ast.Call) else None

    def _called(self, node: ast.Call, depth: int) -> str | None:
        """What a call returns, where that is a module or an attribute."""
        function = self.path(node.func, depth + 1)
        if function in {"__import__", "importlib.import_module", "builtins.__import__"} and node.args:
            return text_of(node.args[0])
        if function in {"getattr", "builtins.getattr"} and len(node.args) >= 2:
            owner, name = self.path(node.args[0], depth + 1), text_of(node.args[1])
            return None if owner is None or name is None else f"{owner}.{name}"
        return f"{function}()" if function in {"globals", "locals", "vars"} else None


def text_of(node: ast.AST, depth: int = 0) -> str | None:  # noqa: PLR0911  # one line a kind of node
    """The text that an expression makes of constants: by `+`, joins, slices turned round, f-strings."""
    if depth > _MAX_FOLDS:
        return None
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bytes):
            return node.value[:_MAX_TEXT_CHARS].decode("latin-1")
        return node.value[:_MAX_TEXT_CHARS] if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = text_of(node.left, depth + 1), text_of(node.right, depth + 1)
        return None if left is None or right is None else (left + right)[:_MAX_TEXT_CHARS]
    if isinstance(node, ast.JoinedStr):
        parts = [text_of(part, depth + 1) for part in node.values]
        return None if None in parts else "".join(part or "" for part in parts)[:_MAX_TEXT_CHARS]
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, depth + 1)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        step, text = node.slice.step, text_of(node.value, depth + 1)
        turned = isinstance(step, ast.UnaryOp) and isinstance(step.op, ast.USub)
        return text[::-1] if turned and text is not None else None
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "join"
        and node.args
    ):
        items = node.args[0].elts if isinstance(node.args[0], (ast.List, ast.Tuple)) else []
        glue, parts = text_of(node.func.value, depth + 1), [text_of(item, depth + 1) for item in items]
        return (
            None
            if glue is None or None in parts
            else glue.join(part or "" for part in parts)[:_MAX_TEXT_CHARS]
        )
    return None
