"""Configurations that reach out by less usual keys and documents, and ordinary ones of the same kinds."""

import json
from collections.abc import Iterator
from typing import Any

from tests.attack.corpus.case import Case, Label, fixed

__all__ = ["cases"]

REFUSED_TARGETS = (
    "joblib.load", "numpy.f2py.crackfortran.getlincoef", "torch.utils.collect_env.run", "pandas.read_pickle",
    "numpy.testing._private.utils.runstring", "sklearn.utils._testing.joblib.load", "hydra.utils.get_method",
    "transformers.dynamic_module_utils.get_class_from_dynamic_module", "torch.distributed.run.main",
    "torch.nn.modules.module.os.system", "torch.optim.os.popen", "nemo.utils.os.system", "cloudpickle.load",
    "lightning.pytorch.utilities.subprocess.run",
)  # fmt: skip
SHOWN_TARGETS = ("torch.package.PackageImporter", "lightning.pytorch.utilities.migration.utils.migrate_checkpoint",
                 "my_package.models.Model")  # fmt: skip
ORDINARY_TARGETS = (
    "torch.optim.AdamW", "torch.nn.Linear", "torch.optim.lr_scheduler.CosineAnnealingLR", "torch.nn.functional.relu",
    "transformers.get_linear_schedule_with_warmup", "transformers.AutoModel.from_pretrained",
    "nemo.collections.asr.modules.ConformerEncoder", "diffusers.UNet2DConditionModel",
)  # fmt: skip


def _replacing(times: int, content: str) -> dict[str, Any]:
    steps = [{"type": "Replace", "pattern": {"String": "a"}, "content": content}] * times
    return {"version": "1.0", "normalizer": {"type": "Sequence", "normalizers": steps}, "model": {}}


def _modules(path: str) -> list[dict[str, Any]]:
    return [{"idx": 0, "name": "0", "path": path, "type": "sentence_transformers.models.Transformer"}]


def _core_ml(path: str) -> dict[str, Any]:
    return {"fileFormatVersion": "1.0.0", "itemInfoEntries": {"A": {"path": path, "name": "m"}}}


def _json() -> Iterator[tuple[str, str, Label, Any]]:
    for number, path in enumerate(("../../x", "/etc", "https://x/y")):
        yield f"modules-{number}", "modules.json", "malicious", _modules(path)
        yield f"manifest-{number}", "Manifest.json", "malicious", _core_ml(path)
        manifest = {"format": "layers-model", "weightsManifest": [{"paths": [path], "weights": []}]}
        yield f"tfjs-{number}", "model.json", "malicious", manifest
    yield "modules-inside", "modules.json", "benign", [*_modules(""), *_modules("1_Pooling")]
    yield "manifest-inside", "Manifest.json", "benign", _core_ml("com.apple.CoreML/model.mlmodel")
    yield (
        "tfjs-inside",
        "model.json",
        "benign",
        {"format": "layers-model", "weightsManifest": [{"paths": ["group1-shard1of1.bin"], "weights": []}]},
    )
    yield "replaced-much", "tokenizer.json", "malicious", _replacing(4, "a" * 1000)
    yield "replaced-often", "tokenizer.json", "malicious", _replacing(40, "aa")
    yield "replaced-little", "tokenizer.json", "benign", _replacing(5, "\u2581")
    yield "pipeline-of-os", "model_index.json", "malicious", {"_class_name": "P", "vae": ["os", "system"]}
    yield "pipeline-of-repo", "model_index.json", "policy", {"_class_name": "P", "unet": ["my_unet", "U"]}
    ordinary = {"_class_name": "P", "_diffusers_version": "0.30", "vae": ["diffusers", "AutoencoderKL"]}
    yield "pipeline", "model_index.json", "benign", ordinary
    for name, library, label in (
        ("foreign", "transformers_modules.x.modeling", "policy"),
        ("os", "os", "policy"),
        ("ordinary", "transformers.models.llama.modeling_llama", "benign"),
    ):
        mapped = {"peft_type": "LORA", "auto_mapping": {"base_model_class": "X", "parent_library": library}}
        yield f"adapter-{name}", "adapter_config.json", label, mapped  # type: ignore[misc]


def _texts() -> Iterator[tuple[str, str, Label, str]]:
    for target in REFUSED_TARGETS:
        yield f"target-{target}", "config.yaml", "malicious", f"x:\n  _target_: {target}\n"
    for target in SHOWN_TARGETS:
        yield f"target-{target}", "config.yaml", "policy", f"x:\n  _target_: {target}\n"
    for target in ORDINARY_TARGETS:
        yield f"target-{target}", "config.yaml", "benign", f"x:\n  _target_: {target}\n"
    custom = "x:\n  _target_: diffusers.DiffusionPipeline.from_pretrained\n  custom_pipeline: a/b\n"
    yield "custom-pipeline", "config.yaml", "malicious", custom
    yield "toml", "config.toml", "malicious", '[model]\n_target_ = "os.system"\n'
    yield (
        "toml-ordinary",
        "pyproject.toml",
        "benign",
        '[project]\nname = "x"\nreadme = {file = "README.md"}\n',
    )
    for key, value in (("code", "../../x"), ("data", "/etc/passwd"), ("model_path", "../x")):
        yield f"mlflow-{key}", "MLmodel", "malicious", f"flavors:\n  python_function:\n    {key}: {value}\n"
    yield "mlflow-pickle", "MLmodel", "malicious", "flavors:\n  sklearn:\n    pickled_model: ../../m.pkl\n"
    yield "mlflow-loader", "MLmodel", "malicious", "flavors:\n  python_function:\n    loader_module: os\n"
    yield "mlflow-own-loader", "MLmodel", "policy", "flavors:\n  python_function:\n    loader_module: mine\n"
    flavor = "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    model_path: model.pkl\n"
    yield "mlflow", "MLmodel", "benign", flavor
    card = (
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {}\n---\n# Data\n"
    )
    yield "card", "README.md", "malicious", card.format("../../etc/passwd")
    yield "card-address", "README.md", "benign", card.format("https://example.com/a.csv")
    yield "card-inside", "README.md", "benign", card.format("data/train-*.parquet")
    triton = 'name: "x"\nbackend: "python"\n'
    yield "triton-file", "config.pbtxt", "malicious", triton + 'default_model_filename: "../../x.py"\n'
    environment = 'parameters: {{ key: "EXECUTION_ENV_PATH" value: {{string_value: "{}"}} }}\n'
    yield "triton-environment", "config.pbtxt", "malicious", triton + environment.format("/tmp/env.tar.gz")
    own = environment.format("$$TRITON_MODEL_DIRECTORY/env.tar.gz")
    yield "triton", "config.pbtxt", "benign", triton + own


def cases() -> Iterator[Case]:
    """All of them."""
    for name, file_name, label, value in _json():
        yield Case("config-reach", name, file_name, label, fixed(json.dumps(value).encode()))
    for name, file_name, label, text in _texts():
        yield Case("config-reach-text", name, file_name, label, fixed(text.encode()))
