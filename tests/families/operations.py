"""What people do to weights without training: merge, prune, cut, stack and reorder."""

import re
from collections.abc import Callable, Sequence

import torch

from tests.families.weights import Model, Tensors, Vocabulary

LAYER = re.compile(r"(.*?(?:layers|layer|blocks)\.)(\d+)(\..*)")


def each(model: Model, change: Callable[[str, torch.Tensor], torch.Tensor]) -> Model:
    """Change every floating tensor in fp64, and store it in the type it had."""
    return model.with_tensors(
        {
            n: change(n, t.double()).to(t.dtype) if t.is_floating_point() else t.clone()
            for n, t in model.tensors.items()
        }
    )


# --- merges --------------------------------------------------------------------------------------------


def linear(models: Sequence[Model], weights: Sequence[float]) -> Model:
    """The weighted sum, tensor by tensor."""
    return each(
        models[0],
        lambda n, _: sum(
            (w * m.tensors[n].double() for m, w in zip(models, weights, strict=True)),
            torch.zeros((), dtype=torch.float64),
        ),
    )


def gradient(first: Model, second: Model, start: float, end: float, depth: int) -> Model:
    """A mixture whose share of the second model goes from start to end over the layers."""

    def mixed(name: str, value: torch.Tensor) -> torch.Tensor:
        found = LAYER.match(name)
        place = int(found[2]) / (depth - 1) if found else (0.0 if "embed" in name else 1.0)
        share = start + (end - start) * place
        return (1 - share) * value + share * second.tensors[name].double()

    return each(first, mixed)


def splice(first: Model, second: Model, layers: set[int]) -> Model:
    """The second model's layers of these numbers in the first model."""

    def chosen(name: str, value: torch.Tensor) -> torch.Tensor:
        found = LAYER.match(name)
        return second.tensors[name].double() if found and int(found[2]) in layers else value

    return each(first, chosen)


def slerp(first: Model, second: Model, share: float) -> Model:
    """Along the arc between two tensors, as mergekit does it."""

    def turned(name: str, a: torch.Tensor) -> torch.Tensor:
        b = second.tensors[name].double()
        cosine = torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0)
        if cosine.abs() > 1 - 1e-9:
            return (1 - share) * a + share * b
        angle = torch.arccos(cosine)
        return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)

    return each(first, turned)


def task_arithmetic(base: Model, models: Sequence[Model], factors: Sequence[float]) -> Model:
    """The base and so much of what each model learned."""
    return linear([base, *models], [1 - sum(factors), *factors])


def ties(base: Model, models: Sequence[Model], density: float, factor: float) -> Model:
    """TIES: trim each difference to its largest values, elect a sign, average those that agree."""

    def resolved(name: str, value: torch.Tensor) -> torch.Tensor:
        trimmed = []
        for model in models:
            delta = model.tensors[name].double() - value
            kept = max(1, int(density * delta.numel()))
            bar = delta.abs().flatten().kthvalue(delta.numel() - kept + 1).values
            trimmed.append(torch.where(delta.abs() >= bar, delta, 0.0))
        stacked = torch.stack(trimmed)
        agree = (torch.sign(stacked) == torch.sign(stacked.sum(0))) & (stacked != 0)
        return value + factor * (stacked * agree).sum(0) / agree.sum(0).clamp_min(1)

    return each(base, resolved)


def dare(base: Model, models: Sequence[Model], factors: Sequence[float], dropped: float, seed: int) -> Model:
    """DARE: drop a share of each difference at random and scale up the rest before the sum."""
    generator = torch.Generator().manual_seed(seed)

    def summed(name: str, value: torch.Tensor) -> torch.Tensor:
        total = value.clone()
        for model, factor in zip(models, factors, strict=True):
            keep = torch.rand(value.shape, generator=generator) >= dropped
            total += factor * keep * (model.tensors[name].double() - value) / (1 - dropped)
        return total

    return each(base, summed)


# --- pruning -------------------------------------------------------------------------------------------


def is_matrix(name: str, value: torch.Tensor) -> bool:
    """Whether people would prune or quantise it: a matrix or a kernel, no table of embeddings."""
    return value.ndim >= 2 and not re.search(r"embed|wte|wpe", name)


def prune_smallest(model: Model, share: float) -> Model:
    """Zero the smallest values of each matrix."""

    def pruned(name: str, value: torch.Tensor) -> torch.Tensor:
        if not is_matrix(name, value):
            return value
        bar = value.abs().flatten().kthvalue(max(1, int(share * value.numel()))).values
        return torch.where(value.abs() <= bar, 0.0, value)

    return each(model, pruned)


def prune_two_of_four(model: Model) -> Model:
    """Of each four neighbours in a row keep the two largest."""

    def pruned(name: str, value: torch.Tensor) -> torch.Tensor:
        if not is_matrix(name, value) or value.shape[-1] % 4:
            return value
        fours = value.reshape(-1, 4)
        kept = torch.zeros_like(fours, dtype=torch.bool).scatter(
            1, fours.abs().topk(2, dim=1).indices, value=True
        )
        return torch.where(kept, fours, 0.0).reshape(value.shape)

    return each(model, pruned)


# --- vocabularies --------------------------------------------------------------------------------------


def is_table(model: Model, name: str) -> bool:
    """Whether the rows of a tensor stand for tokens."""
    rows = model.tensors[name].shape[:1]
    word = re.search(r"embed_tokens|word_embeddings|lm_head|predictions\.(bias|decoder)", name)
    return bool(word) and rows == (model.config["vocab_size"],)


def extend(model: Model, added: int, seed: int) -> Model:
    """New rows below the tables: the mean of the old ones and a little noise."""
    generator = torch.Generator().manual_seed(seed)

    def longer(name: str, table: torch.Tensor) -> torch.Tensor:
        if not is_table(model, name):
            return table
        noise = 0.02 * torch.randn((added, *table.shape[1:]), generator=generator, dtype=torch.float64)
        return torch.cat([table, table.mean(0, keepdim=True) + noise])

    grown = each(model, longer)
    vocabulary = Vocabulary(model.vocabulary.kept, added)
    config = {**model.config, "vocab_size": model.config["vocab_size"] + added}
    return Model(model.kind, config, grown.tensors, vocabulary)


def keep_tokens(model: Model, kept: Sequence[int]) -> Model:
    """Only these rows of the tables, in this order."""
    cut = each(model, lambda n, t: t[list(kept)] if is_table(model, n) else t)
    return Model(model.kind, {**model.config, "vocab_size": len(kept)}, cut.tensors, Vocabulary(tuple(kept)))


# --- depths --------------------------------------------------------------------------------------------


def restack(model: Model, layers: Sequence[int]) -> Model:
    """The layers of these numbers in this order; a number may come twice."""
    tensors: Tensors = {}
    for name, value in model.tensors.items():
        found = LAYER.match(name)
        if found is None:
            tensors[name] = value.clone()
            continue
        for place, layer in enumerate(layers):
            if layer == int(found[2]):
                tensors[f"{found[1]}{place}{found[3]}"] = value.clone()
    key = "depth" if model.kind == "mixer" else "num_hidden_layers"
    return model.with_tensors(tensors, **{key: len(layers)})


# --- orders and scales that do not change what a net computes ------------------------------------------

HIDDEN = {
    "llama": (("mlp.gate_proj", "mlp.up_proj"), "mlp.down_proj"),
    "bert": (("intermediate.dense",), "output.dense"),
    "mixer": (("channels_in",), "channels_out"),
}


def pairs_of(model: Model) -> list[tuple[list[str], str]]:
    """For each MLP the modules that make the hidden neurons, and the one that takes them."""
    makers, taker = HIDDEN[model.kind]
    marks = sorted({n[: n.index(makers[0])] for n in model.tensors if makers[0] in n})
    return [([mark + maker for maker in makers], mark + taker) for mark in marks]


def permute_neurons(model: Model, seed: int) -> Model:
    """The hidden neurons of every MLP in another order; the net computes the same."""
    generator = torch.Generator().manual_seed(seed)
    tensors = dict(model.tensors)
    for makers, taker in pairs_of(model):
        order = torch.randperm(tensors[f"{makers[0]}.weight"].shape[0], generator=generator)
        for maker in makers:
            for part in ("weight", "bias"):
                if f"{maker}.{part}" in tensors:
                    tensors[f"{maker}.{part}"] = tensors[f"{maker}.{part}"][order].clone()
        tensors[f"{taker}.weight"] = tensors[f"{taker}.weight"][:, order].clone()
    return model.with_tensors(tensors)


def permute_heads(model: Model, seed: int) -> Model:
    """The attention heads of every layer in another order, queries with their keys and values."""
    generator = torch.Generator().manual_seed(seed)
    heads = model.config["num_attention_heads"]
    groups = model.config.get("num_key_value_heads", heads)
    size = model.config["hidden_size"] // heads
    tensors = dict(model.tensors)
    query = re.compile(r"(.*)(q_proj|self\.query)\.weight")
    for name in [n for n in model.tensors if query.fullmatch(n)]:
        found = query.fullmatch(name)
        assert found is not None
        order = torch.randperm(groups, generator=generator)
        narrow = torch.arange(groups * size).reshape(groups, size)[order].flatten()
        wide = torch.arange(heads * size).reshape(groups, -1)[order].flatten()
        llama = found[2] == "q_proj"
        parts = ("q_proj", "k_proj", "v_proj") if llama else ("self.query", "self.key", "self.value")
        for part, rows in zip(parts, (wide, narrow, narrow), strict=True):
            for kind in ("weight", "bias"):
                if f"{found[1]}{part}.{kind}" in tensors:
                    tensors[f"{found[1]}{part}.{kind}"] = tensors[f"{found[1]}{part}.{kind}"][rows].clone()
        taker = f"{found[1]}{'o_proj' if llama else 'output.dense'}.weight"
        tensors[taker] = tensors[taker][:, wide].clone()
    return model.with_tensors(tensors)


def permute_channels(model: Model, seed: int) -> Model:
    """The channels between the two convolutions of every stage in another order, batch norms along."""
    generator = torch.Generator().manual_seed(seed)
    tensors = dict(model.tensors)
    for stage in range(len(model.config["widths"]) - 1):
        order = torch.randperm(model.config["widths"][stage + 1], generator=generator)
        for part in ("0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var"):
            tensors[f"stages.{stage}.{part}"] = tensors[f"stages.{stage}.{part}"][order].clone()
        tensors[f"stages.{stage}.3.weight"] = tensors[f"stages.{stage}.3.weight"][:, order].clone()
    return model.with_tensors(tensors)


def rescale_neurons(model: Model, seed: int) -> Model:
    """Each hidden neuron of a gated MLP times a factor, and its inverse where it is taken."""
    generator = torch.Generator().manual_seed(seed)
    tensors = dict(model.tensors)
    for (_, up), down in pairs_of(model):
        factor = torch.exp(0.5 * torch.randn(tensors[f"{up}.weight"].shape[0], generator=generator))
        tensors[f"{up}.weight"] = tensors[f"{up}.weight"] * factor[:, None]
        tensors[f"{down}.weight"] = tensors[f"{down}.weight"] / factor
    return model.with_tensors(tensors)
