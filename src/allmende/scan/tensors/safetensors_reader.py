"""safetensors, held to every rule of its format; the metadata are texts like any other.

The tensors themselves are numbers: only what lies at their beginnings is looked at, in case it is something
else. How long that takes does not depend on their size.
"""

from typing import Final

from allmende.formats import MAX_HEADER_BYTES, SafetensorsHeader, read_header, read_json_object
from allmende.scan.code.secrets import examine_secrets
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source
from allmende.scan.templates import examine_template, is_template_key
from allmende.scan.tensors.embedded_payloads import examine_bytes, examine_payload
from allmende.scan.tensors.tensor_names import examine_name

__all__ = ["READER", "RULES"]

PADDED_HEADER = Rule(
    "safetensors-padded-header",
    Severity.INFO,
    "blanks behind the header",
    "The header is padded, as some writers do to align the tensors.",
    "Nothing.",
    "safetensors, format.",
)
ODD_PADDING = Rule(
    "safetensors-odd-padding",
    Severity.MEDIUM,
    "padding that no writer makes",
    "Behind the header there is more padding than alignment needs, or something else than blanks. Readers "
    "differ in whether they take it.",
    "Write the file again with a current version of safetensors.",
    "safetensors, format: the header may be padded with blanks.",
)
EXTRA_FIELD = Rule(
    "safetensors-extra-field",
    Severity.MEDIUM,
    "a tensor with fields that the format does not have",
    "Readers pass over fields that they do not know, so that data may hide there, and a later version may "
    "take them for something.",
    "Write the file again with a current version of safetensors.",
    "safetensors, format: dtype, shape and data_offsets.",
)
LARGE_METADATA = Rule(
    "safetensors-large-metadata",
    Severity.LOW,
    "unusually large metadata",
    "The header holds a text of more than a mebibyte. No writer of weights needs that.",
    "Keep such texts in files of their own.",
    "safetensors, format.",
)
RULES = (PADDED_HEADER, ODD_PADDING, EXTRA_FIELD, LARGE_METADATA)

_LARGE_CHARS: Final = 1024 * 1024
_MAX_PADDING: Final = 4096
"""Some writers align the tensors to a page."""
_FIELDS: Final = frozenset(("dtype", "shape", "data_offsets"))
_BYTE_TYPES: Final = frozenset(("U8", "I8", "BOOL"))
_MIN_PAYLOAD_BYTES: Final = 16
_JSON_DEPTH: Final = 8


def _claims(probe: Probe) -> Claim:
    head = probe.head
    length = int.from_bytes(head[:8], "little")
    if len(head) > 9 and head[8:9] == b"{" and 2 <= length <= MAX_HEADER_BYTES and head[9:10] in b'"}\t\n\r ':
        return Claim.CONTENT
    return Claim.NAME if probe.hint == "safetensors" else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Header, metadata, and the first bytes of the tensors. Raises MalformedSafetensors."""
    header = read_header(source.stream(), source.size_bytes)
    _examine_header(source.read_at(8, header.header_bytes), scan)
    for key, text in header.metadata.items():
        inside = f"__metadata__.{key}"
        if len(text) > _LARGE_CHARS:
            scan.found(LARGE_METADATA, key, detail=f"{len(text)} characters.")
        examine_secrets(text, scan, inside)
        examine_payload(text, scan, inside)
        if is_template_key(key):
            examine_template(text, scan, inside)
    scan.inside("tensors", source.window(header.data_start, source.size_bytes), raw=True)
    _examine_tensors(header, source, scan)


def _examine_header(data: bytes, scan: Scan) -> None:
    """What the reader of the format lets pass, and no writer does."""
    padding = len(data) - len(data.rstrip(b" \t\r\n"))
    if padding > _MAX_PADDING or data[len(data) - padding :].strip(b" "):
        scan.found(ODD_PADDING, detail=f"{padding} bytes.", offset=8 + len(data) - padding)
    elif padding:
        scan.found(PADDED_HEADER)
    for name, entry in read_json_object(data, len(data), _JSON_DEPTH).items():
        if name != "__metadata__" and isinstance(entry, dict) and len(entry) > len(_FIELDS):
            scan.found(EXTRA_FIELD, ", ".join(sorted(entry.keys() - _FIELDS)), inside=name)


def _examine_tensors(header: SafetensorsHeader, source: Source, scan: Scan) -> None:
    for tensor in header.tensors:
        examine_name(tensor.name, scan)
        size_bytes = tensor.end - tensor.start
        if tensor.dtype in _BYTE_TYPES and size_bytes >= _MIN_PAYLOAD_BYTES:
            examine_bytes(source.window(header.data_start + tensor.start, size_bytes), scan, tensor.name)


READER = Reader("safetensors", "safetensors", _claims, _read)
