"""What the names in a torch checkpoint's pickle mean: storages, tensors, and the dicts that hold them.

The names and their arguments are those of `torch/_utils.py` and `torch/serialization.py` (torch 0.4 to 2.13).
Nothing is imported; a name that is not here stays opaque, and a tensor of a kind that is not words in a
storage (quantised, sparse, without storage) becomes opaque as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from allmende.formats.errors import MalformedTorch
from allmende.formats.pickle_values import Global, Opaque, Value, key_text

__all__ = ["Storage", "StoredTensor", "TorchObjects"]

_MAX_DIMENSIONS = 64
_MAX_PAIRS = 1_000_000
_U63 = 2**63

_STORAGES: Mapping[str, str] = {
    "FloatStorage": "F32", "DoubleStorage": "F64", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8",
    "ByteStorage": "U8", "BoolStorage": "BOOL", "ComplexFloatStorage": "C64", "UntypedStorage": "U8",
}  # fmt: skip
_STORAGE_MODULES = ("torch.", "torch.cuda.", "torch.storage.")
_DTYPES: Mapping[str, str] = {
    "float32": "F32", "float": "F32", "float64": "F64", "double": "F64", "float16": "F16", "half": "F16",
    "bfloat16": "BF16", "int64": "I64", "long": "I64", "int32": "I32", "int": "I32", "int16": "I16",
    "short": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL", "uint16": "U16", "uint32": "U32",
    "uint64": "U64", "complex64": "C64", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ", "float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of words. `dtype` is None where it is none that weights are read from (quantised kinds).

    `elements` is what the pickle claims; `first` is where a view of it begins, in words.
    """

    key: str
    dtype: str | None
    elements: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a storage: `offset` and `stride` are in words of its type."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class TorchObjects:
    """The meanings, for one pickle. `storages` are those that it has named so far, by their keys."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self._pairs_left = _MAX_PAIRS
        tensors: dict[str, Callable[[tuple[Value, ...]], Value]] = {
            "torch._utils._rebuild_tensor": _rebuild_tensor,
            "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
            "torch._utils._rebuild_tensor_v3": _rebuild_tensor_v3,
            "torch._utils._rebuild_parameter": _first_argument,
            "torch._utils._rebuild_parameter_with_state": _first_argument,
        }
        self._tensors = tensors
        self.calls: Mapping[str, Callable[[tuple[Value, ...]], Value]] = tensors | {
            "torch._tensor._rebuild_from_type_v2": self._rebuild_from_type,
            "torch.Size": _first_argument,
            "torch.nn.parameter.Parameter": _first_argument,
            "torch.nn.parameter.Buffer": _first_argument,
            "collections.OrderedDict": self._ordered_dict,
            "collections.defaultdict": _empty_dict,
            "builtins.dict": self._ordered_dict,
            "__builtin__.dict": self._ordered_dict,
        }

    def persistent(self, identity: Value) -> Value:
        """The storage of a persistent id `("storage", type, key, location, elements[, view])`."""
        if not isinstance(identity, tuple) or len(identity) not in {5, 6} or identity[0] != "storage":
            raise MalformedTorch("The checkpoint refers to something outside that is no storage.")
        kind, key, elements = identity[1], key_text(identity[2]), identity[4]
        if not isinstance(kind, Global) or key is None or not _is_count(elements):
            raise MalformedTorch("The checkpoint describes a storage in a way that torch does not.")
        module, _, name = kind.name.rpartition(".")
        dtype = _STORAGES.get(name) if f"{module}." in _STORAGE_MODULES else None
        known = self.storages.setdefault(key, Storage(key, dtype, elements))
        if (known.dtype, known.elements) != (dtype, elements):
            raise MalformedTorch(f"The checkpoint describes the storage {key[:100]!r} in two ways.")
        view = identity[5] if len(identity) == 6 else None
        if isinstance(view, tuple) and len(view) == 3 and _is_count(view[1]):
            return Storage(key, dtype, elements, view[1])
        return known

    def _rebuild_from_type(self, arguments: tuple[Value, ...]) -> Value:
        # A tensor of a subclass, or one with attributes: the function that makes it, and what that is given.
        function = arguments[0] if len(arguments) > 2 else None
        known = self._tensors.get(function.name) if isinstance(function, Global) else None
        given = arguments[2] if len(arguments) > 2 else None
        return known(given) if known is not None and isinstance(given, tuple) else Opaque("torch.Tensor")

    def _ordered_dict(self, arguments: tuple[Value, ...]) -> Value:
        pairs = arguments[0] if arguments else ()
        if not isinstance(pairs, (list, tuple)):
            return pairs if isinstance(pairs, dict) else Opaque("collections.OrderedDict")
        self._pairs_left -= len(pairs)
        if self._pairs_left < 0:
            raise MalformedTorch(
                f"The checkpoint has more than the {_MAX_PAIRS} pairs that are read.",
                code="torch_beyond_limits",
            )
        made: dict[str, Value] = {}
        for pair in pairs:
            if isinstance(pair, (list, tuple)) and len(pair) == 2 and (key := key_text(pair[0])) is not None:
                made[key] = pair[1]
        return made


def _first_argument(arguments: tuple[Value, ...]) -> Value:
    return arguments[0] if arguments else Opaque("")


def _empty_dict(_: tuple[Value, ...]) -> Value:
    return {}


def _rebuild_tensor(arguments: tuple[Value, ...]) -> Value:
    if len(arguments) < 4:
        raise MalformedTorch("The checkpoint makes a tensor of too few parts.")
    storage, offset, shape, stride = arguments[:4]
    if not isinstance(storage, Storage) or storage.dtype is None:
        return Opaque("torch.Tensor")
    return _tensor(storage, storage.dtype, offset, shape, stride)


def _rebuild_tensor_v3(arguments: tuple[Value, ...]) -> Value:
    if len(arguments) < 7:
        raise MalformedTorch("The checkpoint makes a tensor of too few parts.")
    storage, offset, shape, stride, dtype = *arguments[:4], arguments[6]
    name = dtype.name.removeprefix("torch.") if isinstance(dtype, Global) else ""
    if not isinstance(storage, Storage) or name not in _DTYPES:
        return Opaque("torch.Tensor")
    return _tensor(storage, _DTYPES[name], offset, shape, stride)


def _tensor(storage: Storage, dtype: str, offset: Value, shape: Value, stride: Value) -> StoredTensor:
    lengths, steps = _counts(shape), _counts(stride)
    if lengths is None or steps is None or len(lengths) != len(steps) or not _is_count(offset):
        raise MalformedTorch("The checkpoint gives a tensor a shape, stride or offset that is none.")
    return StoredTensor(storage, dtype, storage.first + offset, lengths, steps)


def _counts(value: Value) -> tuple[int, ...] | None:
    if not isinstance(value, (tuple, list)) or len(value) > _MAX_DIMENSIONS:
        return None
    found = tuple(number for number in value if _is_count(number))
    return found if len(found) == len(value) else None


def _is_count(value: Value) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _U63
