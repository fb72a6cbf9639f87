"""What is odd about values, in pieces and in whole tensors."""

import numpy as np
import pytest

from allmende.weights import Oddity, oddities, oddities_of
from tests.unit.weights.models_in_memory import model


def test_each_oddity_is_told_and_the_ordinary_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oddities, "_PIECE", 10)
    ordinary = np.arange(100, dtype=np.float32)
    broken = ordinary.copy()
    broken[[3, 50]], broken[99] = np.nan, -np.inf
    held = {
        "ordinary": ordinary,
        "zero": np.zeros((5, 7), np.float32),
        "minus": np.array([0.0, -0.0], np.float32),
        "ones": np.ones(25, np.float32),
        "broken": broken,
        "all_nan": np.full(4, np.nan, np.float32),
        "single": np.ones((), np.float32),
        "empty": np.ones((0, 3), np.float32),
        "switches": np.ones(4, bool),
    }
    told: list[tuple[int, int]] = []
    found = oddities_of(model("m", held), lambda done, of: told.append((done, of)))
    assert found == [
        Oddity("zero", "zero", 35),
        Oddity("minus", "zero", 2),
        Oddity("ones", "constant", 25),
        Oddity("broken", "nan", 2),
        Oddity("broken", "infinite", 1),
        Oddity("all_nan", "nan", 4),
        Oddity("switches", "constant", 4),
    ]
    assert told[-1] == (271, 271)
