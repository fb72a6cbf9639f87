"""The exact list of what a pickle may import, and what may be done with it.

The list is data (`allow_list.json`), reviewed by hand; `tools/allow_list.py` proposes what real libraries
put into their pickles. A pair (module, name) is on it or not: no prefix and no pattern allows anything.
"""

import json
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Final

__all__ = [
    "Allowed",
    "allow_list_version",
    "allowed",
    "allowed_attributes",
    "is_enum",
    "is_function",
    "is_standard_library",
    "modern_name",
]

_FILE = Path(__file__).with_name("allow_list.json")


class Allowed(IntEnum):
    """What may be done with an imported name; each includes those before it."""

    NOTHING = 0
    VALUE = 1
    """It may lie in the data: a type, a constant. Calling it is not on the list."""
    CLASS = 2
    """It may be made without arguments (or by `__new__`) and then get its state."""
    CALL = 3
    """It may be called with whatever arguments, or is checked with them."""


_KINDS: Final = {
    "values": Allowed.VALUE,
    "classes": Allowed.CLASS,
    "calls": Allowed.CALL,
    "functions": Allowed.CALL,
    "enums": Allowed.CALL,
}
"""The parts of the file. `functions` may be called and must not lie in data, where something else may call
them; `enums` are called with one constant alone, and what they give belongs to the whole process."""

_MOVED_MODULES: Final = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "exceptions": "builtins",
    "UserDict": "collections",
    "UserList": "collections",
    "UserString": "collections",
    "cPickle": "pickle",
    "_abcoll": "collections.abc",
}
_MOVED_NAMES: Final = {
    ("__builtin__", "xrange"): ("builtins", "range"),
    ("__builtin__", "unicode"): ("builtins", "str"),
    ("__builtin__", "long"): ("builtins", "int"),
    ("__builtin__", "unichr"): ("builtins", "chr"),
    ("__builtin__", "intern"): ("sys", "intern"),
    ("__builtin__", "reduce"): ("functools", "reduce"),
    ("itertools", "izip"): ("builtins", "zip"),
    ("itertools", "imap"): ("builtins", "map"),
    ("itertools", "ifilter"): ("builtins", "filter"),
    ("UserDict", "IterableUserDict"): ("collections", "UserDict"),
}


@cache
def _lists() -> tuple[str, dict[tuple[str, str], Allowed], frozenset[str]]:
    document = json.loads(_FILE.read_text("utf-8"))
    pairs = {
        (module, name): allowed
        for kind, allowed in _KINDS.items()
        for module, names in document[kind].items()
        for name in names
    }
    return str(document["version"]), pairs, frozenset(document["standard_library"])


@cache
def _kinds() -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]], dict[str, frozenset[bytes]]]:
    document = json.loads(_FILE.read_text("utf-8"))
    functions, enums = (
        frozenset((module, name) for module, names in document[kind].items() for name in names)
        for kind in ("functions", "enums")
    )
    attributes = {
        path: frozenset(name.encode() for name in names) for path, names in document["attributes"].items()
    }
    return functions, enums, attributes


def allow_list_version() -> str:
    """The version of the list, as its file says."""
    return _lists()[0]


def allowed(module: str, name: str) -> Allowed:
    """What may be done with this very name of this very module."""
    return _lists()[1].get((module, name), Allowed.NOTHING)


def is_function(module: str, name: str) -> bool:
    """Whether it may be called only, and never lie in data."""
    return (module, name) in _kinds()[0]


def is_enum(module: str, name: str) -> bool:
    """Whether it is an enumeration, which is asked for its members."""
    return (module, name) in _kinds()[1]


def allowed_attributes(path: str) -> frozenset[bytes]:
    """What `getattr` may take from the class of this name, or from an object of it."""
    return _kinds()[2].get(path, frozenset())


def is_standard_library(module: str) -> bool:
    """Whether the module belongs to Python itself, in any of its versions."""
    return module.split(".", 1)[0] in _lists()[2]


def modern_name(module: str, name: str) -> tuple[str, str]:
    """What Python 3 makes of a name in protocols before 3 (`fix_imports`), as far as the list needs it."""
    if (module, name) in _MOVED_NAMES:
        return _MOVED_NAMES[module, name]
    return _MOVED_MODULES.get(module, module), name
