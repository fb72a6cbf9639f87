"""Word types: how the bytes of an object are cut into numbers when they are coded.

A word type is part of an encoding and not of the object: the same bytes may be coded as different words.
Names are those of safetensors; all words are little-endian. Types of floats have an exponent, which the coder
of residuals takes as its context.
"""

from dataclasses import dataclass

from allmende.codecs.errors import MalformedEncoding

__all__ = ["WORD_TYPES", "WordType", "word_type", "word_type_of_code"]


@dataclass(frozen=True, slots=True)
class WordType:
    """A kind of word. `code` stands in stored encodings and never changes its meaning.

    `exponent_bits` and `mantissa_bits` are 0 for integers, whose words are then compared as unsigned numbers.
    """

    name: str
    code: int
    size_bytes: int
    exponent_bits: int = 0
    mantissa_bits: int = 0

    @property
    def is_float(self) -> bool:
        """Whether words have a sign, an exponent and a mantissa."""
        return self.exponent_bits > 0


WORD_TYPES = (
    WordType("U8", 1, 1),
    WordType("U16", 2, 2),
    WordType("U32", 3, 4),
    WordType("U64", 4, 8),
    WordType("F32", 10, 4, 8, 23),
    WordType("BF16", 11, 2, 8, 7),
    WordType("F16", 12, 2, 5, 10),
    WordType("F64", 13, 8, 11, 52),
    WordType("F8_E4M3", 14, 1, 4, 3),
    WordType("F8_E5M2", 15, 1, 5, 2),
)
_BY_NAME = {words.name: words for words in WORD_TYPES} | {
    name: words
    for words in WORD_TYPES
    for name in {
        "U8": ("BOOL", "I8", "F8_E8M0"),
        "U16": ("I16",),
        "U32": ("I32",),
        "U64": ("I64",),
        "F8_E4M3": ("F8_E4M3FNUZ",),
        "F8_E5M2": ("F8_E5M2FNUZ",),
    }.get(words.name, ())
}
_BY_CODE = {words.code: words for words in WORD_TYPES}


def word_type(dtype: str) -> WordType:
    """The words of a type of numbers; single bytes for whatever has no words of whole bytes."""
    return _BY_NAME.get(dtype, WORD_TYPES[0])


def word_type_of_code(code: int) -> WordType:
    """The word type that a stored encoding names. Raises MalformedEncoding."""
    found = _BY_CODE.get(code)
    if found is None:
        raise MalformedEncoding(f"There is no word type of the code {code}.")
    return found
