"""Reading a file or a folder as `inspect` does: everything that the files alone say, within bounds.

Files are read one after the other, their headers alone; nothing in them is run. What cannot be read is said
and does not stop the rest. Symbolic links to files are followed (the stock clients' cache consists of them),
links to folders are not.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from allmende.cli.inspection_weights import LISTED_FORMATS, list_tensors
from allmende.errors import AllmendeError, NotFound, TooLarge
from allmende.formats import (
    ArraySummary,
    GgufHeader,
    GgufValue,
    JsonObject,
    JsonValue,
    Malformed,
    SafetensorsHeader,
    identify_file,
    library_from_files,
    library_of,
    parse_card,
    pipeline_tag_of,
    read_gguf,
    read_header,
    read_json_object,
    tags_from_files,
    task_of,
    validate,
)
from allmende.ids import RepoType

__all__ = ["Inspected", "PathMissing", "inspect_file", "list_files", "summarise"]

MAX_FILES = 100_000
MAX_DEPTH = 64
_MAX_LISTED = 100
_MAX_TEXT_CHARS = 16 * 1024
_MAX_CARD_BYTES = 1024 * 1024
_MAX_CONFIG_BYTES = 1024 * 1024
_CARD = "README.md"
_CONFIG = "config.json"


class PathMissing(NotFound):
    """There is nothing to inspect at this path."""

    code = "path_missing"


@dataclass(slots=True)
class Inspected:
    """One file: where it is, what it is, and what its header says. `error` is set where it cannot be read."""

    path: str
    size_bytes: int
    format: str = "unknown"
    media_type: str = "application/octet-stream"
    detail: str = ""
    name_disagrees: bool = False
    headers: JsonObject = field(default_factory=dict)
    error: JsonObject | None = None

    def document(self) -> JsonObject:
        """The file as JSON."""
        found: JsonObject = {
            "path": self.path,
            "size_bytes": self.size_bytes,
            "format": self.format,
            "media_type": self.media_type,
            "detail": self.detail,
            "name_disagrees": self.name_disagrees,
            **self.headers,
        }
        return found if self.error is None else {**found, "error": self.error}


# --- finding files -------------------------------------------------------------------------------------


def list_files(root: Path) -> Iterator[tuple[str, Path]]:
    """The files at or below `root`, as (path relative to it, path on this machine), in the order of names.

    Git's own folder is left out. Raises PathMissing, and TooLarge beyond the bounds.
    """
    if not root.exists():
        raise PathMissing(f"There is nothing at {root}.")
    if not root.is_dir():
        yield root.name, root
        return
    for count, found in enumerate(_walk(root, "", 0)):
        if count >= MAX_FILES:
            raise TooLarge(f"There are more than {MAX_FILES} files in {root}.")
        yield found


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, Path]]:
    if depth >= MAX_DEPTH:
        raise TooLarge(f"The folder {folder} lies more than {MAX_DEPTH} levels deep.")
    with os.scandir(folder) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    for entry in entries:
        # A name need not be text; what stands for its odd bytes must not break what reads the result.
        name = prefix + os.fsencode(entry.name).decode("utf-8", "backslashreplace")
        if entry.is_dir(follow_symlinks=False):
            if entry.name != ".git":
                yield from _walk(Path(entry.path), f"{name}/", depth + 1)
        elif not entry.is_dir():
            yield name, Path(entry.path)


# --- reading a file ------------------------------------------------------------------------------------


def inspect_file(name: str, path: Path, *, with_tensors: bool) -> Inspected:
    """What one file is and says. Never raises for what is in it or for a file that cannot be opened."""
    try:
        reader = _open(path)
    except OSError as error:
        return Inspected(name, 0, error={"error": f"{error.strerror}.", "code": "not_readable"})
    with reader:
        status = os.fstat(reader.fileno())
        if not stat.S_ISREG(status.st_mode):
            return Inspected(
                name, 0, error={"error": "This is no ordinary file.", "code": "not_a_regular_file"}
            )
        inspected = _inspect(name, reader, status.st_size, with_tensors=with_tensors)
    if inspected.format in LISTED_FORMATS:
        _add_tensors(inspected, path, with_tensors=with_tensors)
    return inspected


def _add_tensors(inspected: Inspected, path: Path, *, with_tensors: bool) -> None:
    """These formats hold other things than weights too: one whose tensors cannot be read is not broken."""
    try:
        found = list_tensors(path, with_tensors=with_tensors)
    except AllmendeError as error:
        inspected.headers = {"weights_error": {"error": error.message, "code": error.code}}
    else:
        inspected.headers = {} if found is None else {inspected.format: found}


def _open(path: Path) -> BinaryIO:
    # Opening a named pipe would wait for a writer that may never come.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY), "rb")


def _inspect(name: str, reader: BinaryIO, size_bytes: int, *, with_tensors: bool) -> Inspected:
    found = identify_file(reader, size_bytes, name)
    inspected = Inspected(name, size_bytes, found.name, found.media_type, found.detail, found.name_disagrees)
    summarise_header = _HEADERS.get(found.name)
    if summarise_header is None:
        return inspected
    reader.seek(0)
    try:
        inspected.headers = {found.name: summarise_header(reader, size_bytes, with_tensors)}
    except Malformed as error:
        inspected.error = {"error": error.message, "code": error.code}
    return inspected


def _safetensors(reader: BinaryIO, size_bytes: int, with_tensors: bool) -> JsonObject:  # noqa: FBT001 (called by table)
    header: SafetensorsHeader = read_header(reader, size_bytes)
    found: JsonObject = {
        "total": header.total,
        "parameters": dict(header.parameters()),
        "tensor_count": len(header.tensors),
        "metadata": {
            key[:_MAX_TEXT_CHARS]: value[:_MAX_TEXT_CHARS] for key, value in header.metadata.items()
        },
    }
    if with_tensors:
        found["tensors"] = [
            {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}
            for tensor in header.tensors
        ]
    return found


def _gguf(reader: BinaryIO, size_bytes: int, with_tensors: bool) -> JsonObject:  # noqa: FBT001 (called by table)
    header: GgufHeader = read_gguf(reader, size_bytes)
    found: JsonObject = {
        "version": header.version,
        "big_endian": header.big_endian,
        "architecture": header.architecture,
        "context_length": header.context_length,
        "quantization": header.quantization,
        "total": header.total,
        "parameters": dict(header.parameters()),
        "tensor_count": len(header.tensors),
        "metadata": {key: _gguf_value(value) for key, value in header.metadata.items()},
    }
    if with_tensors:
        found["tensors"] = [
            {"name": tensor.name, "type": tensor.type, "dims": list(tensor.dims)} for tensor in header.tensors
        ]
    return found


def _gguf_value(value: GgufValue) -> JsonValue:
    if isinstance(value, ArraySummary):
        first: list[JsonValue] = [_gguf_value(item) for item in value.first]
        return {"element_type": value.element_type, "length": value.length, "first": first}
    return value[:_MAX_TEXT_CHARS] if isinstance(value, str) else value


_HEADERS: dict[str, Callable[[BinaryIO, int, bool], JsonObject]] = {
    "safetensors": _safetensors,
    "gguf": _gguf,
}


# --- the whole -----------------------------------------------------------------------------------------


def summarise(root: Path, files: Iterable[Inspected], repo_type: RepoType) -> JsonObject:
    """What follows from all files of a folder together, from its card and from its configuration."""
    listed = list(files)
    formats: dict[str, JsonValue] = {}
    for name in sorted({file.format for file in listed}):
        sizes = [file.size_bytes for file in listed if file.format == name]
        formats[name] = {"count": len(sizes), "size_bytes": sum(sizes)}
    misnamed: list[JsonValue] = [file.path for file in listed if file.name_disagrees]
    summary: JsonObject = {
        "files": len(listed),
        "size_bytes": sum(file.size_bytes for file in listed),
        "formats": formats,
        "misnamed": misnamed[:_MAX_LISTED],
        "unreadable": sum(file.error is not None for file in listed),
    }
    if root.is_dir():
        summary |= _declared(root, [file.path for file in listed if file.error is None], repo_type)
    return summary


def _declared(root: Path, paths: list[str], repo_type: RepoType) -> JsonObject:
    found: JsonObject = {}
    card: JsonObject = {}
    if _CARD in paths:
        found["card"], card = _card(root / _CARD, repo_type)
    config: JsonObject | None = None
    if _CONFIG in paths:
        try:
            config = read_json_object(_beginning(root / _CONFIG, _MAX_CONFIG_BYTES + 1), _MAX_CONFIG_BYTES)
            found["config"] = config
        except Malformed as error:
            found["config_error"] = {"error": error.message, "code": error.code}
    if repo_type == "model":
        library = library_of(card) or library_from_files(paths, config)
        found["library_name"] = library
        found["pipeline_tag"] = pipeline_tag_of(card) or task_of(library, config)
        found["tags"] = list[JsonValue](tags_from_files(paths, config))
    return found


def _card(path: Path, repo_type: RepoType) -> tuple[JsonObject, JsonObject]:
    """What the card says and what is wrong with it; and what it declares."""
    data = _beginning(path, _MAX_CARD_BYTES)
    text = data.decode("utf-8", "replace")
    report = validate(text, repo_type)
    errors, warnings = list[JsonValue](report.errors), list[JsonValue](report.warnings)
    try:
        declared = parse_card(text).data
    except Malformed:
        declared = {}  # `errors` says what is wrong with it
    return {"data": declared, "errors": errors, "warnings": warnings}, declared


def _beginning(path: Path, max_bytes: int) -> bytes:
    with _open(path) as reader:
        return reader.read(max_bytes)
