"""Short ways to say the recipes that differ only in their parameters."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from tests.families.storing import Storage, adapter, one_file
from tests.families.training import Plan
from tests.families.weights import Model, fresh
from tests.families.workshop import Made, Recipe, Workshop


def root(name: str, kind: str, config: dict[str, Any], plan: Plan, **facts: Any) -> Recipe:
    """A model trained from random values."""

    def build(shop: Workshop) -> Made:
        start = fresh(kind, config, shop.seed_for(f"{name} start"))
        return Made(shop.train(name, start, plan).model)

    return Recipe(name=name, build=build, **{"relation": "root", **facts})


def tuned(name: str, parent: str, plan: Plan, relation: str = "finetune", **facts: Any) -> Recipe:
    """A model trained on from its parent."""

    def build(shop: Workshop) -> Made:
        return Made(shop.train(name, shop.model(parent), plan).model)

    if plan.lora is not None:
        facts = {"rank": plan.lora.rank, **facts}
    return Recipe(name=name, build=build, **{"parents": [(parent, None)], "relation": relation, **facts})


def sibling(name: str, withheld: str, plan: Plan, elder: Sequence[str], **facts: Any) -> Recipe:
    """A model whose parent is not stored; its elder siblings are what can be named instead."""
    note = f"parent {withheld} is withheld; {facts.pop('note', '')}".rstrip("; ")
    kin = [(other, None) for other in elder]
    either = tuple((other,) for other in elder)
    return tuned(
        name,
        withheld,
        plan,
        "sibling",
        parents=kin,
        also_parents=either,
        withheld=withheld,
        note=note,
        **facts,
    )


def changed(
    name: str,
    parent: str,
    relation: str,
    change: Callable[[Model], Model] | None = None,
    storage: Storage | None = None,
    **facts: Any,
) -> Recipe:
    """A model computed from its parent, or stored in another way."""

    def build(shop: Workshop) -> Made:
        model = shop.model(parent)
        return Made(model if change is None else change(model), storage or one_file())

    return Recipe(name=name, build=build, parents=[(parent, None)], relation=relation, **facts)


def changed_then_tuned(
    name: str, parent: str, change: Callable[[Model], Model], plan: Plan, relation: str, **facts: Any
) -> Recipe:
    """A model computed from its parent and then trained on."""

    def build(shop: Workshop) -> Made:
        return Made(shop.train(name, change(shop.model(parent)), plan).model)

    return Recipe(name=name, build=build, parents=[(parent, None)], relation=relation, **facts)


def combined(
    name: str,
    parents: Sequence[tuple[str, float | None]],
    combine: Callable[[list[Model]], Model],
    dtype: torch.dtype | None = None,
    **facts: Any,
) -> Recipe:
    """A merge of its parents, which are handed to `combine` in their order."""

    def build(shop: Workshop) -> Made:
        whole = combine([shop.model(parent) for parent, _ in parents])
        return Made(whole if dtype is None else whole.cast(dtype))

    if dtype is not None:
        facts = {"chain": ("cast", "merge"), **facts}
    return Recipe(name=name, build=build, parents=parents, relation="merge", **facts)


def adapted(
    name: str, parent: str, plan: Plan, dtype: torch.dtype, *, says_base: bool = True, **facts: Any
) -> Recipe:
    """An adapter alone, as peft stores it."""
    lora = plan.lora
    assert lora is not None

    def build(shop: Workshop) -> Made:
        model = shop.model(parent)
        factors = shop.train(name, model, plan).adapter
        assert factors is not None
        stored = {n: t.to(dtype) for n, t in factors.items()}
        base = f"somebody/{parent}" if says_base else None
        return Made(model, adapter(stored, base, lora.rank, lora.alpha, lora.modules))

    return Recipe(
        name=name, build=build, parents=[(parent, None)], relation="adapter", rank=lora.rank, **facts
    )
