"""Functions and classes that a configuration names, to be imported by whoever reads it."""

import re
from typing import Final

from allmende.scan.configs.config_rules import NAMED_CLASS, REFUSED_TARGET, UNKNOWN_TARGET
from allmende.scan.findings import Rule
from allmende.scan.pickles.allow_list import Allowed, allowed, is_standard_library

__all__ = ["is_dotted", "is_own_module", "rule_of_target"]

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
_MAKING: Final = frozenset(("from_pretrained", "from_config", "from_dict", "read_config"))
"""Methods of classes that make an object of what the repository holds."""
_FUNCTIONS: Final = frozenset(
    (*(f"torch.{name}" for name in ("tensor", "zeros", "ones", "device", "Size")),
     *(f"torch.{name}" for name in ("float16", "float32", "float64", "bfloat16", "int64")),
     *(f"torch.nn.functional.{name}" for name in ("relu", "gelu", "silu", "mish", "tanh", "sigmoid")),
     *(f"torch.nn.init.{name}_" for name in ("xavier_uniform", "xavier_normal", "kaiming_uniform", "normal")),
     *(f"torch.nn.init.{name}_" for name in ("kaiming_normal", "zeros", "ones", "trunc_normal")),
     *(f"transformers.{prefix}get_{name}_schedule_with_warmup" for prefix in ("", "optimization.")
       for name in ("cosine", "linear", "constant", "polynomial_decay", "cosine_with_hard_restarts")),
     "transformers.get_scheduler", "transformers.get_constant_schedule", "timm.create_model",
     "diffusers.optimization.get_scheduler",
     "numpy.array", "numpy.zeros", "numpy.ones", "numpy.arange", "numpy.linspace",
     *(f"mlflow.{name}" for name in ("sklearn", "pytorch", "keras", "tensorflow", "xgboost", "lightgbm")),
     *(f"mlflow.{name}" for name in ("catboost", "onnx", "spark", "pyfunc.model", "transformers", "gluon")),
     *(f"mlflow.{name}" for name in ("sentence_transformers", "statsmodels", "prophet", "pmdarima")),
     *(f"mlflow.{name}" for name in ("fastai", "paddle", "h2o", "langchain", "openai", "diviner", "spacy")))
)  # fmt: skip
_LOADING_CLASSES: Final = frozenset(
    ("PackageImporter", "Unpickler", "PickleUnpickler", "ScriptModule", "Popen")
)
_WAYS_OUT: Final = frozenset(
    ("os", "sys", "subprocess", "shutil", "importlib", "builtins", "runpy", "ctypes", "socket", "pickle",
     "cPickle", "_pickle", "marshal", "joblib", "dill", "cloudpickle", "pty", "posix", "pdb", "timeit",
     "multiprocessing", "tempfile", "urllib", "requests", "ftplib", "webbrowser", "pkgutil", "f2py",
     "distutils", "collect_env", "cpp_extension", "dynamic_module_utils", "testing")
)  # fmt: skip
"""Modules that others hold as attributes, or that start programs: no path of a model leads through them."""
_LOADERS: Final = frozenset(
    ("joblib", "dill", "cloudpickle", "jsonpickle", "yaml", "ruamel", "execnet", "sh", "plumbum",
     "pexpect", "fabric", "invoke", "paramiko", "requests", "httpx", "hydra", "setuptools", "pip",
     "pkg_resources", "IPython", "fsspec", "cffi", "pyximport", "Cython",
     "huggingface_hub", "gdown",
     "wget", "klepto", "shelve", "hickle", "numexpr", "asteval", "simpleeval", "torch_package", "smart_open")
)  # fmt: skip
"""Packages whose functions load pickles, evaluate texts, fetch files or start programs."""


def is_dotted(text: str) -> bool:
    """Whether a text is the name of something in a module."""
    return len(text) < 300 and _DOTTED.fullmatch(text) is not None


def is_own_module(name: str) -> bool:
    """Whether a module is none of Python's: one that the repository, or another package, brings."""
    return not _dangerous(name)


def rule_of_target(target: str, *, loose: bool = False) -> Rule | None:  # noqa: PLR0911  # one line a kind
    """Which rule it breaks that a loader makes or calls `target`; None where it is ordinary.

    With `loose`, the name stands in a field that many programs have, and an unknown one is only noted.
    """
    module, _, name = target.rpartition(".")
    root = target.partition(".")[0]
    if target in _HARMLESS or allowed(module, name) >= Allowed.CLASS:
        return None
    if not is_dotted(target) or "__" in target or name.startswith("_"):
        return NAMED_CLASS if loose and not _dangerous(target) else REFUSED_TARGET
    if target in _FUNCTIONS:
        return None
    is_class = name[:1].isupper()
    if _dangerous(target) or _WAYS_OUT & set(module.split(".")) or (root in _LOADERS and not is_class):
        return REFUSED_TARGET
    if root not in _LIBRARIES:
        return NAMED_CLASS if loose else UNKNOWN_TARGET
    if is_class:
        return UNKNOWN_TARGET if name in _LOADING_CLASSES else None
    if name in _MAKING:
        return NAMED_CLASS
    if _ACTING.search(target):
        return REFUSED_TARGET
    return None if loose else UNKNOWN_TARGET


def _dangerous(target: str) -> bool:
    root = target.partition(".")[0]
    return is_standard_library(root) or root in {"builtins", "__builtin__", "nt", "posix"}
