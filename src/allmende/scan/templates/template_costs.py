"""How long a template takes to render, and how much text it makes, as far as its own constants tell.

What it is given counts for little: a conversation is as long as its user makes it. Loops over constants,
texts that are repeated, and macros that call themselves are the template's own doing.
"""

import re
from collections.abc import Iterator
from typing import Final

from jinja2 import nodes

from allmende.scan.templates.template_bindings import label_of
from allmende.scan.templates.template_evaluation import Evaluation
from allmende.scan.templates.template_parsing import in_order

__all__ = ["costly_parts"]

_MANY: Final = 100_000
_MAX_COST: Final = 200_000_000
_MAX_OWN_COST: Final = 3_000_000
"""Steps that the template takes for an empty conversation, and characters that it writes."""
_MAX_CHARS: Final = 10_000_000
_CAP: Final = 10**18
_GIVEN_ROUNDS: Final = 16
"""A loop over what the template is given: so many rounds are assumed."""
_DERIVED_ROUNDS: Final = 2
"""A loop over a part of what an outer loop, or a macro, is at."""
_PASSES: Final = 2
_MAX_BINDINGS: Final = 50
_SHORT_CHARS: Final = 32
"""Texts up to about this length are put between, or in the place of, others without growing them much."""
_SIZED: Final = frozenset(
    ("batch", "center", "indent", "slice", "tojson", "ljust", "rjust", "zfill", "expandtabs", "round",
     "range", "lipsum", "truncate", "wordwrap")
)  # fmt: skip
_WIDTH: Final = re.compile(r"%[^a-zA-Z%]{0,20}\d{6}|%[-+ #0]*\*|\{[^{}]{0,60}:[^{}]{0,20}(?:\d{6}|\{)")
_FORMATTING: Final = frozenset(("format", "strftime", "strftime_now"))
_SCALARS: Final = frozenset(("length", "count", "int", "float", "first", "last", "abs", "round", "wordcount"))
_MAX_EXPONENT: Final = 8
_GROWTH_ROUNDS: Final = 30
_MAX_GROWN: Final = 1_000_000
_PARAMETER: Final = 1_000
_MAX_PLAYED: Final = 1_000_000
"""Parts of expressions that are looked at while the growth of names is played through."""
_PARTS: Final = _SCALARS | {"split", "rsplit", "find", "rfind", "get", "index", "startswith", "endswith"}


def costly_parts(ordered: list[nodes.Node], evaluation: Evaluation) -> Iterator[tuple[str, nodes.Node]]:
    """What takes too long or makes too much: what it is, in a few words, and the node."""
    costs = _Costs(ordered, evaluation)
    for node in ordered:
        yield from costs.of_expression(node)
    if costs.total > _MAX_COST or costs.own_total > _MAX_OWN_COST:
        yield "loops within loops", ordered[-1]
    yield from _growing(ordered)
    yield from _endless(ordered, evaluation)


class _Costs:
    """Sizes and steps of all nodes of a template, those inside first."""

    def __init__(self, ordered: list[nodes.Node], evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._sizes: dict[int, int] = {}
        self._steps: dict[int, int] = {}
        self._macros: dict[str, int] = {}
        bodies = {node.name: _calls(node) for node in ordered if isinstance(node, nodes.Macro)}
        reached = _reached_by(bodies)
        # How deep a macro goes when it calls itself, what it is given decides: see `_endless`.
        self._again = {
            id(call)
            for name, calls in bodies.items()
            for call, _ in calls
            if name in reached.get(_name_of(call), ())
        }
        for _ in range(_PASSES):
            for node in ordered:
                self._sizes[id(node)] = min(_CAP, self._size(node))
        self.total = self._total(ordered, _GIVEN_ROUNDS, _DERIVED_ROUNDS)
        self.own_total = self._total(ordered, 1, 1)

    def _total(self, ordered: list[nodes.Node], given: int, derived: int) -> int:
        """All steps, with so many rounds of a loop over what is given, or over a part of that."""
        self._steps.clear()
        self._macros.clear()
        for _ in range(_PASSES):
            for node in ordered:
                self._steps[id(node)] = min(_CAP, self._step(node, given, derived))
        return self._steps[id(ordered[-1])]

    def of_expression(self, node: nodes.Node) -> Iterator[tuple[str, nodes.Node]]:
        """What a single expression asks for."""
        name = _name_of(node)
        if name in _SIZED and any(self._number(value) > _MANY for value in _arguments(node)):
            enormous = any(self._number(value) > _MAX_CHARS for value in _arguments(node))
            yield f"{name} of {'an enormous' if enormous else 'a large'} number", node
        if name in _FORMATTING or isinstance(node, nodes.Mod):
            patterns = [node.left] if isinstance(node, nodes.Mod) else list(node.iter_child_nodes())
            texts = [text for inner in patterns for text in self._evaluation.value(inner).texts]
            if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
                texts += self._evaluation.value(node.node.node).texts
            if any(_WIDTH.search(text) for text in texts):
                yield "a width in a pattern", node
        if isinstance(node, nodes.Pow):
            exponent = self._evaluation.value(node.right)
            if not exponent.known or (exponent.largest or 0) > _MAX_EXPONENT:
                yield "a power", node
        if self._sizes[id(node)] > _MAX_CHARS:
            yield "a text repeated", node

    def _number(self, node: nodes.Node | None) -> int:
        return self._evaluation.value(node).largest or 0

    def _of(self, node: nodes.Node | None) -> int:
        return 1 if node is None else self._sizes.get(id(node), 1)

    def _size(self, node: nodes.Node) -> int:  # one line a kind of node
        if isinstance(node, nodes.Const):
            return len(node.value) if isinstance(node.value, str) else 1
        if isinstance(node, nodes.TemplateData):
            return len(node.data)
        if isinstance(node, nodes.Name):
            bindings = self._evaluation.values_of(node.name)[:_MAX_BINDINGS]
            return max((self._of(bound.node) for bound in bindings if bound.kind != "element"), default=1)
        if isinstance(node, nodes.Mul):
            left, right = self._evaluation.value(node.left), self._evaluation.value(node.right)
            if left.number and right.number:
                return 1
            return self._of(node.left) * self._of(node.right) * max(left.largest or 1, right.largest or 1)
        name = _name_of(node)
        if name:
            return self._made_by(name, node)
        if isinstance(node, (nodes.Compare, nodes.Test, nodes.Not)):
            return 1
        return max(1, sum(self._of(inner) for inner in node.iter_child_nodes()))

    def _made_by(self, name: str, node: nodes.Node) -> int:
        base = self._of(_base_of(node))
        arguments = _arguments(node)
        sizes = [self._of(argument) for argument in arguments]
        number = max([0, *(self._number(argument) for argument in arguments)])
        if name in _SCALARS:
            return 1
        if name == "replace" and len(sizes) > 1:
            return base * max(1, sizes[1] // _SHORT_CHARS)
        if name == "join":
            return base * max(1, sizes[0] // _SHORT_CHARS if sizes else 1)
        if name == "map":
            return base * max(1, number)
        return base + sum(sizes) + (number if name in _SIZED else 0)

    def _step(self, node: nodes.Node, given: int, derived: int) -> int:
        inner = sum(self._steps.get(id(child), 0) for child in node.iter_child_nodes())
        if isinstance(node, nodes.For):
            return self._rounds(node.iter, given, derived) * (1 + inner)
        if isinstance(node, nodes.Macro):
            self._macros[node.name] = inner
            return 1
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and id(node) not in self._again:
            return 1 + inner + self._macros.get(node.node.name, 0)
        if isinstance(node, nodes.Output):
            return inner + sum(self._of(part) for part in node.nodes)
        return inner + 1

    def _rounds(self, iterated: nodes.Node, given: int, derived: int) -> int:
        if self._evaluation.value(iterated).known or _name_of(iterated) == "range":
            return max(1, self._of(iterated))
        names = [node.name for node in in_order(iterated) if isinstance(node, nodes.Name)]
        is_given = not any(self._evaluation.values_of(name) for name in names)
        return max(self._of(iterated), given if is_given else derived)


def _name_of(node: nodes.Node) -> str:
    """The filter, method or function that is called; empty for everything else."""
    if isinstance(node, nodes.Filter):
        return node.name
    if isinstance(node, nodes.Call):
        if isinstance(node.node, nodes.Name):
            return node.node.name
        return node.node.attr if isinstance(node.node, nodes.Getattr) else ""
    return ""


def _base_of(node: nodes.Node) -> nodes.Node | None:
    if isinstance(node, nodes.Filter):
        return node.node
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        return node.node.node
    return None


def _arguments(node: nodes.Node) -> list[nodes.Node]:
    if not isinstance(node, (nodes.Filter, nodes.Call)):
        return []
    return [*node.args, *(keyword.value for keyword in node.kwargs)]


def _growing(ordered: list[nodes.Node]) -> Iterator[tuple[str, nodes.Node]]:
    """Names that double again and again, in a loop or line by line: each is played through in numbers."""
    sizes: dict[str, int] = {}
    spent = 0
    for outer in _outermost(ordered[-1]):
        assignments = [
            inner for inner in in_order(outer) if isinstance(inner, (nodes.Assign, nodes.AssignBlock))
        ]
        in_loop = isinstance(outer, (nodes.For, nodes.Macro))
        for _ in range(_GROWTH_ROUNDS if in_loop else 1):
            for assignment in assignments:
                label = label_of(assignment.target)
                size, seen = _weight(
                    assignment.node if isinstance(assignment, nodes.Assign) else assignment, sizes
                )
                spent += seen
                if size > _MAX_GROWN:
                    yield f"{label or 'a name'} is doubled again and again", assignment
                    return
                if spent > _MAX_PLAYED:
                    yield "more assignments than can be played through", assignment
                    return
                if label is not None:
                    sizes[label] = size


def _outermost(tree: nodes.Node) -> Iterator[nodes.Node]:
    """Loops, macros and assignments that are not inside others of these, as they are written."""
    waiting: list[nodes.Node] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (nodes.For, nodes.Macro, nodes.Assign, nodes.AssignBlock)):
            yield node
        else:
            waiting += reversed(list(node.iter_child_nodes()))


def _weight(root: nodes.Node, sizes: dict[str, int]) -> tuple[int, int]:
    """How large a value becomes, where each name has a size and all else counts one; and the effort."""
    weights: dict[int, int] = {}
    for node in in_order(root):
        weights[id(node)] = min(_CAP, _weight_of(node, weights, sizes))
    return weights[id(root)], len(weights)


def _weight_of(node: nodes.Node, weights: dict[int, int], sizes: dict[str, int]) -> int:
    label = label_of(node)
    if label is not None:
        return sizes.get(label, 1)
    if isinstance(node, (nodes.Compare, nodes.Test, nodes.Not)):
        return 0
    if isinstance(node, nodes.Getitem):
        # A part of a variable is less than the whole; a part of what is just put together may be all of it.
        is_all = isinstance(node.arg, nodes.Slice) and label_of(node.node) is None
        return weights[id(node.node)] if is_all else 1
    if isinstance(node, nodes.CondExpr):
        return max(weights[id(node.expr1)], weights[id(node.expr2)] if node.expr2 is not None else 0)
    if isinstance(node, (nodes.And, nodes.Or)):
        return max(weights[id(node.left)], weights[id(node.right)])
    inner = sum(weights[id(child)] for child in node.iter_child_nodes())
    if isinstance(node, nodes.Mul):
        counts = [part.value for part in (node.left, node.right) if isinstance(part, nodes.Const)]
        return inner * max([1, *(count for count in counts if isinstance(count, int))])
    name = _name_of(node)
    if name:
        return _weight_of_call(name, node, weights)
    return inner * 2 if isinstance(node, nodes.For) else max(1, inner)


def _weight_of_call(name: str, node: nodes.Node, weights: dict[int, int]) -> int:
    if name in _PARTS:
        return 1
    base, arguments = _base_of(node), _arguments(node)
    size = sum(weights[id(part)] for part in arguments)
    if base is not None:
        size += weights[id(base)]
    texts = [
        part.value for part in arguments if isinstance(part, nodes.Const) and isinstance(part.value, str)
    ]
    longer = name == "replace" and len(texts) > 1 and texts[1].count(texts[0]) > 1
    return max(1, size * 2 if longer else size)


def _endless(ordered: list[nodes.Node], evaluation: Evaluation) -> Iterator[tuple[str, nodes.Node]]:
    """Macros and recursive loops that call themselves again and again, and not for a part of something."""
    for node in ordered:
        if isinstance(node, nodes.For) and node.recursive:
            again = [call for call in in_order(node) if _name_of(call) == "loop"]
            if not all(_descends(call, evaluation) for call in again):
                yield "a loop that calls itself", node
    macros = {node.name: node for node in ordered if isinstance(node, nodes.Macro)}
    bodies = {name: _calls(node) for name, node in macros.items()}
    reached = _reached_by(bodies)
    for name, calls in bodies.items():
        inner = [(call, often) for call, often in calls if name in reached.get(_name_of(call), ())]
        often = sum(2 if many else 1 for _, many in inner)
        if often > 1 and not all(_descends(call, evaluation) for call, _ in inner):
            yield f"{name} calls itself", inner[0][0]
        sizes = {parameter.name: _PARAMETER for parameter in macros[name].args}
        for call, _ in inner:
            if any(_weight(argument, sizes)[0] >= 2 * _PARAMETER for argument in _arguments(call)):
                yield f"{name} calls itself with more and more", call


def _calls(macro: nodes.Macro) -> list[tuple[nodes.Call, bool]]:
    """The calls by name in a macro, and whether they are made in a loop."""
    found: list[tuple[nodes.Call, bool]] = []
    waiting: list[tuple[nodes.Node, bool]] = [(node, False) for node in macro.body]
    while waiting:
        node, in_loop = waiting.pop()
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
            found.append((node, in_loop))
        inside = in_loop or isinstance(node, nodes.For)
        waiting += [(child, inside) for child in node.iter_child_nodes()]
    return found


def _reached_by(bodies: dict[str, list[tuple[nodes.Call, bool]]]) -> dict[str, set[str]]:
    """For each macro, all that a call of it may lead to, itself among them."""
    found: dict[str, set[str]] = {}
    called = {name: {_name_of(call) for call, _ in calls} for name, calls in bodies.items()}
    for first in bodies:
        reached = found[first] = set()
        waiting = [first]
        while waiting:
            name = waiting.pop()
            if name in bodies and name not in reached:
                reached.add(name)
                waiting += called[name]
    return found


def _descends(call: nodes.Node, evaluation: Evaluation) -> bool:
    """Whether an argument is a part of something, so that the calls come to an end."""
    waiting = _arguments(call)
    while waiting:
        inner = waiting.pop()
        while isinstance(inner, nodes.Filter) and inner.node is not None:
            inner = inner.node
        if isinstance(inner, nodes.Dict):
            waiting += [pair.value for pair in inner.items]
        if _is_part(inner) or any(
            _is_part(binding.node) or (binding.kind == "element" and _name_of(binding.node) != "range")
            for binding in (evaluation.values_of(inner.name) if isinstance(inner, nodes.Name) else ())
        ):
            return True
    return False


def _is_part(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Getitem):
        return not isinstance(node.arg, nodes.Slice)
    return isinstance(node, nodes.Getattr) or (
        isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr)
    )
