"""What torch writes when it casts, merges, decays, quantises and prunes is predicted without a residual."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from allmende.codecs import BytesPlain, Candidate, Child, Predictor, Proposer, complete
from tests.unit.codecs.storing import Objects

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = [pytest.mark.torch, pytest.mark.timeout(300)]

ROWS, COLUMNS = 320, 288
Make = Callable[["Tensor", "Tensor", "Tensor"], "Tensor"]


def made(dtype: str) -> "list[Tensor]":
    """A base and two relatives."""
    import torch

    generator = torch.Generator().manual_seed(1)
    base = 0.05 * torch.randn((ROWS, COLUMNS), generator=generator)
    moved = [base + 0.003 * torch.randn((ROWS, COLUMNS), generator=generator) for _ in range(2)]
    return [one.to(getattr(torch, dtype)) for one in (base, *moved)]


def as_bytes(values: "Tensor") -> tuple[bytes, str]:
    import torch

    names = {
        torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.float8_e4m3fn: "F8_E4M3",
        torch.float8_e5m2: "F8_E5M2", torch.int8: "I8", torch.float64: "F64",
    }  # fmt: skip
    return values.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes(), names[values.dtype]


def share_predicted(make: Make, dtype: str) -> float:
    parents, objects = made(dtype), Objects()
    candidates = [
        Candidate(objects.add(data), name, COLUMNS, str(number))
        for number, (data, name) in enumerate(map(as_bytes, parents))
    ]
    data, name = as_bytes(make(*parents))
    child = Child(BytesPlain(data), name, COLUMNS)
    best, *_ = Proposer(objects.resolve).propose(child, candidates)
    predictor = Predictor(complete(best, child.plain, objects.resolve), objects.resolve)
    found = np.frombuffer(predictor.read_at(0, predictor.size_bytes), np.uint8)
    return float(np.mean(found == np.frombuffer(data, np.uint8)))


def decayed(base: "Tensor", _one: "Tensor", _other: "Tensor") -> "Tensor":
    return base.clone().mul_(1 - 2e-5 * 0.01)


def linear_of_mergekit(_base: "Tensor", one: "Tensor", other: "Tensor") -> "Tensor":
    import torch

    weights = torch.tensor([0.7, 0.3], dtype=one.dtype)[:, None, None]
    return (torch.stack([one, other]) * weights).sum(dim=0) / weights.sum(dim=0)


def tasks_of_mergekit(base: "Tensor", one: "Tensor", other: "Tensor") -> "Tensor":
    import torch

    changes = torch.stack([one - base, other - base])
    weights = torch.tensor([0.5, 0.25], dtype=base.dtype)[:, None, None]
    return base + (changes * weights).sum(dim=0)


def int8_of_rows(base: "Tensor", _one: "Tensor", _other: "Tensor") -> "Tensor":
    import torch

    scale = (base.float().abs().amax(1, keepdim=True) / 127).clamp_min(1e-12)
    return torch.round(base.float() / scale).to(torch.int8)


def smallest_zeroed(base: "Tensor", _one: "Tensor", _other: "Tensor") -> "Tensor":
    import torch

    bar = base.float().abs().flatten().kthvalue(base.numel() // 2).values
    return torch.where(base.float().abs() <= bar, torch.zeros_like(base), base)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(
    "make",
    [
        lambda a, b, c: 0.3 * b + 0.7 * c,
        lambda a, b, c: (b + c) / 2,
        lambda a, b, c: (a + b + c) / 3,
        lambda a, b, c: a + 0.4 * (b - a),
        lambda a, b, c: (0.5 * b.float() + 0.5 * c.float()).to(b.dtype),
        lambda a, b, c: (0.5 * b.double() + 0.3 * c.double() + 0.2 * a.double()).to(b.dtype),
        lambda a, b, c: b.lerp(c, 0.3),
        linear_of_mergekit,
        tasks_of_mergekit,
        int8_of_rows,
        smallest_zeroed,
    ],
)
def test_what_is_made_of_stored_tensors(make: Make, dtype: str) -> None:
    assert share_predicted(make, dtype) == 1.0


@pytest.mark.parametrize("target", ["bfloat16", "float16", "float64", "float8_e4m3fn", "float8_e5m2"])
def test_a_cast(target: str) -> None:
    import torch

    assert share_predicted(lambda a, b, c: a.to(getattr(torch, target)), "float32") == 1.0


def test_weights_that_only_decayed() -> None:
    assert share_predicted(decayed, "float32") == 1.0
