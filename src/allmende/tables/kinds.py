"""Which files are tables: by their names, as those who publish data sets call them."""

from typing import Final, Literal, get_args

__all__ = ["TABLE_KINDS", "TableKind", "table_kind"]

TableKind = Literal["parquet", "csv", "tsv", "jsonl"]

TABLE_KINDS: Final[tuple[TableKind, ...]] = get_args(TableKind)

_SUFFIXES: Final[dict[str, TableKind]] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


def table_kind(path: str) -> TableKind | None:
    """What kind of table a file of this name is; None for every other file."""
    suffix = "." + path.lower().rpartition(".")[2]
    return _SUFFIXES.get(suffix)
