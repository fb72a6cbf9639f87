"""TensorFlow Lite models (schema.fbs): the operators that they need beyond the built-in ones.

Labels and other files of the model are an archive behind it (TensorFlow Lite documentation, metadata).
"""

import struct
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.graphs.tensorflow_operators import FILE_OPERATOR, FILE_OPERATORS
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

CUSTOM_OPERATOR = Rule(
    "tflite-custom-operator",
    Severity.MEDIUM,
    "needs operators from outside",
    "The model uses operators that the runtime does not have: a library must be loaded for them.",
    "Convert the model to built-in operators.",
    "TensorFlow Lite documentation, custom operators.",
)
RULES = (CUSTOM_OPERATOR,)

_SHIPPED: Final = frozenset(
    ("TFLite_Detection_PostProcess", "Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D",
     "Landmarks2TransformMatrix", "TransformLandmarks", "TransformTensorBilinear", "edgetpu-custom-op",
     "Landmarks2TransformMatrixV2", "TransformTensorBilinearV2", "AudioSpectrogram", "Mfcc", "NumericVerify",
     "KmeansEmbeddingLookup", "NGramHash", "UniversalSentenceEncoder", "Resampler", "RoiToTransformMatrix")
)  # fmt: skip
_FLEX_FILE: Final = frozenset(f"Flex{name}" for name in FILE_OPERATORS)
_OPERATOR_CODES: Final = 1
_CUSTOM_CODE: Final = 1
_BUFFERS: Final = 4
_MAX_BUFFERS: Final = 1_000_000
_MAX_CODES: Final = 10_000
_MAX_NAME_BYTES: Final = 1024


class _Table:
    """A table of a flatbuffer. Every offset is checked against the file."""

    def __init__(self, source: Source, position: int) -> None:
        self._source = source
        self._position = position
        back = _number(source, position, "<i")
        self._layout = position - back
        self._layout_bytes = _number(source, self._layout, "<H")

    def field(self, number: int) -> int | None:
        """Where a field lies; None where it is absent."""
        at = 4 + 2 * number
        if at + 2 > self._layout_bytes:
            return None
        offset = _number(self._source, self._layout + at, "<H")
        return self._position + offset if offset else None


def _number(source: Source, position: int, code: str) -> int:
    data = source.read_at(position, struct.calcsize(code))
    if position < 0 or len(data) < struct.calcsize(code):
        raise Unreadable("An offset leads out of the file.", max(0, position))
    return int(struct.unpack(code, data)[0])


def _follow(source: Source, position: int) -> int:
    return position + _number(source, position, "<I")


def _claims(probe: Probe) -> Claim:
    if probe.head[4:8] == b"TFL3":
        return Claim.CONTENT
    return Claim.NAME if probe.hint == "tflite" else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """The list of operators. Raises Unreadable."""
    model = _Table(source, _follow(source, 0))
    _check_buffers(source, model)
    place = model.field(_OPERATOR_CODES)
    if place is None:
        return
    vector = _follow(source, place)
    count = _number(source, vector, "<I")
    if count > _MAX_CODES:
        raise Unreadable(f"The model lists {count} operators.", vector)
    for number in range(count):
        code = _Table(source, _follow(source, vector + 4 + 4 * number)).field(_CUSTOM_CODE)
        if code is None:
            continue
        text = _follow(source, code)
        name = source.read_at(text + 4, min(_number(source, text, "<I"), _MAX_NAME_BYTES)).decode(
            "utf-8", "replace"
        )
        if name in _FLEX_FILE:
            scan.found(FILE_OPERATOR, name, offset=text)
        elif name and name not in _SHIPPED:
            scan.found(CUSTOM_OPERATOR, name, offset=text)


def _check_buffers(source: Source, model: _Table) -> None:
    """The weights lie in the file, where the model says. Raises Unreadable."""
    place = model.field(_BUFFERS)
    if place is None:
        return
    vector = _follow(source, place)
    count = _number(source, vector, "<I")
    if count > _MAX_BUFFERS or vector + 4 + 4 * count > source.size_bytes:
        raise Unreadable(f"The model lists {count} buffers.", vector)
    for number in range(count):
        buffer = _Table(source, _follow(source, vector + 4 + 4 * number))
        data, offset, size = buffer.field(0), buffer.field(1), buffer.field(2)
        end = 0
        if data is not None:
            start = _follow(source, data)
            end = start + 4 + _number(source, start, "<I")
        elif offset is not None and size is not None:
            end = _number(source, offset, "<Q") + _number(source, size, "<Q")
        if end > source.size_bytes:
            raise Unreadable(f"Buffer {number} goes beyond the end of the file.", vector)


READER = Reader("tflite", "tflite", _claims, _read, carries=frozenset({"zip"}))
