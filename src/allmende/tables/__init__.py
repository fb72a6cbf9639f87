"""Tables in files: the first rows and what is known of the columns, read by ranges in a confined process."""

from allmende.tables.kinds import TABLE_KINDS, TableKind, table_kind
from allmende.tables.previewer import (
    PREVIEW_VERSION,
    TableNotRead,
    TableReaderAbsent,
    preview_table,
)

__all__ = [
    "PREVIEW_VERSION",
    "TABLE_KINDS",
    "TableKind",
    "TableNotRead",
    "TableReaderAbsent",
    "preview_table",
    "table_kind",
]
