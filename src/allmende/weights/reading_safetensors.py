"""The tensors of a safetensors file."""

from collections.abc import Mapping

from allmende.formats import Tensor, read_header
from allmende.weights.number_types import number_type
from allmende.weights.places import Place
from allmende.weights.streams import stream_of
from allmende.weights.tensors import PlainWords, Span, WeightTensor

__all__ = ["read_safetensors_tensors"]


def read_safetensors_tensors(place: Place) -> tuple[list[WeightTensor], Mapping[str, str]]:
    """The tensors in the order of their bytes, and the metadata. Raises MalformedSafetensors."""
    header = read_header(stream_of(place), place.size_bytes)
    tensors = [
        _tensor(place, header.data_start, tensor) for tensor in header.tensors if number_type(tensor.dtype)
    ]
    return tensors, header.metadata


def _tensor(place: Place, data_start: int, tensor: Tensor) -> WeightTensor:
    span = Span(place, data_start + tensor.start, tensor.end - tensor.start)
    return WeightTensor(tensor.name, tensor.dtype, tensor.shape, PlainWords(span, tensor.dtype))
