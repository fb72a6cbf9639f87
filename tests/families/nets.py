"""The architectures, and what each learns: next tokens, masked tokens, drawn shapes, wavy series.

Two are those of transformers, two are plain torch, so that names and shapes are not all of one habit.
"""

import itertools
from typing import Any

import torch
import transformers
from torch import nn
from torch.nn import functional

from tests.families import text

Batch = dict[str, torch.Tensor]

IMAGE_SIDE = 16
SERIES_LENGTH = 64
SERIES_CHANNELS = 4
MASKED_SHARE = 0.15


class ConvNet(nn.Module):  # type: ignore[misc]
    """Convolutions with batch norms, whose running figures are tensors that no optimiser touches."""

    def __init__(self, widths: tuple[int, ...], classes: int):
        super().__init__()
        self.stem = nn.Conv2d(1, widths[0], 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1, stride=2, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.Conv2d(after, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after in itertools.pairwise(widths)
        )
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.stem_norm(self.stem(images)))
        for stage in self.stages:
            x = stage(x)
        return self.head(x.mean((2, 3)))


class MixerBlock(nn.Module):  # type: ignore[misc]
    """One round over the tokens and one over the channels."""

    def __init__(self, tokens: int, width: int, token_hidden: int, channel_hidden: int):
        super().__init__()
        self.norm_tokens = nn.LayerNorm(width)
        self.tokens_in = nn.Linear(tokens, token_hidden)
        self.tokens_out = nn.Linear(token_hidden, tokens)
        self.norm_channels = nn.LayerNorm(width)
        self.channels_in = nn.Linear(width, channel_hidden)
        self.channels_out = nn.Linear(channel_hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        turned = self.norm_tokens(x).transpose(1, 2)
        x = x + self.tokens_out(functional.gelu(self.tokens_in(turned))).transpose(1, 2)
        return x + self.channels_out(functional.gelu(self.channels_in(self.norm_channels(x))))


class Mixer(nn.Module):  # type: ignore[misc]
    """An MLP mixer that foretells the next quarter of a series, or names its kind with a head of classes."""

    def __init__(self, width: int, depth: int, outputs: int):
        super().__init__()
        self.patch = nn.Linear(4 * SERIES_CHANNELS, width)
        tokens = SERIES_LENGTH // 4
        self.blocks = nn.ModuleList(MixerBlock(tokens, width, 4 * tokens, 4 * width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, outputs)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        x = self.patch(series.reshape(len(series), SERIES_LENGTH // 4, -1))
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x).mean(1))


def build(kind: str, config: dict[str, Any]) -> nn.Module:
    """A net with fresh values from torch's generator."""
    if kind == "llama":
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(**config))
    if kind == "gpt2":
        return transformers.GPT2LMHeadModel(transformers.GPT2Config(**config))
    if kind == "bert":
        settings = transformers.BertConfig(**config)
        if "num_labels" in config:
            return transformers.BertForSequenceClassification(settings)
        return transformers.BertForMaskedLM(settings)
    if kind == "conv":
        return ConvNet(tuple(config["widths"]), config["classes"])
    return Mixer(config["width"], config["depth"], config["outputs"])


def windows(ids: torch.Tensor, rows: int, length: int, generator: torch.Generator) -> torch.Tensor:
    starts = torch.randint(0, len(ids) - length, (rows,), generator=generator)
    return torch.stack([ids[start : start + length] for start in starts.tolist()])


def masked(ids: torch.Tensor, generator: torch.Generator) -> Batch:
    hidden = torch.rand(ids.shape, generator=generator) < MASKED_SHARE
    hidden[:, 0] = True
    return {"input_ids": ids.masked_fill(hidden, text.MASK), "labels": ids.masked_fill(~hidden, -100)}


def shapes(rows: int, classes: int, flavour: str, generator: torch.Generator) -> Batch:
    """Bars and rings, turned by the number of the class, under noise; a flavour inverts them."""
    labels = torch.randint(0, classes, (rows,), generator=generator)
    middle = IMAGE_SIDE / 2 + 4 * torch.rand(rows, 2, generator=generator) - 2
    grid = torch.arange(IMAGE_SIDE, dtype=torch.float32)
    dx = grid[None, None, :] - middle[:, 0, None, None]
    dy = grid[None, :, None] - middle[:, 1, None, None]
    turn = labels[:, None, None] * torch.pi / classes
    along = dx * torch.cos(turn) + dy * torch.sin(turn)
    radius = (dx**2 + dy**2).sqrt()
    pictures = torch.where((labels % 2 == 0)[:, None, None], torch.cos(along), torch.cos(radius + turn))
    if flavour == "inverted":
        pictures = 0.5 - pictures
    noise = 1.2 if flavour == "noisy" else 0.6
    pictures = pictures + noise * torch.randn(pictures.shape, generator=generator)
    return {"input": pictures[:, None], "labels": labels}


def waves(rows: int, outputs: int, flavour: str, generator: torch.Generator) -> Batch:
    """Sums of waves in four channels: the target is what comes, in as many means as outputs."""
    length = SERIES_LENGTH * 2
    time = torch.arange(length, dtype=torch.float32)
    pace = 0.05 + 0.3 * torch.rand(rows, SERIES_CHANNELS, 1, generator=generator)
    phase = 6.28 * torch.rand(rows, SERIES_CHANNELS, 1, generator=generator)
    series = torch.sin(pace * time + phase)
    if flavour == "square":
        series = 0.5 + 1.5 * torch.sign(series)
    if flavour == "drifting":
        series = series + time / length * torch.randn(rows, SERIES_CHANNELS, 1, generator=generator)
    noisy = series + 0.1 * torch.randn(series.shape, generator=generator)
    coming = series[:, :, SERIES_LENGTH:].reshape(rows, -1)
    return {
        "input": noisy[:, :, :SERIES_LENGTH].transpose(1, 2),
        "labels": functional.adaptive_avg_pool1d(coming[:, None], outputs)[:, 0],
    }


def loss(net: nn.Module, kind: str, batch: Batch) -> torch.Tensor:
    """What the training brings down."""
    if kind in {"llama", "gpt2", "bert"}:
        found: torch.Tensor = net(**batch).loss
        return found
    answer = net(batch["input"].to(next(net.parameters()).dtype)).float()
    if kind == "conv":
        return functional.cross_entropy(answer, batch["labels"])
    return functional.mse_loss(answer, batch["labels"])
