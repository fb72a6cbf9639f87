"""Estimates of compute against the worked figures of the guidelines."""

import math

import pytest

from allmende.law import ImpossibleEstimate, architecture_flop, hardware_flop, two_figures


@pytest.mark.parametrize(
    ("estimate", "printed"),
    [
        (architecture_flop(3.8e9, 3.3e12), 7.5e22),
        (architecture_flop(1.7e9, 36e12), 3.7e23),
        (hardware_flop(1, 370_000 * 3600, 989e12, 0.5), 6.5e23),
        (hardware_flop(370, 1000 * 3600, 989e12, 0.5), 6.5e23),
    ],
)
def test_the_worked_figures(estimate, printed) -> None:
    assert estimate.flop == pytest.approx(printed, rel=0.02)
    assert estimate.low == pytest.approx(0.7 * estimate.flop)
    assert estimate.high == pytest.approx(1.3 * estimate.flop)
    assert estimate.assumptions
    assert estimate.formula


def test_passes_count() -> None:
    assert architecture_flop(1e9, 1e12, passes=3).flop == pytest.approx(1.8e22)


@pytest.mark.parametrize("number", [0, -1, math.inf, math.nan])
def test_numbers_that_cannot_be(number: float) -> None:
    with pytest.raises(ImpossibleEstimate):
        architecture_flop(number, 1e12)
    with pytest.raises(ImpossibleEstimate):
        hardware_flop(1, number, 1e15, 0.5)


def test_no_device_does_more_than_its_peak() -> None:
    with pytest.raises(ImpossibleEstimate):
        hardware_flop(1, 1, 1e15, 1.01)


@pytest.mark.parametrize(
    ("flop", "text"),
    [(7.524e22, "7.5e22"), (9.96e22, "1.0e23"), (1e25, "1.0e25"), (3.67e23, "3.7e23"), (0, "0")],
)
def test_two_figures(flop: float, text: str) -> None:
    assert two_figures(flop) == text
