"""The generator judges its own work: what is on disk holds what was made, and the claimed relation is there.

An untrue truth would be worse than none, so every model is read back at once and a broken claim ends the run.
"""

from pathlib import Path

import torch

from tests.families.training import changed_share, judged
from tests.families.weights import Model, Tensors
from tests.families.workshop import Recipe, Workshop

SAME_LOSS = 2e-3
_RUN_AWAY = 1.05
FLAVOURS = {"llama": "code", "bert": "code", "conv": "plain", "mixer": "smooth"}


def check(shop: Workshop, recipe: Recipe, folder: Path) -> None:
    """Raise AssertionError with the name of the model where something is not as claimed."""
    made = shop.made(recipe.name)
    stored = made.storage.read(folder, made.model)
    compare(recipe.name, made.model.tensors, stored, made.storage.tolerance)
    if recipe.name in shop.losses:
        before, after = shop.losses[recipe.name]
        # A head over frozen layers may learn next to nothing; what must not be is a model that fell apart.
        assert after < before * _RUN_AWAY, (recipe.name, "the loss ran away", before, after)
    if recipe.relation != "adapter":
        claims(shop, recipe, made.model)


def compare(name: str, meant: Tensors, stored: Tensors, tolerance: float) -> None:
    """What was read is what was meant, to the bit or as near as the format goes."""
    assert set(stored) == set(meant), (name, set(stored) ^ set(meant))
    for key, value in meant.items():
        a, b = value.double(), stored[key].double()
        off = float((a - b).norm() / a.norm().clamp_min(1e-12))
        assert off <= tolerance, (name, key, off)
        assert tolerance or stored[key].dtype == value.dtype or value.dtype == torch.bfloat16, (name, key)


def claims(shop: Workshop, recipe: Recipe, model: Model) -> None:
    """Look at the relation itself."""
    parents = [shop.model(parent) for parent, _ in recipe.parents]
    applied = recipe.chain or (recipe.relation,)
    if not parents:
        return
    parent = parents[0]
    share = changed_share(parent.tensors, model.tensors)
    if recipe.relation in {"identical", "renamed"} and "cast" not in applied:
        assert share == 0.0, recipe.name
    if recipe.relation == "finetune":
        assert share > 1e-3, (recipe.name, share)
    if applied[-1] == "lora_merged":
        ranks(recipe, parent, model)
    if recipe.relation in {"partly_frozen", "head_only"}:
        frozen(recipe, parent, model)
    if applied == ("permuted",):
        assert share > 0.1, recipe.name
        same_function(recipe, parent, model)


def ranks(recipe: Recipe, parent: Model, model: Model) -> None:
    """Where no rounding lies between, what changed has exactly the claimed rank."""
    moved = 0
    for name, before in parent.tensors.items():
        delta = model.tensors[name].double() - before.double()
        if model.dtype == torch.float32 == parent.dtype and delta.abs().max() > 0:
            values = torch.linalg.svdvals(delta)
            assert recipe.rank is not None
            moved += 1
            assert values[recipe.rank] < 1e-3 * values[0], (recipe.name, name, values[: recipe.rank + 2])
            assert values[recipe.rank - 1] > 4 * values[recipe.rank], (recipe.name, name)
        elif delta.abs().max() > 0:
            moved += 1
    assert moved, recipe.name


def frozen(recipe: Recipe, parent: Model, model: Model) -> None:
    """Some tensors have not moved a bit, and others have."""
    shared = [
        n for n in parent.tensors if n in model.tensors and parent.tensors[n].shape == model.tensors[n].shape
    ]
    still = [n for n in shared if torch.equal(parent.tensors[n], model.tensors[n])]
    assert len(still) >= 2, (recipe.name, still)
    assert len(still) < len(model.tensors), recipe.name


def same_function(recipe: Recipe, parent: Model, model: Model) -> None:
    """The permuted net computes what its parent does."""
    flavour = FLAVOURS[model.kind]
    losses = [judged(m.net(), m, flavour) for m in (parent, model)]
    assert abs(losses[0] - losses[1]) < SAME_LOSS, (recipe.name, losses)
