"""Whether two models are akin at all: do the signs of their weights agree more often than by chance?

Unrelated models agree in half of the signs, whatever they share in shape, names and recipe. A shared
architecture is never kinship; nor is a table that both computed by the same formula, so a single tensor that
agrees among many that do not counts for nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from allmende.weights.comparison import PairedTensor

__all__ = ["AGREES", "Kinship", "kinship"]

AGREES = 0.57
"""Matrices whose signs agree so often may be akin; unrelated ones agree in half."""
_CERTAIN = 5.0
_ENOUGH_SHARE = 0.5
_FEW_SHARE = 0.2
_FEW = 3
_STRONG = 0.85


@dataclass(frozen=True, slots=True)
class Kinship:
    """How many of the matrices that both have agree, and the mean agreement of those that do."""

    matrices: int
    agreeing: int
    agreement: float
    akin: bool


def kinship(pairs: Mapping[str, PairedTensor]) -> Kinship:
    """Judge by the matrices alone: vectors such as norms begin alike in all models."""
    told = [pair for pair in pairs.values() if pair.query.matrix and not pair.query.degenerate]
    agreeing = [pair for pair in told if pair.agreement >= AGREES and pair.certainty >= _CERTAIN]
    share = len(agreeing) / len(told) if told else 0.0
    strong = sum(pair.agreement >= _STRONG for pair in agreeing)
    akin = (share >= _ENOUGH_SHARE and len(agreeing) >= min(2, len(told))) or (
        strong >= _FEW and share >= _FEW_SHARE
    )
    mean = sum(pair.agreement for pair in agreeing) / len(agreeing) if agreeing else 0.5
    return Kinship(len(told), len(agreeing), mean, bool(told) and akin)
