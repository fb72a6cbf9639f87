"""Readers of file formats: bytes in, facts out.

No database, no network, nothing uploaded is run. Each reader is bounded in memory, time and depth, and raises
a subclass of `Malformed` that says which rule was broken.
"""

from allmende.formats.card_rules import CardReport, validate
from allmende.formats.card_tags import arxiv_ids, library_of, pipeline_tag_of, tags_of
from allmende.formats.cards import Card, parse_card
from allmende.formats.config import library_from_files, tags_from_files, task_of, transformers_summary
from allmende.formats.errors import (
    Malformed,
    MalformedCard,
    MalformedGguf,
    MalformedJson,
    MalformedNpy,
    MalformedOnnx,
    MalformedPathRules,
    MalformedPickle,
    MalformedPointer,
    MalformedSafetensors,
    MalformedTorch,
    MalformedZip,
)
from allmende.formats.ggml_types import GGML_TYPES, GgmlType
from allmende.formats.gguf import ArraySummary, GgufHeader, GgufLimits, GgufTensor, GgufValue, read_gguf
from allmende.formats.gitattributes import DEFAULT_GITATTRIBUTES, GitAttributes, parse_gitattributes
from allmende.formats.gitignore import GitIgnore, parse_gitignore
from allmende.formats.hub_vocabulary import BASE_MODEL_RELATIONS, LICENSES, SPACE_SDKS, TASKS
from allmende.formats.identify import HEAD_BYTES, identify, identify_file
from allmende.formats.kinds import Format
from allmende.formats.npy import MAX_NPY_HEADER_BYTES, NpyArray, read_npy
from allmende.formats.onnx_initializers import ExternalData, OnnxInitializer, read_onnx_initializers
from allmende.formats.pointer import (
    MAX_POINTER_BYTES,
    Pointer,
    find_pointer,
    looks_like_pointer,
    parse_pointer,
    write_pointer,
)
from allmende.formats.safetensors import MAX_HEADER_BYTES, SafetensorsHeader, Tensor, read_header
from allmende.formats.strict_json import JsonObject, JsonValue, read_json, read_json_object
from allmende.formats.tasks import task_from_architectures
from allmende.formats.torch_checkpoint import TorchTensor, read_torch_checkpoint
from allmende.formats.zip_directory import ZipEntry, stored_start
from allmende.formats.zip_directory import read_directory as read_zip_directory

__all__ = [
    "BASE_MODEL_RELATIONS",
    "DEFAULT_GITATTRIBUTES",
    "GGML_TYPES",
    "HEAD_BYTES",
    "LICENSES",
    "MAX_HEADER_BYTES",
    "MAX_NPY_HEADER_BYTES",
    "MAX_POINTER_BYTES",
    "SPACE_SDKS",
    "TASKS",
    "ArraySummary",
    "Card",
    "CardReport",
    "ExternalData",
    "Format",
    "GgmlType",
    "GgufHeader",
    "GgufLimits",
    "GgufTensor",
    "GgufValue",
    "GitAttributes",
    "GitIgnore",
    "JsonObject",
    "JsonValue",
    "Malformed",
    "MalformedCard",
    "MalformedGguf",
    "MalformedJson",
    "MalformedNpy",
    "MalformedOnnx",
    "MalformedPathRules",
    "MalformedPickle",
    "MalformedPointer",
    "MalformedSafetensors",
    "MalformedTorch",
    "MalformedZip",
    "NpyArray",
    "OnnxInitializer",
    "Pointer",
    "SafetensorsHeader",
    "Tensor",
    "TorchTensor",
    "ZipEntry",
    "arxiv_ids",
    "find_pointer",
    "identify",
    "identify_file",
    "library_from_files",
    "library_of",
    "looks_like_pointer",
    "parse_card",
    "parse_gitattributes",
    "parse_gitignore",
    "parse_pointer",
    "pipeline_tag_of",
    "read_gguf",
    "read_header",
    "read_json",
    "read_json_object",
    "read_npy",
    "read_onnx_initializers",
    "read_torch_checkpoint",
    "read_zip_directory",
    "stored_start",
    "tags_from_files",
    "tags_of",
    "task_from_architectures",
    "task_of",
    "transformers_summary",
    "validate",
    "write_pointer",
]
