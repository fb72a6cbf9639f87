"""Quantised weights and their scales, which files keep as tensors of their own, joined to one tensor each.

What belongs together is told by the names and checked by the shapes; where they do not fit, the tensors stay
as they are and a problem is told.
"""

import math
from collections.abc import Iterator, Mapping

from allmende.formats import JsonObject, Malformed, read_json_object
from allmende.weights.quantised_blocks import FourBitBlocks, NestedScales
from allmende.weights.quantised_packed import PackedGroups
from allmende.weights.quantised_scaled import ScaledWords
from allmende.weights.tensors import WeightTensor

__all__ = ["join_quantised"]

_EIGHT_BITS = frozenset({"I8", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"})
_SCALE_TYPES = frozenset({"F64", "F32", "F16", "BF16", "F8_E8M0"})
_SCALE_ENDINGS = ("_scale", "_scale_inv", "_scales", ".scale", ".scales", ".weight_scale")
_STATES = ("nf4", "fp4")
_MAX_STATE_BYTES = 64 * 1024
_PACKED_BITS = frozenset({2, 3, 4, 8})
_USUAL_BLOCK = 128
_MAX_DIMENSIONS = 64

Tensors = Mapping[str, WeightTensor]
Joined = tuple[WeightTensor, list[str]]
"""A tensor made of others, and the names of those that it is made of."""


class _DoesNotFit(Exception):
    pass


def join_quantised(tensors: Tensors, config: JsonObject) -> tuple[dict[str, WeightTensor], list[str]]:
    """The tensors with quantised ones dequantised as they are read, in the same order, and what does not fit.

    `config` is the model's configuration; the sentences are for people.
    """
    made: dict[str, WeightTensor] = {}
    parts: set[str] = set()
    problems: list[str] = []
    for name, tensor in tensors.items():
        try:
            found = _joined(name, tensor, tensors, config)
            if found is not None and found[0].name in tensors and found[0].name != name:
                raise _DoesNotFit("there is a plain tensor of the same name beside it.")
        except _DoesNotFit as error:
            problems.append(f"{name[:200]}: {error}")
            continue
        if found is not None:
            made[name] = found[0]
            parts.update(found[1])
    kept = [made.get(name, tensor) for name, tensor in tensors.items() if name in made or name not in parts]
    return {tensor.name: tensor for tensor in kept}, problems


def _joined(name: str, tensor: WeightTensor, tensors: Tensors, config: JsonObject) -> Joined | None:
    if name.endswith(".qweight"):
        return _packed(name.removesuffix(".qweight"), tensor, tensors, config)
    if tensor.dtype == "U8":
        return _four_bit(name, tensor, tensors)
    return _scaled(name, tensor, tensors) if tensor.dtype in _EIGHT_BITS else None


# --- words of eight bits -----------------------------------------------------------------------------------


def _scaled(name: str, tensor: WeightTensor, tensors: Tensors) -> Joined | None:
    stem = name.removesuffix(".weight")
    row_maxima = tensors.get(f"{stem}.SCB")
    if row_maxima is not None and tensor.dtype == "I8":
        source = ScaledWords(tensor, row_maxima, _block(tensor, row_maxima), 1 / 127)
        made = WeightTensor(name, tensor.dtype, tensor.shape, source)
        return made, [name, row_maxima.name, f"{name}_format"]
    scales = next((found for found in _companions(name, stem, tensors) if found.dtype in _SCALE_TYPES), None)
    if scales is None:
        return None
    zeros = tensors.get(f"{name}_zero_point")
    block = _block(tensor, scales)
    if zeros is not None and zeros.elements != scales.elements:
        raise _DoesNotFit("it has not as many zero points as scales.")
    made = WeightTensor(name, tensor.dtype, tensor.shape, ScaledWords(tensor, scales, block, zeros=zeros))
    return made, [name, scales.name, f"{name}_zero_point"]


def _companions(name: str, stem: str, tensors: Tensors) -> Iterator[WeightTensor]:
    for begin in dict.fromkeys((name, stem)):
        for ending in _SCALE_ENDINGS:
            found = tensors.get(begin + ending)
            if found is not None:
                yield found


def _block(tensor: WeightTensor, scales: WeightTensor) -> tuple[int, ...]:
    """How long along each dimension the block is that a scale is for."""
    dimensions = len(tensor.shape)
    if scales.elements == 1 or not dimensions:
        parts = (1,) * dimensions
    elif len(scales.shape) == 1 and scales.shape[0] != tensor.shape[0]:
        parts = (*(1,) * (dimensions - 1), scales.shape[0])
    else:
        parts = (*scales.shape, *(1,) * (dimensions - len(scales.shape)))
    if len(parts) != dimensions or scales.elements != math.prod(parts):
        raise _DoesNotFit("its scales are not of its shape.")
    return tuple(_side(length, count) for length, count in zip(tensor.shape, parts, strict=True))


def _side(length: int, parts: int) -> int:
    if parts < 1 or length < 1 or parts > length:
        raise _DoesNotFit("its scales are not of its shape.")
    # A shorter block at the end leaves the side open: it is the usual one if that fits.
    side = _USUAL_BLOCK if -(-length // _USUAL_BLOCK) == parts else -(-length // parts)
    if -(-length // side) != parts:
        raise _DoesNotFit("its scales are not of its shape.")
    return side


# --- bitsandbytes' four bits -------------------------------------------------------------------------------


def _four_bit(name: str, tensor: WeightTensor, tensors: Tensors) -> Joined | None:
    kind = next((kind for kind in _STATES if f"{name}.quant_state.bitsandbytes__{kind}" in tensors), None)
    if kind is None:
        return None
    state_name = f"{name}.quant_state.bitsandbytes__{kind}"
    state = _state(tensors[state_name])
    scales, table = tensors.get(f"{name}.absmax"), tensors.get(f"{name}.quant_map")
    shape, block = state.get("shape"), state.get("blocksize")
    if scales is None or table is None or table.elements != 16 or not _is_size(block):
        raise _DoesNotFit("its scales or levels are missing.")
    if not isinstance(shape, list) or len(shape) > _MAX_DIMENSIONS or not all(map(_is_size, shape)):
        raise _DoesNotFit("its shape is none.")
    made = WeightTensor(
        name,
        kind.upper(),
        tuple(int(length) for length in shape if isinstance(length, int)),
        FourBitBlocks(tensor, scales, table, int(str(block)), _nested(name, state, tensors, scales)),
    )
    if -(-made.elements // 2) != tensor.elements or -(-made.elements // int(str(block))) != scales.elements:
        raise _DoesNotFit("its codes or scales are not as many as its shape asks for.")
    parts = ("absmax", "quant_map", "nested_absmax", "nested_quant_map")
    return made, [name, state_name, *(f"{name}.{part}" for part in parts)]


def _nested(name: str, state: JsonObject, tensors: Tensors, scales: WeightTensor) -> NestedScales | None:
    outer, table = tensors.get(f"{name}.nested_absmax"), tensors.get(f"{name}.nested_quant_map")
    if outer is None and table is None:
        return None
    block, offset = state.get("nested_blocksize"), state.get("nested_offset", 0.0)
    if outer is None or table is None or table.elements != 256 or scales.dtype != "U8":
        raise _DoesNotFit("the scales of its scales are not complete.")
    if not _is_size(block) or not (isinstance(offset, float) or offset == 0):
        raise _DoesNotFit("the scales of its scales are not described.")
    if -(-scales.elements // int(str(block))) != outer.elements:
        raise _DoesNotFit("the scales of its scales are not as many as they should be.")
    return NestedScales(table, outer, int(str(block)), float(offset))


def _state(tensor: WeightTensor) -> JsonObject:
    if tensor.dtype != "U8" or tensor.elements > _MAX_STATE_BYTES:
        raise _DoesNotFit("its state is not text.")
    try:
        return read_json_object(bytes(tensor.values().astype("u1")), _MAX_STATE_BYTES)
    except Malformed as error:
        raise _DoesNotFit(f"its state cannot be read. {error.message}") from error


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**48


# --- GPTQ and AWQ ------------------------------------------------------------------------------------------


def _packed(stem: str, words: WeightTensor, tensors: Tensors, config: JsonObject) -> Joined:
    scales, zeros = tensors.get(f"{stem}.scales"), tensors.get(f"{stem}.qzeros")
    groups = tensors.get(f"{stem}.g_idx")
    parts = [part for part in (words, scales, zeros) if part is not None]
    if scales is None or zeros is None or any(len(part.shape) != 2 or not part.elements for part in parts):
        raise _DoesNotFit("its scales or zero points are missing.")
    if words.dtype not in {"I32", "U32"} or zeros.dtype not in {"I32", "U32"}:
        raise _DoesNotFit("its codes are not in words of 32 bits.")
    outputs = scales.shape[1]
    along_outputs = words.shape[1] * 8 == outputs
    if along_outputs:
        bits, inputs, zero_offset = 4, words.shape[0], 0
    else:
        bits = zeros.shape[1] * 32 // outputs
        inputs = words.shape[0] * 32 // bits if bits in _PACKED_BITS else 0
        zero_offset = 0 if _format(config) == "gptq_v2" else 1
    fits = along_outputs or (words.shape[1] == outputs and bits in _PACKED_BITS)
    if not fits or zeros.shape[1] * 32 < outputs * bits or zeros.shape[0] != scales.shape[0]:
        raise _DoesNotFit("its parts are not of shapes that fit together.")
    if scales.shape[0] > inputs or (groups is not None and groups.elements != inputs):
        raise _DoesNotFit("its groups are not as many as its inputs allow.")
    source = PackedGroups(words, zeros, scales, groups, (outputs, inputs), bits, along_outputs, zero_offset)
    kind = f"{'AWQ' if along_outputs else 'GPTQ'}{bits}"
    made = WeightTensor(f"{stem}.weight", kind, (outputs, inputs), source)
    return made, [f"{stem}.{part}" for part in ("qweight", "scales", "qzeros", "g_idx")]


def _format(config: JsonObject) -> object:
    said = config.get("quantization_config")
    return said.get("checkpoint_format") if isinstance(said, dict) else None
