"""All readers and all rules, and the version that names them together."""

import inspect
import sys
from collections.abc import Mapping
from functools import cache

from allmende.scan import (
    code,
    configs,
    containers,
    failures,
    graphs,
    pickles,
    provable,
    repository,
    scanning,
    templates,
    tensors,
)
from allmende.scan.budget import Limits
from allmende.scan.findings import Finding, Rule
from allmende.scan.scanning import Reader, scan_with
from allmende.scan.source import Source
from allmende.scan.verdicts import FileReport

__all__ = ["READERS", "RULES", "RULE_SET", "scan_source", "warm_up"]

RULE_SET = "5"
"""Raise it whenever a verdict could change: everything is then scanned anew."""

_ROOMS = (pickles, containers, tensors, templates, configs, graphs, code)

READERS: tuple[Reader, ...] = tuple(reader for room in _ROOMS for reader in room.READERS)

RULES: Mapping[str, Rule] = {
    rule.id: rule
    for rules in (
        scanning.RULES,
        provable.RULES,
        failures.RULES,
        repository.RULES,
        *(room.RULES for room in _ROOMS),
    )
    for rule in rules
}


def scan_source(
    source: Source, name: str, limits: Limits | None = None, told: list[Finding] | None = None
) -> FileReport:
    """Scan a file in this very process. Hostile files belong into `isolation`.

    What is found is put into `told` at once, for a caller whose scan may be broken off.

    Raises what is wrong with the machine (OSError, MemoryError, EOFError), never what is wrong with the file.
    """
    return scan_with(READERS, source, name, RULE_SET, limits or Limits(), told)


def warm_up() -> None:
    """Load everything that readers load when they first need it: afterwards a scan opens no file."""
    for sample, name in _SAMPLES:
        scan_source(Source.of_bytes(sample), name)
    # By the custom of this package, a list in a file is read by a function without arguments that is cached.
    for name in [name for name in sys.modules if name.startswith(f"{__package__}.")]:
        for value in vars(sys.modules[name]).values():
            if isinstance(value, _CACHED) and not inspect.signature(value).parameters:
                value()


_CACHED = type(cache(lambda: None))
_SAMPLES = (
    (b"\x80\x04cos\nsystem\n(S'\\x41'\ntR.", "a.pkl"),
    (b'{"chat_template": "{% for m in messages %}{{ m }}{% endfor %}"}', "tokenizer_config.json"),
    (b"a: !b [1, &c 2, *c]\n", "a.yaml"),
    (b"{% if x is defined %}{{ x | trim }}{% endif %}", "chat_template.jinja"),
    (b"{% if", "chat_template.jinja"),
    (b"import os\nos.system('true')\n", "a.py"),
    (b"<?xml version='1.0'?><a b='c'/>", "a.xml"),
    (b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}", "a.npy"),
)
