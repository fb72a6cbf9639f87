"""Signs of sampled values: a short code of each matrix, by which matrices are known again under other names.

Training moves few weights across zero, so a matrix and its descendant agree in most signs, and two that have
nothing to do with each other in half. Positions where either value is zero say nothing and are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.number_types import Floats
from allmende.weights.positions import run_positions
from allmende.weights.tensors import WeightTensor

__all__ = ["MIN_SAMPLES", "Options", "agreement", "best_options", "informative", "needed", "sign_codes"]

SAMPLES = 256
MIN_SAMPLES = 64
_RUN = 16
_AGREEMENT = 0.75
_NEARLY_EQUAL = 0.02
_MAX_OPTIONS = 8
_MAX_PAIRS = 1 << 26
"""Pairs of one shape that are compared: about two seconds, and 8,192 tensors on each side."""
_CHUNK_PAIRS = 1 << 22

Codes = NDArray[np.int8]
"""A row of 256 for each matrix: 1, -1, or 0 where nothing is known; all zero for one that tells nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """Which candidates a matrix may be, best first, and how many signs agree with the best."""

    places: tuple[int, ...]
    agreement: float


def sign_codes(tensors: Sequence[WeightTensor], shape: tuple[int, int]) -> Codes:
    """The codes of matrices at positions that fit a shape of (rows, columns), no larger than theirs.

    Raises BytesMissing.
    """
    positions = _positions(*shape)
    found = np.zeros((len(tensors), SAMPLES), np.int8)
    for place, tensor in enumerate(tensors):
        values = tensor.at(positions)
        if informative(values):
            signs = np.sign(np.nan_to_num(values.ravel(), nan=0.0))
            found[place, : signs.size] = signs
    return found


def informative(runs: Floats) -> bool:
    """Whether signs of these values (runs, neighbours) can tell one matrix from another.

    Not where nearly all are alike, nor where neighbours are: tables of positions are the same in models that
    share nothing else.
    """
    signs = np.sign(np.nan_to_num(runs, nan=0.0))
    above, below = int((signs > 0).sum()), int((signs < 0).sum())
    if above + below < MIN_SAMPLES or min(above, below) < 0.05 * (above + below):
        return False
    values = np.clip(np.nan_to_num(runs.astype(np.float64), nan=0.0), -1e30, 1e30)
    return not any(
        _smooth(signs, lag) or _likeness(values, lag) > 0.4 for lag in (1, 2) if signs.shape[1] > lag
    )


def needed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The agreement that chance does not reach: 0.75, or six standard deviations where samples are few."""
    least = 0.5 + 3 / np.sqrt(np.maximum(samples, 1))
    return np.where(samples >= MIN_SAMPLES, np.maximum(least, _AGREEMENT), np.inf).astype(np.float32)


def agreement(these: Codes, those: Codes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Row by row the share of signs that agree, and of how many (rows or a single row of codes)."""
    samples = ((these != 0) & (those != 0)).sum(axis=-1).astype(np.float32)
    agreeing = ((these == those) & (these != 0)).sum(axis=-1).astype(np.float32)
    return agreeing / np.maximum(samples, 1), samples


def best_options(these: Codes, those: Codes) -> list[Options | None]:
    """For each of `these` those that agree best, all within 0.02 of the best; None where chance would do.

    Bounded: of too many rows the last are left without an answer.
    """
    found: list[Options | None] = [None] * len(these)
    if not len(those):
        return found
    allowed = min(len(these), _MAX_PAIRS // len(those))
    turned = those.T.astype(np.float32)
    step = max(1, _CHUNK_PAIRS // len(those))
    for start in range(0, allowed, step):
        chunk = these[start : min(start + step, allowed)].astype(np.float32)
        samples = np.abs(chunk) @ np.abs(turned)
        share = (chunk @ turned / np.maximum(samples, 1) + 1) / 2
        share = np.where(share >= needed(samples), share, 0)
        for row, shares in enumerate(share):
            found[start + row] = _options(shares)
    return found


def _options(shares: NDArray[np.float32]) -> Options | None:
    best = float(shares.max())
    if best == 0:
        return None
    near = np.flatnonzero(shares >= best - _NEARLY_EQUAL)
    order = near[np.argsort(-shares[near], kind="stable")][:_MAX_OPTIONS]
    return Options(tuple(order.tolist()), best)


def _smooth(signs: Floats, lag: int) -> bool:
    products = signs[:, lag:] * signs[:, :-lag]
    return bool((products < 0).sum() < 0.25 * (products != 0).sum())


def _likeness(values: Floats, lag: int) -> float:
    """The correlation of neighbours about zero; of independent values it is near 0."""
    here, there = values[:, lag:], values[:, :-lag]
    size = float(np.sqrt((here * here).sum() * (there * there).sum()))
    return float((here * there).sum()) / size if size > 0 else 0.0


def _positions(rows: int, columns: int) -> NDArray[np.int64]:
    if rows * columns <= SAMPLES:
        return np.arange(rows * columns).reshape(rows, columns)
    runs = SAMPLES // min(_RUN, columns)
    found = run_positions(rows, columns, runs, run=_RUN)
    # In a small matrix runs meet, and a value that counts twice would make chance look like kinship.
    return found[np.sort(np.unique(found[:, 0], return_index=True)[1])]
