"""What a chat template must not do, and the names that ordinary ones use."""

from typing import Final

from jinja2 import nodes

from allmende.scan.findings import Rule, Severity

__all__ = [
    "ESCAPE",
    "FILTERS",
    "FUNCTIONS",
    "INCLUDES",
    "INTERNALS",
    "LOADS_BESIDE",
    "MADE_NAME",
    "METHODS",
    "NODES",
    "PRIVATE",
    "PROVEN_REPEATS",
    "REPEATS",
    "RULES",
    "TESTS",
    "UNKNOWN_NAME",
    "UNPARSED",
    "UNSAFE",
]

ESCAPE = Rule(
    "template-escape",
    Severity.CRITICAL,
    "reaches for Python's internals",
    "The template asks for attributes with underscores, by name or by names put together: the way out of the "
    "template into the program that renders it.",
    "Remove the expression; templates need no such attributes.",
    "CVE-2024-34359 (llama-cpp-python), CVE-2024-56326, CVE-2025-27516 (jinja2 sandbox).",
)
PRIVATE = Rule(
    "template-private-name",
    Severity.MEDIUM,
    "asks for a name with an underscore",
    "Names that begin with an underscore are a library's own. What a template is given has none, and the "
    "sandbox refuses them.",
    "Use the documented fields of messages and tools.",
    "jinja2 documentation, sandbox.",
)
MADE_NAME = Rule(
    "template-made-name",
    Severity.MEDIUM,
    "puts names together",
    "The name of a key, an attribute, a filter or a test is put together while the template is rendered, so "
    "that nobody can tell from the text what is reached for.",
    "Write the names out.",
    "CVE-2024-56326 and CVE-2025-27516 (jinja2 sandbox): indirect references.",
)
INCLUDES = Rule(
    "template-includes",
    Severity.CRITICAL,
    "loads a file of the machine",
    "The template includes or imports a file by an absolute path, from a folder above, or by a name that is "
    "put together.",
    "Write the template as one text.",
    "jinja2 documentation, include and import.",
)
LOADS_BESIDE = Rule(
    "template-loads-another",
    Severity.MEDIUM,
    "loads another template",
    "The template includes, imports or extends another one. Renderers of chat templates have no others, so "
    "what it does depends on who renders it.",
    "Write the template as one text.",
    "jinja2 documentation, template inheritance.",
)
REPEATS = Rule(
    "template-repeats",
    Severity.HIGH,
    "built to run for ever",
    "The template repeats a text or a loop so often, or doubles a text again and again, that rendering it "
    "exhausts time or memory.",
    "Bound the loop by the messages.",
    "CWE-400: uncontrolled resource consumption.",
)
UNKNOWN_NAME = Rule(
    "template-unknown-name",
    Severity.MEDIUM,
    "uses what chat templates do not have",
    "A function, filter, test or method is none of those that renderers of chat templates offer.",
    "Use the functions that transformers documents for chat templates.",
    "transformers documentation, chat templating.",
)
UNPARSED = Rule(
    "template-not-parsed",
    Severity.HIGH,
    "cannot be parsed",
    "The text is no jinja2 template, or is nested too deep. Other engines may still render it, and "
    "differently.",
    "Correct the template.",
    "jinja2 documentation, template syntax.",
)
PROVEN_REPEATS = (
    "of an enormous number",
    "a text repeated",
    "is doubled again and again",
    "a loop that calls itself",
    "calls itself",
    "calls itself with more and more",
)
"""How evidence ends that follows from the template alone, and from no estimate of what it is given."""
RULES = (ESCAPE, PRIVATE, MADE_NAME, INCLUDES, LOADS_BESIDE, REPEATS, UNKNOWN_NAME, UNPARSED)

FILTERS: Final = frozenset(
    ("abs", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape",
     "filesizeformat",
     "first", "float", "forceescape", "format", "groupby", "indent", "int", "items", "join", "last",
     "length", "list",
     "lower", "map", "max", "min", "pprint", "random", "reject", "rejectattr", "replace", "reverse",
     "round", "safe",
     "select", "selectattr", "slice", "sort", "string", "striptags", "sum", "title", "tojson", "trim",
     "truncate",
     "unique", "upper", "urlencode", "urlize", "wordcount", "wordwrap", "xmlattr", "from_json", "fromjson",
     "strftime",
     "attr")
)  # fmt: skip
TESTS: Final = frozenset(
    ("boolean", "callable", "defined", "divisibleby", "eq", "equalto", "==", "escaped", "even", "false",
      "float", "ge", "gt", "greaterthan", "in", "integer", "iterable", "le", "lower", "lt", "lessthan",
     "mapping", "ne",
     "none", "number", "odd", "sameas", "sequence", "string", "test", "true", "undefined", "upper", "!=",
     ">", ">=",
     "<", "<=", "contains", "startswith", "endswith")
)  # fmt: skip
FUNCTIONS: Final = frozenset(
    ("raise_exception", "strftime_now", "namespace", "range", "dict", "joiner", "cycler", "caller", "loop",
     "super", "lipsum", "len", "str", "int", "list", "zip", "enumerate", "min", "max", "float", "bool")
)  # fmt: skip
"""What jinja2 and transformers offer, and plain functions of Python that authors take for granted."""
METHODS: Final = frozenset(
    ("append", "items", "keys", "values", "get", "split", "rsplit", "strip", "lstrip", "rstrip", "startswith",
     "endswith", "replace", "upper", "lower", "title", "join", "pop", "update", "insert", "extend", "index",
     "count",
     "find", "rfind", "capitalize", "splitlines", "removeprefix", "removesuffix", "copy", "partition",
     "rpartition",
     "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower", "isnumeric", "strftime", "swapcase",
     "zfill",
     "center", "ljust", "rjust", "remove", "clear", "reverse", "sort", "setdefault", "next", "reset",
     "changed",
     "cycle", "format", "encode", "decode", "casefold", "expandtabs", "trim", "push", "isoformat", "date",
     "add",
     "union", "hex", "fromkeys", "dumps", "now")
)  # fmt: skip
UNSAFE: Final = frozenset(
    ("mro", "gi_frame", "gi_code", "gi_yieldfrom", "cr_frame", "cr_code", "cr_await", "ag_frame", "ag_code",
     "f_globals", "f_locals", "f_builtins", "f_back", "f_code", "tb_frame", "tb_next", "co_code",
     "func_globals", "func_code", "func_closure", "func_defaults", "im_func", "im_class", "im_self")
)  # fmt: skip
"""Attributes of Python's own objects that lead out, and have no underscore in front."""
INTERNALS: Final = frozenset(
    f"__{name}__"
    for name in (
        "class", "mro", "base", "bases", "subclasses", "globals", "builtins", "init", "import", "dict",
        "self",
        "func", "code", "closure", "module", "new", "call", "reduce", "reduce_ex", "getattribute", "getattr",
        "setattr", "delattr", "getitem", "loader", "spec", "wrapped", "defaults", "kwdefaults", "annotations",
        "enter", "exit", "del", "subclasshook", "init_subclass", "qualname", "getstate", "setstate", "slots",
        "weakref", "doc", "str", "repr", "format", "html", "file", "path", "package", "cached", "objclass",
        "context", "traceback", "cause", "next", "iter", "get", "set", "prepare", "instancecheck", "add",
        "len",
    )
)  # fmt: skip
"""Names that only Python itself gives: no text that a template shows is exactly one of them."""
NODES: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.NSRef, nodes.Slice, nodes.CondExpr,
    nodes.If, nodes.For, nodes.Macro, nodes.CallBlock, nodes.Assign, nodes.AssignBlock, nodes.With,
    nodes.FilterBlock, nodes.Break, nodes.Continue, nodes.Compare, nodes.Operand, nodes.BinExpr,
    nodes.UnaryExpr, nodes.Concat, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Scope,
    nodes.ExprStmt,
    nodes.Block,
)  # fmt: skip
