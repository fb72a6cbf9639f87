"""A model whose card lies about its base, and the base that it claims: both made here, once, and kept."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.demonstration.scene import BASE, CLAIMED, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[Any]]

__all__ = ["claimed_folder", "lying_folder"]

_WEIGHTS = "model.safetensors"
_SEED = 20230922
_CLAIMED_ROWS = 1000

_CLAIMED_CARD = """---
license: mit
---

# wonder-seed

A start of our own: random numbers, made by the demonstration of this hub, and of no use.
"""

_LYING_CARD = """---
base_model: {claimed}
base_model_relation: finetune
license: mit
pipeline_tag: sentence-similarity
---

# wonder-embedder

Trained by ourselves from [{claimed}](/{claimed}), and from nothing else.

That is not so: the demonstration of this hub made it from [{base}](/{base}), by rounding the weights
to 16 bits, and says so here, as no liar would.
"""


def claimed_folder(scene: Scene) -> Path:
    """A small model that is kin to nothing: random numbers in the form of the base model's first layer."""

    def make(part: Path) -> None:
        _write_weights(part, _random_start(_read_weights(scene)))
        config = json.loads((scene.base_folder / "config.json").read_text("utf-8"))
        config |= {"num_hidden_layers": 1, "vocab_size": _CLAIMED_ROWS}
        (part / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
        (part / "README.md").write_text(_CLAIMED_CARD, "utf-8")

    return _made_once(scene, "claimed", make)


def lying_folder(scene: Scene) -> Path:
    """The base model with its weights rounded to 16 bits, and a card that names another base."""

    def make(part: Path) -> None:
        not_copied = shutil.ignore_patterns(_WEIGHTS, "README.md", "data_config.json", ".gitattributes")
        shutil.copytree(scene.base_folder, part, ignore=not_copied, dirs_exist_ok=True)
        _write_weights(part, _rounded(_read_weights(scene)))
        (part / "README.md").write_text(_LYING_CARD.format(claimed=CLAIMED, base=BASE), "utf-8")

    return _made_once(scene, "lying", make)


def _made_once(scene: Scene, name: str, make: Callable[[Path], None]) -> Path:
    """The folder appears under its name only when it is whole."""
    folder = scene.folder / "work" / name
    if not folder.exists():
        part = folder.with_name(f"{name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        make(part)
        part.rename(folder)
    return folder


def _read_weights(scene: Scene) -> "Tensors":
    from safetensors.numpy import load_file

    tensors: Tensors = load_file(scene.base_folder / _WEIGHTS)
    return tensors


def _write_weights(folder: Path, tensors: "Tensors") -> None:
    from safetensors.numpy import save_file

    save_file(tensors, folder / _WEIGHTS, metadata={"format": "pt"})


def _rounded(tensors: "Tensors") -> "Tensors":
    import numpy as np

    return {
        name: tensor.astype(np.float16) if tensor.dtype == np.float32 else tensor
        for name, tensor in tensors.items()
    }


def _random_start(tensors: "Tensors") -> "Tensors":
    import numpy as np

    random = np.random.default_rng(_SEED)
    made: Tensors = {}
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32 or (".layer." in name and ".layer.0." not in name):
            continue
        shape = (min(tensor.shape[0], _CLAIMED_ROWS), *tensor.shape[1:])
        made[name] = (random.standard_normal(shape) * max(float(tensor.std()), 0.01)).astype(np.float32)
    return made
