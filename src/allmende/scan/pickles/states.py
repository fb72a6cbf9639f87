"""What an object may get as its state.

BUILD hands the state to `__setstate__`, or writes its keys into the object as attributes. Opcodes later call
methods of that object by name, so no key may stand for one of them, in whatever form the state comes: a dict,
a pair of dicts, pairs in a tuple. What cannot be followed is told.
"""

import re
from collections.abc import Iterator
from typing import Final

from allmende.scan.findings import Rule
from allmende.scan.pickles.allow_list import is_enum
from allmende.scan.pickles.pickle_rules import COMPILED_TEXT, HANDED_ON, ODD_STATE, OUTSIDE_FILE, PLANTED
from allmende.scan.pickles.state_keys import (
    CALLED_KEYS,
    METHOD_KEYS,
    NAME_MAP_KEY,
    PLACES_OF_ATTRIBUTES,
    SPECIAL_KEYS,
    TEMPLATE_KEY,
)
from allmende.scan.pickles.values import Global, Node, Value, described

__all__ = ["faults_of_items", "faults_of_state", "gives_back_what_was_there"]

_MAKERS_OF_BYTES: Final = frozenset(("_codecs.encode", "builtins.bytes", "builtins.bytearray"))
_MAKERS_OF_CALLABLES: Final = frozenset(("functools.partial", "numpy.vectorize", "operator.itemgetter"))
_SHARED: Final = frozenset(
    ("builtins.getattr", "builtins.type", "dateutil.tz.tz.tzutc", "logging.getLogger",
     "pandas._libs.missing.NAType",
     "pandas._libs.tslibs.nattype._nat_unpickle", "pyarrow.lib.type_for_alias", "pytz._UTC", "pytz._p",
     "re._compile", "torch.serialization._get_layout", "torch.storage._load_from_bytes",
     "zoneinfo.ZoneInfo._unpickle")
)  # fmt: skip
_PASSING_ON: Final = "torch.jit._pickle"
_MAX_NESTING: Final = 3
_WRAPPERS: Final = frozenset(("NDArrayWrapper", "ZNDArrayWrapper"))
_WRAPPER_MODULES: Final = re.compile(r"(?:sklearn\.externals\.)?joblib\.numpy_pickle(?:_compat)?")
_FILE_NAME: Final = re.compile(rb"[^/\\:\0]{1,255}")
_NAMES: Final = rb"((?:[A-Za-z_][A-Za-z0-9_]*, )*)"
_LOCATION: Final = rb"( loc=0(?:, scale=1)?)"
_TEMPLATE: Final = re.compile(
    rb"\ndef _parse_args\(self, " + _NAMES + _LOCATION + rb"\):\n"
    rb"    return \(\1\), (loc(?:, scale|, 1))\n"
    rb"\ndef _parse_args_rvs\(self, \1\2, size=None\):\n"
    rb"    return self\._argcheck_rvs\(\1 \3, size=size\)\n"
    rb"\ndef _parse_args_stats\(self, \1\2, moments='mv'\):\n"
    rb"    return \(\1\), \3, moments\n"
)
"""The text of scipy's `parse_arg_template` with names of arguments put in; names alone compute nothing."""

Fault = tuple[Rule, str]


def gives_back_what_was_there(callee: Value) -> bool:
    """Whether a call gives something that others use, too, or that is not known, instead of a new object."""
    if not isinstance(callee, Global):
        return isinstance(callee, Node)
    return callee.path in _SHARED or callee.module == _PASSING_ON or is_enum(callee.module, callee.name)


def faults_of_state(instance: Value, state: Value, *, known: bool) -> Iterator[Fault]:
    """What is wrong with a state. Of objects whose class is not `known`, oddities alone are not told."""
    if isinstance(state, Global):
        yield (HANDED_ON if state.is_function else ODD_STATE), state.path
        return
    if not isinstance(state, Node):
        return
    if state.carried is not None:
        yield HANDED_ON, state.carried.path
    callee = instance.callee if isinstance(instance, Node) else None
    path = callee.path if isinstance(callee, Global) else ""
    for rule, what in _faults(state, path, 0):
        if known or rule is not ODD_STATE:
            yield rule, what


def _faults(state: Value, path: str, depth: int) -> Iterator[Fault]:
    if not isinstance(state, Node):
        return
    if state.callee is not None:
        if not isinstance(state.callee, Global) or state.callee.path not in _MAKERS_OF_BYTES:
            yield ODD_STATE, f"the state is {described(state)}"
    elif state.items is not None:
        yield from _faults_of_tuple(state.items, path, depth)
    elif state.keyed:
        yield from _faults_of_dict(state, path, depth)
    elif state.size > 1:
        yield ODD_STATE, "the state is a list or a set"


def _faults_of_tuple(items: tuple[Value, ...], path: str, depth: int) -> Iterator[Fault]:
    for item in items:
        if not isinstance(item, Node) or item.callee is not None:
            continue
        if item.keyed:
            yield from _faults_of_dict(item, path, depth)
        elif item.items is not None and len(item.items) == 2 and isinstance(item.items[0], bytes):
            yield from _fault_of(item.items[0], item.items[1], path, depth)
        elif item.odd_keys:
            yield ODD_STATE, "a special name in a list"


def _faults_of_dict(state: Node, path: str, depth: int) -> Iterator[Fault]:
    if state.odd_keys:
        yield ODD_STATE, "names of attributes are made by calls"
    for key, value in (state.mapping or {}).items():
        yield from _fault_of(key, value, path, depth)


def _fault_of(key: bytes, value: Value, path: str, depth: int) -> Iterator[Fault]:
    """What is wrong with an attribute of this name and value."""
    told = key.decode("utf-8", "replace")
    if key == TEMPLATE_KEY and (not isinstance(value, bytes) or _TEMPLATE.fullmatch(value) is None):
        yield COMPILED_TEXT, described(value)
    elif key in PLACES_OF_ATTRIBUTES and isinstance(value, Node) and depth < _MAX_NESTING:
        if key == NAME_MAP_KEY and (
            value.callee is not None or not SPECIAL_KEYS.isdisjoint(value.mapping or ())
        ):
            yield PLANTED, f"{told} of special names"
        elif value.callee is None:
            yield from _faults(value, path, depth + 1)
        else:
            yield from _faults_of_dict(value, path, depth + 1)
    elif key in SPECIAL_KEYS:
        can_be_called = isinstance(value, (Global, Node)) or key in CALLED_KEYS
        yield (PLANTED if can_be_called else ODD_STATE), f"{told} = {described(value)}"
    elif key in METHOD_KEYS and _may_be_called(value):
        yield PLANTED, f"{told} = {described(value)}"
    elif key == b"filename" and _is_wrapper(path) and not _is_plain_name(value):
        yield OUTSIDE_FILE, described(value)


def faults_of_items(target: Node) -> Iterator[Fault]:
    """What is wrong with items: some dicts give theirs as attributes, some objects keep a dict for theirs."""
    callee = target.callee
    plain = not isinstance(callee, Global) or callee.module in {"builtins", "collections"}
    for key, value in (target.mapping or {}).items():
        if (key in CALLED_KEYS or (key in METHOD_KEYS and not plain)) and _may_be_called(value):
            yield PLANTED, f"{key.decode()} = {described(value)}"


def _may_be_called(value: Value) -> bool:
    if isinstance(value, Global):
        return True
    if not isinstance(value, Node) or value.callee is None:
        return False
    made = isinstance(value.callee, Global) and value.callee.path in _MAKERS_OF_CALLABLES
    return made or gives_back_what_was_there(value.callee)


def _is_wrapper(path: str) -> bool:
    module, _, name = path.rpartition(".")
    return name in _WRAPPERS and _WRAPPER_MODULES.fullmatch(module) is not None


def _is_plain_name(value: Value) -> bool:
    return isinstance(value, bytes) and _FILE_NAME.fullmatch(value) is not None and value not in {b".", b".."}
