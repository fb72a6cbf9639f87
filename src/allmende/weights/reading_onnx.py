"""The initialisers of an ONNX model, also those that lie in files beside it."""

from collections.abc import Callable, Mapping

from allmende.formats import ExternalData, MalformedOnnx, OnnxInitializer, read_onnx_initializers
from allmende.weights.number_types import number_type
from allmende.weights.places import BytesPlace, Place
from allmende.weights.streams import stream_of
from allmende.weights.tensors import PlainWords, Span, WeightTensor

__all__ = ["Beside", "read_onnx_tensors"]

Beside = Callable[[str], Place | None]
"""The file at a path relative to the folder of the one that is read; None where there is none."""

_MAX_REPEATED = 16
"""Initialisers may share bytes; a small file shared often is a way to keep readers busy."""


def read_onnx_tensors(place: Place, beside: Beside) -> tuple[list[WeightTensor], Mapping[str, str]]:
    """The initialisers of numbers in the order of the graph. No metadata.

    Raises MalformedOnnx, also where numbers lie in a file that is not there or too short.
    """
    found = []
    files: dict[str, Place | None] = {}

    def opened(name: str) -> Place | None:
        if name not in files:
            files[name] = beside(name)
        return files[name]

    for initializer in read_onnx_initializers(stream_of(place), place.size_bytes):
        if initializer.dtype is not None and number_type(initializer.dtype) is not None and initializer.name:
            words = PlainWords(_span(place, initializer, opened), initializer.dtype)
            found.append(WeightTensor(initializer.name, initializer.dtype, initializer.shape, words))
    _check_amount(place, found, files)
    return found, {}


def _check_amount(place: Place, tensors: list[WeightTensor], files: Mapping[str, Place | None]) -> None:
    claimed = sum(span.size_bytes for tensor in tensors for span in tensor.source.spans)
    there = place.size_bytes + sum(file.size_bytes for file in files.values() if file is not None)
    if claimed > _MAX_REPEATED * there:
        raise MalformedOnnx(
            f"The initialisers take {claimed} bytes, in files of {there}.", code="onnx_beyond_limits"
        )


def _span(place: Place, initializer: OnnxInitializer, beside: Beside) -> Span:
    if initializer.held is not None:
        return Span(BytesPlace(place.name, initializer.held), 0, initializer.size_bytes)
    if initializer.external is not None:
        return _span_beside(initializer, initializer.external, beside)
    return Span(place, initializer.start, initializer.size_bytes)


def _span_beside(initializer: OnnxInitializer, external: ExternalData, beside: Beside) -> Span:
    other = beside(external.location)
    if other is None:
        raise MalformedOnnx(f"The file {external.location[:200]!r} with the model's numbers is missing.")
    length = other.size_bytes - external.offset if external.length is None else external.length
    if length < initializer.size_bytes or external.offset + initializer.size_bytes > other.size_bytes:
        raise MalformedOnnx(
            f"The initialiser {initializer.name[:200]!r} ends outside of {external.location[:200]!r}."
        )
    return Span(other, external.offset, initializer.size_bytes)
