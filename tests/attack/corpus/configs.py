"""JSON and YAML: what loaders of configurations can be made to do, and configurations as models have them."""

import json
from collections.abc import Iterator
from typing import Any

from tests.attack.corpus.case import Case, Label, fixed

__all__ = ["cases"]

OUTSIDE = ("/etc/passwd", "../../secrets.bin", "..\\..\\x", "C:\\Windows\\x", "\\\\server\\share\\x", "~/.ssh/id_rsa", "https://evil.example/x",
           "file:///etc/passwd", "a/../../../x", "//host/x", "s3://bucket/x")  # fmt: skip
TARGETS = (
    "os.system", "subprocess.Popen", "builtins.eval", "builtins.exec", "torch.load", "torch.hub.load", "pickle.loads", "joblib.load",
    "numpy.load", "pandas.read_pickle", "importlib.import_module", "runpy.run_path", "shutil.rmtree", "urllib.request.urlopen",
    "torch.utils.cpp_extension.load", "hydra.utils.instantiate", "hydra.utils.call", "nemo.core.classes.common.os.system",
    "transformers.utils.os.system", "torch.__builtins__.eval", "pathlib.os.system", "lightning.pytorch.utilities.subprocess.run",
)  # fmt: skip


def _json_attacks() -> Iterator[tuple[str, Any]]:
    for number, path in enumerate(OUTSIDE):
        yield f"weight-map-{number}", {"metadata": {}, "weight_map": {"a": "model-1.safetensors", "b": path}}
    for number, path in enumerate(OUTSIDE[:4] + OUTSIDE[5:8]):
        yield f"vocab-file-{number}", {"vocab_file": path}
        yield f"nested-file-{number}", {"a": [{"b": {"checkpoint_file": path}}]}
    for target in TARGETS:
        yield f"target-{target}", {"model": {"_target_": target, "args": ["x"]}}
    yield "auto-map-outside", {"auto_map": {"AutoModel": "../evil.Model"}}
    yield "jsonpickle", {"py/object": "os.system", "py/state": {}}
    yield "jsonpickle-reduce", {"a": {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["x"]}]}}
    yield "jsonpickle-type", {"py/type": "subprocess.Popen"}


def _yaml_attacks() -> Iterator[tuple[str, str]]:
    yield "apply", "!!python/object/apply:os.system ['true']"
    yield "new", "a: !!python/object/new:os.system [x]"
    yield "name", "a: !!python/name:os.system"
    yield "module", "a: !!python/module:os"
    yield "verbatim", "a: !<tag:yaml.org,2002:python/object/apply:os.system> [x]"
    yield "renamed", "%TAG !x! tag:yaml.org,2002:python/object/apply:\n---\na: !x!os.system [x]"
    yield "renamed-primary", "%TAG ! tag:yaml.org,2002:python/object/\n---\na: !apply:os.system [x]"
    yield "second-document", "a: 1\n---\n!!python/object/apply:os.system [x]"
    yield "in-a-key", "? !!python/name:os.system\n: 1"
    yield "ruby", "--- !ruby/object:Gem::Installer\ni: x"
    yield "java", "!!javax.script.ScriptEngineManager [x]"
    yield (
        "laughs",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)),
    )
    yield "deep", "[" * 3000 + "]" * 3000
    for target in TARGETS[:6]:
        yield f"target-{target}", f"model:\n  _target_: {target}\n  args: [x]\n"
    yield "outside-file", "tokenizer:\n  model_file: ../../etc/passwd\n"


def _policies() -> Iterator[tuple[str, str, Any]]:
    yield "auto-map", "config.json", {"model_type": "x", "auto_map": {"AutoModel": "modeling_x.XModel"}}
    yield "auto-map-foreign", "config.json", {"auto_map": {"AutoModel": "someone/repo--modeling_x.XModel"}}
    yield (
        "auto-map-list",
        "tokenizer_config.json",
        {"auto_map": {"AutoTokenizer": ["tokenization_x.X", None]}},
    )
    yield (
        "custom-pipelines",
        "config.json",
        {"custom_pipelines": {"x": {"impl": "pipe.Pipe", "pt": ["AutoModel"]}}},
    )
    yield "trust", "config.json", {"trust_remote_code": True}
    yield "kernel", "config.json", {"attn_implementation": "kernels-community/flash-attn"}
    yield "use-kernels", "config.json", {"use_kernels": True}
    yield "custom-ops", "config.json", {"custom_op_library": "libcustom.so"}
    yield "hydra-foreign", "config.json", {"_target_": "my_package.models.Model"}
    yield (
        "postinstall",
        "package.json",
        {"name": "x", "version": "1.0.0", "scripts": {"postinstall": "node x.js"}},
    )
    yield (
        "diffusers-custom",
        "model_index.json",
        {"_class_name": "P", "_diffusers_version": "0.30", "unet": ["my_unet", "Unet"]},
    )
    yield (
        "modules-custom",
        "modules.json",
        [{"idx": 0, "name": "0", "path": "", "type": "custom_st.Transformer"}],
    )


def _benign() -> Iterator[tuple[str, str, bytes]]:
    for name, file_name, value in (
        ("bert", "config.json", {"architectures": ["BertModel"], "model_type": "bert", "torch_dtype": "float32", "_name_or_path": "/home/me/bert"}),
        ("tokenizer", "tokenizer_config.json", {"special_tokens_map_file": "/root/.cache/x.json", "tokenizer_file": "/home/u/tokenizer.json", "name_or_path": "../x"}),
        ("index", "model.safetensors.index.json", {"metadata": {"total_size": 1}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}),
        ("vocabulary", "vocab.json", {"eval": 1, "os.system": 2, "__import__": 3, "_target_x": 4, "../": 5, "py/objects": 6}),
        ("diffusers", "model_index.json", {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.21", "unet": ["diffusers", "UNet2DConditionModel"], "vae": [None, None]}),
        ("sentences", "modules.json", [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]),
        ("adapter", "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": "/data/llama", "target_modules": ["q_proj"], "auto_mapping": None}),
        ("keras-like", "config.json", {"target": "cpu", "class": "A", "filename": "x"}),
    ):  # fmt: skip
        yield name, file_name, json.dumps(value).encode()
    yield "nan", "config.json", b'{"a": NaN, "b": Infinity}'
    yield (
        "sd",
        "v1-inference.yaml",
        b"model:\n  base_learning_rate: 1.0e-04\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n  params:\n    unet_config:\n      target: ldm.modules.diffusionmodules.openaimodel.UNetModel\n      params: {in_channels: 4}\n",
    )
    yield (
        "nemo",
        "model_config.yaml",
        b"encoder:\n  _target_: nemo.collections.asr.modules.ConformerEncoder\n  feat_in: 80\noptim:\n  name: adamw\n",
    )
    yield (
        "hydra",
        "config.yaml",
        b"optimizer:\n  _target_: torch.optim.AdamW\n  lr: 0.1\nact:\n  _target_: torch.nn.GELU\n",
    )
    yield "anchors", "config.yaml", b"base: &b {a: 1}\none: *b\ntwo:\n  <<: *b\n"
    yield (
        "card",
        "README.md",
        b"---\nlicense: mit\ntags: [a, b]\n---\n# Title\n\n!!python/object is dangerous\n",
    )
    yield "helm", "values.yaml", b"a: {{ .Values.x }}\n"


def cases() -> Iterator[Case]:
    """All of them."""

    def dumped(value: Any) -> bytes:
        return json.dumps(value).encode()

    malicious: Label = "malicious"
    for name, value in _json_attacks():
        file_name = "model.safetensors.index.json" if name.startswith("weight-map") else "config.json"
        yield Case("json-attacks", name, file_name, malicious, fixed(dumped(value)))
    yield Case(
        "json-attacks", "deep", "config.json", malicious, fixed(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
    )
    yield Case(
        "json-attacks", "deep-lists", "tokenizer.json", malicious, fixed(b"[" * 100_000 + b"]" * 100_000)
    )
    yield Case(
        "json-attacks",
        "second-of-two-keys",
        "config.json",
        malicious,
        fixed(b'{"_target_": "torch.nn.GELU", "_target_": "os.system"}'),
    )
    yield Case(
        "json-attacks",
        "first-of-two-keys",
        "config.json",
        malicious,
        fixed(b'{"_target_": "os.system", "_target_": "torch.nn.GELU"}'),
    )
    for name, text in _yaml_attacks():
        yield Case("yaml-attacks", name, "config.yaml", malicious, fixed(text.encode()))
    yield Case(
        "yaml-attacks",
        "front-matter",
        "README.md",
        malicious,
        fixed(b"---\na: !!python/object/apply:os.system [x]\n---\n# Hi\n"),
    )
    for name, file_name, value in _policies():
        yield Case("config-policy", name, file_name, "policy", fixed(dumped(value)))
    for name, file_name, data in _benign():
        yield Case("config-benign", name, file_name, "benign", fixed(data))
