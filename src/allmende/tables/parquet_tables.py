"""Tables in Parquet: statistics from the footer, the first rows from as few bytes as they take.

Needs pyarrow, the extra `datasets`. To be run in a process that may fail: pyarrow reads hostile bytes in C++.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Final

from allmende.tables.cells import MAX_COLUMNS, MAX_ROWS, columns_of, shown
from allmende.tables.problems import NoTable

__all__ = ["read_parquet"]

_BUFFER_BYTES: Final = 64 * 1024
_MAX_FOOTER_BYTES: Final = 32 * 1024 * 1024
_MAX_ROW_GROUPS: Final = 2000
_MAX_METADATA_ITEMS: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the zone is written behind it
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
_DIGITS: Final = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def read_parquet(source: BinaryIO, size_bytes: int) -> dict[str, object]:
    """The first rows and the columns of a Parquet file. Raises NoTable."""
    from pyarrow import ArrowException, parquet

    _check_frame(source, size_bytes)
    try:
        file = parquet.ParquetFile(
            source,
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            thrift_string_size_limit=_MAX_FOOTER_BYTES,
            thrift_container_size_limit=_MAX_METADATA_ITEMS,
            arrow_extensions_enabled=False,
        )
        return _read(file)
    except (ArrowException, OSError, OverflowError, ValueError, KeyError) as error:
        # What the system says of a file names a path of this machine.
        said = getattr(error, "strerror", None) or str(error)
        raise NoTable(f"The Parquet file cannot be read: {said[:300]}") from error


def _check_frame(source: BinaryIO, size_bytes: int) -> None:
    """The mark at both ends, and a footer of bounded length."""
    if size_bytes < 12:
        raise NoTable("The file is too short for Parquet.")
    source.seek(0)
    head = source.read(4)
    source.seek(size_bytes - 8)
    tail = source.read(8)
    if head == b"PARE" or tail[4:] == b"PARE":
        raise NoTable("The Parquet file is encrypted.")
    if head != b"PAR1" or tail[4:] != b"PAR1":
        raise NoTable("The file does not begin and end as Parquet does.")
    footer_bytes = int.from_bytes(tail[:4], "little")
    if footer_bytes > min(_MAX_FOOTER_BYTES, size_bytes - 12):
        raise NoTable("The footer of the Parquet file is larger than the file or than what is read.")


def _read(file: Any) -> dict[str, object]:
    schema = file.schema_arrow
    names = schema.names[:MAX_COLUMNS]
    types = [str(schema.field(index).type) for index in range(len(names))]
    values: list[Sequence[object]] = []
    if file.metadata.num_rows and file.metadata.num_row_groups:
        batches = file.iter_batches(batch_size=MAX_ROWS, columns=names, use_threads=False)
        batch = next(iter(batches), None)
        if batch is not None:
            held = [_values(batch.column(index)) for index in range(batch.num_columns)]
            if len(held) == len(names):
                values = list(zip(*held, strict=True))
    columns, rows = columns_of(names, types, values)
    for name, column in zip(names, columns, strict=True):
        column.update(_of_the_file(file.metadata, name))
    return {
        "columns": columns,
        "column_count": len(schema.names),
        "rows": rows,
        "rows_read": len(rows),
        "rows_total": file.metadata.num_rows,
    }


def _values(column: Any) -> Sequence[object]:
    """The values of a column; instants as they are written, in UTC where they have a zone.

    Python's own know neither nanoseconds nor all years, and what a zone is called stands in files, which the
    process that reads tables may not open.
    """
    from pyarrow import int64, types

    if not types.is_timestamp(column.type):
        held: list[object] = column.to_pylist()
        return held
    unit, zone = column.type.unit, "" if column.type.tz is None else "Z"
    counts = column.view(int64()).to_pylist()
    return [None if count is None else _Instant(f"{_written(count, unit)}{zone}") for count in counts]


def _written(count: int, unit: str) -> str:
    """So many seconds or parts of them after the beginning of 1970; in figures beyond the years 1 to 9999."""
    digits = _DIGITS[unit]
    seconds, part = divmod(count, 10**digits)
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        return f"{count} {unit}"
    text = (_EPOCH + timedelta(seconds=seconds)).isoformat(" ")
    return f"{text}.{part:0{digits}}" if part else text


@dataclass(frozen=True, slots=True)
class _Instant:
    """A moment as it is written; not a text, whose length would tell something."""

    written: str

    def __str__(self) -> str:
        return self.written


def _of_the_file(metadata: Any, name: str) -> dict[str, object]:
    """What the footer says of a column over all rows, as `of_all`; empty where a row group is silent."""
    if metadata.num_row_groups > _MAX_ROW_GROUPS:
        return {}
    index = next((at for at in range(metadata.num_columns) if metadata.schema.column(at).path == name), None)
    if index is None:
        return {}
    nulls, least, most = 0, [], []
    for group in range(metadata.num_row_groups):
        told = metadata.row_group(group).column(index).statistics
        if told is None or not told.has_null_count:
            return {}
        nulls += told.null_count
        if told.has_min_max and told.logical_type.type != "TIMESTAMP":
            least.append(told.min)
            most.append(told.max)
    whole: dict[str, object] = {"nulls": nulls}
    if least and isinstance(least[0], (int, float, str)):
        whole |= {"min": shown(min(least)), "max": shown(max(most))}
    return {"of_all": whole}
