"""Predictions: from which stored bytes, and by which steps, the bytes of an object are foretold.

A prediction is written down as a JSON document in one way only, and whoever reads one believes nothing: what
it may cost is bounded by numbers that stand here, and all of its sizes have to agree before a byte is read.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from allmende.codecs.errors import MalformedEncoding
from allmende.codecs.objects import MAX_OBJECT_BYTES, ObjectId, Piece, Reference, reference_bytes
from allmende.codecs.outputs import Blocks, Codes, Output, Words, output_bytes, output_of_row, output_row
from allmende.codecs.programs import block_values, check_program
from allmende.codecs.rounding import FLOAT_TYPES
from allmende.codecs.steps import MAX_SOURCES, Load, LowRank, Mask, Step, step_of_row, step_row

__all__ = [
    "MAX_PIECES",
    "MAX_PREDICTION_BYTES",
    "SOURCE_WORDS",
    "Prediction",
    "Source",
    "parse_prediction",
    "source_word_bytes",
]

MAX_PREDICTION_BYTES = 4 * 1024 * 1024
MAX_PIECES = 65536
"""Of all sources together: a matrix whose rows were put into another order has one for each row."""
_MAX_SOURCE_BYTES = 16 * MAX_OBJECT_BYTES
_VERSION = 1
_ID = re.compile(r"[0-9a-f]{64}")

_WORD_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
SOURCE_WORDS = (*FLOAT_TYPES, "I8", "U8")
"""The types of words that a source may have. Whatever has none of these is U8."""

_Document: TypeAlias = dict[str, object]


def source_word_bytes(words: str) -> int:
    """The size of a word of a type of SOURCE_WORDS."""
    return _WORD_BYTES.get(words, 1)


@dataclass(frozen=True, slots=True)
class Source:
    """Stored bytes, and as words of which type of SOURCE_WORDS they are read."""

    reference: Reference
    words: str

    @property
    def values(self) -> int:
        """How many words there are."""
        return reference_bytes(self.reference) // source_word_bytes(self.words)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Sources of equally many values, steps over these values, and how the outcome is written.

    `side` is what steps need beside it: the bits of a mask, then the two factors of a product of low rank in
    float32, rows by rank and rank by columns. Raises MalformedEncoding when it does not fit together.
    """

    sources: tuple[Source, ...]
    steps: tuple[Step, ...]
    output: Output
    side: bytes | memoryview = b""

    def __post_init__(self) -> None:
        """See the class."""
        if not 1 <= len(self.sources) <= MAX_SOURCES:
            raise MalformedEncoding(f"A prediction has {len(self.sources)} sources.")
        for source in self.sources:
            _check_source(source)
        if sum(len(source.reference) for source in self.sources) > MAX_PIECES:
            raise MalformedEncoding(f"A prediction's sources have more than {MAX_PIECES} pieces.")
        if len({source.values for source in self.sources}) > 1:
            raise MalformedEncoding("A prediction's sources have not equally many values.")
        width = check_program(self.steps, [source.words == "F64" for source in self.sources])
        if width != "F32" and isinstance(self.output, Codes | Blocks):
            raise MalformedEncoding("A prediction writes blocks of values that are not float32.")
        if self.values % self.run_values:
            raise MalformedEncoding("A prediction's values are no whole number of its blocks.")
        _check_side(self)
        if self.size_bytes > MAX_OBJECT_BYTES:
            raise MalformedEncoding("A prediction is of more bytes than an object may have.")

    @property
    def values(self) -> int:
        """How many values each source has."""
        return self.sources[0].values

    @property
    def run_values(self) -> int:
        """At whole multiples of how many values a run may begin and end."""
        return block_values(self.steps, output_bytes(self.output)[0])

    @property
    def size_bytes(self) -> int:
        """How many bytes are predicted."""
        values, size = output_bytes(self.output)
        return self.values // values * size

    @property
    def parents(self) -> tuple[ObjectId, ...]:
        """The objects that have to be there, each once, in the order in which they are mentioned."""
        pieces = (piece.object_id for source in self.sources for piece in source.reference)
        return tuple(dict.fromkeys(found for found in pieces if found is not None))

    @property
    def is_copy(self) -> bool:
        """Whether the source's own bytes are predicted."""
        return self.steps == (Load(0),) and self.output == Words(self.sources[0].words)

    def document(self) -> bytes:
        """The prediction without its side, as it is written down."""
        numbers = {parent: number for number, parent in enumerate(self.parents)}
        document: _Document = {
            "version": _VERSION,
            "parents": list(self.parents),
            "sources": [
                {"words": source.words, "pieces": list(_written(source.reference, numbers))}
                for source in self.sources
            ],
            "steps": [step_row(step) for step in self.steps],
            "output": output_row(self.output),
        }
        return json.dumps(document, separators=(",", ":")).encode()


def parse_prediction(document: bytes | memoryview, side: bytes | memoryview = b"") -> Prediction:
    """The prediction of a document and its side. Raises MalformedEncoding for whatever is not exactly one."""
    found = _mapping(_json(document), ("version", "parents", "sources", "steps", "output"))
    if type(found["version"]) is not int or found["version"] != _VERSION:
        raise MalformedEncoding("A prediction is of a version that is not known here.")
    parents = _parents(found["parents"])
    prediction = Prediction(
        tuple(_source(one, parents) for one in _list(found["sources"], MAX_SOURCES)),
        tuple(step_of_row(row) for row in _list(found["steps"], MAX_PIECES)),
        output_of_row(found["output"]),
        side,
    )
    if prediction.document() != bytes(document):
        raise MalformedEncoding("A prediction is not written in its one way.")
    return prediction


def _check_source(source: Source) -> None:
    if source.words not in SOURCE_WORDS:
        raise MalformedEncoding("A prediction reads words of a type that is not known here.")
    for piece in source.reference:
        limit = _MAX_SOURCE_BYTES if piece.object_id is None else MAX_OBJECT_BYTES
        if piece.start < 0 or piece.size_bytes < 1 or piece.start + piece.size_bytes > limit:
            raise MalformedEncoding("A prediction's source has a piece that no object can have.")
        if piece.object_id is None and piece.start:
            raise MalformedEncoding("A prediction's source has zeros that begin somewhere.")
    size = reference_bytes(source.reference)
    if not 0 < size <= _MAX_SOURCE_BYTES or size % source_word_bytes(source.words):
        raise MalformedEncoding("A prediction's source is empty, too long, or ends within a word.")


def _check_side(prediction: Prediction) -> None:
    products = [step for step in prediction.steps if isinstance(step, LowRank)]
    if len(products) > 1 or any(prediction.values % step.columns for step in products):
        raise MalformedEncoding("A prediction has two products, or one that does not fit its values.")
    size = -(-prediction.values // 8) if Mask() in prediction.steps else 0
    for step in products:
        size += 4 * step.rank * (prediction.values // step.columns + step.columns)
    if size != len(prediction.side):
        raise MalformedEncoding(f"A prediction has {len(prediction.side)} bytes beside it instead of {size}.")


def _written(reference: Reference, numbers: dict[ObjectId, int]) -> Iterator[int]:
    # A start is told from the end of the object's last piece: rows in a regular order then repeat themselves.
    ends: dict[int, int] = {}
    for piece in reference:
        number = -1 if piece.object_id is None else numbers[piece.object_id]
        yield from (number, piece.start - ends.get(number, 0), piece.size_bytes)
        if number >= 0:
            ends[number] = piece.start + piece.size_bytes


def _read(pieces: Sequence[object], parents: Sequence[ObjectId]) -> Iterator[Piece]:
    ends: dict[int, int] = {}
    numbers = [_number(one) for one in pieces]
    if len(numbers) % 3:
        raise MalformedEncoding("A prediction's piece is not three numbers.")
    for number, skip, size in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
        if not -1 <= number < len(parents):
            raise MalformedEncoding("A prediction's piece is of no parent.")
        start = ends.get(number, 0) + skip
        if number >= 0:
            ends[number] = start + size
        yield Piece(parents[number] if number >= 0 else None, start, size)


def _number(value: object) -> int:
    if type(value) is not int or abs(value) > _MAX_SOURCE_BYTES:
        raise MalformedEncoding("A prediction's piece has something else than a number of bytes.")
    return value


def _source(value: object, parents: Sequence[ObjectId]) -> Source:
    found = _mapping(value, ("words", "pieces"))
    words = found["words"]
    if not isinstance(words, str):
        raise MalformedEncoding("A prediction's words have no name.")
    return Source(tuple(_read(_list(found["pieces"], 3 * MAX_PIECES), parents)), words)


def _parents(value: object) -> list[ObjectId]:
    found = _list(value, MAX_PIECES)
    if not all(isinstance(one, str) and _ID.fullmatch(one) for one in found):
        raise MalformedEncoding("A prediction names a parent that is no object.")
    return [ObjectId(str(one)) for one in found]


def _list(value: object, longest: int) -> list[object]:
    if not isinstance(value, list) or len(value) > longest:
        raise MalformedEncoding("A prediction has something else where a list belongs, or too long a one.")
    return value


def _mapping(value: object, keys: tuple[str, ...]) -> _Document:
    if not isinstance(value, dict) or tuple(value) != keys:
        raise MalformedEncoding(f"A prediction has something else where {', '.join(keys)} belong.")
    return value


def _json(document: bytes | memoryview) -> object:
    if len(document) > MAX_PREDICTION_BYTES:
        raise MalformedEncoding(f"A prediction has {len(document)} bytes, more than are allowed.")
    try:
        found: object = json.loads(bytes(document))
    except (ValueError, RecursionError) as error:
        raise MalformedEncoding("A prediction is no JSON.") from error
    return found
