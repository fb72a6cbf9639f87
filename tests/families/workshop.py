"""Recipes, and the workshop that makes each model once and writes down the truth about it."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.families import training
from tests.families.storing import TYPES, Storage, one_file
from tests.families.training import Plan, Trained
from tests.families.weights import Model, seed_of

RELATIONS = frozenset(
    {
        "root",
        "identical",
        "renamed",
        "cast",
        "finetune",
        "partly_frozen",
        "head_only",
        "lora_merged",
        "adapter",
        "merge",
        "quantized",
        "pruned",
        "vocab_extended",
        "vocab_cut",
        "layers_dropped",
        "layers_duplicated",
        "permuted",
        "sibling",
    }
)


@dataclass(frozen=True, slots=True)
class Made:
    """A model and the way it is stored."""

    model: Model
    storage: Storage = field(default_factory=one_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one model comes about, and what is true of it.

    `also_parents` are other sets of parents that are equally true, `withheld` is the parent of a sibling,
    which is made and not stored. `chain` is there where several operations were applied, the last one first.
    """

    name: str
    build: Callable[["Workshop"], Made]
    parents: Sequence[tuple[str, float | None]] = ()
    relation: str
    chain: tuple[str, ...] = ()
    rank: int | None = None
    disguise: bool = False
    also: tuple[str, ...] = ()
    also_parents: tuple[tuple[str, ...], ...] = ()
    withheld: str | None = None
    stored: bool = True
    note: str = ""

    def __post_init__(self) -> None:
        unknown = {self.relation, *self.chain, *self.also} - RELATIONS
        assert not unknown, (self.name, unknown)


class Workshop:
    """Makes models by their recipes in memory, each once, whoever asks first."""

    def __init__(self, recipes: Sequence[Recipe], out: Path, seed: int):
        self.recipes = {recipe.name: recipe for recipe in recipes}
        assert len(self.recipes) == len(recipes), "two recipes of one name"
        self.out = out
        self.seed = seed
        self.losses: dict[str, tuple[float, float]] = {}
        self._made: dict[str, Made] = {}
        self._trained: dict[str, Trained] = {}

    def made(self, name: str) -> Made:
        if name not in self._made:
            self._made[name] = self.recipes[name].build(self)
        return self._made[name]

    def model(self, name: str) -> Model:
        return self.made(name).model

    def seed_for(self, name: str) -> int:
        return seed_of(self.seed, name)

    def train(self, name: str, model: Model, plan: Plan) -> Trained:
        """Train for the recipe of this name and remember the losses, by which the run is checked."""
        if name not in self._trained:
            self._trained[name] = training.train(model, plan, self.seed_for(name))
            self.losses[name] = (self._trained[name].before, self._trained[name].after)
        return self._trained[name]

    def wanted(self, only: set[str] | None) -> list[Recipe]:
        """The recipes to store in their order: all, or those named with their ancestors."""
        if only is None:
            return [recipe for recipe in self.recipes.values() if recipe.stored]
        unknown = only - set(self.recipes)
        if unknown:
            raise SystemExit(f"no recipe is called {', '.join(sorted(unknown))}")
        names = list(only)
        for name in names:
            names += [parent for parent, _ in self.recipes[name].parents if parent not in names]
        return [recipe for recipe in self.recipes.values() if recipe.stored and recipe.name in names]

    def store(self, recipe: Recipe) -> Path:
        """Write one folder; it must not exist yet, as leftovers would be taken for parts of the model."""
        made = self.made(recipe.name)
        folder = self.out / recipe.name
        folder.mkdir(parents=True)
        made.storage.write(folder, made.model)
        return folder

    def truth(self, recipe: Recipe, order: int, stored: set[str]) -> dict[str, Any]:
        """The entry of the manifest."""
        made = self.made(recipe.name)
        entry: dict[str, Any] = {
            "parents": [
                {"name": name, "weight": weight} for name, weight in recipe.parents if name in stored
            ],
            "relation": recipe.relation,
            "chain": list(recipe.chain),
            "rank": recipe.rank,
            "dtype": made.storage.dtype or TYPES[made.model.dtype],
            "disguise": recipe.disguise,
            "also": list(recipe.also),
            "note": recipe.note,
            "order": order,
            "architecture": made.model.kind,
        }
        if recipe.also_parents:
            entry["also_parents"] = [list(names) for names in recipe.also_parents]
        if recipe.withheld:
            entry["withheld"] = recipe.withheld
        if recipe.name in self.losses:
            entry["loss"] = [round(value, 5) for value in self.losses[recipe.name]]
        return entry


def make_all(
    recipes: Sequence[Recipe], out: Path, seed: int, only: set[str] | None, check: Callable[..., None]
) -> None:
    """Make, store and check the wanted models; the manifest is written anew after each."""
    shop = Workshop(recipes, out, seed)
    manifest: dict[str, Any] = {}
    started = time.monotonic()
    for order, recipe in enumerate(shop.wanted(only)):
        folder = shop.store(recipe)
        check(shop, recipe, folder)
        manifest[recipe.name] = shop.truth(recipe, order, {*manifest, recipe.name})
        (out / "manifest.json").write_text(json.dumps(manifest, indent=1))
        parents = ", ".join(parent["name"] for parent in manifest[recipe.name]["parents"])
        print(
            f"{time.monotonic() - started:6.1f} s  {recipe.name:26} {recipe.relation:18} {parents or '-'}",
            flush=True,
        )
