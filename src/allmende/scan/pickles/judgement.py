"""What is right and wrong for a pickle to import, call and build."""

import re
from collections.abc import Callable
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.pickles.allow_list import Allowed, allowed, is_standard_library, modern_name
from allmende.scan.pickles.values import PLAIN, Chunk, Global, Node, Value, described
from allmende.scan.scanning import Scan

__all__ = ["RULES", "ScanJudge", "is_growth"]

_PICKLE_DOCS = "Python documentation, module pickle: 'The pickle module is not secure.'"

REFUSED_GLOBAL = Rule(
    "pickle-refused-global",
    Severity.CRITICAL,
    "imports what no checkpoint needs",
    "When this file is loaded, Python imports the named function or class and usually calls it with "
    "arguments from the file. It is not on the list of what checkpoints of known libraries import.",
    "Save the weights as safetensors, or without custom objects. If the name is a harmless part of a known "
    "library, propose it for the allow-list.",
    _PICKLE_DOCS,
)
UNKNOWN_CLASS = Rule(
    "pickle-unknown-class",
    Severity.MEDIUM,
    "needs a class from outside",
    "Loading the file imports this class from a package that the scanner does not know. What its making "
    "does is decided by whatever package of that name the reader has installed.",
    "Save the weights alone (a state dict, or safetensors) and keep the code beside them.",
    _PICKLE_DOCS,
)
CODE_BY_VALUE = Rule(
    "pickle-code-by-value",
    Severity.MEDIUM,
    "carries program code",
    "The file holds compiled functions, as cloudpickle and dill write them. They run when the loaded object "
    "is used, and cannot be read as source.",
    "Publish the function as source code and save the data alone.",
    "cloudpickle documentation: only load data from trusted sources.",
)
COMPUTED_NAME = Rule(
    "pickle-computed-name",
    Severity.CRITICAL,
    "hides the name of what it imports",
    "The name is put together while the file is loaded, so that it is not written anywhere in it. No library "
    "does that; it exists to get past scanners.",
    "Do not load the file.",
    "PEP 3154, STACK_GLOBAL.",
)
COMPUTED_CALL = Rule(
    "pickle-computed-call",
    Severity.CRITICAL,
    "calls what another call returned",
    "The file calls something that it obtained from another call, or changes an imported function or class. "
    "What runs cannot be known without running it.",
    "Do not load the file.",
    _PICKLE_DOCS,
)
REFUSED_CALL = Rule(
    "pickle-refused-call",
    Severity.CRITICAL,
    "calls a known name in an unusual way",
    "The name is a harmless one, but it is called with arguments that its library never puts into a "
    "checkpoint and that may make it do something else.",
    "Save the file again with a current version of the library.",
    _PICKLE_DOCS,
)
EXTENSION_CODE = Rule(
    "pickle-extension-code",
    Severity.CRITICAL,
    "imports through the extension registry",
    "A number stands for what is imported; its meaning is decided by the program that loads the file.",
    "Do not load the file.",
    "PEP 307, the extension registry.",
)
GROWTH = Rule(
    "pickle-growth",
    Severity.HIGH,
    "built to exhaust memory or time",
    "The file describes an object that is far larger or deeper than the file, by referring to the same parts "
    "again and again, by enormous lengths or by memo indexes without entries.",
    "Save the data in a plain form.",
    "CWE-400: uncontrolled resource consumption.",
)
PERSISTENT_ID = Rule(
    "pickle-persistent-id",
    Severity.LOW,
    "needs its own loader",
    "Parts of the object are supplied by the program that loads the file.",
    "Say in the card which program loads the file.",
    "Python documentation, module pickle: persistence of external objects.",
)
RULES = (
    REFUSED_GLOBAL, UNKNOWN_CLASS, CODE_BY_VALUE, COMPUTED_NAME, COMPUTED_CALL, REFUSED_CALL, EXTENSION_CODE,
    GROWTH, PERSISTENT_ID,
)  # fmt: skip

_MAX_NESTED_BYTES: Final = 64 * 1024 * 1024
_LARGE: Final = 10**8
_LARGE_FOR_EACH_OPCODE: Final = 10**5
_DEEP: Final = 5_000
_HUGE_ALLOCATION: Final = 2**30
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

_HARMLESS_CODECS: Final = frozenset((b"latin1", b"latin-1", b"utf-8", b"utf8", b"ascii", b"iso-8859-1"))


def is_growth(largest: int, deepest: int, opcodes: int) -> bool:
    """Whether an object of this size and depth is out of all proportion to the opcodes that made it."""
    return deepest > _DEEP or (largest > _LARGE and largest > opcodes * _LARGE_FOR_EACH_OPCODE)


class ScanJudge:
    """Puts on record what the pickle machine would do wrong."""

    def __init__(
        self, scan: Scan, *, torch: bool, tell_persistent: Callable[[Value], None] | None = None
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
        found = self.imports[module, name] = Global(module, name)
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

    def called(self, callee: Value, arguments: tuple[Value, ...], opcode: str, offset: int) -> None:
        """See `machine.Judge`."""
        if not isinstance(callee, Global):
            self._scan.found(COMPUTED_CALL, f"{opcode} of {described(callee)}", offset=offset)
            return
        may = allowed(callee.module, callee.name)
        if may is Allowed.NOTHING:
            return
        makes = opcode in {"NEWOBJ", "NEWOBJ_EX"} or not arguments
        if may is Allowed.VALUE or (may is Allowed.CLASS and not makes):
            shown = ", ".join(described(argument) for argument in arguments[:4])
            self._scan.found(REFUSED_CALL, f"{callee.path}({shown})", offset=offset)
            return
        self._check_arguments(callee, arguments, offset)

    def built(self, instance: Value, state: Value, offset: int) -> None:
        """See `machine.Judge`."""
        if isinstance(instance, Global):
            self._scan.found(COMPUTED_CALL, f"BUILD on {instance.path}", offset=offset)

    def extension(self, code: int, offset: int) -> None:
        """See `machine.Judge`."""
        self._scan.found(EXTENSION_CODE, str(code), offset=offset)

    def persistent(self, pid: Value, offset: int) -> Value:
        """See `machine.Judge`."""
        if not self._torch:
            self._scan.found(PERSISTENT_ID, offset=offset)
        if self._tell_persistent is not None:
            self._tell_persistent(pid)
        items = pid.items if isinstance(pid, Node) else None
        if self._torch and items is not None and len(items) > 1 and items[0] == b"module":
            return items[1]  # torch's old format wraps the classes of a model, to compare their sources
        return Node(None, PLAIN)

    def memo_index(self, index: int, count: int, offset: int) -> None:
        """See `machine.Judge`."""
        self._scan.found(GROWTH, f"memo index {index} after {count} entries", offset=offset)

    def _check_arguments(self, callee: Global, arguments: tuple[Value, ...], offset: int) -> None:
        """What is allowed only with harmless arguments."""
        path = callee.path
        first = arguments[0] if arguments else None
        if path == "_codecs.encode":
            harmless = len(arguments) < 2 or arguments[1] in _HARMLESS_CODECS
        elif path in {"builtins.bytearray", "builtins.bytes"}:
            harmless = not isinstance(first, int) or first < _HUGE_ALLOCATION
        elif path == "builtins.getattr":
            harmless = _is_enum_member(arguments)
        elif path == "builtins.type":
            harmless = len(arguments) == 1
        elif path == "functools.partial":
            harmless = isinstance(first, Global)
        elif path in _TAKES_CLASS:
            harmless = isinstance(first, Global) and allowed(first.module, first.name) is not Allowed.VALUE
        else:
            harmless = True
        if not harmless:
            shown = ", ".join(described(argument) for argument in arguments[:4])
            self._scan.found(REFUSED_CALL, f"{path}({shown})", offset=offset)
        if path in _NESTED_LOADERS:
            self._nested(path, first, offset)

    def _nested(self, path: str, first: Value | None, offset: int) -> None:
        if isinstance(first, Chunk) and first.size_bytes <= _MAX_NESTED_BYTES:
            self.nested.append(first)
        elif isinstance(first, Node) and isinstance(first.callee, Global) and first.items:
            # Protocols before 3 have no bytes; they are texts through `_codecs.encode`.
            self._scan.found(REFUSED_CALL, f"{path} of encoded text", offset=offset)
        else:
            self._scan.found(REFUSED_CALL, f"{path}({described(first)})", offset=offset)


_TAKES_CLASS: Final = frozenset(
    (
        "copyreg._reconstructor",
        "copyreg.__newobj__",
        "torch._tensor._rebuild_from_type_v2",
    )
)
_NESTED_LOADERS: Final = frozenset(("torch.storage._load_from_bytes",))


def _is_enum_member(arguments: tuple[Value, ...]) -> bool:
    """`getattr` of a class on the list and a plain name: how Python 3.11 writes the members of an enum."""
    if len(arguments) != 2 or not isinstance(arguments[0], Global) or not isinstance(arguments[1], bytes):
        return False
    name = arguments[1]
    return (
        allowed(arguments[0].module, arguments[0].name) >= Allowed.CLASS
        and name.isupper()
        and not name.startswith(b"_")
    )


def _rule_for(module: str, name: str) -> Rule:
    """Which rule a name off the list breaks: unknown classes are shown, all else is refused."""
    if (module, name) in _CODE_BY_VALUE:
        return CODE_BY_VALUE
    plain = _MODULE.fullmatch(module) is not None and _CLASS_NAME.fullmatch(name) is not None
    foreign = not is_standard_library(module) or module == "__main__"
    gadgets = module.split(".", 1)[0] in _GADGET_MODULES
    private = any(part.startswith("__") for part in module.split(".")) and module != "__main__"
    return UNKNOWN_CLASS if plain and foreign and not gadgets and not private else REFUSED_GLOBAL
