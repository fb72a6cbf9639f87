"""Programs and what looks like them: executables, Python files, secrets, and the harmless rest."""

from allmende.scan.code import (
    active_texts,
    arrow,
    executables,
    inert,
    notebooks,
    python_code,
    r_objects,
    secrets,
    serialised,
    text_reader,
)
from allmende.scan.scanning import Reader

__all__ = ["READERS", "RULES"]

READERS: tuple[Reader, ...] = (
    text_reader.READER, python_code.READER, notebooks.READER, executables.READER, *inert.READERS,
    arrow.READER,
    *serialised.READERS, r_objects.READER, active_texts.READER,
)  # fmt: skip
RULES = (
    *text_reader.RULES, *secrets.RULES, *python_code.RULES, *notebooks.RULES, *executables.RULES,
    *inert.RULES, *arrow.RULES, *serialised.RULES, *r_objects.RULES, *active_texts.RULES,
)  # fmt: skip
