"""Configurations of Keras models: every layer, function and class that they make is on a list, or is found.

Keras turns the nested objects `{"module", "class_name", "config", "registered_name"}` back into Python
objects. The list (`keras_names.json`) holds the classes of Keras 2 and 3 that only compute.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from allmende.formats import JsonValue, MalformedJson, read_json
from allmende.scan.code.text_reader import text_of
from allmende.scan.findings import Rule, Severity
from allmende.scan.graphs.tensorflow_operators import FILE_OPERATORS
from allmende.scan.pickles.allow_list import is_standard_library
from allmende.scan.scanning import LIMIT_REACHED, Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES", "examine_keras_config", "is_keras_config"]

LAMBDA = Rule(
    "keras-lambda",
    Severity.CRITICAL,
    "a layer of program code",
    "A Lambda layer carries Python bytecode, or names a function, and runs it when the model is loaded "
    "or used.",
    "Write the layer as a class, or use the layers of Keras.",
    "CVE-2024-3660, CVE-2025-9906.",
)
REFUSED_OBJECT = Rule(
    "keras-refused-object",
    Severity.CRITICAL,
    "makes what is no part of a model",
    "The configuration names a function or class that is no layer of Keras; Keras imports it and calls "
    "it with arguments from the file.",
    "Save the model again from layers of Keras.",
    "CVE-2025-1550, CVE-2025-8747.",
)
CUSTOM_OBJECT = Rule(
    "keras-custom-object",
    Severity.MEDIUM,
    "needs a class from outside",
    "A layer or function of the model is not part of Keras and must be supplied by the program that "
    "loads it.",
    "Say in the card where the code is.",
    "Keras documentation, custom objects.",
)
LOADS_FILE = Rule(
    "keras-loads-file",
    Severity.CRITICAL,
    "a layer that reads a file or an address",
    "A layer takes its vocabulary or its weights from a path or an address that the configuration names.",
    "Save the vocabulary inside the model.",
    "CVE-2025-12058, CVE-2025-12060.",
)
UNSAFE_MODE = Rule(
    "keras-unsafe-mode",
    Severity.CRITICAL,
    "switches the safe mode off",
    "The configuration asks Keras to make objects that it would otherwise refuse.",
    "Remove the entry.",
    "Keras documentation, safe_mode.",
)
RULES = (LAMBDA, REFUSED_OBJECT, CUSTOM_OBJECT, LOADS_FILE, UNSAFE_MODE)

_NAMES_FILE: Final = Path(__file__).with_name("keras_names.json")
_FAMILY_ROOTS: Final = frozenset(("keras_hub", "keras_nlp", "keras_cv"))
_ROOTS: Final = frozenset(
    ("keras", "tf_keras", "tensorflow", "keras_hub", "keras_nlp", "keras_cv", "keras_core")
)
_TOP: Final = frozenset(("Sequential", "Functional", "Model"))
_MODEL_KEYS: Final = frozenset(
    ("module", "class_name", "config", "registered_name", "build_config", "compile_config", "backend",
     "keras_version", "name", "shared_object_id", "assets", "weights", "metadata", "preprocessor")
)  # fmt: skip
_OF_TENSORFLOW: Final = frozenset(
    (
        "TFOpLambda",
        "SlicingOpLambda",
        "TensorFlowOpLayer",
        "ClassMethod",
        "InstanceMethod",
        "InstanceProperty",
    )
)
_RUNNING: Final = frozenset(
    ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
)
_FILE_KEYS: Final = frozenset(
    (
        "vocabulary",
        "filepath",
        "file_path",
        "path",
        "url",
        "origin",
        "weights",
        "checkpoint_path",
        "proto",
        "vocabulary_path",
        "merges",
        "idf_weights",
        "model_path",
    )
)
_ALWAYS_FILES: Final = frozenset(("vocabulary", "idf_weights"))  # a text there is a path, whatever it is
_LOOKS_LIKE_PATH: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]*://|[/\\~]|\.\.|\.[a-z0-9]{1,5}$")
_MARKERS: Final = frozenset(
    (
        "__tensor__",
        "__numpy__",
        "__ellipsis__",
        "__tuple__",
        "__slice__",
        "__passive_serialization__",
        "__keras_tensor__",
        "__bytes__",
        "__complex__",
    )
)
_BUILTIN_DATA: Final = frozenset(
    ("int", "float", "str", "bool", "list", "dict", "tuple", "set", "bytes", "slice", "NoneType", "dtype")
)
_SPECS: Final = frozenset(
    ("TensorSpec", "RaggedTensorSpec", "SparseTensorSpec", "IndexedSlicesSpec", "VariableSpec",
     "NoneTensorSpec", "OptionalSpec", "TensorArraySpec", "KerasTensor", "DatasetSpec")
)  # fmt: skip
_SIZE_KEYS: Final = frozenset(
    ("units", "filters", "input_dim", "output_dim", "key_dim", "value_dim", "num_heads", "n", "padding",
     "vocabulary_size", "hidden_dim", "intermediate_dim", "target_shape", "batch_shape", "batch_input_shape")
)  # fmt: skip
_MAX_SIZE: Final = 10**9
_MAX_WEIGHTS: Final = 10**13
_CLASS_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]*")
_REACHING_OUT: Final = re.compile(
    r"(?:^|\.)(?:io\.(?!decode|parse|serialize|encode)|saved_model|py_func|numpy_function|load_\w*library"
    r"|data\.|train\.|summary\.|debugging\.|raw_ops\.|keras\.|distribute\.|gfile|read_file|write_file"
    r"|matching_files|WholeFileReader|__(?!operators__))"
)
_MAX_PATH_CHARS: Final = 300
_MAX_WRAPPED_CHARS: Final = 256 * 1024 * 1024
_MAX_DEPTH: Final = 300


@cache
def _names() -> frozenset[str]:
    return frozenset(json.loads(_NAMES_FILE.read_text("utf-8"))["names"])


def is_keras_config(value: JsonValue) -> bool:
    """Whether a JSON document is the configuration of a Keras model."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("class_name"), str)
        and "config" in value
        and (value["class_name"] in _TOP or value["class_name"] in _RUNNING or not value.keys() - _MODEL_KEYS)
    )


def examine_keras_config(value: JsonValue, scan: Scan, inside: str = "") -> None:
    """Find what the configuration makes beyond the layers of Keras."""
    for path, owner in _objects(value, inside):
        if "class_name" in owner:
            _examine_object(owner, scan, path)
        elif isinstance(owner.get("function"), list) and owner["function"]:
            scan.found(LAMBDA, "function", inside=path)
        _examine_size(owner, scan, path)
        if owner.get("safe_mode") is False or owner.get("enable_unsafe_deserialization") is True:
            scan.found(UNSAFE_MODE, "safe_mode", inside=path)
        for key in _FILE_KEYS & owner.keys():
            text = owner[key]
            if isinstance(text, str) and text and (key in _ALWAYS_FILES or _LOOKS_LIKE_PATH.search(text)):
                scan.found(LOADS_FILE, f"{key}: {text}", inside=path)


def _examine_size(config: Mapping[str, JsonValue], scan: Scan, path: str) -> None:
    """Layers whose weights no machine holds."""
    told = [config[key] for key in sorted(_SIZE_KEYS & config.keys())]
    numbers = [number for value in told for number in (value if isinstance(value, list) else [value])]
    sizes = [number for number in numbers if isinstance(number, int)]
    if any(number > _MAX_SIZE for number in sizes) or math.prod(sizes or [0]) > _MAX_WEIGHTS:
        scan.found(LIMIT_REACHED, f"a layer of {' x '.join(map(str, sizes[:8]))} numbers", inside=path)


def _objects(value: JsonValue, inside: str) -> Iterator[tuple[str, Mapping[str, JsonValue]]]:
    waiting: list[tuple[str, JsonValue]] = [(inside, value)]
    while waiting:
        path, inner = waiting.pop()
        if isinstance(inner, dict):
            yield path, inner
            waiting += [
                (f"{path}.{key}"[-_MAX_PATH_CHARS:].lstrip("."), item)
                for key, item in inner.items()
                if isinstance(item, (dict, list))
            ]
        elif isinstance(inner, list):
            waiting += [
                (f"{path}.{number}"[-_MAX_PATH_CHARS:].lstrip("."), item)
                for number, item in enumerate(inner)
                if isinstance(item, (dict, list))
            ]


def _examine_object(owner: Mapping[str, JsonValue], scan: Scan, path: str) -> None:
    name, module, registered = owner.get("class_name"), owner.get("module"), owner.get("registered_name")
    if not isinstance(name, str) or name in _MARKERS:
        return
    if name in _RUNNING:
        scan.found(LAMBDA if "ambda" in name else REFUSED_OBJECT, name, inside=path)
        _unwrap(owner, scan, path)
        return
    if name == "__typespec__":
        _examine_spec(owner, scan, path)
    elif name in _OF_TENSORFLOW:
        _examine_operation(owner, scan, path)
    elif isinstance(module, str) and module:
        _examine_module(module, name, owner, registered, scan, path)
    elif name == "function" and isinstance(owner.get("config"), str):
        _examine_name(str(owner["config"]), scan, path)
    else:
        _examine_name(name, scan, path)


def _examine_spec(owner: Mapping[str, JsonValue], scan: Scan, path: str) -> None:
    """The description of a tensor: its class is imported by name, too."""
    name, module = owner.get("spec_name"), owner.get("module")
    root = module.partition(".")[0] if isinstance(module, str) else ""
    if name not in _SPECS or root not in _ROOTS:
        scan.found(REFUSED_OBJECT, f"{module}.{name}", inside=path)


def _examine_operation(owner: Mapping[str, JsonValue], scan: Scan, path: str) -> None:
    """A layer made of one operator of TensorFlow, which it names in its configuration."""
    config = owner.get("config")
    told = config if isinstance(config, dict) else {}
    function = told.get("function", told.get("symbol"))
    node = json.dumps(told.get("node_def"))
    if isinstance(function, str) and _REACHING_OUT.search(function):
        scan.found(REFUSED_OBJECT, function, inside=path)
    for operator in sorted(FILE_OPERATORS & set(re.findall(r"\w+", node))):
        scan.found(REFUSED_OBJECT, operator, inside=path)


def _examine_module(
    module: str, name: str, owner: Mapping[str, JsonValue], registered: JsonValue, scan: Scan, path: str
) -> None:
    root = module.partition(".")[0]
    shown = f"{module}.{name}"
    if module == "builtins":
        config = owner.get("config")
        if name in {"function", "builtin_function_or_method"} and isinstance(config, str):
            custom = isinstance(registered, str) and ">" in registered
            _examine_name(config, scan, path, custom=custom)
        elif name not in _BUILTIN_DATA:
            scan.found(REFUSED_OBJECT, shown, inside=path)
        return
    if root in _ROOTS:
        config = owner.get("config")
        if name == "function" and isinstance(config, str):
            name, shown = config, f"{module}.{config}"
        is_class = _CLASS_NAME.fullmatch(name) is not None
        if name not in _names() and not (is_class and root in _FAMILY_ROOTS):
            scan.found(CUSTOM_OBJECT if is_class else REFUSED_OBJECT, shown, inside=path)
        return
    known_danger = is_standard_library(root) or name.startswith("_") or "__" in module or name[:1].islower()
    named = isinstance(registered, str) and bool(registered)
    scan.found(REFUSED_OBJECT if known_danger or not named else CUSTOM_OBJECT, shown, inside=path)


_OF_PYTHON: Final = frozenset(
    ("eval", "exec", "compile", "open", "getattr", "setattr", "globals", "system", "popen")
)
"""Functions of Python itself that are no part of a network under any name."""


def _examine_name(name: str, scan: Scan, path: str, *, custom: bool = False) -> None:
    """A class or function told by its bare name, which Keras looks up among its own and the user's."""
    bare = name.rpartition(">")[2]
    if bare in _names() and not custom:
        return
    if (is_standard_library(name.partition(".")[0]) and "." in name) or "__" in name or bare in _OF_PYTHON:
        scan.found(REFUSED_OBJECT, name, inside=path)
    else:
        scan.found(CUSTOM_OBJECT, name, inside=path)


def _unwrap(owner: Mapping[str, JsonValue], scan: Scan, path: str) -> None:
    """A wrapped torch module is a torch file in base 64: it is looked into as well."""
    config = owner.get("config")
    wrapped = config.get("module") if isinstance(config, dict) else None
    if isinstance(wrapped, dict):
        wrapped = wrapped.get("config")
    if isinstance(wrapped, str) and len(wrapped) <= _MAX_WRAPPED_CHARS:
        try:
            data = base64.b64decode(wrapped, validate=True)
        except (binascii.Error, ValueError):
            return
        scan.inside(f"{path}.module", Source.of_bytes(data), hint="torch", raw=True)


def _claims(probe: Probe) -> Claim:
    return Claim.CONTENT if probe.hint == "keras-config" else Claim.NONE  # an archive told what it is


def _read(source: Source, scan: Scan) -> None:
    """The `config.json` of a Keras archive. Raises Unreadable, LimitReached."""
    data = text_of(source, scan).encode()
    try:
        value = read_json(data, len(data), _MAX_DEPTH)
    except MalformedJson as error:
        raise Unreadable(error.message) from None
    examine_keras_config(value, scan)


READER = Reader("keras config", "text", _claims, _read)
