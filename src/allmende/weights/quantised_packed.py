"""GPTQ's and AWQ's matrices: codes of a few bits packed into words, with scales and zero points for groups.

Both keep the transpose of the weight: their matrices are of (inputs, outputs). GPTQ packs codes along the
inputs and zero points along the outputs, the lowest bits first, and stores zero points one too low (its
second format does not). AWQ packs both along the outputs, eight to a word, in the order 0 2 4 6 1 3 5 7. A
group is a run of inputs, or what `g_idx` says. Facts from the packers of AutoGPTQ and AutoAWQ.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.errors import UnreadableWeights
from allmende.weights.number_types import Floats
from allmende.weights.quantised_scaled import looked_up
from allmende.weights.rounding_cells import even_cell
from allmende.weights.tensors import Cell, Span, WeightTensor

__all__ = ["PackedGroups"]

_WORD_BITS = 32
_AWQ_PLACE = np.array([0, 4, 1, 5, 2, 6, 3, 7], np.int64)
"""Which four bits of a word hold an output, by its place among eight."""


@dataclass(frozen=True, slots=True)
class PackedGroups:
    """A weight of (outputs, inputs): `(code - zero point) * scale`.

    `words` is qweight, `zeros` qzeros, `groups` g_idx. `along_outputs` is AWQ's way of packing, and
    `zero_offset` what is added to the stored zero points.
    """

    words: WeightTensor
    zeros: WeightTensor
    scales: WeightTensor
    groups: WeightTensor | None
    shape: tuple[int, int]
    bits: int
    along_outputs: bool
    zero_offset: int

    @property
    def spans(self) -> tuple[Span, ...]:
        """See Source."""
        parts = [self.words, self.scales, self.zeros, *([] if self.groups is None else [self.groups])]
        return tuple(span for part in parts for span in part.source.spans)

    def values(self, first: int, count: int) -> Floats:
        """See Source."""
        return self.at(np.arange(first, first + count, dtype=np.int64))

    def at(self, positions: NDArray[np.int64]) -> Floats:
        """See Source. Raises UnreadableWeights where g_idx names no group."""
        output, input_ = np.divmod(positions, self.shape[1])
        group = self._group(input_)
        shifted = self._codes(output, input_) - self._zero(output, group)
        with np.errstate(all="ignore"):
            return shifted.astype(np.float32) * self._scale(output, group)

    def rounding_cell(self, first: int, count: int) -> Cell | None:
        """See Source. That of the nearest level; GPTQ moves values on to others to make up for errors."""
        output, input_ = np.divmod(np.arange(first, first + count, dtype=np.int64), self.shape[1])
        codes = self._codes(output, input_).astype(np.float64)
        scale = self._scale(output, self._group(input_)).astype(np.float64)
        return even_cell(codes, scale, 0, (1 << self.bits) - 1)

    def _group(self, input_: NDArray[np.int64]) -> NDArray[np.int64]:
        count = self.scales.shape[0]
        if self.groups is None:
            return input_ // -(-self.shape[1] // count)
        found = looked_up(self.groups, input_).astype(np.int64)
        if found.size and (found.min() < 0 or found.max() >= count):
            raise UnreadableWeights(f"{self.groups.name[:200]} names a group that is not there.")
        return found

    def _codes(self, output: NDArray[np.int64], input_: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.along_outputs:
            return self._awq(self.words, input_, output)
        return self._bits_of(self.words, input_, output, self.shape[0])

    def _zero(self, output: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.along_outputs:
            return self._awq(self.zeros, group, output) + self.zero_offset
        first = group * self.zeros.shape[1]
        return self._bits_of(self.zeros, output, first, 1) + self.zero_offset

    def _scale(self, output: NDArray[np.int64], group: NDArray[np.int64]) -> Floats:
        return looked_up(self.scales, group * self.shape[0] + output)

    def _awq(
        self, words: WeightTensor, row: NDArray[np.int64], output: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        found = _words_at(words, row * words.shape[1] + output // 8)
        return (found >> (_AWQ_PLACE[output % 8] * 4)) & 15

    def _bits_of(
        self, words: WeightTensor, place: NDArray[np.int64], first: NDArray[np.int64], step: int
    ) -> NDArray[np.int64]:
        """Code number `place` of a run of bits, whose words begin at `first` and lie `step` apart."""
        word, shift = np.divmod(place * self.bits, _WORD_BITS)
        found = _words_at(words, word * step + first) >> shift
        # Codes of three bits may begin in one word and end in the next.
        split = shift + self.bits > _WORD_BITS
        if split.any():
            rest = _words_at(words, (word[split] + 1) * step + first[split])
            found[split] |= rest << (_WORD_BITS - shift[split])
        return found & ((1 << self.bits) - 1)


def _words_at(words: WeightTensor, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return looked_up(words, positions).astype(np.int64) & 0xFFFFFFFF
