"""The kinds of files that are told apart: their names, media types, and the suffixes that promise them."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MEDIA_TYPES", "Format", "expected_names"]


@dataclass(frozen=True, slots=True)
class Format:
    """What a file is, by its content.

    `detail` says more where more is known (a pickle's protocol, the parts of a zip). `name_disagrees` is
    true where the file's name promises something else, which is worth a second look.
    """

    name: str
    media_type: str
    detail: str = ""
    name_disagrees: bool = False


MEDIA_TYPES: Mapping[str, str] = {
    "7z": "application/x-7z-compressed",
    "arrow": "application/vnd.apache.arrow.file",
    "arrow_stream": "application/vnd.apache.arrow.stream",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "bzip2": "application/x-bzip2",
    "csv": "text/csv",
    "elf": "application/x-elf",
    "empty": "application/x-empty",
    "flac": "audio/flac",
    "gguf": "application/x-gguf",
    "gif": "image/gif",
    "git_lfs_pointer": "application/vnd.git-lfs",
    "gzip": "application/gzip",
    "hdf5": "application/x-hdf5",
    "heic": "image/heic",
    "html": "text/html",
    "ico": "image/vnd.microsoft.icon",
    "java_class": "application/java-vm",
    "jpeg": "image/jpeg",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "keras": "application/x-keras",
    "macho": "application/x-mach-binary",
    "markdown": "text/markdown",
    "matroska": "video/x-matroska",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "npy": "application/x-npy",
    "npz": "application/x-npz",
    "ogg": "audio/ogg",
    "onnx": "application/x-onnx",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "pe": "application/vnd.microsoft.portable-executable",
    "pickle": "application/x-pickle",
    "png": "image/png",
    "python": "text/x-python",
    "safetensors": "application/x-safetensors",
    "shell": "text/x-shellscript",
    "sqlite": "application/vnd.sqlite3",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tensorflow": "application/x-tensorflow",
    "text": "text/plain",
    "tflite": "application/x-tflite",
    "tiff": "image/tiff",
    "torch_zip": "application/x-torch",
    "unknown": "application/octet-stream",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "webp": "image/webp",
    "xml": "application/xml",
    "xz": "application/x-xz",
    "yaml": "application/yaml",
    "zip": "application/zip",
    "zstd": "application/zstd",
}

_TEXTS = frozenset(
    {"text", "markdown", "yaml", "python", "shell", "html", "xml", "svg", "csv", "json", "jsonl"}
)
_TORCH = frozenset({"torch_zip", "pickle", "tar"})

_SUFFIXES: Mapping[str, frozenset[str]] = {
    "7z": frozenset({"7z"}),
    "arrow": frozenset({"arrow", "arrow_stream"}),
    "avif": frozenset({"avif"}),
    "bmp": frozenset({"bmp"}),
    "bz2": frozenset({"bzip2"}),
    "ckpt": _TORCH | {"unknown"},
    "csv": _TEXTS,
    "exe": frozenset({"pe"}),
    "feather": frozenset({"arrow"}),
    "flac": frozenset({"flac"}),
    "gguf": frozenset({"gguf"}),
    "gif": frozenset({"gif"}),
    "gz": frozenset({"gzip"}),
    "h5": frozenset({"hdf5", "keras"}),
    "hdf5": frozenset({"hdf5", "keras"}),
    "heic": frozenset({"heic"}),
    "htm": _TEXTS,
    "html": _TEXTS,
    "ico": frozenset({"ico"}),
    "jpeg": frozenset({"jpeg"}),
    "jpg": frozenset({"jpeg"}),
    "json": frozenset({"json", "jsonl"}),
    "jsonl": frozenset({"jsonl", "json"}),
    "keras": frozenset({"keras"}),
    "md": _TEXTS,
    "mp3": frozenset({"mp3"}),
    "mp4": frozenset({"mp4"}),
    "npy": frozenset({"npy"}),
    "npz": frozenset({"npz"}),
    "ogg": frozenset({"ogg"}),
    "onnx": frozenset({"onnx"}),
    "parquet": frozenset({"parquet"}),
    "pdf": frozenset({"pdf"}),
    "pickle": frozenset({"pickle"}),
    "pkl": frozenset({"pickle"}),
    "png": frozenset({"png"}),
    "pt": _TORCH,
    "pth": _TORCH,
    "py": _TEXTS,
    "safetensors": frozenset({"safetensors"}),
    "sh": _TEXTS,
    "svg": _TEXTS,
    "tar": frozenset({"tar"}),
    "tflite": frozenset({"tflite"}),
    "tgz": frozenset({"gzip"}),
    "tif": frozenset({"tiff"}),
    "tiff": frozenset({"tiff"}),
    "toml": _TEXTS,
    "tsv": _TEXTS,
    "txt": _TEXTS,
    "wasm": frozenset({"wasm"}),
    "wav": frozenset({"wav"}),
    "webp": frozenset({"webp"}),
    "xml": _TEXTS,
    "xz": frozenset({"xz"}),
    "yaml": _TEXTS,
    "yml": _TEXTS,
    "zip": frozenset({"zip", "torch_zip", "npz", "keras"}),
    "zst": frozenset({"zstd"}),
}
# A `.bin` may hold anything, but these names are torch's.
_TORCH_BIN_PREFIXES = (
    "pytorch_model",
    "adapter_model",
    "diffusion_pytorch_model",
    "optimizer",
    "training_args",
)


def expected_names(file_name: str) -> frozenset[str] | None:
    """The formats that a file of this name may have; None where the name promises nothing."""
    base = file_name.rsplit("/", 1)[-1].lower()
    stem, dot, suffix = base.rpartition(".")
    if not dot:
        return None
    if suffix == "bin" and stem.startswith(_TORCH_BIN_PREFIXES):
        return _TORCH
    return _SUFFIXES.get(suffix)
