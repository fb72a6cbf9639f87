"""Parsing chat templates as transformers would, with bounds on what the parser is asked to do."""

from collections.abc import Iterable, Iterator
from typing import Final

from jinja2 import Environment, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

__all__ = ["in_order", "parsed"]

_MAX_CHARS: Final = 256 * 1024
_MAX_FRAMES: Final = 600
"""How deep the recursive parser may go: far below the interpreter's limit, wherever it is called from."""
_FRAMES_OF_BRACKET: Final = 17
_FRAMES_OF_BLOCK: Final = 12
_FRAMES_OF_PREFIX: Final = 3
_BLOCKS: Final = frozenset(
    ("if", "for", "macro", "call", "filter", "with", "block", "generation", "autoescape", "trans")
)
_IGNORED: Final = frozenset(("whitespace", "comment", "comment_begin", "comment_end"))


class _Generation(Extension):
    """`{% generation %}`, by which transformers marks what the assistant says."""

    tags = {"generation"}  # noqa: RUF012  # as jinja2 declares it

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """What stands between the tags, as it is."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


# `do` is not among the extensions of transformers; other engines have it, and it hides nothing.
_ENVIRONMENT: Final = Environment(  # noqa: S701  # nothing is rendered
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do", _Generation],
)


def parsed(text: str) -> nodes.Template | None:
    """The tree; None where jinja2 would not parse it, or only by recursion of unknown depth."""
    if len(text) > _MAX_CHARS:
        return None
    try:
        if _frames(_ENVIRONMENT.lex(text)) > _MAX_FRAMES:
            return None
        return _ENVIRONMENT.parse(text)
    except (TemplateError, RecursionError, ValueError):
        return None


def _frames(tokens: Iterable[tuple[int, str, str]]) -> int:
    """An upper bound for the parser's recursion, from the tokens alone."""
    brackets = blocks = prefixes = alternatives = deepest = 0
    opens_block = may_open_block = False
    for _, kind, value in tokens:
        if kind in _IGNORED:
            continue
        if opens_block:
            may_open_block = value == "set"
            blocks = max(0, blocks + (value in _BLOCKS) - value.startswith("end"))
        opens_block = kind == "block_begin"
        if kind == "block_end":
            blocks += may_open_block
            may_open_block = False
        elif kind == "operator":
            brackets = max(0, brackets + (value in "([{") - (value in ")]}"))
            may_open_block = may_open_block and value != "="
        prefixes = prefixes + 1 if value in {"not", "-", "+"} else 0
        alternatives = 0 if kind in {"block_begin", "variable_begin"} else alternatives + (value == "else")
        frames = brackets * _FRAMES_OF_BRACKET + blocks * _FRAMES_OF_BLOCK
        deepest = max(deepest, frames + (prefixes + alternatives) * _FRAMES_OF_PREFIX)
    return deepest


def in_order(tree: nodes.Node) -> Iterator[nodes.Node]:
    """All nodes, each behind those inside it, otherwise as they are written. Without recursion."""
    waiting: list[tuple[nodes.Node, bool]] = [(tree, False)]
    while waiting:
        node, is_complete = waiting.pop()
        if is_complete:
            yield node
        else:
            waiting.append((node, True))
            waiting += [(child, False) for child in reversed(list(node.iter_child_nodes()))]
