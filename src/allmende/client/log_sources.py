"""Where a log is read from: a hub over HTTP, or a folder that holds a mirror of one."""

import base64
import binascii
import json
import re
from pathlib import Path
from typing import Protocol

from allmende.client.connection import Connection
from allmende.client.errors import UnexpectedAnswer
from allmende.client.files import read_bounded
from allmende.errors import NotFound
from allmende.merkle import TileMissing
from allmende.proof import LoggedAct, Refused, open_act
from allmende.proof import Malformed as MalformedProof

__all__ = ["FolderLog", "HubLog", "LogSource", "ServedStatement", "read_statement_file"]

_MAX_STATEMENT_FILE_BYTES = 4 * 1024 * 1024
_STATEMENT_NAME = re.compile(r"(0|[1-9][0-9]*)\.json")
_PER_FOLDER = 1000
_STATEMENT_FIELDS = {"index", "entry", "statement", "salt"}

ServedStatement = bytes
"""A statement of a public repo with its salt, as `/log/statement/<index>` gives it."""


class LogSource(Protocol):
    """Gives the files of a log, and the statements that are public."""

    def fetch(self, path: str, at_most_bytes: int, /) -> bytes:
        """See `merkle.Fetch`."""
        ...

    def statement(self, index: int, /) -> ServedStatement | None:
        """The file about one entry; None where it is not public, or was erased."""
        ...


class HubLog:
    """The log of a hub, or of whoever serves one at `<address>/log/`."""

    def __init__(self, hub: Connection) -> None:
        self._hub = hub

    def fetch(self, path: str, at_most_bytes: int, /) -> bytes:
        """See `LogSource`. Raises HubUnreachable beside TileMissing."""
        try:
            with self._hub.open("GET", f"/log/{path}", headers={"Accept-Encoding": "identity"}) as answer:
                return bytes(answer.read(at_most_bytes + 1))
        except NotFound as error:
            raise TileMissing(f"The log does not have {path}.") from error

    def statement(self, index: int, /) -> ServedStatement | None:
        """See `LogSource`."""
        try:
            return self.fetch(f"statement/{index}", _MAX_STATEMENT_FILE_BYTES)
        except TileMissing:
            return None


class FolderLog:
    """A mirror in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fetch(self, path: str, at_most_bytes: int, /) -> bytes:
        """See `LogSource`."""
        try:
            return read_bounded(self.folder / path, at_most_bytes)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise TileMissing(f"The mirror does not have {path}.") from error

    def statement(self, index: int, /) -> ServedStatement | None:
        """See `LogSource`."""
        try:
            return read_bounded(self.statement_path(index), _MAX_STATEMENT_FILE_BYTES)
        except FileNotFoundError:
            return None

    def statement_path(self, index: int) -> Path:
        """Where the statement of an entry lies."""
        return self.folder / "statements" / f"{index // _PER_FOLDER:06d}" / f"{index}.json"

    def statement_indexes(self) -> list[int]:
        """Of which entries there are statements, in order."""
        found = (self.folder / "statements").glob("*/*.json")
        return sorted(int(path.stem) for path in found if _STATEMENT_NAME.fullmatch(path.name))


def read_statement_file(data: ServedStatement, index: int, entry: bytes, hub: str) -> LoggedAct:
    """The act that an entry of the log is about, from the statement that goes with it.

    Raises UnexpectedAnswer for what is no such file, and what `open_act` raises.
    """
    try:
        value = json.loads(data[: _MAX_STATEMENT_FILE_BYTES + 1])
        statement = base64.b64decode(value["statement"], validate=True)
        salt = bytes.fromhex(value["salt"])
        named = base64.b64decode(value["entry"], validate=True)
        is_it = value.keys() == _STATEMENT_FIELDS and value["index"] == index and named == entry
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error) as error:
        raise UnexpectedAnswer("A statement of the log cannot be read.") from error
    if not is_it:
        raise UnexpectedAnswer(f"What the log says to be the statement about entry {index} is about another.")
    try:
        return open_act(entry, statement, salt, hub)
    except (Refused, MalformedProof) as error:
        raise UnexpectedAnswer(
            f"A statement of the log is not what its entry commits to: {error.message}"
        ) from error
