"""Programs of Paddle (framework.proto, ProgramDesc): operators that run Python or touch files."""

from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.graphs.protobuf import LENGTH, VARINT, Message, nested_messages
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

FILE_OPERATOR = Rule(
    "paddle-file-operator",
    Severity.CRITICAL,
    "the program runs Python code or touches files",
    "An operator of the program calls back into Python, or reads or writes a file that the program names.",
    "Export the model for inference, without such operators.",
    "Paddle documentation, py_func; Paddle security policy.",
)
RULES = (FILE_OPERATOR,)

_REACHING_OUT: Final = frozenset(
    (b"py_func", b"py_layer", b"run_program", b"save", b"save_combine", b"load", b"load_combine",
     b"lookup_sparse_table_write", b"listen_and_serv", b"send_and_recv", b"read_file", b"read_from_file",
     b"save_vars", b"checkpoint_notify", b"recv_save")
)  # fmt: skip
_BLOCKS: Final = 1
_OPERATOR_TYPE: Final = 3
_MAX_NAME_BYTES: Final = 64
_FEED: Final = b"\x1a\x04feed"
_LOOKED_AT: Final = 64 * 1024


def _claims(probe: Probe) -> Claim:
    """Blocks in field 1, each with its number, its parent's, variables and operators."""
    if probe.head[:1] != b"\x0a" or not _is_block(probe.source):
        return Claim.NONE
    if _FEED in probe.source.read_at(0, _LOOKED_AT):
        return Claim.CONTENT
    return Claim.NAME if probe.hint == "paddle" else Claim.NONE


def _is_block(source: Source) -> bool:
    message = Message(source)
    try:
        first = next(message.fields())
        inner = [field.wire for _, field in zip(range(2), message.inner(first).fields(), strict=False)]
    except (Unreadable, StopIteration):
        return False
    return first.number == _BLOCKS and first.wire == LENGTH and inner == [VARINT, VARINT]


def _read(source: Source, scan: Scan) -> None:
    """The type of every operator. Raises Unreadable where the outermost message is broken, LimitReached."""
    for _field in Message(source).fields():
        pass
    for message, fields in nested_messages(Message(source)):
        for field in fields:
            if field.number == _OPERATOR_TYPE and field.wire == LENGTH and field.size_bytes < _MAX_NAME_BYTES:
                name = message.bytes_of(field)
                if name in _REACHING_OUT:
                    scan.found(FILE_OPERATOR, name, offset=field.start)


READER = Reader("paddle", "paddle", _claims, _read)
