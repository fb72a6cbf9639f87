"""Chat templates, parsed and never rendered: each part of the tree is held to what ordinary templates use."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from jinja2 import nodes

from allmende.scan.code.text_reader import text_of
from allmende.scan.findings import Rule
from allmende.scan.provable import BOMB
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source
from allmende.scan.templates.template_bindings import TooManyBindings, label_of
from allmende.scan.templates.template_costs import costly_parts
from allmende.scan.templates.template_evaluation import Evaluation
from allmende.scan.templates.template_lengths import overlong
from allmende.scan.templates.template_parsing import in_order, parsed
from allmende.scan.templates.template_rules import (
    ESCAPE,
    FILTERS,
    FUNCTIONS,
    INCLUDES,
    INTERNALS,
    LOADS_BESIDE,
    MADE_NAME,
    METHODS,
    NODES,
    PRIVATE,
    PROVEN_REPEATS,
    REPEATS,
    TESTS,
    UNKNOWN_NAME,
    UNPARSED,
    UNSAFE,
)
from allmende.scan.templates.template_values import Value

__all__ = ["READER", "examine_template", "is_template_key"]

_MAX_NODES: Final = 12_000
_MAX_MACROS: Final = 200
_MAX_DEPTH: Final = 300
_ATTRIBUTE_AT: Final = {
    "selectattr": 0, "rejectattr": 0, "groupby": 0, "attr": 0, "sum": 0, "sort": 2, "join": 1, "unique": 1,
    "min": 1, "max": 1, "map": None,
}  # fmt: skip
"""At which place among its arguments a filter takes the name of an attribute."""
_TAKES_FILTER: Final = frozenset(("map",))
_TAKES_TEST: Final = {"select": 0, "reject": 0, "selectattr": 1, "rejectattr": 1}
_FIELD_OF_FIELD: Final = re.compile(r"\{[^{}]{0,200}[.\[]\s{0,20}_")
_PLAIN_PATH: Final = re.compile(r"(?![/\\~])(?!.*\.\.)[\w ./-]{1,200}")
_ADDING: Final = frozenset(("append", "extend", "insert", "update", "add", "push"))
_FORMATS: Final = frozenset(("format", "format_map"))


def is_template_key(key: str) -> bool:
    """Whether a key of a configuration, or of metadata, holds a chat template."""
    name = key.lower()
    return name.startswith("chat_template") or name.endswith("chat_template") or name == "jinja_template"


def examine_template(text: str, scan: Scan, inside: str = "") -> None:
    """Find what a chat template must not do. `inside` names the key that holds it, if one does."""
    tree = parsed(text)
    if tree is None:
        scan.found(UNPARSED, text[:100], inside=inside)
        return
    ordered = list(islice(in_order(tree), _MAX_NODES + 1))
    excess = _excess(ordered)
    if excess:
        scan.found(UNPARSED, excess, inside=inside)
        return
    try:
        evaluation = Evaluation(ordered)
    except TooManyBindings:
        scan.found(UNPARSED, "more names bound than can be followed", inside=inside)
        return
    examiner = _Examiner(scan, inside, ordered, evaluation)
    for node in ordered:
        examiner.examine(node)
    for evidence, node in (*costly_parts(ordered, evaluation), *overlong(ordered, evaluation)):
        examiner.found(BOMB if evidence.endswith(PROVEN_REPEATS) else REPEATS, evidence, node)


def _excess(ordered: list[nodes.Node]) -> str:
    """Which bound the tree goes beyond; empty where it keeps all of them."""
    if len(ordered) > _MAX_NODES:
        return f"more than {_MAX_NODES} parts"
    if sum(isinstance(node, nodes.Macro) for node in ordered) > _MAX_MACROS:
        return f"more than {_MAX_MACROS} macros"
    depths: dict[int, int] = {}
    for node in ordered:
        depths[id(node)] = 1 + max((depths[id(child)] for child in node.iter_child_nodes()), default=0)
    return f"parts within more than {_MAX_DEPTH} others" if max(depths.values()) > _MAX_DEPTH else ""


class _Examiner:
    """Holds each node of one template to the lists."""

    def __init__(self, scan: Scan, inside: str, ordered: list[nodes.Node], evaluation: Evaluation) -> None:
        self._scan = scan
        self._inside = inside
        self._evaluation = evaluation
        self._compared = set(_compared(ordered))
        self._macros = {node.name for node in ordered if isinstance(node, nodes.Macro)}
        self._handlers: dict[type[nodes.Node], Callable[[Any], None]] = {
            nodes.Getattr: self._attribute,
            nodes.Getitem: self._item,
            nodes.Name: self._variable,
            nodes.Keyword: self._keyword,
            nodes.Filter: self._filter,
            nodes.Test: self._test,
            nodes.Call: self._call,
            nodes.Include: self._loading,
            nodes.Import: self._loading,
            nodes.FromImport: self._loading,
            nodes.Extends: self._loading,
        }

    def examine(self, node: nodes.Node) -> None:
        """Find what is wrong with one node, apart from what it costs."""
        handler = self._handlers.get(type(node))
        if handler is not None:
            handler(node)
        elif not isinstance(node, NODES):
            self.found(UNKNOWN_NAME, type(node).__name__.lower(), node)
        if isinstance(node, nodes.Expr) and id(node) not in self._compared:
            for text in self._value(node).texts:
                if text in INTERNALS:
                    self.found(ESCAPE, text, node)

    def found(self, rule: Rule, evidence: str, node: nodes.Node) -> None:
        """Put it on record, with the line."""
        self._scan.found(rule, evidence, detail=f"Line {node.lineno} of the template.", inside=self._inside)

    def _value(self, node: nodes.Node | None) -> Value:
        return self._evaluation.value(node)

    def _variable(self, node: nodes.Name) -> None:
        own = self._evaluation.values_of(node.name) or node.name in self._macros
        if node.name in INTERNALS or (node.name == "self" and node.ctx == "load" and not own):
            self.found(ESCAPE if node.name in INTERNALS else UNKNOWN_NAME, node.name, node)

    def _keyword(self, node: nodes.Keyword) -> None:
        if node.key in INTERNALS:
            self.found(ESCAPE, node.key, node)

    def _attribute(self, node: nodes.Getattr) -> None:
        self._name(node.attr, node)

    def _item(self, node: nodes.Getitem) -> None:
        if not isinstance(node.arg, nodes.Slice):
            self._key(self._value(node.arg), node)

    def _name(self, name: str, node: nodes.Node) -> None:
        """An attribute, however it was written. Names with dots or commas are several."""
        for part in re.split(r"[.,]", name):
            if part in UNSAFE or ("__" in part and part.startswith("_")):
                self.found(ESCAPE, name, node)
            elif part.startswith("_"):
                self.found(PRIVATE, name, node)

    def _key(self, key: Value, node: nodes.Node) -> None:
        for text in key.texts:
            if text.startswith("_") or text in UNSAFE:
                self._name(text.replace(".", "·").replace(",", "·"), node)
        if key.made:
            self.found(MADE_NAME, "a key put together", node)

    def _test(self, node: nodes.Test) -> None:
        if node.name not in TESTS:
            self.found(UNKNOWN_NAME, f"is {node.name}", node)

    def _filter(self, node: nodes.Filter) -> None:
        if node.name not in FILTERS:
            self.found(UNKNOWN_NAME, f"| {node.name}", node)
        if node.name in _TAKES_FILTER and node.args:
            self._named(node.args[0], FILTERS - {"attr", "format", "map"}, node)
            inner = self._value(node.args[0]).texts
            if any(_ATTRIBUTE_AT.get(name) == 0 for name in inner) or not inner:
                self._attribute_told(node.args[1:2], node)
        place = _TAKES_TEST.get(node.name)
        if place is not None:
            for argument in node.args[place : place + 1]:
                self._named(argument, TESTS, node)
        if node.name in _ATTRIBUTE_AT:
            self._attribute_filter(node)

    def _attribute_filter(self, node: nodes.Filter) -> None:
        """The attribute that a filter is told, by its place or by keyword."""
        at = _ATTRIBUTE_AT[node.name]
        told = [keyword.value for keyword in node.kwargs if keyword.key == "attribute"]
        self._attribute_told([*told, *(node.args[at : at + 1] if at is not None else [])], node)
        if node.name == "attr":
            self.found(UNKNOWN_NAME, "| attr", node)
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self.found(MADE_NAME, f"| {node.name} of a list", node)

    def _named(self, argument: nodes.Node, allowed: frozenset[str], node: nodes.Filter) -> None:
        """A filter or a test that is named by a text."""
        value = self._value(argument)
        for name in value.texts:
            if name not in allowed:
                self.found(UNKNOWN_NAME, f"| {node.name}({name})", node)
        if not value.known:
            self.found(MADE_NAME, f"| {node.name} of a name put together", node)

    def _attribute_told(self, told: list[nodes.Expr], node: nodes.Filter) -> None:
        for argument in told:
            value = self._value(argument)
            for text in value.texts:
                self._name(text, node)
            if not value.known and not value.number:
                self.found(ESCAPE, f"| {node.name} of a name put together", node)

    def _call(self, node: nodes.Call) -> None:
        callee = node.node
        if isinstance(callee, nodes.Name):
            self._function(callee.name, node)
        elif isinstance(callee, nodes.Getattr):
            self._method(callee.attr, callee.node, node)
        elif isinstance(callee, nodes.Getitem):
            for name in self._value(callee.arg).texts:
                self._method(name, callee.node, node)
        else:
            self.found(UNKNOWN_NAME, "a call of a value", node)

    def _function(self, name: str, node: nodes.Call) -> None:
        if name in FUNCTIONS or name in self._macros:
            return
        for binding in self._evaluation.values_of(name):
            bound = binding.node
            if isinstance(bound, (nodes.Getattr, nodes.Getitem)):
                attribute = bound.attr if isinstance(bound, nodes.Getattr) else ""
                if attribute in _FORMATS:
                    self.found(ESCAPE, f"{name} is .{attribute}", node)
        if not any(_makes_callable(binding.node) for binding in self._evaluation.values_of(name)):
            self.found(UNKNOWN_NAME, f"{name}()", node)

    def _method(self, name: str, base: nodes.Node, node: nodes.Call) -> None:
        if name not in METHODS:
            self.found(UNKNOWN_NAME, f".{name}()", node)
        label = label_of(base)
        if name in _ADDING and label is not None and label in map(label_of, node.args):
            self.found(BOMB, f"{label} is put into itself", node)
        if name in _FORMATS:
            pattern = self._value(base)
            if not pattern.known or any(_FIELD_OF_FIELD.search(text) for text in pattern.texts):
                self.found(ESCAPE, f".{name}()", node)

    def _loading(self, node: nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends) -> None:
        value = self._value(node.template)
        plain = value.known and value.texts and all(_PLAIN_PATH.fullmatch(text) for text in value.texts)
        names = ", ".join(value.texts) or "a name put together"
        self.found(LOADS_BESIDE if plain else INCLUDES, f"{type(node).__name__.lower()} {names}", node)


def _compared(ordered: list[nodes.Node]) -> Iterator[int]:
    """The texts that are written out in comparisons: nothing is reached by asking whether they are there."""
    for node in ordered:
        if isinstance(node, nodes.Compare):
            for part in (node.expr, *(operand.expr for operand in node.ops)):
                items = part.items if isinstance(part, (nodes.List, nodes.Tuple)) else [part]
                yield from (
                    id(item)
                    for item in (part, *items)
                    if isinstance(item, (nodes.Const, nodes.List, nodes.Tuple))
                )


def _makes_callable(node: nodes.Node) -> bool:
    """Whether it is one of jinja2's own objects that are called to get the next part."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        return node.node.name in {"joiner", "cycler"}
    return False


def _claims(probe: Probe) -> Claim:
    return Claim.NAME if probe.hint == "template" else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    examine_template(text_of(source, scan), scan)


READER = Reader("chat template", "text", _claims, _read)
