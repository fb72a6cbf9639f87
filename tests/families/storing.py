"""How a model becomes files, and how the generator reads them back to check that they hold what it claims.

A way of storing is a function that writes a folder and one that gives back the tensors under their own
names; whatever stands between (other names, blocks of four bits, shards) is its own affair.
"""

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gguf
import torch
from safetensors.torch import load_file, save_file

from tests.families import ggufs, text
from tests.families.operations import is_matrix
from tests.families.packing import Packing
from tests.families.weights import Model, Tensors

TYPES = {
    torch.float32: "fp32",
    torch.float64: "fp64",
    torch.float16: "fp16",
    torch.bfloat16: "bf16",
    torch.float8_e4m3fn: "fp8_e4m3",
}
CLASSES = {"llama": "LlamaForCausalLM", "gpt2": "GPT2LMHeadModel", "bert": "BertForMaskedLM"}


@dataclass(frozen=True, slots=True)
class Storage:
    """Write a folder; read the tensors back; how far off the format may be, in parts of a norm."""

    write: Callable[[Path, Model], None]
    read: Callable[[Path, Model], Tensors]
    tolerance: float = 0.0
    dtype: str | None = None


def contiguous(tensors: Tensors) -> Tensors:
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def write_config(folder: Path, model: Model) -> None:
    """What lies beside weights on a hub; it names no parent."""
    kind = CLASSES.get(model.kind)
    config = dict(model.config)
    if kind is not None:
        if "num_labels" in config:
            kind = "BertForSequenceClassification"
        config |= {"model_type": model.kind, "architectures": [kind]}
    config["torch_dtype"] = str(model.dtype).removeprefix("torch.")
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    if model.kind == "llama":
        kept, added = model.vocabulary.kept, model.vocabulary.added
        for name, content in text.tokenizer_files(kept, added).items():
            (folder / name).write_text(content)


def one_file(metadata: dict[str, str] | None = None) -> Storage:
    """model.safetensors as the library writes it."""

    def write(folder: Path, model: Model) -> None:
        write_config(folder, model)
        save_file(
            contiguous(model.tensors), folder / "model.safetensors", metadata=metadata or {"format": "pt"}
        )

    return Storage(write, lambda folder, model: load_file(folder / "model.safetensors"))


def sharded(count: int) -> Storage:
    """Several files and an index."""

    def write(folder: Path, model: Model) -> None:
        write_config(folder, model)
        names = list(model.tensors)
        places = {
            n: f"model-{i * count // len(names) + 1:05d}-of-{count:05d}.safetensors"
            for i, n in enumerate(names)
        }
        for file in sorted(set(places.values())):
            part = {n: model.tensors[n] for n in names if places[n] == file}
            save_file(contiguous(part), folder / file, metadata={"format": "pt"})
        size = sum(t.numel() * t.element_size() for t in model.tensors.values())
        index = {"metadata": {"total_size": size}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))

    def read(folder: Path, model: Model) -> Tensors:
        found: Tensors = {}
        for file in sorted(folder.glob("model-*.safetensors")):
            found |= load_file(file)
        return found

    return Storage(write, read)


def copied(source: Path) -> Storage:
    """A copy of another model's file, byte by byte."""

    def write(folder: Path, model: Model) -> None:
        for file in sorted(source.iterdir()):
            shutil.copyfile(file, folder / file.name)

    return Storage(write, lambda folder, model: load_file(folder / "model.safetensors"))


def other_header() -> Storage:
    """The same tensors in another order in the file, under a header with other metadata and room to spare."""
    names = {torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64"}

    def write(folder: Path, model: Model) -> None:
        write_config(folder, model)
        header: dict[str, object] = {"__metadata__": {"format": "pt", "title": "a copy", "made_with": "hand"}}
        body = bytearray()
        for name in reversed(list(model.tensors)):
            tensor = model.tensors[name].contiguous()
            content = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
            places = [len(body), len(body) + len(content)]
            header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": places}
            body += content
        head = json.dumps(header, indent=1).encode()
        head += b" " * (64 - len(head) % 8)
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + body)

    return Storage(write, lambda folder, model: load_file(folder / "model.safetensors"))


def renamed(new_name: Callable[[str], str]) -> Storage:
    """The tensors under other names."""

    def write(folder: Path, model: Model) -> None:
        write_config(folder, model)
        tensors = {new_name(n): t for n, t in contiguous(model.tensors).items()}
        assert len(tensors) == len(model.tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    def read(folder: Path, model: Model) -> Tensors:
        stored = load_file(folder / "model.safetensors")
        return {n: stored[new_name(n)] for n in model.tensors}

    return Storage(write, read)


def packed(packing: Packing, tolerance: float) -> Storage:
    """Matrices quantised, the rest as it was."""

    def write(folder: Path, model: Model) -> None:
        write_config(folder, model)
        stored: Tensors = {}
        for name, value in model.tensors.items():
            stored |= packing.pack(name, value) if is_matrix(name, value) else {name: value}
        save_file(contiguous(stored), folder / "model.safetensors", metadata={"format": "pt"})

    def read(folder: Path, model: Model) -> Tensors:
        stored = load_file(folder / "model.safetensors")
        return {
            n: packing.unpack(n, stored) if is_matrix(n, v) else stored[n] for n, v in model.tensors.items()
        }

    return Storage(write, read, tolerance, packing.dtype)


def in_gguf(
    kind: gguf.GGMLQuantizationType, tolerance: float, output: gguf.GGMLQuantizationType | None = None
) -> Storage:
    """One GGUF file and nothing beside it."""
    return Storage(
        lambda folder, model: ggufs.write(folder / "model.gguf", model, kind, output),
        lambda folder, model: ggufs.read(folder / "model.gguf", model),
        tolerance,
        {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}.get(kind.name, kind.name.lower()),
    )


def adapter(factors: Tensors, base: str | None, rank: int, alpha: int, modules: tuple[str, ...]) -> Storage:
    """The layout of peft: adapter_config.json and adapter_model.safetensors, and no weights of the base."""

    def write(folder: Path, model: Model) -> None:
        settings = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": rank,
            "lora_alpha": alpha,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": list(modules),
            "fan_in_fan_out": False,
            "inference_mode": True,
            "use_rslora": False,
            "use_dora": False,
        }
        (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2))
        save_file(contiguous(factors), folder / "adapter_model.safetensors", metadata={"format": "pt"})

    def read(folder: Path, model: Model) -> Tensors:
        stored = load_file(folder / "adapter_model.safetensors")
        merged = dict(model.tensors)
        for name in [n for n in stored if ".lora_A." in n]:
            plain = name.removeprefix("base_model.model.").replace(".lora_A", "")
            product = stored[name.replace(".lora_A.", ".lora_B.")].float() @ stored[name].float()
            assert product.abs().max() > 0, name
            assert product.shape == merged[plain].shape
        return merged

    return Storage(write, read, 0.0, TYPES[next(iter(factors.values())).dtype])
