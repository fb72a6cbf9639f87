"""GGUF, held to every rule of its format; its chat templates and texts are looked into."""

import itertools
from typing import Final

from allmende.formats import ArraySummary, GgufHeader, GgufValue, MalformedGguf, read_gguf
from allmende.scan.budget import LimitReached
from allmende.scan.code.secrets import examine_secrets
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source
from allmende.scan.templates import examine_template, is_template_key
from allmende.scan.tensors.embedded_payloads import examine_payload
from allmende.scan.tensors.tensor_names import examine_name

__all__ = ["READER", "RULES"]

TRAILING_BYTES = Rule(
    "gguf-trailing-bytes",
    Severity.HIGH,
    "bytes behind the last tensor",
    "The file is longer than its tensors. What lies behind them is not read by loaders of this format, "
    "but may be by others.",
    "Write the file again with a current version of llama.cpp.",
    "GGUF specification, file structure.",
)
FILLED_PADDING = Rule(
    "gguf-filled-padding",
    Severity.MEDIUM,
    "padding that is not empty",
    "Between the parts of the file there are bytes that belong to none of them. Writers put zeros there.",
    "Write the file again with a current version of llama.cpp.",
    "GGUF specification, file structure.",
)
UNEQUAL_ARRAYS = Rule(
    "gguf-unequal-arrays",
    Severity.HIGH,
    "lists of the vocabulary that do not fit together",
    "The file lists more tokens than scores or types of tokens, or fewer. Programs that go by the number of "
    "tokens read beyond the end of the shorter list.",
    "Write the file again with a current version of llama.cpp.",
    "GGUF specification, tokenizer.ggml; CWE-125: out-of-bounds read.",
)
RULES = (TRAILING_BYTES, FILLED_PADDING, UNEQUAL_ARRAYS)

_OLD_MAGICS: Final = (b"lmgg", b"fmgg", b"tjgg", b"algg")
"""The formats before GGUF: no current program opens them, and there is nothing to hold them to."""


def _claims(probe: Probe) -> Claim:
    if probe.head.startswith(b"GGUF"):
        return Claim.CONTENT
    if probe.head.startswith(_OLD_MAGICS):
        return Claim.NONE
    return Claim.NAME if probe.hint == "gguf" else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Header, texts, names, and what lies between the tensors. Raises MalformedGguf, LimitReached."""
    try:
        header = read_gguf(source.stream(buffer_bytes=1024 * 1024), source.size_bytes)
    except MalformedGguf as error:
        if error.code == "gguf_beyond_limits":
            raise LimitReached("header", error.message) from None
        raise
    for key, value in header.metadata.items():
        examine_name(key, scan)
        _examine_value(key, value, scan)
    _examine_vocabulary(header, scan)
    for tensor in header.tensors:
        examine_name(tensor.name, scan)
    _examine_padding(header, source, scan)
    _examine_end(header, source, scan)
    scan.inside("tensors", source.window(header.data_start, source.size_bytes), raw=True)


def _examine_vocabulary(header: GgufHeader, scan: Scan) -> None:
    """Every token has a score and a type, where there are any."""
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    for name in ("scores", "token_type"):
        values = header.metadata.get(f"tokenizer.ggml.{name}")
        if not isinstance(tokens, ArraySummary) or not isinstance(values, ArraySummary):
            continue
        if values.length != tokens.length:
            told = f"{tokens.length} tokens, {values.length} {name}"
            scan.found(UNEQUAL_ARRAYS, told, inside=f"tokenizer.ggml.{name}")


def _examine_value(key: str, value: GgufValue, scan: Scan) -> None:
    is_template = is_template_key(key.removeprefix("tokenizer."))
    if isinstance(value, ArraySummary):
        if is_template and value.length > len(value.first):
            raise LimitReached("templates", f"There are {value.length} chat templates.")
        for number, text in enumerate(value.first if is_template else ()):
            _examine_value(f"{key}.{number}", text, scan)
    if not isinstance(value, str):
        return
    examine_secrets(value, scan, key)
    examine_payload(value, scan, key)
    if is_template:
        examine_template(value, scan, key)


def _examine_padding(header: GgufHeader, source: Source, scan: Scan) -> None:
    """Between the header and the tensors, and between one tensor and the next."""
    ends = [header.header_bytes]
    starts = [min(header.data_start, source.size_bytes)]
    for tensor, following in itertools.pairwise(header.tensors):
        ends.append(header.data_start + tensor.offset + tensor.size_bytes)
        starts.append(header.data_start + following.offset)
    for end, start in zip(ends, starts, strict=True):
        if end < start and source.read_at(end, start - end).strip(b"\0"):
            scan.found(FILLED_PADDING, source.read_at(end, 32), offset=end)
            return


def _examine_end(header: GgufHeader, source: Source, scan: Scan) -> None:
    last = header.tensors[-1] if header.tensors else None
    end = header.data_start + (0 if last is None else last.offset + last.size_bytes)
    padded = -(-end // header.alignment) * header.alignment
    if source.size_bytes > padded:
        scan.found(TRAILING_BYTES, source.read_at(padded, 32), offset=padded)
        scan.inside("trailing bytes", source.window(padded, source.size_bytes), raw=True)
    if source.read_at(end, padded - end).strip(b"\0"):
        scan.found(FILLED_PADDING, source.read_at(end, 32), offset=end)


READER = Reader("gguf", "gguf", _claims, _read)
