"""What the expressions of a template may amount to, through its variables, loops and macros."""

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from jinja2 import nodes

from allmende.scan.templates.template_bindings import Binding, bindings_of, label_of
from allmende.scan.templates.template_values import (
    MADE,
    NUMBER,
    UNKNOWN,
    Constant,
    Value,
    combined,
    constant,
    filtered,
    joined_values,
)

__all__ = ["Evaluation"]

_ROUNDS: Final = 4
_MAX_BINDINGS: Final = 24
_ARITHMETIC: Final[Mapping[type[nodes.Node], Callable[..., object]]] = {
    nodes.Sub: operator.sub,
    nodes.Div: operator.truediv,
    nodes.FloorDiv: operator.floordiv,
}
_MAX_EXPONENT: Final = 100
_MAX_REPEATED: Final = 100_000
_MAX_INNER: Final = 40
_BODIES: Final = (nodes.AssignBlock, nodes.Macro, nodes.CallBlock)
_TRUTH: Final = (nodes.Compare, nodes.Not, nodes.Test)


class Evaluation:
    """The values of all expressions of one template; `nodes` are in the order of `in_order`."""

    def __init__(self, ordered: list[nodes.Node]) -> None:
        self._bindings = bindings_of(ordered)
        self._bodies = {node.name: node.body for node in ordered if isinstance(node, nodes.Macro)}
        self._values: dict[int, Value] = {}
        self._outputs: dict[int, Value] = {}
        """What each block prints, as far as it is known when the block is passed."""
        self._of_labels: dict[str, Value] = {}
        """What each label stands for, until something that is bound to it changes."""
        self._labels: dict[int, set[str]] = {}
        for label, bindings in self._bindings.items():
            for binding in bindings:
                self._labels.setdefault(id(binding.node), set()).add(label)
        self._spaces = frozenset(label for label, bound in self._bindings.items() if _is_namespace(bound))
        self._handlers: dict[type[nodes.Node], Callable[..., Value]] = {
            nodes.Const: lambda node: constant(node.value),
            nodes.TemplateData: lambda node: constant(node.data),
            nodes.Name: lambda node: self._bound(node.name),
            nodes.Concat: self._concatenation,
            nodes.Add: self._sum,
            nodes.Mul: self._product,
            nodes.Mod: self._modulo,
            nodes.Pow: self._power,
            nodes.Neg: lambda node: combined(operator.neg, [self.value(node.node)], NUMBER),
            nodes.Pos: lambda node: self.value(node.node),
            nodes.List: self._list,
            nodes.Tuple: self._list,
            nodes.Dict: self._mapping,
            nodes.Getitem: self._item,
            nodes.Getattr: self._attribute,
            nodes.Filter: self._filter,
            nodes.Call: self._call,
            nodes.CondExpr: self._choice,
            nodes.And: self._either,
            nodes.Or: self._either,
        }
        for number in range(_ROUNDS):
            changed = self._round(ordered, is_last=number == _ROUNDS - 1)
            if not changed:
                break

    def value(self, node: nodes.Node | None) -> Value:
        """What the expression may amount to."""
        return UNKNOWN if node is None else self._values.get(id(node), UNKNOWN)

    def values_of(self, name: str) -> tuple[Binding, ...]:
        """What the template binds to a name; empty where it comes from outside."""
        return self._bindings.get(name, ())

    def _round(self, ordered: list[nodes.Node], *, is_last: bool) -> bool:
        changed = False
        for node in ordered:
            value = self._evaluated(node)
            if value != self._values.get(id(node), UNKNOWN):
                # What does not settle grows with each round, or hangs on a long chain of variables.
                self._values[id(node)] = joined_values([value, MADE]) if is_last else value
                self._changed(node)
                changed = True
            if isinstance(node, _BODIES):
                output = self._output(node)
                if output != self._outputs.get(id(node)):
                    self._outputs[id(node)] = output
                    self._changed(node)
                    changed = True
        return changed

    def _changed(self, node: nodes.Node) -> None:
        for label in self._labels.get(id(node), ()):
            self._of_labels.pop(label, None)

    def _evaluated(self, node: nodes.Node) -> Value:
        handler = self._handlers.get(type(node))
        if handler is not None:
            return handler(node)
        if isinstance(node, _TRUTH):
            return NUMBER
        make = _ARITHMETIC.get(type(node))
        if make is not None and isinstance(node, nodes.BinExpr):
            return self._calculated(make, self.value(node.left), self.value(node.right))
        return UNKNOWN

    def _bound(self, name: str) -> Value:
        bindings = self._bindings.get(name, ())
        if len(bindings) > _MAX_BINDINGS:
            return MADE
        value = self._of_labels.get(name)
        if value is None:
            value = joined_values([self._of_binding(binding) for binding in bindings])
            self._of_labels[name] = value
        return value

    def _of_binding(self, binding: Binding) -> Value:
        if binding.kind == "body":
            return self._outputs.get(id(binding.node), UNKNOWN)
        value = self.value(binding.node)
        return value if binding.kind == "value" else _elements(value)

    def _output(self, node: nodes.Node) -> Value:
        """The text that a block, a macro or a set block gives."""
        body = getattr(node, "body", [])
        parts = [
            part for inner in body for part in (inner.nodes if isinstance(inner, nodes.Output) else [None])
        ]
        text = self._together([self.value(part) if part is not None else MADE for part in parts])
        chain = getattr(node, "filter", None)
        names: list[nodes.Filter] = []
        while isinstance(chain, nodes.Filter):
            names.append(chain)
            chain = chain.node
        for link in reversed(names):
            text = filtered(link.name, text, [self.value(argument) for argument in link.args])
        return text

    def _together(self, parts: list[Value]) -> Value:
        if not parts:
            return constant("")
        return combined(_written, parts)

    def _concatenation(self, node: nodes.Concat) -> Value:
        return self._together([self.value(part) for part in node.nodes])

    def _sum(self, node: nodes.Add) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        # With a number on one side there is one on the other.
        is_number = (left.number and not right.is_text) or (right.number and not left.is_text)
        if is_number:
            return self._calculated(operator.add, left, right)
        return combined(operator.add, [left, right], Value(made=True, holds=left.holds or right.holds))

    def _product(self, node: nodes.Mul) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if left.is_text or right.is_text:
            return combined(_multiplied, [left, right])
        return self._calculated(_multiplied, left, right)

    def _calculated(self, make: Callable[..., object], left: Value, right: Value) -> Value:
        """Of one unknown number and a known one, the known one tells how large it is."""
        numbers = tuple(value for value in left.possible + right.possible if isinstance(value, (int, float)))
        return combined(make, [left, right], Value(numbers[:8], number=True))

    def _modulo(self, node: nodes.Mod) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if left.is_text:
            return filtered("format", left, self._several(node.right))
        return combined(operator.mod, [left, right], NUMBER)

    def _several(self, node: nodes.Node) -> list[Value]:
        items = node.items if isinstance(node, nodes.Tuple) else [node]
        return [self.value(item) for item in items]

    def _power(self, node: nodes.Pow) -> Value:
        return combined(_raised, [self.value(node.left), self.value(node.right)], NUMBER)

    def _list(self, node: nodes.List | nodes.Tuple) -> Value:
        items = [self.value(item) for item in node.items]
        holds = any(item.made or item.holds for item in items)
        found = combined(lambda *values: list(values), items, UNKNOWN) if items else constant(())
        return found if found.known else Value(holds=holds, inner=_texts_of(items))

    def _mapping(self, node: nodes.Dict) -> Value:
        parts = [self.value(part) for pair in node.items for part in (pair.key, pair.value)]
        return Value(holds=any(part.made or part.holds for part in parts), inner=_texts_of(parts))

    def _item(self, node: nodes.Getitem) -> Value:
        base = self.value(node.node)
        if isinstance(node.arg, nodes.Slice):
            ends = (node.arg.start, node.arg.stop, node.arg.step)
            parts = [constant(None) if end is None else self.value(end) for end in ends]
            return combined(_sliced, [base, *parts], Value(made=True, holds=base.holds, inner=base.inner))
        if isinstance(node.node, nodes.Dict):
            return joined_values([UNKNOWN, *(self.value(pair.value) for pair in node.node.items)])
        label = label_of(node)
        if label is not None and label in self._bindings:
            return self._bound(label)
        if isinstance(node.node, nodes.Name) and node.node.name in {"varargs", "kwargs"}:
            return base
        return combined(_indexed, [base, self.value(node.arg)], base.taken)

    def _attribute(self, node: nodes.Getattr) -> Value:
        label = label_of(node)
        if label is not None and label in self._bindings:
            return self._bound(label)
        if isinstance(node.node, nodes.Name) and node.node.name == "loop":
            return NUMBER if node.attr not in {"previtem", "nextitem"} else UNKNOWN
        base = self.value(node.node)
        if isinstance(node.node, nodes.Name) and node.node.name in self._spaces:
            return UNKNOWN
        return base.taken

    def _filter(self, node: nodes.Filter) -> Value:
        arguments = [self.value(argument) for argument in node.args]
        keywords = [self.value(keyword.value) for keyword in node.kwargs]
        return filtered(node.name, self.value(node.node), [*arguments, *keywords])

    def _call(self, node: nodes.Call) -> Value:
        callee, arguments = node.node, [self.value(argument) for argument in node.args]
        keywords = [self.value(keyword.value) for keyword in node.kwargs]
        if isinstance(callee, nodes.Getattr):
            return filtered(callee.attr, self.value(callee.node), [*arguments, *keywords], method=True)
        if not isinstance(callee, nodes.Name):
            called = self.value(callee)
            return Value(made=called.made or called.holds)
        if callee.name in self._bodies or callee.name in {"caller", "lipsum"}:
            label = f"{callee.name}()"
            return self._bound(label) if label in self._bindings else MADE
        if callee.name == "dict" and node.kwargs:
            names = [constant(keyword.key) for keyword in node.kwargs]
            holds = any(value.made or value.holds for value in keywords)
            return Value(holds=holds, inner=_texts_of([*names, *keywords]))
        values = [*arguments, *keywords]
        if callee.name in self._bindings:
            values.append(self._bound(callee.name))
            return Value(made=any(value.made or value.holds for value in values))
        return Value(holds=any(value.made or value.holds for value in values))

    def _choice(self, node: nodes.CondExpr) -> Value:
        return joined_values([self.value(node.expr1), self.value(node.expr2)])

    def _either(self, node: nodes.And | nodes.Or) -> Value:
        return joined_values([self.value(node.left), self.value(node.right)])


def _texts_of(values: list[Value]) -> tuple[str, ...]:
    """Texts that a container holds, at any depth."""
    return tuple(dict.fromkeys(text for value in values for text in value.texts + value.inner))[:_MAX_INNER]


def _is_namespace(bindings: tuple[Binding, ...]) -> bool:
    """Whether attributes of it are bound one by one, so that each has its own value or none."""
    return any(
        isinstance(binding.node, nodes.Call)
        and isinstance(binding.node.node, nodes.Name)
        and binding.node.node.name == "namespace"
        and not binding.node.args
        for binding in bindings
    )


def _elements(value: Value) -> Value:
    """What a loop over it may be given."""
    items: list[Value] = []
    for one in value.possible:
        if isinstance(one, (tuple, str)):
            items += [constant(item) for item in _flat(one)][:200]
        else:
            items.append(constant(one))
    if not value.known or not items:
        items.append(value.taken)
    return joined_values(items)


def _flat(value: Constant) -> Iterator[Constant]:
    for item in value if isinstance(value, (tuple, str)) else ():
        yield item
        if isinstance(item, tuple):
            yield from item


def _written(*values: Constant) -> str:
    if any(isinstance(value, tuple) for value in values):
        raise TypeError
    return "".join(map(str, values))


def _multiplied(left: Constant, right: Constant) -> object:
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left * right
    many, count = (left, right) if isinstance(right, int) else (right, left)
    if not isinstance(many, (str, tuple)) or not isinstance(count, int):
        raise TypeError
    return many * count if len(many) * count <= _MAX_REPEATED else "x" * _MAX_REPEATED


def _raised(base: Constant, exponent: Constant) -> object:
    if not isinstance(base, (int, float)) or not isinstance(exponent, (int, float)):
        raise TypeError
    if abs(base) > 1 and exponent > _MAX_EXPONENT:
        return 10**30
    return base**exponent


def _sliced(base: Constant, start: Constant, stop: Constant, step: Constant) -> object:
    if not isinstance(base, (str, tuple)):
        raise TypeError
    ends = [end if isinstance(end, int) else None for end in (start, stop, step)]
    return base[ends[0] : ends[1] : ends[2]]


def _indexed(base: Constant, index: Constant) -> object:
    if not isinstance(base, (str, tuple)) or not isinstance(index, int):
        raise TypeError
    return base[index]
