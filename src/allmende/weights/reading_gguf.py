"""The tensors of a GGUF file, dequantised as they are read."""

from collections.abc import Mapping

from allmende.formats import GgufTensor, read_gguf
from allmende.weights.errors import UnreadableWeights
from allmende.weights.ggml_blocks import GgmlBlocks, can_dequantise, ggml_type
from allmende.weights.number_types import number_type
from allmende.weights.places import Place
from allmende.weights.streams import stream_of
from allmende.weights.tensors import PlainWords, Source, Span, WeightTensor

__all__ = ["read_gguf_tensors"]

_MAX_TEXT_CHARS = 64 * 1024


def read_gguf_tensors(place: Place) -> tuple[list[WeightTensor], Mapping[str, str]]:
    """The tensors in the order of the file, their shapes outermost first, and the metadata as text.

    Tensors of types that the package `gguf` does not know are left out. Raises MalformedGguf, or
    UnreadableWeights for a file in big-endian order.
    """
    header = read_gguf(stream_of(place), place.size_bytes)
    if header.big_endian:
        raise UnreadableWeights("The file is in big-endian order, whose numbers are not read.")
    tensors = [_tensor(place, header.data_start, tensor) for tensor in header.tensors]
    said = {
        key: str(value)[:_MAX_TEXT_CHARS]
        for key, value in header.metadata.items()
        if isinstance(value, (str, int, float))
    }
    return [tensor for tensor in tensors if tensor is not None], said


def _tensor(place: Place, data_start: int, tensor: GgufTensor) -> WeightTensor | None:
    span = Span(place, data_start + tensor.offset, tensor.size_bytes)
    kind = ggml_type(tensor.type)
    assert kind is not None, "read_gguf knows the type"
    source: Source
    if can_dequantise(kind):
        source = GgmlBlocks(span, kind)
    elif number_type(tensor.type) is not None:
        source = PlainWords(span, tensor.type)
    else:
        return None
    return WeightTensor(tensor.name, tensor.type, tuple(reversed(tensor.dims)), source)
