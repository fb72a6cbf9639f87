"""Programs and what looks like them: executables, Python files, secrets, and the harmless rest."""

from allmende.scan.code import (
    active_texts,
    arrow,
    commands,
    embedded_pickles,
    executables,
    inert,
    notebooks,
    object_streams,
    program_texts,
    python_code,
    r_objects,
    secrets,
    serialised,
    settings_texts,
    skops_schema,
    text_reader,
)
from allmende.scan.scanning import Reader

__all__ = ["READERS", "RULES"]

READERS: tuple[Reader, ...] = (
    text_reader.READER, python_code.READER, notebooks.READER, executables.READER, *inert.READERS,
    arrow.READER,
    *serialised.READERS, r_objects.READER, active_texts.READER,
    skops_schema.READER, program_texts.READER, *settings_texts.READERS, object_streams.READER,
embedded_pickles.READER,
)  # fmt: skip
RULES = (
    *text_reader.RULES, *secrets.RULES, *python_code.RULES, *notebooks.RULES, *executables.RULES,
    *inert.RULES, *arrow.RULES, *serialised.RULES, *r_objects.RULES, *active_texts.RULES,
    *skops_schema.RULES, *commands.RULES, *program_texts.RULES, *settings_texts.RULES,
*object_streams.RULES, *embedded_pickles.RULES,
)  # fmt: skip
