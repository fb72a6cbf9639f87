"""Real training, short: several optimisers, parts held fast, three ways with bf16, and LoRA by peft."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import peft
import torch

from tests.families import nets
from tests.families.weights import Model, Tensors, batch_of, state

CLIP = 1.0
JUDGED_ON = 2


def everything(name: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Lora:
    """What peft is asked for."""

    rank: int
    alpha: int
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How far, by what and on what a model is trained.

    `precision` is master (fp32, rounded in the end) or pure.

    `pure` computes and keeps everything in bf16, the state of the optimiser too. `dtype` is what is saved, by
    default what the parent has.
    """

    flavour: str
    steps: int
    rate: float
    optimiser: str = "adamw"
    decay: float = 0.0
    rows: int = 8
    precision: str = "master"
    trains: Callable[[str], bool] = field(default=everything)
    lora: Lora | None = None
    dtype: torch.dtype | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """The outcome: the model, its adapter where LoRA was asked for, and the loss before and after."""

    model: Model
    adapter: Tensors | None
    before: float
    after: float


class Lion(torch.optim.Optimizer):  # type: ignore[misc]
    """Steps of the size of the rate, by the sign of a mixture of gradient and momentum."""

    def __init__(self, parameters: Iterable[torch.Tensor], lr: float, weight_decay: float):
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(group["lr"] * torch.sign(0.9 * momentum + 0.1 * parameter.grad))
                momentum.mul_(0.99).add_(parameter.grad, alpha=0.01)


def optimiser(plan: Plan, parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    """SGD with momentum, Adam, AdamW (decay on matrices only, as is usual) or Lion."""
    if plan.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr=plan.rate, momentum=0.9, weight_decay=plan.decay)
    if plan.optimiser == "adam":
        return torch.optim.Adam(parameters, lr=plan.rate, betas=(0.9, 0.95))
    if plan.optimiser == "lion":
        return Lion(parameters, plan.rate, plan.decay)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": plan.decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.rate)


def judged(net: torch.nn.Module, model: Model, flavour: str) -> float:
    """The loss on some batches that are always the same."""
    generator = torch.Generator().manual_seed(99)
    net.eval()
    with torch.no_grad():
        losses = [
            nets.loss(net, model.kind, batch_of(model, flavour, 16, generator)).item()
            for _ in range(JUDGED_ON)
        ]
    net.train()
    return sum(losses) / len(losses)


def train(model: Model, plan: Plan, seed: int) -> Trained:
    """Train a model further; what the plan leaves alone keeps its bytes, figures of norms too."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = model.net()
    before = judged(net, model, plan.flavour)
    if plan.lora is not None:
        settings = peft.LoraConfig(
            r=plan.lora.rank,
            lora_alpha=plan.lora.alpha,
            target_modules=list(plan.lora.modules),
            lora_dropout=0.0,
        )
        net = peft.get_peft_model(net, settings)
    else:
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(plan.trains(name))
    if plan.precision == "pure":
        net = net.to(torch.bfloat16)
    learn(net, model, plan, generator)
    adapter = None
    if plan.lora is not None:
        adapter = {n: t.detach().clone() for n, t in peft.get_peft_model_state_dict(net).items()}
        net = net.merge_and_unload()
    after = judged(net, model, plan.flavour)
    dtype = plan.dtype or model.dtype
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor)
        if name_changes(name, plan)
        else model.tensors[name].to(dtype if model.tensors[name].is_floating_point() else tensor.dtype)
        for name, tensor in state(net).items()
    }
    return Trained(model.with_tensors(tensors), adapter, before, after)


def name_changes(name: str, plan: Plan) -> bool:
    """Whether a tensor may differ after the training."""
    if plan.lora is not None:
        return any(name.endswith(f"{module}.weight") for module in plan.lora.modules)
    return plan.trains(name)


def learn(net: torch.nn.Module, model: Model, plan: Plan, generator: torch.Generator) -> None:
    """The loop: a short warm-up, then a straight way down to a tenth of the rate."""
    parameters = [p for p in net.parameters() if p.requires_grad]
    stepper = optimiser(plan, parameters)
    net.train()
    for step in range(plan.steps):
        pace = min(1.0, (step + 1) / 5) * (1 - 0.9 * step / plan.steps)
        for group in stepper.param_groups:
            group["lr"] = plan.rate * pace
        found = nets.loss(net, model.kind, batch_of(model, plan.flavour, plan.rows, generator))
        stepper.zero_grad()
        found.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        stepper.step()


def changed_share(before: Tensors, after: Tensors) -> float:
    """Of the values that both have under one name and shape, how many differ."""
    pairs = [(before[n], after[n]) for n in before if n in after and before[n].shape == after[n].shape]
    differing = sum(int((a.double() != b.double()).sum()) for a, b in pairs)
    return differing / sum(a.numel() for a, _ in pairs)


def layers_from(first: int, depth: int, pattern: str = ".layers.{}.") -> Callable[[str], bool]:
    """Trains the upper layers only, and no table of embeddings."""
    upper = tuple(pattern.format(i) for i in range(first, depth))
    return lambda name: any(part in name for part in upper)


def named(*parts: str) -> Callable[[str], bool]:
    """Trains what has one of these in its name."""
    return lambda name: any(part in name for part in itertools.chain(parts))
