"""The tensors of a torch checkpoint; its pickle is read and never run."""

from collections.abc import Mapping

from allmende.formats import TorchTensor, read_torch_checkpoint
from allmende.weights.number_types import number_type
from allmende.weights.places import Place
from allmende.weights.row_major import words_in_order
from allmende.weights.streams import stream_of
from allmende.weights.tensors import Span, WeightTensor

__all__ = ["read_torch_tensors"]


def read_torch_tensors(place: Place) -> tuple[list[WeightTensor], Mapping[str, str]]:
    """The tensors of the model in the order of the checkpoint's dicts. There is no metadata.

    Raises MalformedTorch, MalformedPickle or MalformedZip.
    """
    tensors = read_torch_checkpoint(stream_of(place), place.size_bytes)
    return [_tensor(place, tensor) for tensor in tensors if number_type(tensor.dtype)], {}


def _tensor(place: Place, tensor: TorchTensor) -> WeightTensor:
    storage = Span(place, tensor.storage_start, tensor.storage_bytes)
    words = words_in_order(storage, tensor.dtype, tensor.shape, tensor.stride, tensor.offset)
    return WeightTensor(tensor.name, tensor.dtype, tensor.shape, words)
