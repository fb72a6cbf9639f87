"""With which arguments the names on the allow-list may be called.

Most of them do the same whatever they get. Those below would call, make or find something else with arguments
that their libraries never write; each is held to what is written.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

from allmende.scan.pickles.allow_list import Allowed, allowed, allowed_attributes, is_enum
from allmende.scan.pickles.values import PLAIN, Chunk, Global, Node, Value

__all__ = ["excess_of", "is_endless", "is_harmless_call", "may_take_function"]

Arguments = tuple[Value, ...]

_HUGE_ALLOCATION: Final = 2**30
_HUGE_COUNT: Final = 10**6
_ENDLESS: Final = 10**9
_ENDLESS_BYTES: Final = 2**36
_HARMLESS_CODECS: Final = frozenset((b"latin1", b"latin-1", b"utf-8", b"utf8", b"ascii", b"iso-8859-1"))
_NUMBER: Final = re.compile(
    rb"[+-]?(?:[0-9]{1,4000}(?:/[0-9]{1,4000}|(?:\.[0-9]{0,4000})?(?:e[+-]?[0-9]{1,4})?)|inf(?:inity)?|s?nan[0-9]{0,20})",
    re.IGNORECASE,
)
_BASES: Final = frozenset(
    f"builtins.{name}"
    for name in ("bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object",
                 "set", "str", "tuple")
)  # fmt: skip
_BIT_GENERATORS: Final = frozenset((b"MT19937", b"PCG64", b"PCG64DXSM", b"Philox", b"SFC64"))
_BIT_GENERATOR_MODULES: Final = frozenset(
    ("numpy.random._mt19937", "numpy.random._pcg64", "numpy.random._philox", "numpy.random._sfc64")
)
_RANDOM_MODULES: Final = ("numpy.random._pickle", "numpy.random")
_MAKERS_OF_BYTES: Final = frozenset(("_codecs.encode", "builtins.bytes", "builtins.bytearray"))


def is_harmless_call(callee: Global, arguments: Arguments) -> bool:
    """Whether a name on the list is called as its library calls it."""
    if is_enum(callee.module, callee.name):
        return len(arguments) == 1 and _is_constant(arguments[0])
    if callee.name == "newObj" or callee.name.startswith("__pyx_unpickle_"):
        return bool(arguments) and _is_extension_type(arguments[0], callee)
    check = _CHECKS.get(callee.path)
    return check is None or check(arguments)


def may_take_function(callee: Global, position: int, function: Global) -> bool:
    """Whether libraries hand this very function to `callee`, as the argument at `position`."""
    if callee.name in {"__generator_ctor", "__randomstate_ctor", "__RandomState_ctor"}:
        return position == 1 and function.name == "__bit_generator_ctor"
    if callee.path == "torch._tensor._rebuild_from_type_v2":
        return position == 0 and function.module in {"torch._utils", "torch._tensor"}
    if callee.path == "dill._dill._create_array":
        return position == 0 and function.path in _NUMPY_RECONSTRUCT
    return False


def excess_of(callee: Global, arguments: Arguments) -> str:
    """How far beyond measure what the call makes is, in words; empty where it is not."""
    for argument in arguments:
        if isinstance(argument, Node) and isinstance(argument.callee, Global):
            if argument.callee.path == "itertools.count":
                return f"{callee.path} of an endless count"
            if argument.callee.path == "builtins.range" and _range_length(argument.items) > _HUGE_COUNT:
                return f"{callee.path} of a range of {_range_length(argument.items):.1e}"
            if callee.path in _CONSUMERS and argument.callee.path not in _BOUNDED:
                return f"{callee.path} of all that {argument.callee.path} gives"
    path = callee.path
    if path == "sklearn.tree._tree.Tree" and any(
        isinstance(argument, int) and argument > _HUGE_COUNT for argument in arguments
    ):
        return "a tree of more than a million outputs"
    first = arguments[0] if arguments else PLAIN
    if path in {"builtins.bytearray", "builtins.bytes"} and isinstance(first, int):
        return f"{path}({first:.1e})" if first >= _HUGE_ALLOCATION else ""
    if path in {"fractions.Fraction", "decimal.Decimal"}:
        return (
            ""
            if all(_is_written_number(argument) for argument in arguments)
            else f"{path} of a computed number"
        )
    if path in _SHAPED and len(arguments) > _SHAPED[path]:
        shape = arguments[_SHAPED[path]]
        lengths = shape.items if isinstance(shape, Node) and shape.callee is None else (shape,)
        known = [length for length in lengths or () if isinstance(length, int)]
        return f"{path} of {math.prod(known):.1e} elements" if _product(known) > _HUGE_COUNT else ""
    return _larger_than_storage(arguments) if path in _VIEWS else ""


def is_endless(callee: Global, arguments: Arguments) -> bool:
    """Whether what the call makes is more than any machine holds, where `excess_of` finds it too large."""
    for argument in arguments:
        if isinstance(argument, Node) and isinstance(argument.callee, Global):
            if argument.callee.path == "itertools.count":
                return True
            if argument.callee.path == "builtins.range" and _range_length(argument.items) >= _ENDLESS:
                return True
    first = arguments[0] if arguments else PLAIN
    return (
        callee.path in {"builtins.bytearray", "builtins.bytes"}
        and isinstance(first, int)
        and first >= _ENDLESS_BYTES
    )


def _larger_than_storage(arguments: Arguments) -> str:
    """Tensors of torch reach as far as sizes and strides say; storages that are too small are made larger."""
    if len(arguments) < 4 or not isinstance(arguments[0], Node) or not isinstance(arguments[0].state, Node):
        return ""
    told = arguments[0].state.items or ()
    offset, sizes, strides = arguments[1], _numbers(arguments[2]), _numbers(arguments[3])
    if (
        len(told) < 5
        or not isinstance(told[4], int)
        or not isinstance(offset, int)
        or not sizes
        or not strides
    ):
        return ""
    reached = offset + 1 + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=False))
    return f"a tensor of {reached} elements in {told[4]}" if all(sizes) and reached > told[4] else ""


def _numbers(value: Value) -> list[int]:
    items = value.items if isinstance(value, Node) and value.callee is None else None
    numbers = [item for item in items or () if isinstance(item, int)]
    return numbers if items is not None and len(numbers) == len(items) else []


def _product(lengths: list[int]) -> int:
    return math.prod(abs(length) for length in lengths[:64])


def _range_length(bounds: "Arguments | None") -> int:
    numbers = [bound for bound in bounds or () if isinstance(bound, int)]
    if len(numbers) != len(bounds or ()) or not numbers:
        return 0
    start, stop = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
    return abs(stop - start) // (abs(numbers[2]) if len(numbers) > 2 and numbers[2] else 1)


def _is_written_number(value: Value) -> bool:
    """Whether it is a number as it is written: not a computed one, nor one with a far exponent."""
    return isinstance(value, int) or (isinstance(value, bytes) and _NUMBER.fullmatch(value) is not None)


def _is_constant(value: Value) -> bool:
    return not isinstance(value, (Node, Global))


def _is_class(value: Value) -> bool:
    """A class on the list, or one that is unknown and told of already."""
    if (
        not isinstance(value, Global)
        or value.is_function
        or value.path in {"builtins.type", "functools.partial"}
    ):
        return False
    return allowed(value.module, value.name) is not Allowed.VALUE


def _is_extension_type(value: Value, maker: Global) -> bool:
    """A class of the package whose function makes it, by the looks of its name."""
    return (
        isinstance(value, Global)
        and not value.is_function
        and value.name.lstrip("_")[:1].isupper()
        and value.module.partition(".")[0] == maker.module.partition(".")[0]
    )


def _is_literal(value: Value) -> bool:
    """A container that is written in the stream."""
    return isinstance(value, Node) and value.callee is None


def _takes_attribute(arguments: Arguments) -> bool:
    """`getattr` of a class and a plain name (how Python 3.11 writes the members of an enum), or as listed."""
    if len(arguments) != 2 or not isinstance(arguments[1], bytes):
        return False
    owner, name = arguments[0], arguments[1]
    if isinstance(owner, Node):
        return isinstance(owner.callee, Global) and name in allowed_attributes(owner.callee.path)
    if not isinstance(owner, Global):
        return False
    if name in allowed_attributes(owner.path):
        return True
    # A class that is unknown is told of already.
    may = is_enum(owner.module, owner.name) or allowed(owner.module, owner.name) is Allowed.NOTHING
    return may and name.isupper() and not name.startswith(b"_")


def _reconstructs(arguments: Arguments) -> bool:
    if len(arguments) != 3 or not _is_class(arguments[0]):
        return False
    base = arguments[1]
    return isinstance(base, Global) and base.path in _BASES


def _makes_generator(arguments: Arguments) -> bool:
    if not arguments:
        return True
    first = arguments[0]
    named = isinstance(first, bytes) and first in _BIT_GENERATORS
    typed = isinstance(first, Global) and first.module in _BIT_GENERATOR_MODULES
    made = (
        isinstance(first, Node)
        and isinstance(first.callee, Global)
        and first.callee.name == "__bit_generator_ctor"
        and first.callee.module in _RANDOM_MODULES
    )
    return (named or typed or made) and len(arguments) <= 2 and all(
        isinstance(argument, Global) for argument in arguments[1:]
    )  # fmt: skip


def _makes_index(arguments: Arguments) -> bool:
    if len(arguments) != 2 or not isinstance(arguments[0], Global):
        return False
    kind, state = arguments[0], arguments[1]
    known = kind.module == "pandas" or kind.module.startswith("pandas.core.indexes.")
    written = isinstance(state, Node) and state.callee is None and not state.odd_keys
    return known and kind.name.endswith("Index") and written


def _makes_numpy_array(arguments: Arguments) -> bool:
    """The classes of arrays are on the list or told of; functions and what calls made are none."""
    return bool(arguments) and isinstance(arguments[0], Global) and not arguments[0].is_function


def _makes_masked_array(arguments: Arguments) -> bool:
    return (
        len(arguments) == 4
        and isinstance(arguments[0], Global)
        and arguments[0].path
        in {"numpy.ma.core.MaskedArray", "numpy.ma.MaskedArray", "numpy.ma.mrecords.MaskedRecords"}
        and isinstance(arguments[1], Global)
        and arguments[1].module.partition(".")[0] == "numpy"
        and not arguments[1].is_function
    )


def _makes_dill_array(arguments: Arguments) -> bool:
    return (
        2 <= len(arguments) <= 4
        and isinstance(arguments[0], Global)
        and arguments[0].path in _NUMPY_RECONSTRUCT
        and isinstance(arguments[1], Node)
        and arguments[1].callee is None
        and _makes_numpy_array(arguments[1].items or ())
        and all(_is_constant(argument) or _is_literal(argument) for argument in arguments[2:])
    )


def _converts(arguments: Arguments) -> bool:
    """Numbers and texts of constants; of bytes that are written as text in protocols before 3, too."""
    return all(
        _is_constant(argument)
        or (
            isinstance(argument, Node)
            and isinstance(argument.callee, Global)
            and argument.callee.path in _MAKERS_OF_BYTES
        )
        for argument in arguments
    )


def _delays(arguments: Arguments) -> bool:
    """A partial is one of an import, or of an attribute that `getattr` may take."""
    first = arguments[0] if arguments else PLAIN
    callee = first.callee if isinstance(first, Node) else first
    return isinstance(callee, Global) and (callee is first or callee.path == "builtins.getattr")


def _names_type(arguments: Arguments) -> bool:
    """Types are named by a text, or by a class of numpy."""
    first = arguments[0] if arguments else PLAIN
    named = isinstance(first, Global) and not first.is_function and first.module.partition(".")[0] == "numpy"
    return named or isinstance(first, bytes)


def _takes_tensor(arguments: Arguments) -> bool:
    """The first argument is a tensor: methods of it are called."""
    first = arguments[0] if arguments else PLAIN
    callee = first.callee if isinstance(first, Node) else None
    made = isinstance(callee, Global) and callee.module.partition(".")[0] == "torch"
    return made or not isinstance(first, Node)


def _subscribes_typing(arguments: Arguments) -> bool:
    """`typing.Union[int, None]`; of a text there, `typing` makes source code."""
    if len(arguments) != 2 or not isinstance(arguments[0], Global) or arguments[0].module != "typing":
        return False
    second = arguments[1]
    parts = second.items if isinstance(second, Node) and second.callee is None else (second,)
    return parts is not None and all(
        isinstance(part, Global) or (isinstance(part, Node) and isinstance(part.callee, Global))
        for part in parts
    )


_NUMPY_RECONSTRUCT: Final = frozenset(
    f"numpy.{place}._reconstruct" for place in ("core.multiarray", "_core.multiarray", "core._internal")
)
_CONSUMERS: Final = frozenset(
    ("array.array", "builtins.bytearray", "builtins.bytes", "builtins.dict", "builtins.frozenset",
     "builtins.list", "builtins.set", "builtins.tuple", "collections.Counter",
     "collections.OrderedDict", "collections.deque", "torch.Size")
)  # fmt: skip
"""What takes all that its argument gives, one by one."""

_BOUNDED: Final = _MAKERS_OF_BYTES | frozenset(
    ("array.array", "builtins.dict", "builtins.frozenset", "builtins.iter", "builtins.list", "builtins.range",
     "builtins.reversed", "builtins.set", "builtins.str", "builtins.tuple", "collections.ChainMap",
     "collections.Counter", "collections.OrderedDict", "collections.defaultdict", "collections.deque",
     "numpy._core.multiarray._reconstruct", "numpy.core.multiarray._reconstruct")
)  # fmt: skip
"""What gives no more than the file holds; networks of addresses, views of tensors and indexes give more."""

_SHAPED: Final = dict.fromkeys(_NUMPY_RECONSTRUCT, 1) | {"numpy.ma.core._mareconstruct": 2}
_VIEWS: Final = frozenset(
    f"torch._utils._rebuild_{what}" for what in ("tensor", "tensor_v2", "tensor_v3", "qtensor")
)
_CHECKS: Final[Mapping[str, Callable[[Arguments], bool]]] = {
    "_codecs.encode": lambda items: len(items) < 2 or items[1] in _HARMLESS_CODECS,
    "array._array_reconstructor": lambda items: (
        bool(items) and isinstance(items[0], Global) and items[0].path == "array.array"
    ),
    "builtins.complex": _converts,
    "builtins.float": _converts,
    "builtins.getattr": _takes_attribute,
    "builtins.int": _converts,
    "builtins.iter": lambda items: (
        len(items) == 1 and (_is_literal(items[0]) or isinstance(items[0], (bytes, Chunk)))
    ),
    "builtins.reversed": lambda items: len(items) == 1 and _is_literal(items[0]),
    "builtins.str": _converts,
    "builtins.type": lambda items: len(items) == 1,
    "copyreg.__newobj__": lambda items: bool(items) and _is_class(items[0]),
    "copyreg._reconstructor": _reconstructs,
    "dill._dill._create_array": _makes_dill_array,
    "functools.partial": _delays,
    "_operator.getitem": _subscribes_typing,
    "operator.getitem": _subscribes_typing,
    "numpy.dtype": _names_type,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _takes_tensor,
    "torch._utils._rebuild_parameter": _takes_tensor,
    "torch._utils._rebuild_parameter_with_state": _takes_tensor,
    "torch._utils._rebuild_xla_tensor": _takes_tensor,
    "numpy.ma.core._mareconstruct": _makes_masked_array,
    "pandas.core.indexes.base._new_Index": _makes_index,
    "pandas.core.indexes.datetimes._new_DatetimeIndex": _makes_index,
    "pandas.core.indexes.interval._new_IntervalIndex": _makes_index,
    "pandas.core.indexes.period._new_PeriodIndex": _makes_index,
    "pandas.core.indexes.timedeltas._new_TimedeltaIndex": _makes_index,
    "types.SimpleNamespace": lambda items: not items,
    **dict.fromkeys(_NUMPY_RECONSTRUCT, _makes_numpy_array),
    **{
        f"{module}.{name}": _makes_generator
        for module in (*_RANDOM_MODULES, "numpy.random.mtrand")
        for name in ("__RandomState_ctor", "__randomstate_ctor", "__generator_ctor", "__bit_generator_ctor")
    },
}
