"""What a model repo's configuration and file list say: library, task, tags, the `config` of a model info."""

from collections.abc import Collection, Iterator

from allmende.formats.strict_json import JsonValue
from allmende.formats.tasks import task_from_architectures

__all__ = ["library_from_files", "tags_from_files", "task_of", "transformers_summary"]

_MAX_LIST = 16
_MAX_CHARS = 256
_MAX_PATHS = 100_000

# A file at the root that only one library writes; the first that is there decides, the special before
# the general: an adapter has a config.json at times, a sentence model always has.
_MARKERS = (
    ("adapter_config.json", "peft"),
    ("model_index.json", "diffusers"),
    ("config_sentence_transformers.json", "sentence-transformers"),
    ("modules.json", "sentence-transformers"),
    ("open_clip_config.json", "open_clip"),
    ("adapter_model.safetensors", "peft"),
    ("ultravox_config.json", "transformers"),
)
_SUFFIX_LIBRARIES = (
    (".gguf", "gguf"),
    (".nemo", "nemo"),
    (".keras", "keras"),
    (".mlmodel", "coreml"),
    (".mlpackage", "coreml"),
    (".onnx", "onnx"),
    (".tflite", "tflite"),
    (".joblib", "sklearn"),
)
_SUFFIX_TAGS = (
    (".safetensors", "safetensors"),
    (".gguf", "gguf"),
    (".onnx", "onnx"),
    (".h5", "tf"),
    (".msgpack", "jax"),
    (".tflite", "tflite"),
    (".keras", "keras"),
    (".nemo", "nemo"),
    (".mlmodel", "coreml"),
    (".ot", "rust"),
)
_TORCH_SUFFIXES = (".pt", ".pth", ".ckpt")
_TORCH_BIN_PREFIXES = ("pytorch_model", "adapter_model", "diffusion_pytorch_model")
_TENSORBOARD = "events.out.tfevents"
_QUANTIZATION_KEYS = ("quant_method", "bits", "load_in_4bit", "load_in_8bit")


def library_from_files(paths: Collection[str], config: dict[str, JsonValue] | None = None) -> str | None:
    """The library that a model repo with these files is loaded with; None where nothing tells.

    `config` is the parsed `config.json` of the root, where there is one.
    """
    known = set(paths) if len(paths) <= _MAX_PATHS else set(list(paths)[:_MAX_PATHS])
    for marker, library in _MARKERS:
        if marker in known:
            return library
    if config is not None:
        found = _library_from_config(config)
        if found is not None:
            return found
    roots = [path.lower() for path in known if "/" not in path]
    for suffix, library in _SUFFIX_LIBRARIES:
        if any(path.endswith(suffix) for path in roots):
            return library
    return None


def transformers_summary(config: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The part of a `config.json` that the Hub's model info shows as `config`, bounded."""
    summary: dict[str, JsonValue] = {}
    architectures = _architectures(config)
    if architectures:
        summary["architectures"] = list[JsonValue](architectures)
    for key in ("model_type", "torch_dtype", "dtype"):
        text = _text(config.get(key))
        if text is not None:
            summary[key] = text
    quantization = config.get("quantization_config")
    if isinstance(quantization, dict):
        summary["quantization_config"] = _scalars(quantization)
    return summary


def task_of(library: str | None, config: dict[str, JsonValue] | None) -> str | None:
    """The task of a model whose card names none, from its library and its architecture."""
    if library == "sentence-transformers":
        return "sentence-similarity"
    if config is None or library == "peft":
        return None
    return task_from_architectures(_architectures(config))


def tags_from_files(paths: Collection[str], config: dict[str, JsonValue] | None = None) -> list[str]:
    """Tags that files and configuration give a model repo, without repetition, in a fixed order."""
    tags: dict[str, None] = {}
    for tag in (*_file_tags(paths), *_config_tags(config or {})):
        tags.setdefault(tag)
    return list(tags)


def _library_from_config(config: dict[str, JsonValue]) -> str | None:
    if _text(config.get("model_type")) or _architectures(config):
        return "transformers"
    if _text(config.get("architecture")) and "pretrained_cfg" in config:
        return "timm"
    if _text(config.get("_class_name")) and "_diffusers_version" in config:
        return "diffusers"
    return None


def _file_tags(paths: Collection[str]) -> list[str]:
    found: set[str] = set()
    for _, path in zip(range(_MAX_PATHS), paths, strict=False):
        name = path.rsplit("/", 1)[-1].lower()
        found.update(tag for suffix, tag in _SUFFIX_TAGS if name.endswith(suffix))
        if name.endswith(_TORCH_SUFFIXES) or (name.endswith(".bin") and name.startswith(_TORCH_BIN_PREFIXES)):
            found.add("pytorch")
        if name.startswith(_TENSORBOARD):
            found.add("tensorboard")
    return sorted(found)


def _config_tags(config: dict[str, JsonValue]) -> Iterator[str]:
    model_type = _text(config.get("model_type"))
    if model_type:
        yield model_type
    quantization = config.get("quantization_config")
    if isinstance(quantization, dict):
        method = _text(quantization.get("quant_method"))
        bits = quantization.get("bits")
        if quantization.get("load_in_4bit") is True or bits == 4:
            yield "4-bit"
        if quantization.get("load_in_8bit") is True or bits == 8:
            yield "8-bit"
        if method:
            yield method
    if isinstance(config.get("auto_map"), dict):
        yield "custom_code"


def _architectures(config: dict[str, JsonValue]) -> list[str]:
    value = config.get("architectures")
    listed = value[:_MAX_LIST] if isinstance(value, list) else []
    return [text for text in map(_text, listed) if text is not None]


def _scalars(quantization: dict[str, JsonValue]) -> dict[str, JsonValue]:
    kept: dict[str, JsonValue] = {}
    for key in _QUANTIZATION_KEYS:
        value = quantization.get(key)
        if isinstance(value, bool | int) or _text(value) is not None:
            kept[key] = value
    return kept


def _text(value: JsonValue) -> str | None:
    """A text fit for a tag: short, printable, and not empty."""
    if isinstance(value, str) and 0 < len(value) <= _MAX_CHARS and value.isprintable():
        return value
    return None
