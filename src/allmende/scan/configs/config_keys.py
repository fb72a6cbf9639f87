"""Keys that make a loader act, wherever they stand in a configuration, be it JSON, YAML or TOML."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final

from allmende.formats import JsonValue
from allmende.scan.code.skops_schema import SKOPS_KEY, examine_skops_node
from allmende.scan.configs.config_pickles import (
    FILTER_KEYS,
    SERIALIZED_KEY,
    examine_filters,
    examine_serialized,
)
from allmende.scan.configs.config_programs import examine_programs
from allmende.scan.configs.config_rules import (
    CUSTOM_CODE,
    EXTENSION_LIBRARY,
    FOREIGN_CODE,
    INSTALL_SCRIPT,
    OBJECT_TAG,
    OUTSIDE_LABEL,
    OUTSIDE_PATH,
    PICKLED_DATA,
    REFUSED_TARGET,
    REMOTE_KERNEL,
    UNKNOWN_TARGET,
)
from allmende.scan.configs.config_texts import examine_texts
from allmende.scan.configs.named_files import examine_named_files
from allmende.scan.configs.targets import is_dotted, is_own_module, rule_of_target
from allmende.scan.configs.text_growth import replaced_growth
from allmende.scan.containers.member_paths import is_outside
from allmende.scan.graphs.keras_config import examine_keras_config, is_keras_config
from allmende.scan.pickles.allow_list import is_standard_library
from allmende.scan.scanning import LIMIT_REACHED, Scan
from allmende.scan.templates import examine_template, is_template_key

__all__ = ["examine_config"]

_MAX_PATH_CHARS: Final = 300
_MAX_VALUES: Final = 5_000_000
_URL: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]{1,20}:(?://|/)|data:|\\\\|//")
_SENSITIVE: Final = re.compile(
    r"^/(?:etc|proc|dev|sys|var|usr|bin|sbin|boot|lib)(?:/|$)|(?i:[a-z]:[\\/](?:windows|programdata|system32))|(?:^|/)\.(?:ssh|aws|bashrc|profile|netrc|kube|docker)"
)
_CODE_KEYS: Final = frozenset(
    ("auto_map", "custom_pipelines", "trust_remote_code", "custom_generate", "custom_pipeline")
)
_FILE_KEYS: Final = frozenset(
    ("vocab_file", "merges_file", "spm_file", "sentencepiece_model_file", "tokenizer_file", "model_file",
     "weights_file",
     "state_dict_path", "external_data", "vocab_path", "merges_path", "bpe_path", "checkpoint_file",
     "filename", "file",
     "source_spm", "target_spm", "vocab", "weights_path", "tokenizer_model", "external_data_location",
     "chat_template_file",
     "processor_file", "normalizer_file", "emoji_file", "data_file", "resource", "model_filename",
     "adapter_file", "lora_path")
)  # fmt: skip
_LABEL_KEYS: Final = frozenset(
    ("tokenizer_file", "special_tokens_map_file", "name_or_path", "_name_or_path",
     "base_model_name_or_path", "vocab_file",
     "merges_file", "vocab", "file", "filename", "resource")
)  # fmt: skip
_CODE_FILES: Final = (
    ".pkl",
    ".pickle",
    ".pk",
    ".dill",
    ".joblib",
    ".py",
    ".pyc",
    ".so",
    ".dll",
    ".sh",
    ".npy",
)
_MAP_KEYS: Final = frozenset(("weight_map", "weights_map", "tensor_map"))
_LIBRARY_KEYS: Final = frozenset(
    ("custom_ops", "custom_op_library", "custom_ops_library", "register_custom_ops_library", "library_path",
     "plugin_path",
     "plugins", "extension_library", "so_path", "shared_library", "delegate_library", "custom_op_libraries",
     "ep_library")
)  # fmt: skip
_KERNEL_KEYS: Final = frozenset(("use_kernels", "kernel_config", "kernels", "hub_kernels", "kernel_mapping"))
_LIBRARY: Final = re.compile(r"[/\\]|\.(?:so|dll|dylib|py|pyd|tar|whl)\b")
_OBJECT_KEYS: Final = frozenset(
    ("py/object", "py/reduce", "py/function", "py/type", "py/module", "py/repr", "py/newargs",
     "py/newargsex", "py/state",
     "py/iterator", "py/bytes", "py/b64", "__reduce__", "__reduce_ex__", "__pickle__", "__jsonclass__",
     "$type")
)  # fmt: skip
_ONLY_WITH_OBJECT: Final = frozenset(("py/bytes", "py/b64", "py/state", "$type"))
_TARGET_KEYS: Final = frozenset(
    ("_target_", "__target__", "_class_path_", "class_path", "loader_module", "python_callable")
)
_LOOSE_TARGET_KEYS: Final = frozenset(("target", "cls", "class", "callable", "factory"))
_INSTALL_KEYS: Final = frozenset(("preinstall", "install", "postinstall", "prepare", "prepublish"))
_MAX_GROWTH: Final = 10_000
_ADAPTED_LIBRARIES: Final = frozenset(
    (
        "transformers",
        "diffusers",
        "peft",
        "sentence_transformers",
        "timm",
        "torch",
        "torchvision",
        "open_clip",
    )
)
_PIPELINE_LIBRARIES: Final = frozenset(
    ("diffusers", "transformers", "onnxruntime", "optimum", "peft", "k_diffusion", "stable_diffusion",
     "paint_by_example",
     "stable_diffusion_safe", "versatile_diffusion", "unidiffuser", "audioldm2", "latent_diffusion", "flax",
     "kandinsky",
     "deepfloyd_if", "wuerstchen", "shap_e", "blip_diffusion", "musicldm", "stable_audio", "pixart_alpha",
     "hunyuandit",
     "semantic_stable_diffusion", "stable_cascade", "ledits_pp", "animatediff", "kolors", "openvino",
     "torchvision", "tokenizers",
     "sentence_transformers", "controlnet", "flux", "cogvideo", "ltx", "hunyuan_video", "sana",
     "spectrogram_diffusion",
     "stable_diffusion_xl", "vq_diffusion", "audio_diffusion", "bria", "chroma", "wan", "lumina", "lumina2",
     "omnigen")
)  # fmt: skip


_KEYS: Final = (
    _FILE_KEYS | _MAP_KEYS | _LIBRARY_KEYS | _KERNEL_KEYS | _OBJECT_KEYS | _TARGET_KEYS | _LOOSE_TARGET_KEYS
) | {"auto_map", "custom_pipelines", "trust_remote_code", "special_tokens_map_file", "attn_implementation",
     "_attn_implementation", "auto_mapping", "custom_generate", "custom_pipeline", SKOPS_KEY, SERIALIZED_KEY,
     *FILTER_KEYS}  # fmt: skip


def examine_config(value: JsonValue, scan: Scan) -> None:
    """Find what a configuration makes its loader do. `value` is bounded in depth already."""
    topology = value.get("modelTopology") if isinstance(value, dict) else None  # of TensorFlow.js
    for config in (value, topology, topology.get("model_config") if isinstance(topology, dict) else None):
        if is_keras_config(config):
            examine_keras_config(config, scan)
    _examine_document(value, scan)
    for path, key, inner, owner in _pairs(value):
        _examine_pair(path, key, inner, owner, scan)
    examine_programs(value, scan)
    examine_texts(value, scan)


Pair = tuple[str, str, JsonValue, Mapping[str, JsonValue]]


def _pairs(value: JsonValue) -> Iterator[Pair]:
    """Every key that matters, with its value, its path, and the object that it stands in."""
    waiting: list[tuple[str, JsonValue]] = [("", value)]
    count = 0
    while waiting and count < _MAX_VALUES:
        path, inner = waiting.pop()
        count += 1
        if isinstance(inner, dict):
            for key in sorted(key for key in inner if _plain(key) in _KEYS or is_template_key(key)):
                yield _under(path, key), _plain(key), inner[key], inner
            waiting += [
                (_under(path, key), item) for key, item in inner.items() if isinstance(item, (dict, list))
            ]
        elif isinstance(inner, list):
            waiting += [
                (_under(path, str(number)), item)
                for number, item in enumerate(inner)
                if isinstance(item, (dict, list))
            ]


def _plain(key: str) -> str:
    """The key without the number by which `json_reader` tells repeated ones apart."""
    return key.partition("#")[0] if "#" in key else key


def _under(path: str, key: str) -> str:
    return (f"{path}.{key}" if path else key)[:_MAX_PATH_CHARS]


def _texts(value: JsonValue) -> Iterator[str]:
    """All texts in a value, at any depth."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, dict):
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner


def _examine_pair(path: str, key: str, value: JsonValue, owner: Mapping[str, JsonValue], scan: Scan) -> None:
    if is_template_key(key):
        _examine_templates(value, scan, path)
    elif key in _CODE_KEYS:
        _examine_code(path, key, value, scan)
    elif key == SKOPS_KEY:
        examine_skops_node(owner, scan)
    elif key == SERIALIZED_KEY or key in FILTER_KEYS:
        (examine_serialized if key == SERIALIZED_KEY else examine_filters)(value, scan, path)
    elif key in _MAP_KEYS and isinstance(value, dict):
        _examine_map(value, scan, path)
    elif key in _FILE_KEYS or key == "special_tokens_map_file":
        for text in _texts(value):
            _examine_path(key, text, scan, path)
    elif key in _TARGET_KEYS or (key in _LOOSE_TARGET_KEYS and ({"params", "kwargs", "args"} & owner.keys())):
        _examine_target(value, scan, path, loose=key in _LOOSE_TARGET_KEYS)
        _examine_pipeline_code(value, owner, scan, path)
    elif key in _OBJECT_KEYS and _describes_object(key, value, owner):
        scan.found(OBJECT_TAG, f"{key}: {value}", inside=path)
    elif key in _LIBRARY_KEYS and any(_LIBRARY.search(text) for text in _texts(value)):
        outside = [text for text in _texts(value) if _climbs_out(text)]
        scan.found(OUTSIDE_PATH if outside else EXTENSION_LIBRARY, f"{key}: {value}", inside=path)
    else:
        _examine_kernels(path, key, value, scan)


def _examine_code(path: str, key: str, value: JsonValue, scan: Scan) -> None:
    """Code of this repository, or of another one."""
    if key in {"auto_map", "custom_pipelines"}:
        _examine_code_map(value, scan, path)
    elif key == "trust_remote_code" and value is True:
        scan.found(CUSTOM_CODE, "trust_remote_code", inside=path)
    elif key.startswith("custom_") and isinstance(value, str) and "/" in value:
        scan.found(FOREIGN_CODE, f"{key}: {value}", inside=path)


def _describes_object(key: str, value: JsonValue, owner: Mapping[str, JsonValue]) -> bool:
    """Whether a key of jsonpickle and its like is one; skops keeps trees under one of the same name."""
    if key in _ONLY_WITH_OBJECT:
        return "py/object" in owner
    tree = key == "__reduce__" and SKOPS_KEY in owner and isinstance(value, dict)
    return not (tree and isinstance(value, dict) and value.keys() == {"args"})


def _climbs_out(text: str) -> bool:
    """Whether a library is fetched, or lies where no installation of the reader would put it."""
    return _URL.match(text) is not None or (is_outside(text) and not text.startswith("/"))


def _examine_templates(value: JsonValue, scan: Scan, path: str) -> None:
    """A template, templates by name, or a list of `{"name", "template"}`."""
    if isinstance(value, str):
        examine_template(value, scan, path)
    elif isinstance(value, dict):
        for name, text in value.items():
            if isinstance(text, str) and name != "name":
                examine_template(text, scan, f"{path}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _examine_templates(item, scan, f"{path}.{number}")


def _examine_code_map(value: JsonValue, scan: Scan, path: str) -> None:
    for text in _texts(value):
        _, separator, name = text.rpartition("--")
        scan.found(FOREIGN_CODE if separator else CUSTOM_CODE, text, inside=path)
        module = name.rpartition(".")[0] or name
        if not separator and module:
            file = f"{module.replace('.', '/')}.py"
            if is_outside(file) or "/" in module or ".." in name:
                scan.found(OUTSIDE_PATH, text, inside=path)
            else:
                scan.refers("auto_map", file)


def _examine_map(value: Mapping[str, JsonValue], scan: Scan, path: str) -> None:
    """An index: which file holds which tensor."""
    for text in sorted(set(_texts(dict(value)))):
        if is_outside(text) or _URL.match(text) or "\0" in text or "\\" in text:
            scan.found(OUTSIDE_PATH, text, inside=path)
        elif text:
            if text.lower().endswith(_CODE_FILES):
                scan.found(PICKLED_DATA, text, inside=path)
            scan.refers("index", posixpath.normpath(text))


def _examine_path(key: str, text: str, scan: Scan, path: str) -> None:
    if not (is_outside(text) or _URL.match(text) or "\0" in text):
        return
    own_machine = text.startswith("/") and not _SENSITIVE.search(text) and ".." not in text.split("/")
    windows = (
        re.match(r"[A-Za-z]:[\\/]", text) is not None and ".." not in text and not _SENSITIVE.search(text)
    )
    label = key in _LABEL_KEYS or key == "special_tokens_map_file"
    if key == "special_tokens_map_file" or (label and (own_machine or windows)):
        scan.found(OUTSIDE_LABEL, text, inside=path)
    elif "/" in text or "\\" in text or _URL.match(text) or text.startswith(("~", "..")):
        scan.found(OUTSIDE_PATH, text, inside=path)


def _examine_pipeline_code(target: JsonValue, owner: Mapping[str, JsonValue], scan: Scan, path: str) -> None:
    if "custom_pipeline" in owner:
        scan.found(REFUSED_TARGET, f"{target} with custom_pipeline", inside=path)


def _examine_auto_mapping(value: JsonValue, scan: Scan, path: str) -> None:
    """The class that an adapter is put onto, and the module that is imported for it."""
    library = value.get("parent_library") if isinstance(value, dict) else None
    if isinstance(library, str) and library.partition(".")[0] not in _ADAPTED_LIBRARIES:
        scan.found(CUSTOM_CODE, library, inside=path)


def _examine_target(value: JsonValue, scan: Scan, path: str, *, loose: bool) -> None:
    if not isinstance(value, str) or (loose and not is_dotted(value)):
        return
    own_module = path.endswith("loader_module") and value.isidentifier() and is_own_module(value)
    rule = UNKNOWN_TARGET if own_module else rule_of_target(value, loose=loose)
    if rule is not None:
        scan.found(rule, value, inside=path)


def _examine_kernels(path: str, key: str, value: JsonValue, scan: Scan) -> None:
    if key == "auto_mapping":
        _examine_auto_mapping(value, scan, path)
    elif key in {"attn_implementation", "_attn_implementation"} and isinstance(value, str) and "/" in value:
        scan.found(REMOTE_KERNEL, value, inside=path)
    elif key in _KERNEL_KEYS and value and (value is True or "/" in "".join(_texts(value))):
        scan.found(REMOTE_KERNEL, f"{key}: {value}", inside=path)


def _examine_document(value: JsonValue, scan: Scan) -> None:
    """Documents that are known by their shape as a whole."""
    if isinstance(value, dict):
        scripts = value.get("scripts")
        if "name" in value and isinstance(scripts, dict):
            for name in sorted(_INSTALL_KEYS & scripts.keys() - {"prepare"}):
                scan.found(INSTALL_SCRIPT, f"{name}: {scripts[name]}", inside=f"scripts.{name}")
        if "_diffusers_version" in value or "_class_name" in value:
            _examine_pipeline(value, scan)
        examine_named_files(value, scan)
        for part in ("normalizer", "decoder"):
            if "model" in value and replaced_growth(value.get(part)) > _MAX_GROWTH:
                scan.found(LIMIT_REACHED, f"{part} that lengthens texts", inside=part)
    elif (
        isinstance(value, list)
        and value
        and all(isinstance(item, dict) and {"idx", "type"} <= item.keys() for item in value)
    ):
        for number, item in enumerate(value):
            place = item.get("path") if isinstance(item, dict) else None
            if isinstance(place, str) and (is_outside(place) or _URL.match(place)):
                scan.found(OUTSIDE_PATH, place, inside=f"{number}.path")
            kind = item.get("type") if isinstance(item, dict) else None
            if isinstance(kind, str) and not kind.startswith("sentence_transformers."):
                rule = rule_of_target(kind) or UNKNOWN_TARGET
                scan.found(rule, kind, inside=f"{number}.type")


def _examine_pipeline(value: Mapping[str, JsonValue], scan: Scan) -> None:
    """A pipeline of diffusers: each part is `[library, class]`; an unknown library is a file of the repo."""
    for name, part in value.items():
        if name.endswith("_types"):
            continue  # blocks of a network, by their names
        if isinstance(part, list) and len(part) == 2 and all(isinstance(item, str) for item in part):
            library = str(part[0])
            if is_standard_library(library.partition(".")[0]):
                scan.found(REFUSED_TARGET, f"{name}: {library}.{part[1]}", inside=name)
            elif is_outside(library) or "/" in library or "\\" in library:
                scan.found(OUTSIDE_PATH, f"{name}: {library}.{part[1]}", inside=name)
            elif library.partition(".")[0] not in _PIPELINE_LIBRARIES:
                scan.found(CUSTOM_CODE, f"{name}: {library}.{part[1]}", inside=name)
    kind = value.get("_class_name")
    if isinstance(kind, list) and kind and isinstance(kind[0], str):
        scan.found(CUSTOM_CODE, ".".join(map(str, kind)), inside="_class_name")
