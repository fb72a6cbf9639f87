"""Drafts: predictions as they are found on a sample, and what is open until the whole was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from allmende.codecs.outputs import Output
from allmende.codecs.samples import Sampled
from allmende.codecs.steps import Step

__all__ = ["Draft", "Open"]


class Open(Enum):
    """What a sample cannot tell: it stands in the draft as a guess, or not at all."""

    NOTHING = "nothing"
    LIMIT = "the limit of the last step that prunes"
    MASK = "the bits of the mask"
    LARGEST = "the largest size of all values, from which a scale is made"
    ANGLE = "the angle between two sources"
    FACTORS = "the factors of the product of low rank"


@dataclass(frozen=True, slots=True)
class Draft:
    """Sources of a sample, steps over them, and how the outcome is written."""

    chosen: Sequence[Sampled]
    steps: tuple[Step, ...]
    output: Output
    open: Open = Open.NOTHING
