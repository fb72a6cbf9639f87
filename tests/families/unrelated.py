"""Many models with nothing in common but shapes: `python -m tests.families.unrelated OUT --count 150`.

Each has values and an order of data of its own and is really trained. Within an architecture all shapes are
the same, and some carry the fixed tables that real models share without being kin: sinusoids, rotary
frequencies, causal masks, position numbers, norms that are still ones.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tests.families import storing, training
from tests.families.training import Plan
from tests.families.weights import SLICES, Model, Tensors, fresh, seed_of

POSITIONS = 64
_GENTLER = 3
LLAMA = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": POSITIONS,
    "tie_word_embeddings": False,
}
GPT2 = {
    "vocab_size": 512,
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": POSITIONS,
    "attn_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "resid_pdrop": 0.0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
BERT = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": POSITIONS,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
CONV = {"widths": [16, 32, 64], "classes": 8}
MIXER = {"width": 48, "depth": 3, "outputs": 8}

KINDS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "llama": (LLAMA, ("code", "more code", "letters", "sums", "listings")),
    "gpt2": (GPT2, ("code", "more code", "letters", "sums", "listings")),
    "bert": (BERT, ("code", "more code", "letters", "sums", "listings")),
    "conv": (CONV, ("plain", "noisy", "inverted")),
    "mixer": (MIXER, ("smooth", "square", "drifting")),
}
DTYPES = (torch.float32, torch.bfloat16)
TWINS_IN_DATA = 3
RATES = {"adamw": 4e-3, "adam": 4e-3, "sgd": 0.1}


@dataclass(frozen=True, slots=True)
class Alone:
    """What one of the models is made from."""

    name: str
    kind: str
    plan: Plan
    start_seed: int
    data_seed: int
    dtype: torch.dtype


def sinusoids(positions: int, width: int) -> torch.Tensor:
    """The table of Attention Is All You Need."""
    angle = torch.arange(positions)[:, None] / 10000 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angle.sin(), angle.cos()], dim=2).reshape(positions, width)


def is_fixed(kind: str, name: str) -> bool:
    """What the training leaves alone: position tables, and the norms of the gpt2."""
    return "wpe" in name or "position_embeddings" in name or (kind == "gpt2" and "ln_" in name)


def free(kind: str) -> Callable[[str], bool]:
    return lambda name: not is_fixed(kind, name)


def with_fixed_start(model: Model) -> Model:
    """Sinusoids instead of random positions."""
    return model.with_tensors(
        {
            n: sinusoids(*t.shape) if "wpe" in n or "position_embeddings" in n else t
            for n, t in model.tensors.items()
        }
    )


def fixed_tables(model: Model) -> Tensors:
    """The buffers that older checkpoints of these architectures carry."""
    if model.kind == "llama":
        half = model.config["hidden_size"] // model.config["num_attention_heads"]
        frequencies = 1.0 / 10000 ** (torch.arange(0, half, 2) / half)
        layers = range(model.config["num_hidden_layers"])
        return {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": frequencies.clone() for i in layers}
    if model.kind == "gpt2":
        mask = torch.tril(torch.ones(POSITIONS, POSITIONS, dtype=torch.uint8))[None, None]
        layers = range(model.config["n_layer"])
        return {f"transformer.h.{i}.attn.bias": mask.clone() for i in layers} | {
            f"transformer.h.{i}.attn.masked_bias": torch.tensor(-1e4) for i in layers
        }
    if model.kind == "bert":
        return {"bert.embeddings.position_ids": torch.arange(POSITIONS)[None]}
    return {}


def planned(count: int, seed: int) -> list[Alone]:
    """As many models, by turns of architecture and type; the first few of each share all data."""
    made = []
    cells = [(kind, dtype) for dtype in DTYPES for kind in KINDS]
    for number in range(count):
        kind, dtype = cells[number % len(cells)]
        place = number // len(cells)
        name = f"{kind}_{storing.TYPES[dtype]}_{place:02}"
        generator = torch.Generator().manual_seed(seed_of(seed, name))
        draw = torch.rand(5, generator=generator).tolist()
        flavours = KINDS[kind][1]
        twin = place < TWINS_IN_DATA
        text_model = kind not in {"conv", "mixer"}
        flavour = flavours[0] if twin else flavours[int(draw[0] * len(flavours))]
        if text_model:
            flavour += f"@{0 if twin else int(draw[1] * SLICES)}"
        optimiser = ("adamw", "adam", "sgd")[0 if twin else int(draw[2] * 3)]
        rate = RATES[optimiser] * 3 ** (draw[3] - 0.5)
        steps = 22 + int(22 * draw[4])
        rows = 8 if text_model else 24
        plan = Plan(flavour, steps, rate, optimiser, 0.05, rows, trains=free(kind), dtype=dtype)
        data_seed = seed_of(seed, f"{kind} twins" if twin else f"{name} data")
        made.append(Alone(name, kind, plan, seed_of(seed, f"{name} start"), data_seed, dtype))
    return made


def make(alone: Alone, out: Path) -> dict[str, Any]:
    """Train and store one, and read it back; the entry of the manifest."""
    start = with_fixed_start(fresh(alone.kind, KINDS[alone.kind][0], alone.start_seed))
    plan = alone.plan
    trained = training.train(start, plan, alone.data_seed)
    for _ in range(_GENTLER):
        if trained.after < trained.before:
            break
        # A rate drawn too high for this start: the model would have been trained away from its task.
        plan = replace(plan, rate=plan.rate / 4)
        trained = training.train(start, plan, alone.data_seed)
    assert trained.after < trained.before, (alone.name, trained.before, trained.after)
    model = trained.model.with_tensors({**trained.model.tensors, **fixed_tables(trained.model)})
    folder = out / alone.name
    folder.mkdir(parents=True)
    storage = storing.one_file()
    storage.write(folder, model)
    stored = storage.read(folder, model)
    assert all(torch.equal(stored[n], t) for n, t in model.tensors.items()), alone.name
    return {
        "parents": [],
        "relation": "root",
        "architecture": alone.kind,
        "dtype": storing.TYPES[alone.dtype],
        "flavour": alone.plan.flavour,
        "optimiser": alone.plan.optimiser,
        "rate": plan.rate,
        "steps": alone.plan.steps,
        "data_seed": alone.data_seed,
        "loss": [round(trained.before, 4), round(trained.after, 4)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    chosen.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    listed = chosen.out / "manifest.json"
    # A run that was interrupted goes on where it was.
    manifest = json.loads(listed.read_text()) if listed.exists() else {}
    for order, alone in enumerate(planned(chosen.count, chosen.seed)):
        if alone.name in manifest:
            continue
        shutil.rmtree(chosen.out / alone.name, ignore_errors=True)
        manifest[alone.name] = make(alone, chosen.out) | {"order": order}
        listed.write_text(json.dumps(manifest, indent=1))
        first, last = manifest[alone.name]["loss"]
        print(f"{time.monotonic() - started:6.1f} s  {alone.name:16} {first:8.3f} -> {last:.3f}", flush=True)


if __name__ == "__main__":
    main()
