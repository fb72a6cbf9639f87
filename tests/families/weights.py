"""A model in memory, whatever it looks like on disk: a net, its tensors and its vocabulary."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from tests.families import nets, text

Tensors = dict[str, torch.Tensor]

LENGTH = 32
SLICES = 8


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which tokens of the common tokenizer the rows stand for, and how many rows came on top."""

    kept: tuple[int, ...] | None = None
    added: int = 0

    def translate(self, ids: torch.Tensor) -> torch.Tensor:
        """A text in this vocabulary: what was cut is left out, and every 12th token is one of the added."""
        if self.kept is not None:
            table = torch.full((text.VOCABULARY,), -1)
            table[list(self.kept)] = torch.arange(len(self.kept))
            ids = table[ids]
            ids = ids[ids >= 0]
        if self.added:
            base = text.VOCABULARY if self.kept is None else len(self.kept)
            ids = ids.clone()
            ids[::12] = base + ids[::12] % self.added
        return ids


@dataclass(frozen=True, slots=True)
class Model:
    """Tensors under the names that the net gives them, in the type they are stored in."""

    kind: str
    config: dict[str, Any]
    tensors: Tensors
    vocabulary: Vocabulary = field(default_factory=Vocabulary)

    def cast(self, dtype: torch.dtype) -> "Model":
        return self.with_tensors(cast(self.tensors, dtype))

    def with_tensors(self, tensors: Tensors, **config: Any) -> "Model":
        return replace(self, tensors=tensors, config={**self.config, **config})

    @property
    def dtype(self) -> torch.dtype:
        """The type of the largest floating tensor."""
        return max((t for t in self.tensors.values() if t.is_floating_point()), key=torch.numel).dtype

    def net(self) -> torch.nn.Module:
        """The net with these values, in fp32; complains of any tensor too many or too few."""
        made = nets.build(self.kind, self.config)
        wide = {n: t.float() if t.is_floating_point() else t for n, t in self.tensors.items()}
        missing, unknown = made.load_state_dict(wide, strict=False)
        tied = {"lm_head.weight", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
        assert not unknown, unknown
        assert set(missing) <= tied, missing
        if hasattr(made, "tie_weights"):
            made.tie_weights()
        return made


def cast(tensors: Tensors, dtype: torch.dtype) -> Tensors:
    return {n: t.to(dtype) if t.is_floating_point() else t.clone() for n, t in tensors.items()}


def state(net: torch.nn.Module) -> Tensors:
    """The tensors of a net, one of each where two names share memory (as transformers saves them)."""
    seen: dict[tuple[int, tuple[int, ...]], str] = {}
    kept: Tensors = {}
    for name, tensor in net.state_dict().items():
        place = (tensor.data_ptr(), tuple(tensor.shape))
        if place in seen and tensor.numel() > 1:
            continue
        seen[place] = name
        kept[name] = tensor.detach().clone()
    return kept


def seed_of(seed: int, name: str) -> int:
    """A seed for one model, so that what is made before it changes nothing in it."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=4).digest())


def fresh(kind: str, config: dict[str, Any], seed: int) -> Model:
    """A model of random values."""
    torch.manual_seed(seed)
    return Model(kind, config, state(nets.build(kind, config)))


def batch_of(model: Model, flavour: str, rows: int, generator: torch.Generator) -> nets.Batch:
    """Something to learn from: a kind of text for language models, else a flavour of pictures or series.

    `code@3` is the slice number 3 of a text.
    """
    if model.kind == "conv":
        return nets.shapes(rows, model.config["classes"], flavour, generator)
    if model.kind == "mixer":
        return nets.waves(rows, model.config["outputs"], flavour, generator)
    kind, _, slice_number = flavour.partition("@")
    ids = text.token_ids(kind)
    if slice_number:
        ids = ids.tensor_split(SLICES)[int(slice_number)]
    ids = model.vocabulary.translate(ids)
    rows_of_ids = nets.windows(ids, rows, LENGTH, generator)
    if "num_labels" in model.config:
        return {
            "input_ids": rows_of_ids,
            "labels": rows_of_ids[:, 0] * model.config["num_labels"] // text.VOCABULARY,
        }
    if model.kind == "bert":
        return nets.masked(rows_of_ids, generator)
    return {"input_ids": rows_of_ids, "labels": rows_of_ids}
