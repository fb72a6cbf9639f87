"""Which expressions a template binds to its names: by `set`, `with`, loops, macros and namespaces."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from jinja2 import nodes

__all__ = ["Binding", "TooManyBindings", "bindings_of", "label_of", "namespaces_of"]

_SCALAR_TARGETS: Final = (nodes.Name, nodes.NSRef)
_MAX_BINDINGS: Final = 50_000
"""Each call of a macro may bind each of its parameters: together that is the product of both numbers."""


class TooManyBindings(Exception):
    """A template binds more than can be followed."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One of the things that a name stands for."""

    kind: Literal["value", "element", "body"]
    """The expression itself, something out of it, or what the block prints."""
    node: nodes.Node


def label_of(node: nodes.Node) -> str | None:
    """What a variable is called, or an attribute of one: `name` or `name.attribute`."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.NSRef):
        return f"{node.name}.{node.attr}"
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return f"{node.node.name}.{node.attr}"
    if (
        isinstance(node, nodes.Getitem)
        and isinstance(node.node, nodes.Name)
        and isinstance(node.arg, nodes.Const)
        and isinstance(node.arg.value, str)
    ):
        return f"{node.node.name}.{node.arg.value}"
    return None


def bindings_of(ordered: list[nodes.Node]) -> Mapping[str, tuple[Binding, ...]]:
    """All bindings of a template, by label. A name in different scopes is taken for one.

    Raises TooManyBindings.
    """
    parameters = {node.name: list(node.args) for node in ordered if isinstance(node, nodes.Macro)}
    parameters["caller"] = [
        name for node in ordered if isinstance(node, nodes.CallBlock) for name in node.args
    ]
    found: dict[str, list[Binding]] = {}
    bound = (pair for node in ordered for pair in _bound_by(node, parameters))
    for number, (label, binding) in enumerate(bound):
        if number >= _MAX_BINDINGS:
            raise TooManyBindings
        found.setdefault(label, []).append(binding)
    return {label: tuple(bindings) for label, bindings in found.items()}


def namespaces_of(ordered: list[nodes.Node]) -> frozenset[str]:
    """Names that a namespace may stand behind: made with one, assigned through, or bound to such a name.

    Each expression is looked through once, however many names it is bound to.
    """
    labels: dict[int, set[str]] = {}
    mentioning: dict[str, set[int]] = {}
    for label, bindings in bindings_of(ordered).items():
        for binding in bindings:
            if id(binding.node) not in labels:
                for name in _mentioned(binding.node):
                    mentioning.setdefault(name, set()).add(id(binding.node))
            labels.setdefault(id(binding.node), set()).add(label)
    found = {node.name for node in ordered if isinstance(node, nodes.NSRef)}
    waiting = ["namespace", *found]
    while waiting:
        for expression in mentioning.pop(waiting.pop(), ()):
            more = labels.pop(expression, set()) - found
            found |= more
            waiting += more
    return frozenset(found)


def _mentioned(root: nodes.Node) -> Iterator[str]:
    """The names in an expression that are not only asked for an attribute."""
    waiting = [root] if isinstance(root, nodes.Expr) else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, nodes.Name):
            yield node.name
        elif not isinstance(node, (nodes.Getattr, nodes.Compare, nodes.Test, nodes.Concat)):
            waiting += [child for child in node.iter_child_nodes() if isinstance(child, nodes.Expr)]


def _bound_by(node: nodes.Node, parameters: Mapping[str, list[nodes.Name]]) -> Iterator[tuple[str, Binding]]:
    if isinstance(node, nodes.Assign):
        yield from _assigned(node.target, node.node, "value")
    elif isinstance(node, nodes.AssignBlock):
        yield from _assigned(node.target, node, "body")
    elif isinstance(node, nodes.For):
        yield from _assigned(node.target, node.iter, "element")
    elif isinstance(node, nodes.With):
        for target, value in zip(node.targets, node.values, strict=False):
            yield from _assigned(target, value, "value")
    elif isinstance(node, nodes.Macro):
        yield f"{node.name}()", Binding("body", node)
        yield from _defaults(node)
    elif isinstance(node, nodes.CallBlock):
        yield "caller()", Binding("body", node)
        yield from _defaults(node)
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "caller":
        # Which call block it is that is called, only the macro's own caller knows.
        for target in parameters["caller"]:
            yield from ((target.name, Binding("value", value)) for value in node.args)
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in parameters:
        yield from _arguments(node, parameters[node.node.name])
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.args:
        yield from _added(node, node.node)


def _assigned(
    target: nodes.Node, value: nodes.Node, kind: Literal["value", "element", "body"]
) -> Iterator[tuple[str, Binding]]:
    label = label_of(target) if isinstance(target, _SCALAR_TARGETS) else None
    if label is not None:
        yield label, Binding(kind, value)
        yield from _attributes(label, value)
    elif isinstance(target, nodes.Tuple):
        items = value.items if isinstance(value, (nodes.Tuple, nodes.List)) and kind == "value" else []
        for number, part in enumerate(target.items):
            if number < len(items):
                yield from _assigned(part, items[number], "value")
            else:
                yield from _assigned(part, value, "element")


def _attributes(label: str, value: nodes.Node) -> Iterator[tuple[str, Binding]]:
    """The attributes that `namespace` and `dict` are made with, and the entries of a mapping."""
    if isinstance(value, nodes.Call) and isinstance(value.node, nodes.Name):
        if value.node.name in {"namespace", "dict"}:
            for keyword in value.kwargs:
                yield f"{label}.{keyword.key}", Binding("value", keyword.value)
    elif isinstance(value, nodes.Dict):
        for pair in value.items:
            if isinstance(pair.key, nodes.Const) and isinstance(pair.key.value, str):
                yield f"{label}.{pair.key.value}", Binding("value", pair.value)


def _defaults(node: nodes.Macro | nodes.CallBlock) -> Iterator[tuple[str, Binding]]:
    for target, value in zip(reversed(node.args), reversed(node.defaults), strict=False):
        yield target.name, Binding("value", value)


def _arguments(call: nodes.Call, parameters: list[nodes.Name]) -> Iterator[tuple[str, Binding]]:
    for target, value in zip(parameters, call.args, strict=False):
        yield from _assigned(target, value, "value")
    for value in call.args[len(parameters) :]:
        yield "varargs", Binding("value", value)
    for keyword in call.kwargs:
        yield keyword.key, Binding("value", keyword.value)
        yield "kwargs", Binding("value", keyword.value)
        yield f"kwargs.{keyword.key}", Binding("value", keyword.value)
    if call.dyn_args is not None:
        for target in parameters:
            yield target.name, Binding("element", call.dyn_args)


def _added(call: nodes.Call, callee: nodes.Getattr) -> Iterator[tuple[str, Binding]]:
    """What is put into a list, or a mapping, that a name stands for."""
    if isinstance(callee.node, nodes.Name) and callee.attr in {"append", "insert", "add", "extend"}:
        yield callee.node.name, Binding("value", call.args[-1])
