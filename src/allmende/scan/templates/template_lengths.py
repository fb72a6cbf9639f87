"""How long the texts of a template can become: it is played through with lengths instead of texts.

Each name has an upper bound for the length of what it shows as; filters, methods, macros and blocks make
bounds of bounds. What the template is given is taken for short texts, so that only what the template itself
makes of them counts: a text that is multiplied by itself, or by a large constant, again and again.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from jinja2 import nodes

from allmende.scan.templates.template_bindings import namespaces_of
from allmende.scan.templates.template_evaluation import Evaluation
from allmende.scan.templates.template_parsing import in_order
from allmende.scan.templates.template_text_sizes import GIVEN, OF_NUMBER, UNKNOWN_COUNT, TextSizes, text_of

__all__ = ["MAX_LENGTH", "overlong"]

MAX_LENGTH: Final = 10_000_000
"""Characters: no prompt is as long."""
_CAP: Final = 10**15
_GIVEN_ROUNDS: Final = 8
_DERIVED_ROUNDS: Final = 4
_PLAYED_ROUNDS: Final = 6
"""After so many rounds of a loop, what grows is extrapolated."""
_GROWTH: Final = 1.5
"""What a text grows by in each round, where it is multiplied and not only added to."""
_SHORT_PART: Final = 16
_MAX_MACROS: Final = 16
"""Macros within macros."""
_MAX_BLOCKS: Final = 60
_MAX_STEPS: Final = 150_000
"""Five times what the longest of some 500 published templates takes."""
_COPIED_IN_A_STEP: Final = 8
"""Bounds of names that are copied or compared in the time of a step."""
_QUOTED: Final = 4
_ADDING: Final = frozenset(("append", "extend", "insert", "update", "add", "push"))

_Cell = tuple[int, str]
"""An attribute of a namespace: where that was made, and the attribute's name."""
_Key = TypeVar("_Key")
_SPACE: Final = "@"
"""Stands before a name for where the namespace was made that it stands for."""
_SOMEWHERE: Final = 0


class _Overlong(Exception):
    """The template makes too long a text; what it is, and where."""

    def __init__(self, evidence: str, node: nodes.Node) -> None:
        super().__init__(evidence)
        self.evidence = evidence
        self.node = node


def overlong(ordered: list[nodes.Node], evaluation: Evaluation) -> Iterator[tuple[str, nodes.Node]]:
    """The first text that becomes longer than `MAX_LENGTH`: what it is, in a few words, and the node."""
    try:
        _Play(ordered, evaluation).run([ordered[-1]])
    except _Overlong as found:
        yield found.evidence, found.node


class _Play:
    """One run through a template, with the bound of each name."""

    def __init__(self, ordered: list[nodes.Node], evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._text_sizes = TextSizes(evaluation)
        self._macros = {node.name: node for node in ordered if isinstance(node, nodes.Macro)}
        self._spaces = namespaces_of(ordered)
        self._names: dict[str, int] = {}
        self._cells: dict[_Cell, int] = {}
        self._orders: dict[int, list[nodes.Node]] = {}
        self._played: dict[object, tuple[int, dict[_Cell, int]]] = {}
        self._asked: dict[str, tuple[str, ...]] = {}
        self._named: dict[str, frozenset[str]] = {}
        self._called: list[str] = []
        self._callers: list[tuple[nodes.CallBlock, list[str]]] = []
        """Blocks that may be called back, each with the macros that its own place is in."""
        self._blocks = 0
        self._steps = 0
        self._statements: dict[type[nodes.Node], Callable[..., int]] = {
            nodes.Output: lambda node: sum(self.length(part) for part in node.nodes),
            nodes.Assign: self._assign,
            nodes.AssignBlock: self._assign_block,
            nodes.For: self._for,
            nodes.If: self._if,
            nodes.With: self._with,
            nodes.FilterBlock: self._filter_block,
            nodes.CallBlock: self._call_block,
            nodes.ExprStmt: lambda node: self.length(node.node) * 0,
            nodes.Macro: lambda _node: 0,
            nodes.Template: lambda node: self.run(node.body),
        }

    def run(self, body: list[nodes.Node]) -> int:
        """The bound of what the statements write."""
        self._blocks += 1
        if self._blocks > _MAX_BLOCKS:
            raise _Overlong("blocks and macros within one another", body[0])
        written = 0
        for node in body:
            handler = self._statements.get(type(node))
            if handler is not None:
                written += handler(node)
            elif isinstance(node, nodes.Expr):
                written += self.length(node)
            else:
                written += self.run(list(node.iter_child_nodes()))
        self._blocks -= 1
        return min(written, _CAP)

    def length(self, root: nodes.Node) -> int:
        """The bound of an expression."""
        order = self._orders.get(id(root))
        if order is None:
            order = self._orders[id(root)] = list(in_order(root))
        self._took(len(order), root)
        found: dict[int, int] = {}
        for node in order:
            size = found[id(node)] = min(_CAP, self._of(node, found))
            if size > MAX_LENGTH:
                raise _Overlong("a text that grows too long", node)
        return found[id(root)]

    def _took(self, steps: int, node: nodes.Node) -> None:
        self._steps += steps
        if self._steps > _MAX_STEPS:
            raise _Overlong("loops within loops", node)

    def _copied(self, node: nodes.Node) -> None:
        """All names were copied: with many of them that, and no expression, is what takes the time."""
        self._took((len(self._names) + len(self._cells)) // _COPIED_IN_A_STEP, node)

    # --- statements -------------------------------------------------------------------------------------

    def _assign(self, node: nodes.Assign) -> int:
        self._bind(node.target, self.length(node.node))
        if isinstance(node.target, nodes.Name):
            self._stand_for(node.target.name, node.node)
        return 0

    def _stand_for(self, name: str, value: nodes.Node) -> None:
        """Keep which namespace a name stands for, and what that begins with."""
        space = _SOMEWHERE
        if isinstance(value, nodes.Name):
            space = self._space(value.name)
        elif isinstance(value, nodes.Call) and _name_of(value) == "namespace":
            space = id(value)
            self._copied(value)
            self._cells = {cell: size for cell, size in self._cells.items() if cell[0] != space}
            for keyword in value.kwargs:
                self._cells[space, keyword.key] = self.length(keyword.value)
        self._names[_SPACE + name] = space

    def _space(self, name: str) -> int:
        return self._names.get(_SPACE + name, _SOMEWHERE)

    def _assign_block(self, node: nodes.AssignBlock) -> int:
        written = self._scoped(node.body)
        if node.filter is not None:
            written = self._filtered_by(node.filter, written)
        self._checked(written, node)
        self._bind(node.target, written)
        return 0

    def _bind(self, target: nodes.Node, size: int) -> None:
        if isinstance(target, nodes.NSRef):
            self._cells[self._space(target.name), target.attr] = size
        elif isinstance(target, nodes.Name):
            self._names[target.name] = size
            self._names[_SPACE + target.name] = _SOMEWHERE
        else:
            for part in target.iter_child_nodes():
                self._bind(part, size)

    def _scoped(self, body: list[nodes.Node]) -> int:
        """Statements whose names are forgotten afterwards."""
        if not body:
            return 0
        self._copied(body[0])
        names = dict(self._names)
        written = self.run(body)
        self._names = names
        return written

    def _if(self, node: nodes.If) -> int:
        """The longest of the branches, and the longest of what they bind."""
        branches = [node.body, *(inner.body for inner in node.elif_), node.else_]
        for test in (node.test, *(inner.test for inner in node.elif_)):
            self.length(test)
        names, cells, written = self._names, self._cells, 0
        ends: list[tuple[dict[str, int], dict[_Cell, int]]] = []
        for body in branches:
            self._copied(node)
            self._names, self._cells = dict(names), dict(cells)
            written = max(written, self.run(body) if body else 0)
            ends.append((self._names, self._cells))
        self._names = _longest([one for one, _ in ends])
        self._cells = _longest([one for _, one in ends])
        return written

    def _with(self, node: nodes.With) -> int:
        self._copied(node)
        names = dict(self._names)
        for target, value in zip(node.targets, node.values, strict=False):
            self._bind(target, self.length(value))
        written = self.run(node.body) if node.body else 0
        self._names = names
        return written

    def _filter_block(self, node: nodes.FilterBlock) -> int:
        return self._checked(self._filtered_by(node.filter, self._scoped(node.body)), node)

    def _filtered_by(self, call: nodes.Filter, base: int) -> int:
        """What filters without a base of their own make of a text."""
        if isinstance(call.node, nodes.Filter):
            base = self._filtered_by(call.node, base)
        return min(_CAP, self._made(call.name, base, call, {}))

    def _call_block(self, node: nodes.CallBlock) -> int:
        self._callers.append((node, list(self._called)))
        written = self.length(node.call)
        self._callers.pop()
        return written

    def _for(self, node: nodes.For) -> int:
        """Some rounds, as long as anything changes; what is added in each is extrapolated to all of them."""
        whole = self.length(node.iter)
        rounds = self._rounds(node.iter, whole)
        element = self._element(node.iter, whole, rounds)
        names, written, sizes = dict(self._names), 0, [dict(self._cells)]
        for _ in range(min(rounds, _PLAYED_ROUNDS)):
            self._copied(node)
            self._names = dict(names)
            self._bind(node.target, element)
            if node.test is not None:
                self.length(node.test)
            written = max(written, self.run(node.body) if node.body else 0)
            sizes.append(dict(self._cells))
            if sizes[-1] == sizes[-2]:
                break
        self._names = names
        self._extrapolate(sizes, rounds, node)
        return self._checked(written * rounds + (self._scoped(node.else_) if node.else_ else 0), node)

    def _extrapolate(self, sizes: list[dict[_Cell, int]], rounds: int, node: nodes.For) -> None:
        played = len(sizes) - 1
        self._took(len(self._cells), node)
        for cell, size in self._cells.items():
            last = [step.get(cell, 0) for step in sizes[-4:]]
            grows = len(last) == 4 and all(
                before and after >= _GROWTH * before for before, after in itertools.pairwise(last)
            )
            if grows:
                raise _Overlong(f"{cell[1]} grows with each round", node)
            more = size + (last[-1] - last[-2]) * max(0, rounds - played) if played else size
            self._cells[cell] = self._checked(max(size, more), node)

    def _rounds(self, iterated: nodes.Node, whole: int) -> int:
        value = self._evaluation.value(iterated)
        if isinstance(iterated, nodes.Call) and _name_of(iterated) == "range":
            largest = [self._evaluation.value(argument).largest for argument in iterated.args]
            known = max((number for number in largest if number is not None), default=0)
            return max(known, UNKNOWN_COUNT if None in largest else 1)
        if value.known or isinstance(iterated, (nodes.List, nodes.Tuple, nodes.Dict)):
            items = len(getattr(iterated, "items", ())) or max(
                (len(one) for one in value.possible if isinstance(one, (tuple, str))), default=1
            )
            return max(1, items)
        own = any(isinstance(inner, nodes.Name) and inner.name in self._names for inner in in_order(iterated))
        return max(1, min(whole, _DERIVED_ROUNDS if own else _GIVEN_ROUNDS))

    def _element(self, iterated: nodes.Node, whole: int, rounds: int) -> int:
        """The bound of a part; parts of a text or of what is given are together no longer than the whole."""
        if isinstance(iterated, nodes.Call) and _name_of(iterated) == "range":
            return OF_NUMBER
        listed = isinstance(iterated, (nodes.List, nodes.Tuple, nodes.Dict))
        if listed or self._evaluation.value(iterated).known:
            return whole
        return max(min(whole, _SHORT_PART), whole // rounds)

    def _checked(self, size: int, node: nodes.Node) -> int:
        if size > MAX_LENGTH:
            raise _Overlong("a text that grows too long", node)
        return size

    # --- expressions ------------------------------------------------------------------------------------

    def _of(self, node: nodes.Node, found: Mapping[int, int]) -> int:  # noqa: C901, PLR0911  # one line a kind
        if isinstance(node, nodes.Const):
            return len(node.value) if isinstance(node.value, str) else OF_NUMBER
        if isinstance(node, nodes.TemplateData):
            return len(node.data)
        if isinstance(node, nodes.Name):
            return self._names.get(node.name, GIVEN)
        if isinstance(node, (nodes.Compare, nodes.Test, nodes.Not)):
            return OF_NUMBER
        if isinstance(node, (nodes.Getattr, nodes.Getitem)):
            return self._part(node, found)
        if isinstance(node, (nodes.And, nodes.Or)):
            return max(found[id(node.left)], found[id(node.right)])
        if isinstance(node, nodes.CondExpr):
            return max(found[id(node.expr1)], 0 if node.expr2 is None else found[id(node.expr2)])
        if isinstance(node, nodes.Mul):
            return self._product(node, found)
        if isinstance(node, nodes.Mod) and not self._evaluation.value(node.left).number:
            values = node.right.items if isinstance(node.right, nodes.Tuple) else [node.right]
            return self._text_sizes.formatted(
                node.left, [found[id(value)] for value in values], found[id(node.left)]
            )
        if isinstance(node, (nodes.List, nodes.Tuple, nodes.Dict)):
            # Shown as a text, what is inside is quoted and escaped.
            return 2 + sum(2 * found[id(part)] + _QUOTED for part in node.items)
        if isinstance(node, nodes.Filter):
            base = found[id(node.node)] if node.node is not None else 0
            return self._made(node.name, base, node, found)
        if isinstance(node, nodes.Call):
            return self._call(node, found)
        return max(1, sum(found.get(id(child), 0) for child in node.iter_child_nodes()))

    def _part(self, node: nodes.Getattr | nodes.Getitem, found: Mapping[int, int]) -> int:
        """A part is no longer than the whole; an attribute of a namespace has a bound of its own."""
        base = found[id(node.node)]
        name = node.attr if isinstance(node, nodes.Getattr) else text_of(node.arg)
        if isinstance(node.node, nodes.Name):
            if node.node.name not in self._spaces:
                return base
            space = self._space(node.node.name)
            if space != _SOMEWHERE:
                return self._cells.get((space, name), 0)
        self._copied(node)
        return max([base, *(size for (_, other), size in self._cells.items() if other == name)])

    def _product(self, node: nodes.Mul, found: Mapping[int, int]) -> int:
        left, right = self._evaluation.value(node.left), self._evaluation.value(node.right)
        if left.number and right.number:
            return found[id(node.left)] + found[id(node.right)]
        counts = [value.largest for value in (left, right) if value.number or value.largest is not None]
        count = max((count for count in counts if count is not None), default=UNKNOWN_COUNT)
        return max(found[id(node.left)], found[id(node.right)]) * max(1, count)

    def _made(self, name: str, base: int, node: nodes.Filter | nodes.Call, found: Mapping[int, int]) -> int:
        """What a filter or a method makes of a text of `base` characters."""
        arguments = [*node.args, *(keyword.value for keyword in node.kwargs)]
        sizes = [found[id(value)] if id(value) in found else self.length(value) for value in arguments]
        if name == "map" and node.args:
            inner = text_of(node.args[0])
            return (
                base * max(1, self._text_sizes.by_name(inner, 1, arguments[1:], sizes[1:])) if inner else base
            )
        if name == "format" and isinstance(node, nodes.Filter) and node.node is not None:
            return self._text_sizes.formatted(node.node, sizes, base)
        return self._text_sizes.by_name(name, base, arguments, sizes)

    def _call(self, node: nodes.Call, found: Mapping[int, int]) -> int:  # noqa: PLR0911  # one line a kind
        callee = node.node
        arguments = [*node.args, *(keyword.value for keyword in node.kwargs)]
        sizes = [found[id(value)] for value in arguments]
        if isinstance(callee, nodes.Getattr):
            base = found[id(callee.node)]
            if callee.attr in _ADDING:
                self._add_to(callee.node, sum(2 * size + _QUOTED for size in sizes))
            if callee.attr == "join":
                return sizes[0] + sizes[0] * base if sizes else base
            if callee.attr == "format":
                return self._text_sizes.formatted(callee.node, sizes, base)
            return self._made(callee.attr, base, node, found)
        name = _name_of(node)
        if name == "caller" and self._callers:
            return self._call_caller(sizes)
        if name in self._macros:
            return self._call_macro(self._macros[name], node, found)
        if name == "lipsum":
            return 2_000 * max((self._text_sizes.number(value) for value in arguments), default=5)
        if name in {"strftime_now", "strftime"}:
            return self._text_sizes.formatted(arguments[0], [32], sizes[0]) if arguments else OF_NUMBER
        if name == "range":
            return 8 * max((self._text_sizes.number(value) for value in arguments), default=1)
        return 2 + sum(2 * size + _QUOTED for size in sizes) if sizes else GIVEN

    def _add_to(self, target: nodes.Node, more: int) -> None:
        if isinstance(target, nodes.Name):
            self._names[target.name] = min(_CAP, self._names.get(target.name, GIVEN) + more)
        elif isinstance(target, nodes.Getattr) and isinstance(target.node, nodes.Name):
            cell = self._space(target.node.name), target.attr
            self._cells[cell] = min(_CAP, self._cells.get(cell, 0) + more)

    def _call_caller(self, sizes: list[int]) -> int:
        block, called = self._callers.pop()
        self._copied(block)
        names, self._called, within = dict(self._names), called, self._called
        for target, size in zip(block.args, sizes, strict=False):
            self._names[target.name] = size
        written = self.run(block.body) if block.body else 0
        self._names, self._called = names, within
        self._callers.append((block, called))
        return written

    def _call_macro(self, macro: nodes.Macro, node: nodes.Call, found: Mapping[int, int]) -> int:
        """What a macro writes. One that calls itself does so for parts of what it is given, or is refused."""
        if macro.name in self._called:
            return GIVEN
        if len(self._called) >= _MAX_MACROS:
            raise _Overlong("macros within macros", node)
        self._copied(node)
        names = dict(self._names)
        named = {keyword.key: found[id(keyword.value)] for keyword in node.kwargs}
        spaces = {
            _SPACE + parameter.name: self._space(value.name)
            for parameter, value in zip(macro.args, node.args, strict=False)
            if isinstance(value, nodes.Name)
        }
        given = [found[id(value)] for value in node.args]
        for parameter, default in zip(reversed(macro.args), reversed(macro.defaults), strict=False):
            self._names[parameter.name] = self.length(default)
        for parameter, size in zip(macro.args, given, strict=False):
            self._names[parameter.name] = size
        self._names |= {_SPACE + parameter.name: _SOMEWHERE for parameter in macro.args} | named | spaces
        self._names["varargs"] = self._names["kwargs"] = sum(given) + sum(named.values())
        written = self._written_by(macro)
        self._names = names
        return written

    def _written_by(self, macro: nodes.Macro) -> int:
        """The same for the same names is not played through again."""
        asked = self._asked_by(macro.name)
        self._took(len(self._cells) + len(asked), macro)
        key = (
            macro.name,
            tuple((self._names.get(name), self._space(name)) for name in asked),
            tuple(sorted(self._cells.items())),
            frozenset(self._called),
        )
        if key not in self._played or "caller" in asked:
            self._called.append(macro.name)
            written = self.run(macro.body) if macro.body else 0
            self._called.pop()
            self._played[key] = written, dict(self._cells)
        written, cells = self._played[key]
        self._cells = dict(cells)
        return written

    def _asked_by(self, name: str) -> tuple[str, ...]:
        """The names that a macro, and those that it calls, ask for."""
        if name not in self._asked:
            seen: set[str] = set()
            waiting = [name]
            while waiting:
                more = self._named_in(waiting.pop()) - seen
                seen |= more
                waiting += [inner for inner in more if inner in self._macros]
            self._asked[name] = tuple(sorted(seen))
        return self._asked[name]

    def _named_in(self, name: str) -> frozenset[str]:
        """The names that a macro itself asks for."""
        if name not in self._named:
            inside = in_order(self._macros[name])
            self._named[name] = frozenset(node.name for node in inside if isinstance(node, nodes.Name))
        return self._named[name]


def _longest(ends: list[dict[_Key, int]]) -> dict[_Key, int]:
    found: dict[_Key, int] = {}
    for end in ends:
        for name, size in end.items():
            found[name] = max(size, found.get(name, 0))
    return found


def _name_of(node: nodes.Call) -> str:
    return node.node.name if isinstance(node.node, nodes.Name) else ""
