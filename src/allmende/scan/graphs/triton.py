"""Configurations of models for the Triton server (model_config.proto, as text): files that they name."""

import re
from typing import Final

from allmende.scan.containers.member_paths import is_outside
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

OUTSIDE_FILE = Rule(
    "triton-outside-file",
    Severity.CRITICAL,
    "runs a file from outside the repository",
    "The configuration names a model, or an environment to run it in, by a path that leads out of the "
    "folder.",
    "Name files of the model's own folder.",
    "Triton documentation, model configuration and Python backend.",
)
RULES = (OUTSIDE_FILE,)

_MAX_BYTES: Final = 4 * 1024 * 1024
_FIELD: Final = re.compile(r"(?m)^[ \t]{0,20}(?:backend|platform|max_batch_size)[ \t]{0,20}:")
_TEXT: Final = r"\s{0,20}:\s{0,20}[\"']([^\"'\n]{1,400})[\"']"
_ADDRESS: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]{1,20}://")
_FILE_NAME: Final = re.compile(rf"(?:default_model_filename|model_filename){_TEXT}")
_PARAMETER: Final = re.compile(
    r"[\"'](?:[A-Za-z_]{0,40}(?:path|PATH|dir|DIR|file|FILE))[\"'][\s,]{0,20}value\s{0,20}:?\s{0,20}\{\s{0,20}"
    rf"string_value{_TEXT}"
)


def _claims(probe: Probe) -> Claim:
    text = probe.head.decode("latin-1")
    named = probe.hint == "tensorflow" and "\0" not in text and _FIELD.search(text) is not None
    return Claim.NAME if named else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Every file that the text names."""
    text = source.read_at(0, _MAX_BYTES).decode("latin-1")
    for pattern in (_FILE_NAME, _PARAMETER):
        for match in pattern.finditer(text):
            if is_outside(match[1]) or _ADDRESS.match(match[1]):
                scan.found(OUTSIDE_FILE, match[1], offset=match.start())


READER = Reader("triton configuration", "text", _claims, _read)
