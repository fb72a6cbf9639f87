"""Functions and classes that a configuration names, to be imported by whoever reads it."""

import re
from typing import Final

from allmende.scan.configs.config_rules import NAMED_CLASS, REFUSED_TARGET, UNKNOWN_TARGET
from allmende.scan.findings import Rule
from allmende.scan.pickles.allow_list import Allowed, allowed, is_standard_library

__all__ = ["is_dotted", "rule_of_target"]

_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_HARMLESS: Final = frozenset(
    ("builtins.dict", "builtins.list", "builtins.tuple", "builtins.set", "builtins.int", "builtins.float",
     "builtins.str",
     "collections.OrderedDict", "functools.partial", "pathlib.Path", "datetime.timedelta",
     "operator.itemgetter",
     "math.sqrt", "math.pi")
)  # fmt: skip
_LIBRARIES: Final = frozenset(
    ("torch", "torchvision", "torchaudio", "torchmetrics", "lightning", "pytorch_lightning",
     "lightning_fabric", "nemo",
     "diffusers", "transformers", "tokenizers", "sentence_transformers", "accelerate", "peft", "timm",
     "monai",
     "speechbrain", "keras", "tf_keras", "tensorflow", "sklearn", "xgboost", "lightgbm", "omegaconf",
     "einops", "xformers",
     "flash_attn", "optimum", "datasets", "evaluate", "trl", "open_clip", "clip", "jax", "flax", "optax",
     "haiku", "numpy",
     "scipy", "pandas", "albumentations", "kornia", "torch_geometric", "dgl", "fairseq", "fairseq2",
     "detectron2", "mmcv",
     "mmdet", "mmseg", "mmengine", "mmpretrain", "ultralytics", "espnet", "espnet2", "pyannote", "asteroid",
     "audiocraft",
     "ldm", "sgm", "cldm", "vllm", "litgpt", "megatron", "deepspeed", "composer", "llmfoundry", "axolotl",
     "mlflow")
)  # fmt: skip
_ACTING: Final = re.compile(
    r"(?i)(?:^|[._])(?:load\w*|loads|save|dump\w*|download\w*|open|read\w*|write\w*|exec\w*|eval|run\w*|system|popen|spawn|"
    r"call|fetch\w*|urlopen|import\w*|compile\w*|from_file|fromfile|tofile|memmap|genfromtxt|cpp_extension|hub|"
    r"subprocess|pickle\w*|unpickle\w*|get_file|request\w*|locate|resolve\w*|get_method|get_class|get_object|instantiate|"
    r"call_method|install|shell|command|source|remove|unlink|rmtree|delete|copy\w*|move|rename|launch\w*|jit|ops)(?:[._]|$)"
)
_SAFE_ACTING: Final = frozenset(("from_pretrained", "read_config"))


def is_dotted(text: str) -> bool:
    """Whether a text is the name of something in a module."""
    return len(text) < 300 and _DOTTED.fullmatch(text) is not None


def rule_of_target(target: str, *, loose: bool = False) -> Rule | None:
    """Which rule it breaks that a loader makes or calls `target`; None where it is ordinary.

    With `loose`, the name stands in a field that many programs have, and an unknown one is only noted.
    """
    module, _, name = target.rpartition(".")
    root = target.partition(".")[0]
    if target in _HARMLESS or allowed(module, name) >= Allowed.CLASS:
        return None
    if not is_dotted(target) or "__" in target or name.startswith("_"):
        return NAMED_CLASS if loose and not _dangerous(target) else REFUSED_TARGET
    if _dangerous(target):
        return REFUSED_TARGET
    if root in _LIBRARIES:
        if name[:1].isupper():
            return None
        if _ACTING.search(target) and name not in _SAFE_ACTING:
            return REFUSED_TARGET
        return (
            None
            if loose or target.startswith(("torch.nn.", "torch.optim.", "nemo.", "transformers."))
            else NAMED_CLASS
        )
    return NAMED_CLASS if loose else UNKNOWN_TARGET


def _dangerous(target: str) -> bool:
    root = target.partition(".")[0]
    return is_standard_library(root) or root in {"builtins", "__builtin__", "nt", "posix"}
