"""Previews of tables, from outside: a process for each, which gets ranges of the file and no file."""

import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

import allmende
from allmende.errors import NotOffered, Unavailable
from allmende.tables.child import QUESTION, RESULT
from allmende.tables.kinds import TableKind

__all__ = ["PREVIEW_VERSION", "TableNotRead", "TableReaderAbsent", "preview_table"]

_log = logging.getLogger(__name__)

PREVIEW_VERSION: Final = "1"
"""Changes with what a preview says of the same bytes."""

_WALL_S: Final = 20.0
_MAX_READ_BYTES: Final = 64 * 1024 * 1024
_MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
_AT_ONCE = threading.BoundedSemaphore(2)
_PROGRAM: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from allmende.tables.child import main; main(sys.argv[2], int(sys.argv[3]))"
)


class TableNotRead(Unavailable):
    """The process that reads a table did not come to an end this time."""

    code = "table_not_read"


class TableReaderAbsent(NotOffered):
    """This installation has no reader for this kind of table."""

    code = "table_reader_absent"


class _TooMuch(Exception):
    """The child wants more bytes than a preview may take."""


def preview_table(source: BinaryIO, size_bytes: int, kind: TableKind) -> dict[str, Any]:
    """The first rows and the columns of a table, or `{"error"}` where the bytes are no such table.

    `columns`: `name`, `type`, `nulls` and, where they apply, `distinct`, `min`, `max`, `mean`, `shortest`,
    `longest` over the rows that were read, and `of_all` with what the file says of all its rows;
    `column_count`; `rows`: up to 100, each cell a text, `{"bytes": n}` or null; `rows_read`; `rows_total`,
    null where unknown. At most 64 MiB of the file are read, in 20 seconds.

    Raises TableReaderAbsent, TableNotRead, and what reading `source` raises.
    """
    if kind == "parquet" and find_spec("pyarrow") is None:
        raise TableReaderAbsent(
            "This hub has no reader for Parquet.", hint="Its operator can install allmende[datasets]."
        )
    if not _AT_ONCE.acquire(timeout=_WALL_S):
        raise TableNotRead("Too many tables are being read.", hint="Try again in a moment.")
    try:
        return _ask(source, size_bytes, kind)
    finally:
        _AT_ONCE.release()


def _ask(source: BinaryIO, size_bytes: int, kind: TableKind) -> dict[str, Any]:
    sources = str(Path(allmende.__file__).parent.parent)
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", _PROGRAM, sources, kind, str(size_bytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LANG": "C.UTF-8", "PATH": os.defpath, "ARROW_DEFAULT_MEMORY_POOL": "system"},
        start_new_session=True,
    )
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("a process was started without the pipes that were asked for")
    try:
        return _answered(child.stdin, child.stdout, source, size_bytes)
    except _TooMuch:
        return {"error": "Showing the table takes more of the file than is read for a preview."}
    except (EOFError, BrokenPipeError):
        # It was ended by its bounds, or by a fault of the reader: of these bytes, and so it would be again.
        return {"error": "The table cannot be read within the bounds of a preview."}
    finally:
        child.kill()
        child.stdin.close()
        child.stdout.close()
        child.wait()


def _answered(
    to_child: IO[bytes], from_child: IO[bytes], source: BinaryIO, size_bytes: int
) -> dict[str, Any]:
    deadline = time.monotonic() + _WALL_S
    left = _MAX_READ_BYTES
    while True:
        offset, length = QUESTION.unpack(_read(from_child, QUESTION.size, deadline))
        if length == 0:
            break
        left -= length
        if left < 0 or offset + length > size_bytes:
            raise _TooMuch
        source.seek(offset)
        _write(to_child, source.read(length), deadline)
    (count,) = RESULT.unpack(_read(from_child, RESULT.size, deadline))
    if count > _MAX_ANSWER_BYTES:
        raise _TooMuch
    found: dict[str, Any] = json.loads(_read(from_child, count, deadline))
    if "failure" in found:
        _log.warning("a table could not be read:\n%s", found["failure"])
        return {"error": "The table cannot be read."}
    return found


def _read(pipe: IO[bytes], count: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < count:
        _wait([pipe], [], deadline)
        piece = os.read(pipe.fileno(), count - len(data))
        if not piece:
            raise EOFError("the child has ended")
        data += piece
    return bytes(data)


def _write(pipe: IO[bytes], data: bytes, deadline: float) -> None:
    os.set_blocking(pipe.fileno(), False)
    left = memoryview(data)
    while left:
        _wait([], [pipe], deadline)
        left = left[os.write(pipe.fileno(), left) :]


def _wait(reading: list[IO[bytes]], writing: list[IO[bytes]], deadline: float) -> None:
    if not any(select.select(reading, writing, [], max(0.0, deadline - time.monotonic()))):
        raise TableNotRead("Reading the table took too long.", hint="Try again when the hub is less busy.")
