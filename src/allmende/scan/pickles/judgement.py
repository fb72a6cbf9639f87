"""What is right and wrong for a pickle to import, call and build."""

import re
from collections.abc import Callable
from typing import Final, Protocol

from allmende.scan.findings import Rule
from allmende.scan.pickles.allow_list import (
    Allowed,
    allowed,
    is_function,
    is_standard_library,
    modern_name,
)
from allmende.scan.pickles.call_arguments import (
    excess_of,
    is_endless,
    is_harmless_call,
    may_take_function,
)
from allmende.scan.pickles.dtype_states import Forged, checked_element_type, mark_used, was_used
from allmende.scan.pickles.pickle_rules import (
    CODE_BY_VALUE,
    COMPUTED_CALL,
    COMPUTED_NAME,
    EXTENSION_CODE,
    FORGED_TYPE,
    GROWTH,
    HANDED_ON,
    PERSISTENT_ID,
    REFUSED_CALL,
    REFUSED_GLOBAL,
    UNKNOWN_CALL,
    UNKNOWN_CLASS,
)
from allmende.scan.pickles.states import faults_of_items, faults_of_state, gives_back_what_was_there
from allmende.scan.pickles.values import PLAIN, Chunk, Global, Node, Value, described
from allmende.scan.provable import BOMB

__all__ = ["Findings", "ScanJudge", "is_growth"]

_MAX_NESTED_BYTES: Final = 64 * 1024 * 1024
_LARGE: Final = 10**8
_PROVEN_INDEX: Final = 2**27
"""Python's own machine reserves eight bytes for each index below the largest one, twice over."""
_LARGE_FOR_EACH_OPCODE: Final = 10**5
_DEEP: Final = 5_000
_CLASS_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9_]*")
_MODULE: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")

_CODE_BY_VALUE: Final = frozenset(
    (module, name)
    for module, names in {
        "cloudpickle.cloudpickle": (
            "_make_function", "_builtin_type", "_make_skeleton_class", "_make_skeleton_enum", "_make_cell",
            "_make_empty_cell", "_class_setstate", "_function_setstate", "_make_dict_keys",
            "_make_dict_values",
            "_make_dict_items", "_make_typevar", "_empty_cell_value", "_fill_function", "_make_skel_func",
            "_rehydrate_skeleton_class", "_gen_ellipsis", "_gen_not_implemented", "_get_bases",
        ),
        "cloudpickle.cloudpickle_fast": (
            "_make_function", "_builtin_type", "_make_skeleton_class", "_class_setstate",
            "_function_setstate",
        ),
        "dill._dill": (
            "_create_function", "_create_code", "_create_type", "_create_cell", "_create_namedtuple",
            "_load_type", "_setattr", "_get_attr", "_create_weakref", "_shims",
        ),
        "types": ("CodeType", "FunctionType", "CellType"),
    }.items()
    for name in names
)  # fmt: skip
"""What makes functions out of parts. To make them is shown; to call what was made is refused."""

_GADGET_MODULES: Final = frozenset(
    ("pip", "setuptools", "pkg_resources", "cffi", "paramiko", "fabric", "invoke", "sh", "plumbum", "pexpect",
     "docker", "IPython", "ipykernel", "pyximport", "_pytest", "pytest", "celery", "numba", "gevent",
     "psutil",
     "git", "ptyprocess", "sarge", "delegator", "envoy", "pwn", "winreg", "win32com", "pywintypes",
     "requests",
     "urllib3", "httpx", "aiohttp")
)  # fmt: skip
"""Packages whose purpose is to run, fetch or install: what is not on the list of them is refused."""

_FROM_TYPE: Final = "torch._tensor._rebuild_from_type_v2"
_REBUILDS: Final = re.compile(r"_rebuild_(?!wrapper_subclass|xla|from_type)\w+")
_STATE_AT: Final = {_FROM_TYPE: 3, "torch._utils._rebuild_parameter_with_state": 3}
_TAKES_APART: Final = frozenset(("copyreg.__newobj__",))
_MADE_OF_DATA: Final = frozenset(("numpy", "pandas", "scipy", "sklearn", "torch"))
"""Packages whose classes on the list are made of what they are given, and open nothing."""

_MAKERS: Final = frozenset(("builtins.type", "functools.partial", "operator.itemgetter"))
_ZONES: Final = "zoneinfo.ZoneInfo"


def is_growth(largest: int, deepest: int, opcodes: int) -> bool:
    """Whether an object of this size and depth is out of all proportion to the opcodes that made it."""
    return deepest > _DEEP or (largest > _LARGE and largest > opcodes * _LARGE_FOR_EACH_OPCODE)


class Findings(Protocol):
    """Where findings go: a scan, or what stands before one."""

    def found(self, rule: Rule, evidence: str | bytes = "", *, offset: int | None = None) -> None:
        """See `Scan.found`."""


class ScanJudge:
    """Puts on record what the pickle machine would do wrong."""

    def __init__(
        self, scan: Findings, *, torch: bool, tell_persistent: Callable[[Value], None] | None = None
    ) -> None:
        self.imports: dict[tuple[str, str], Global] = {}
        self.nested: list[Chunk] = []
        self._scan = scan
        self._torch = torch
        self._tell_persistent = tell_persistent

    def imported(self, module: str, name: str, protocol: int, offset: int) -> Global:
        """See `machine.Judge`."""
        if protocol < 3:
            module, name = modern_name(module, name)
        known = self.imports.get((module, name))
        if known is not None:
            return known
        function = is_function(module, name)
        found = self.imports[module, name] = Global(module, name, is_function=function)
        # What TorchScript calls `__torch__` is defined in the archive itself.
        if allowed(module, name) is Allowed.NOTHING and not (
            self._torch and (module + ".").startswith("__torch__.")
        ):
            rule = _rule_for(module, name)
            self._scan.found(rule, found.path, offset=offset)
        return found

    def computed_import(self, module: Value, name: Value, offset: int) -> Value:
        """See `machine.Judge`."""
        self._scan.found(COMPUTED_NAME, f"{described(module)}, {described(name)}", offset=offset)
        return Node(None, name)

    def computed_arguments(self, callee: Value, opcode: str, offset: int) -> None:
        """See `machine.Judge`."""
        self._scan.found(
            COMPUTED_CALL, f"{opcode} of {described(callee)} with computed arguments", offset=offset
        )

    def called(self, callee: Value, arguments: tuple[Value, ...], opcode: str, offset: int) -> None:
        """See `machine.Judge`."""
        if not isinstance(callee, Global):
            if not _finds_zone(callee, arguments):
                self._scan.found(COMPUTED_CALL, f"{opcode} of {described(callee)}", offset=offset)
            return
        may = allowed(callee.module, callee.name)
        makes = opcode in {"NEWOBJ", "NEWOBJ_EX"} or not arguments
        if may is Allowed.NOTHING:
            unknown = _rule_for(callee.module, callee.name) is UNKNOWN_CLASS
            if unknown and not makes and not self._is_defined_here(callee):
                self._scan.found(UNKNOWN_CALL, callee.path, offset=offset)
            return
        if may is Allowed.VALUE or (may is Allowed.CLASS and not makes):
            self._refuse(callee, arguments, offset)
            return
        self._check_arguments(callee, arguments, offset)

    def held(self, function: Global, offset: int) -> None:
        """See `machine.Judge`."""
        self._scan.found(HANDED_ON, function.path, offset=offset)

    def filled(self, target: Node, offset: int) -> None:
        """See `machine.Judge`."""
        if target.callee is not None and gives_back_what_was_there(target.callee):
            self._scan.found(COMPUTED_CALL, f"items into {described(target)}", offset=offset)
        for rule, what in faults_of_items(target):
            self._scan.found(rule, what, offset=offset)

    def built(self, instance: Value, state: Value, offset: int) -> None:
        """See `machine.Judge`."""
        callee = instance.callee if isinstance(instance, Node) else None
        if isinstance(instance, Global) or gives_back_what_was_there(callee or PLAIN):
            self._scan.found(COMPUTED_CALL, f"BUILD on {described(instance)}", offset=offset)
        known = not isinstance(callee, Global) or allowed(callee.module, callee.name) is not Allowed.NOTHING
        for rule, what in faults_of_state(instance, state, known=known):
            self._scan.found(rule, what, offset=offset)
        if isinstance(callee, Global) and callee.path == "functools.partial" and isinstance(state, Node):
            function, *arguments = (state.items or (PLAIN,))[:3]
            given = tuple(item for item in arguments if isinstance(item, Node) and item.size > 1)
            self._check_delayed(function, given, offset)
        if isinstance(callee, Global) and callee.path == "numpy.dtype":
            self._check_type(instance, state, offset)
        if isinstance(state, Node):
            mark_used(state.items or (state.mapping or {}).values())

    def _check_type(self, dtype: Value, state: Value, offset: int) -> None:
        try:
            if isinstance(dtype, Node) and was_used(dtype):
                raise Forged("A type gets a state when it is in use already.")
            checked_element_type(dtype, state)
        except Forged as forged:
            self._scan.found(FORGED_TYPE, str(forged), offset=offset)

    def extension(self, code: int, offset: int) -> None:
        """See `machine.Judge`."""
        self._scan.found(EXTENSION_CODE, str(code), offset=offset)

    def persistent(self, pid: Value, offset: int) -> Value:
        """See `machine.Judge`."""
        if not self._torch:
            self._scan.found(PERSISTENT_ID, offset=offset)
        if self._tell_persistent is not None:
            self._tell_persistent(pid)
        if isinstance(pid, Node) and pid.carried is not None:
            self._scan.found(HANDED_ON, pid.carried.path, offset=offset)
        items = pid.items if isinstance(pid, Node) else None
        if self._torch and items is not None and len(items) > 1 and items[0] == b"module":
            return items[1]  # torch's old format wraps the classes of a model, to compare their sources
        made = Node(None, PLAIN)
        made.state = pid  # a view of a storage is held to what the id says of it
        return made

    def memo_index(self, index: int, count: int, offset: int) -> None:
        """See `machine.Judge`."""
        rule = BOMB if index >= _PROVEN_INDEX else GROWTH
        self._scan.found(rule, f"memo index {index} after {count} entries", offset=offset)

    def _is_defined_here(self, callee: Global) -> bool:
        """What TorchScript calls `__torch__` is defined in the archive itself."""
        return self._torch and (callee.module + ".").startswith("__torch__.")

    def _refuse(self, callee: Global, arguments: tuple[Value, ...], offset: int) -> None:
        shown = ", ".join(described(argument) for argument in arguments[:4])
        self._scan.found(REFUSED_CALL, f"{callee.path}({shown})", offset=offset)

    def _check_arguments(self, callee: Global, arguments: tuple[Value, ...], offset: int) -> None:
        """What is allowed only with harmless arguments."""
        for position, argument in enumerate(arguments):
            function = argument.carried if isinstance(argument, Node) else None
            if isinstance(argument, Global) and argument.is_function:
                function = None if may_take_function(callee, position, argument) else argument
            if function is not None:
                self._scan.found(HANDED_ON, f"{function.path} to {callee.path}", offset=offset)
        mark_used(arguments)
        if not is_harmless_call(callee, arguments):
            self._refuse(callee, arguments, offset)
        excess = excess_of(callee, arguments)
        if excess:
            self._scan.found(BOMB if is_endless(callee, arguments) else GROWTH, excess, offset=offset)
        if callee.path == "functools.partial" and arguments:
            self._check_delayed(arguments[0], arguments[1:], offset)
        if callee.path in _TAKES_APART and arguments:
            self.called(arguments[0], arguments[1:], "NEWOBJ", offset)
        elif callee.path == _FROM_TYPE:
            self._check_from_type(callee, arguments, offset)
        place = 2 if callee.name.startswith("__pyx_unpickle_") else _STATE_AT.get(callee.path, len(arguments))
        if len(arguments) > place:
            for rule, what in faults_of_state(PLAIN, arguments[place], known=True):
                self._scan.found(rule, what, offset=offset)
        if callee.path in _NESTED_LOADERS:
            self._nested(callee.path, arguments[0] if arguments else None, offset)

    def _check_delayed(self, function: Value, arguments: tuple[Value, ...], offset: int) -> None:
        """A partial is a call that somebody else makes, perhaps while the file is loaded."""
        if not isinstance(function, Global) or not arguments:
            return
        if function.path in _MAKERS:
            self._refuse(function, arguments, offset)
        may = allowed(function.module, function.name)
        if may is Allowed.NOTHING and _rule_for(function.module, function.name) is UNKNOWN_CLASS:
            self._scan.found(UNKNOWN_CALL, function.path, offset=offset)
        elif may is Allowed.CLASS and function.module.partition(".")[0] not in _MADE_OF_DATA:
            self._refuse(function, arguments, offset)

    def _check_from_type(self, callee: Global, arguments: tuple[Value, ...], offset: int) -> None:
        """`_rebuild_from_type_v2(function, class, arguments, state)` calls what it is given."""
        function, kind, inner = arguments[:3] if len(arguments) == 4 else (None, None, None)
        called = (
            isinstance(function, Global)
            and function.module == "torch._utils"
            and _REBUILDS.fullmatch(function.name) is not None
        )
        classes = isinstance(kind, Global) and not kind.is_function and _may_be_tensor(kind)
        if not called or not classes or not isinstance(inner, Node) or inner.callee or inner.items is None:
            self._refuse(callee, arguments, offset)
            return
        assert function is not None
        self.called(function, inner.items, "REDUCE", offset)

    def _nested(self, path: str, first: Value | None, offset: int) -> None:
        if isinstance(first, Chunk) and first.size_bytes <= _MAX_NESTED_BYTES:
            self.nested.append(first)
        elif isinstance(first, Node) and isinstance(first.callee, Global) and first.items:
            # Protocols before 3 have no bytes; they are texts through `_codecs.encode`.
            self._scan.found(REFUSED_CALL, f"{path} of encoded text", offset=offset)
        else:
            self._scan.found(REFUSED_CALL, f"{path}({described(first)})", offset=offset)


_NESTED_LOADERS: Final = frozenset(("torch.storage._load_from_bytes",))


def _may_be_tensor(kind: Global) -> bool:
    """A class of torch that is on the list, or one that is unknown and told of already."""
    may = allowed(kind.module, kind.name)
    return may is Allowed.NOTHING or (kind.module.partition(".")[0] == "torch" and may <= Allowed.CLASS)


def _finds_zone(callee: Value, arguments: tuple[Value, ...]) -> bool:
    """How `zoneinfo.ZoneInfo` is written: its `_unpickle` finds a zone by a name that it checks."""
    if not isinstance(callee, Node) or not isinstance(callee.callee, Global) or not callee.items:
        return False
    owner = callee.items[0]
    taken = callee.callee.path == "builtins.getattr" and isinstance(owner, Global) and owner.path == _ZONES
    return taken and not any(isinstance(argument, (Node, Global)) for argument in arguments)


def _rule_for(module: str, name: str) -> Rule:
    """Which rule a name off the list breaks: unknown classes are shown, all else is refused."""
    if (module, name) in _CODE_BY_VALUE:
        return CODE_BY_VALUE
    plain = _MODULE.fullmatch(module) is not None and _CLASS_NAME.fullmatch(name) is not None
    foreign = not is_standard_library(module) or module == "__main__"
    gadgets = module.split(".", 1)[0] in _GADGET_MODULES
    private = any(part.startswith("__") for part in module.split(".")) and module != "__main__"
    return UNKNOWN_CLASS if plain and foreign and not gadgets and not private else REFUSED_GLOBAL
