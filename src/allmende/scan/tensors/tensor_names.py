"""Names of tensors: what is hostile to programs that print one, or write it to a file of that name."""

import re
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Scan

__all__ = ["RULES", "examine_name"]

HOSTILE_NAME = Rule(
    "tensor-hostile-name",
    Severity.MEDIUM,
    "a tensor with a hostile name",
    "The name holds control characters, which end it for some readers and not for others, or leads out of a "
    "folder, for tools that write each tensor to a file of its name.",
    "Rename the tensor.",
    "CWE-22: path traversal; CWE-158: null byte.",
)
LONG_NAME = Rule(
    "tensor-long-name",
    Severity.LOW,
    "a tensor with a very long name",
    "Programs with buffers of fixed size cut it off or refuse it.",
    "Rename the tensor.",
    "GGUF specification: at most 64 bytes.",
)
RULES = (HOSTILE_NAME, LONG_NAME)

_MAX_CHARS: Final = 512
_HOSTILE: Final = re.compile(
    r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\~]|^[A-Za-z]:[/\\]"
)


def examine_name(name: str, scan: Scan) -> None:
    """Find what is wrong with one name."""
    if _HOSTILE.search(name) or not name:
        scan.found(HOSTILE_NAME, name)
    if len(name) > _MAX_CHARS:
        scan.found(LONG_NAME, name)
