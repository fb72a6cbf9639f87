"""How long a text becomes by one filter, one method or one pattern: bounds, and no texts."""

import re
from typing import Final

from jinja2 import nodes

from allmende.scan.templates.template_evaluation import Evaluation

__all__ = ["GIVEN", "OF_NUMBER", "UNKNOWN_COUNT", "TextSizes", "text_of"]

GIVEN: Final = 256
"""Characters of what the template is given."""
OF_NUMBER: Final = 20
UNKNOWN_COUNT: Final = 16
"""A number that the template is given."""
_OF_JSON: Final = 6
_OF_URL: Final = 12
_OF_ESCAPE: Final = 6
_WIDTHS: Final = re.compile(r"%[^a-zA-Z%]{0,8}?(\d{1,9})|:[^{}]{0,8}?(\d{1,9})")
_FIELDS: Final = re.compile(r"[%{]")

_SHORT: Final = frozenset(
    ("length", "count", "int", "float", "abs", "round", "wordcount", "filesizeformat", "find", "rfind",
     "index", "startswith", "endswith", "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower",
     "isnumeric", "append", "extend", "insert", "update", "add", "push", "remove", "clear")
)  # fmt: skip
_FACTORS: Final = {
    "tojson": _OF_JSON, "pprint": 8, "xmlattr": _OF_ESCAPE, "e": _OF_ESCAPE, "escape": _OF_ESCAPE,
    "forceescape": _OF_ESCAPE, "urlencode": _OF_URL, "urlize": 8, "list": 2, "items": 2, "dictsort": 2,
    "groupby": 2, "dumps": _OF_JSON,
}  # fmt: skip
_PADDING: Final = frozenset(("center", "ljust", "rjust", "zfill"))
_ADDED_TO: Final = frozenset(("default", "d", "get", "pop", "setdefault", "truncate", "sum", "first", "last"))


class TextSizes:
    """Bounds for what the filters and methods of one template make."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation

    def number(self, node: nodes.Node) -> int:
        """A number that an argument may be: what is not known is taken for a small one."""
        largest = self._evaluation.value(node).largest
        return UNKNOWN_COUNT if largest is None else largest

    def formatted(self, pattern: nodes.Node, values: list[int], length: int) -> int:
        """Each field shows one of the values, at least as wide as it says."""
        written = text_of(pattern)
        texts = (written,) if written else self._evaluation.value(pattern).texts
        fields = max((len(_FIELDS.findall(text)) for text in texts), default=length if length < GIVEN else 1)
        widths = max(
            (sum(int(one or other) for one, other in _WIDTHS.findall(text)) for text in texts), default=0
        )
        return length + widths + max(fields * max(values, default=0), sum(values))

    def by_name(  # noqa: PLR0911  # one line a kind
        self, name: str, base: int, arguments: list[nodes.Expr], sizes: list[int]
    ) -> int:
        """What the filter of this name makes of `base` characters, with arguments of these sizes."""
        number = max((self.number(value) for value in arguments), default=0)
        longest = max(sizes, default=0)
        if name == "replace" and len(sizes) > 1:
            return self._replaced(base, arguments, sizes)
        if name == "join":
            return base + base * (sizes[0] if sizes else 0)
        if name in _PADDING:
            return max(base, number) + longest
        if name in {"indent", "wordwrap"}:
            texts = [size for value, size in zip(arguments, sizes, strict=True) if not self._is_number(value)]
            width = number if name == "indent" else 1
            return base * (1 + max([width, *texts] if arguments else [4]))
        if name == "expandtabs":
            return base * max(8, number)
        if name in {"batch", "slice"}:
            return base + number * (1 + longest)
        if name == "tojson":
            return _OF_JSON * base + 2 + (base * number if arguments else 0)
        if name in _SHORT:
            return OF_NUMBER
        if name in _ADDED_TO:
            return max(base, longest) if name != "truncate" else base + longest
        return _FACTORS.get(name, 1) * base + sum(sizes) + 2

    def _is_number(self, node: nodes.Node) -> bool:
        value = self._evaluation.value(node)
        return value.number or (value.known and not value.is_text)

    def _replaced(self, base: int, arguments: list[nodes.Expr], sizes: list[int]) -> int:
        """Each occurrence is replaced; there are no more than fit."""
        olds = self._evaluation.value(arguments[0])
        shortest = min(map(len, olds.texts), default=0) if olds.known else 1
        if shortest == 0:
            return base + (base + 1) * sizes[1]
        return base + max(0, sizes[1] - shortest) * (base // shortest)


def text_of(node: nodes.Node) -> str:
    """A text that is written out; empty for everything else."""
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else ""
