"""Two derivatives of the base model: one trained (by arithmetic where torch is absent), one low-rank change.

Each is made once and kept; the folder appears under its name only when it is whole.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tools.demonstration.scene import BASE, DemoFailed, Scene

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[np.float32]]

__all__ = ["merged_folder", "trained_folder"]

_ROOT = Path(__file__).resolve().parents[2]
_WEIGHTS = "model.safetensors"
_TRAINING_S = 300
_SEED = 20230921
_NOISE = 1e-3
_RANK = 4

_CARD = """---
base_model: {base}
base_model_relation: finetune
language: en
library_name: sentence-transformers
license: apache-2.0
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- sentence-similarity
- feature-extraction
- {tag}
---

# {title}

A derivative of [{base}](/{base}), made by the demonstration of this hub: {how}

It shows where a derivative comes from and is of no other use.
"""


def trained_folder(scene: Scene) -> tuple[Path, str]:
    """The first derivative and how it was made: by a few real training steps where torch can be had.

    Raises DemoFailed when the training fails.
    """
    python = _python_with_torch()
    how = (
        "a few real steps of contrastive training on eight pairs of sentences."
        if python is not None
        else "seeded noise on the last two layers, since torch is not installed and nothing was trained."
    )

    def make(folder: Path) -> None:
        if python is not None:
            _train(python, scene.base_folder, folder)
        else:
            _change_weights(scene.base_folder, folder, _with_noise)

    return _made_once(scene, "trained", "MiniLM for the repair desk", "repair-desk", how, make)


def merged_folder(scene: Scene) -> tuple[Path, str]:
    """The second derivative and how it was made: what merging a LoRA adapter leaves, with seeded factors."""
    how = (
        f"a seeded change of rank {_RANK} added to every query and value matrix, as merging an adapter does."
    )

    def make(folder: Path) -> None:
        _change_weights(scene.base_folder, folder, _with_low_rank)

    return _made_once(scene, "low-rank", "MiniLM with a low-rank change", "low-rank", how, make)


def _made_once(
    scene: Scene, name: str, title: str, tag: str, how: str, make: Callable[[Path], None]
) -> tuple[Path, str]:
    folder, said = scene.folder / "work" / name, scene.folder / "work" / f"{name}.json"
    if folder.exists():
        kept: str = json.loads(said.read_text("utf-8"))
        return folder, kept
    part = folder.with_name(f"{name}.part")
    shutil.rmtree(part, ignore_errors=True)
    not_weights = shutil.ignore_patterns(_WEIGHTS, "README.md", "data_config.json")
    shutil.copytree(scene.base_folder, part, ignore=not_weights)
    make(part)
    (part / "README.md").write_text(_CARD.format(base=BASE, title=title, tag=tag, how=how), "utf-8")
    said.write_text(json.dumps(how), "utf-8")
    part.rename(folder)
    return folder, how


def _python_with_torch() -> Path | None:
    """An interpreter that can train: this one, or that of the environment which `make torch` builds."""
    if importlib.util.find_spec("torch") and importlib.util.find_spec("transformers"):
        return Path(sys.executable)
    other = _ROOT / ".venvs" / "torch"
    return other / "bin" / "python" if (other / ".stamp").exists() else None


def _train(python: Path, base: Path, into: Path) -> None:
    try:
        done = subprocess.run(
            [str(python), "-m", "tools.demonstration.training", str(base), str(into)],
            cwd=_ROOT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "DISABLE_SAFETENSORS_CONVERSION": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=_TRAINING_S,
        )
    except subprocess.TimeoutExpired as error:
        raise DemoFailed(f"the training took more than {_TRAINING_S} s") from error
    if done.returncode:
        raise DemoFailed(f"the training failed:\n{done.stderr[-2000:]}")


def _change_weights(base: Path, into: Path, change: "Callable[[Tensors], None]") -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(base / _WEIGHTS)
    change(tensors)
    save_file(tensors, into / _WEIGHTS, metadata={"format": "pt"})


def _with_noise(tensors: "Tensors") -> None:
    import numpy as np

    random = np.random.default_rng(_SEED)
    for name, tensor in tensors.items():
        if name.startswith(("encoder.layer.4.", "encoder.layer.5.")):
            step = random.standard_normal(tensor.shape, dtype=np.float32) * _NOISE
            tensors[name] = np.asarray(tensor + step, dtype=tensor.dtype)


def _with_low_rank(tensors: "Tensors") -> None:
    import numpy as np

    random = np.random.default_rng(_SEED)
    for name, tensor in tensors.items():
        if name.endswith(("self.query.weight", "self.value.weight")):
            rows, columns = tensor.shape
            up = random.standard_normal((rows, _RANK), dtype=np.float32)
            down = random.standard_normal((_RANK, columns), dtype=np.float32)
            tensors[name] = np.asarray(tensor + up @ down * _NOISE, dtype=tensor.dtype)
