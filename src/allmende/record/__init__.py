"""The transparency record: all that is known of a revision, each fact with its source and its evidence.

A record is made by a hub from its facts, or from the files of a folder alone; what is not known is said to be
unknown. Everything else that tells of a model is a view of its record.
"""

from allmende.record.card_facts import CARD_TOOL, card_facts
from allmende.record.config_facts import CONFIG_TOOL, hyperparameters
from allmende.record.difference import difference
from allmende.record.errors import MalformedRecord
from allmende.record.file_facts import MAX_LISTED_FILES, ListedFile, files_fact
from allmende.record.form import (
    FACTS,
    SCHEMA,
    Facts,
    Reason,
    Record,
    Source,
    Subject,
    Tool,
    basis_of,
    known,
    make_record,
    read_record,
    tidy,
    unknown,
)
from allmende.record.licence_classes import LICENCE_CLASSES, LicenceClass, licence_class
from allmende.record.licence_ids import spdx_expression, spdx_id
from allmende.record.schema import record_schema

__all__ = [
    "CARD_TOOL",
    "CONFIG_TOOL",
    "FACTS",
    "LICENCE_CLASSES",
    "MAX_LISTED_FILES",
    "SCHEMA",
    "Facts",
    "LicenceClass",
    "ListedFile",
    "MalformedRecord",
    "Reason",
    "Record",
    "Source",
    "Subject",
    "Tool",
    "basis_of",
    "card_facts",
    "difference",
    "files_fact",
    "hyperparameters",
    "known",
    "licence_class",
    "make_record",
    "read_record",
    "record_schema",
    "spdx_expression",
    "spdx_id",
    "tidy",
    "unknown",
]
