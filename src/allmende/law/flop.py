"""Estimates of training compute, after the annex of the Commission's guidelines on general-purpose models.

Two ways: by architecture (operations of the forward and backward passes) and by hardware (what the devices
could do, times how well they were used). An error of 30 % is accepted, with its assumptions recorded.
"""

import math
from dataclasses import dataclass
from typing import Literal

from allmende.errors import BadRequest

__all__ = [
    "ESTIMATE_ERROR",
    "FlopEstimate",
    "ImpossibleEstimate",
    "architecture_flop",
    "hardware_flop",
    "two_figures",
]

ESTIMATE_ERROR = 0.30
"""The error that the guidelines accept for an estimate, as a share of it."""

_FLOP_PER_PARAMETER_AND_TOKEN = 6
"""Two for the forward pass and four for the backward one, in a dense transformer."""


class ImpossibleEstimate(BadRequest):
    """A number that cannot be: not positive, not finite, or a utilisation above one."""

    code = "estimate_impossible"


@dataclass(frozen=True, slots=True)
class FlopEstimate:
    """Training compute in FLOP, with the interval of its error, the method and what was assumed."""

    flop: float
    method: Literal["architecture", "hardware"]
    formula: str
    assumptions: tuple[str, ...]
    error: float = ESTIMATE_ERROR

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.flop * (1 - self.error)

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.flop * (1 + self.error)


def architecture_flop(parameters: float, tokens: float, *, passes: float = 1) -> FlopEstimate:
    """6 P D for a dense transformer: `parameters` that each token meets, `tokens` seen in so many `passes`.

    Of a mixture of experts count the parameters that one token meets. Raises ImpossibleEstimate.
    """
    _check(parameters=parameters, tokens=tokens, passes=passes)
    return FlopEstimate(
        flop=_FLOP_PER_PARAMETER_AND_TOKEN * parameters * tokens * passes,
        method="architecture",
        formula="6 P D",
        assumptions=(
            "dense transformer, or active parameters of a mixture of experts",
            "recomputed activations do not count",
            "attention over long contexts is left out",
        ),
    )


def hardware_flop(devices: float, seconds: float, peak_flop_per_s: float, utilisation: float) -> FlopEstimate:
    """N L H U: `devices` running for `seconds` at a share `utilisation` of their peak.

    Raises ImpossibleEstimate.
    """
    _check(devices=devices, seconds=seconds, peak_flop_per_s=peak_flop_per_s, utilisation=utilisation)
    if utilisation > 1:
        raise ImpossibleEstimate("A utilisation is a share of the peak, at most 1.")
    return FlopEstimate(
        flop=devices * seconds * peak_flop_per_s * utilisation,
        method="hardware",
        formula="N L H U",
        assumptions=(
            "peak of the number type that was used, without sparsity",
            "utilisation is that of the whole run",
        ),
    )


def two_figures(flop: float) -> str:
    """A number of FLOP with two significant figures, as it is notified: `7.5e22`."""
    if flop <= 0:
        return "0"
    exponent = math.floor(math.log10(flop))
    head = f"{flop / 10.0**exponent:.1f}"
    return f"1.0e{exponent + 1}" if head == "10.0" else f"{head}e{exponent}"


def _check(**numbers: float) -> None:
    for name, number in numbers.items():
        if not math.isfinite(number) or number <= 0:
            raise ImpossibleEstimate(f"{name} must be a positive number.")
