"""The process that reads a table. It has no file: it asks for ranges over a pipe, and writes one answer.

A question is two numbers, the offset and the length; the answer of the other side is as many bytes as there
are. A length of zero announces the result: its size, then JSON.
"""

import io
import json
import os
import resource
import signal
import struct
import sys
import traceback
from typing import BinaryIO, Final, NoReturn, cast

from allmende.seccomp import confine
from allmende.tables.parquet_tables import read_parquet
from allmende.tables.problems import NoTable
from allmende.tables.text_tables import read_lines_of_json, read_separated

__all__ = ["QUESTION", "RESULT", "Ranges", "main"]

QUESTION: Final = struct.Struct("<QI")
RESULT: Final = struct.Struct("<Q")
_PIECE_BYTES: Final = 4 * 1024 * 1024
_MEMORY_BYTES: Final = 1024 * 1024 * 1024
_CPU_S: Final = 10


class Ranges(io.RawIOBase):
    """A file on the other side of two pipes."""

    def __init__(self, questions: int, answers: int, size_bytes: int) -> None:
        super().__init__()
        self._questions = questions
        self._answers = answers
        self._size_bytes = size_bytes
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; nothing is asked for."""
        start = (0, self._at, self._size_bytes)[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Ask for the next bytes, at most 4 MiB at once."""
        wanted = max(0, min(len(buffer), self._size_bytes - self._at, _PIECE_BYTES))
        if wanted:
            os.write(self._questions, QUESTION.pack(self._at, wanted))
            buffer[:wanted] = read_exactly(self._answers, wanted)
            self._at += wanted
        return wanted


def read_exactly(descriptor: int, count: int) -> bytes:
    """That many bytes of a pipe. Raises EOFError where the other side has ended."""
    data = bytearray()
    while len(data) < count:
        piece = os.read(descriptor, count - len(data))
        if not piece:
            raise EOFError("the other side has ended")
        data += piece
    return bytes(data)


def main(kind: str, size_bytes: int) -> NoReturn:
    """Read the table that standard input answers for, say what it is on standard output, and end."""
    if kind == "parquet":
        # What pyarrow loads on its own must be there before no file can be opened any more.
        import pyarrow.parquet  # noqa: F401
    questions = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _confine()
    try:
        source = io.BufferedReader(Ranges(questions, 0, size_bytes), 64 * 1024)
        found = _readers(kind, cast(BinaryIO, source), size_bytes)
    except NoTable as error:
        found = {"error": error.message}
    except MemoryError:
        found = {"error": "The table takes more memory than is allowed for a preview."}
    except Exception:  # noqa: BLE001  # the edge of this process: it ends as an answer, with its traceback for the log
        found = {"failure": traceback.format_exc()[-4000:]}
    data = json.dumps(found).encode()
    os.write(questions, QUESTION.pack(0, 0) + RESULT.pack(len(data)))
    while data:
        data = data[os.write(questions, data) :]
    os._exit(0)


def _readers(kind: str, source: BinaryIO, size_bytes: int) -> dict[str, object]:
    if kind == "parquet":
        return read_parquet(source, size_bytes)
    if kind == "jsonl":
        return read_lines_of_json(source, size_bytes)
    return read_separated(source, size_bytes, "\t" if kind == "tsv" else ",")


def _confine() -> None:
    """Nothing but computing and the two pipes from here on, within bounds of time and memory."""
    bounds = (
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_AS, _address_space() + _MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    )
    for what, most in bounds:
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.dup2(1, 2)
    if not confine() and sys.platform == "linux":
        raise OSError("the filter of system calls is refused")


def _address_space() -> int:
    """The bytes of address space that this process has already, where that is told."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  # as the scanner's children do
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
