"""What a file is: by its content first, by its name only where the content leaves a choice.

Nothing is unpacked, imported or run. `identify` looks at the first bytes; `identify_file` may also look into
the directory of a zip file. That a name promises something else is reported, since loaders go by names.
"""

import codecs
import re
from dataclasses import replace
from typing import BinaryIO

from allmende.formats.errors import MalformedJson, MalformedZip
from allmende.formats.kinds import MEDIA_TYPES, Format, expected_names
from allmende.formats.pickle_opcodes import pickle_protocol
from allmende.formats.pointer import looks_like_pointer
from allmende.formats.protobuf_models import protobuf_model
from allmende.formats.signatures import binary_signature
from allmende.formats.strict_json import read_json
from allmende.formats.zip_directory import ZipEntry, first_entry_name, read_directory

__all__ = ["HEAD_BYTES", "identify", "identify_file"]

HEAD_BYTES = 4096
"""How much of a file's beginning `identify` wants to see; less only where the file is shorter."""

_TEXT_SUFFIXES = {
    "md": "markdown", "markdown": "markdown", "py": "python", "yaml": "yaml", "yml": "yaml", "csv": "csv",
    "tsv": "csv", "sh": "shell", "html": "html", "htm": "html", "svg": "svg", "xml": "xml",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_JSON_START = re.compile(r'\s*+(?:\{\s*+["}]|\[\s*+[\[\]{"\d-])')
_DOCUMENT_YAML = re.compile(r"(?:%YAML [\d.]+\s*\n)?---\s*\n[^\n]*:")
_NAMED = frozenset({"git_lfs_pointer", "empty"})


def identify(head: bytes, size_bytes: int, name: str) -> Format:
    """What the file called `name` is, judged by its first `HEAD_BYTES` bytes. Never raises."""
    kind, detail = _by_content(head, size_bytes, name)
    found = _named(kind, detail, name)
    # A zip that the head cannot place may well be what its name says; `identify_file` can tell.
    return replace(found, name_disagrees=False) if kind == "zip" and _zip_name(name) else found


def identify_file(reader: BinaryIO, size_bytes: int, name: str) -> Format:
    """Like `identify`, from a seekable reader; a zip file is told by what is in it."""
    reader.seek(0)
    head = _read_head(reader)
    found = identify(head, size_bytes, name)
    if found.media_type not in _ZIP_MEDIA:
        return found
    try:
        entries = read_directory(reader, size_bytes)
    except MalformedZip as error:
        return replace(found, detail=error.message)
    kind, detail = _zip_kind(entries)
    return _named(kind, detail, name)


def _read_head(reader: BinaryIO) -> bytes:
    head = b""
    while len(head) < HEAD_BYTES:
        more = reader.read(HEAD_BYTES - len(head))
        if not more:
            break
        head += more
    return head


def _named(kind: str, detail: str, name: str) -> Format:
    expected = expected_names(name)
    # An empty file and a pointer stand for something that is not there yet: their names promise for it.
    disagrees = expected is not None and kind not in expected and kind not in _NAMED
    return Format(kind, MEDIA_TYPES[kind], detail, disagrees)


def _by_content(head: bytes, size_bytes: int, name: str) -> tuple[str, str]:
    if size_bytes == 0 or not head:
        return "empty", ""
    if size_bytes == len(head) and looks_like_pointer(head):
        return "git_lfs_pointer", ""
    binary = binary_signature(head, size_bytes)
    if binary is not None:
        return _refined(binary, head, name)
    protocol = pickle_protocol(head, complete=len(head) >= size_bytes)
    if protocol is not None:
        return "pickle", f"protocol {protocol}"
    model = protobuf_model(head, size_bytes)
    if model is not None:
        return model, ""
    text = _as_text(head, complete=len(head) >= size_bytes)
    if text is not None:
        return _text_kind(text, name, complete=len(head) >= size_bytes), ""
    return "unknown", ""


def _refined(kind: str, head: bytes, name: str) -> tuple[str, str]:
    if kind == "zip":
        return _zip_guess(first_entry_name(head))
    if kind == "hdf5" and name.lower().endswith((".h5", ".keras")) and b"keras" in head:
        return "keras", "hdf5"
    return kind, ""


# --- zip files -----------------------------------------------------------------------------------------

_ZIP_MEDIA = frozenset(MEDIA_TYPES[kind] for kind in ("zip", "torch_zip", "npz", "keras"))
_ZIP_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".npz", ".keras")
_TORCH_FIRST = (
    "/data.pkl",
    "/byteorder",
    "/.format_version",
    "/.storage_alignment",
    "/constants.pkl",
    "/version",
)


def _zip_name(name: str) -> bool:
    return name.lower().endswith(_ZIP_SUFFIXES)


def _zip_guess(first: str | None) -> tuple[str, str]:
    """What a zip file is, as far as the first name in it tells."""
    if first is None:
        return "zip", ""
    if first.endswith(_TORCH_FIRST) and first.count("/") == 1:
        return "torch_zip", ""
    return ("npz", "") if first.endswith(".npy") else ("zip", "")


def _zip_kind(entries: tuple[ZipEntry, ...]) -> tuple[str, str]:
    names = [entry.name for entry in entries]
    # torch looks for `data.pkl` in the folder that the first entry names; so any folder counts here.
    if any(name.endswith("/data.pkl") and name.count("/") == 1 for name in names):
        script = any("/code/" in name or name.endswith("/constants.pkl") for name in names)
        return "torch_zip", "torchscript" if script else ""
    if names and all(name.endswith(".npy") for name in names):
        return "npz", f"{len(names)} arrays"
    if {"metadata.json", "config.json", "model.weights.h5"} <= set(names):
        return "keras", "zip"
    return "zip", f"{len(names)} entries"


# --- texts ---------------------------------------------------------------------------------------------


def _as_text(head: bytes, *, complete: bool) -> str | None:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        text = decoder.decode(head, final=complete)
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def _text_kind(text: str, name: str, *, complete: bool) -> str:
    suffix = name.rsplit("/", 1)[-1].lower().rpartition(".")[2]
    kind = _json_kind(text, suffix, complete=complete)
    if kind is not None:
        return kind
    start = text[:256].lstrip().lower()
    if start.startswith("#!"):
        return "python" if "python" in start.split("\n", 1)[0] else "shell"
    if start.startswith(("<!doctype html", "<html")):
        return "html"
    if start.startswith("<svg") or (start.startswith("<?xml") and "<svg" in text):
        return "svg"
    if start.startswith("<?xml"):
        return "xml"
    if suffix in _TEXT_SUFFIXES:
        return _TEXT_SUFFIXES[suffix]
    return "yaml" if complete and _DOCUMENT_YAML.match(text) and "\n---" not in text[3:] else "text"


def _json_kind(text: str, suffix: str, *, complete: bool) -> str | None:
    starts = _JSON_START.match(text) is not None
    if suffix in ("jsonl", "ndjson"):
        return "jsonl" if starts else None
    if not complete:
        # Only the beginning is there: it opens like JSON, and the name does not say that it is a text.
        return "json" if starts and suffix not in _TEXT_SUFFIXES and suffix != "txt" else None
    if (starts or suffix == "json") and _is_json(text):
        return "json"
    lines = [line for line in text.splitlines() if line.strip()] if starts else []
    return "jsonl" if len(lines) > 1 and all(_is_json(line) for line in lines) else None


def _is_json(text: str) -> bool:
    try:
        read_json(text.encode("utf-8"))
    except MalformedJson:
        return False
    return True
