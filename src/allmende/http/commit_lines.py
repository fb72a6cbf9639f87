"""The body of a commit call: JSON lines, read as they arrive, so that only decoded files stay in memory.

The first line is the header, each further one an operation. Errors name the line. What the hub does not
know inside an operation is passed over; an operation that it does not know is refused, for a commit is
applied whole or not at all.
"""

import base64
import binascii
import json
import re
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request

from allmende.errors import BadRequest, TooLarge
from allmende.http.uploads import body_chunks
from allmende.ids import Sha256, is_sha256
from allmende.registry import AddFile, LinkContent, Operation, PathInvalid, Remove, Submission, check_path
from allmende.settings import Settings

__all__ = ["CommitLines", "CommitMalformed", "read_commit_lines"]

_BATCH_BYTES = 1024 * 1024
_LINE_OVERHEAD_BYTES = 64 * 1024
_MAX_TITLE_CHARS = 1000
_MAX_MESSAGE_CHARS = 256 * 1024
_PARENT = re.compile(r"[0-9a-fA-F]{7,40}")
_MAX_SIZE = 2**63 - 1


class CommitMalformed(BadRequest):
    """A line of a commit is not what it should be."""

    code = "commit_malformed"

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"Line {line} of the commit: {what}")


class CommitLines:
    """Collects a submission line by line. Not for use by two threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._max_line_bytes = settings.max_inline_bytes * 4 // 3 + _LINE_OVERHEAD_BYTES
        self._rest = bytearray()
        self._searched_bytes = 0
        self._received_bytes = 0
        self._line = 0
        self._title: str | None = None
        self._message = ""
        self._parent: str | None = None
        self._operations: list[Operation] = []

    def feed(self, data: bytes | bytearray) -> None:
        """Take in more of the body. Raises CommitMalformed, PathInvalid, TooLarge."""
        self._received_bytes += len(data)
        if self._received_bytes > self._settings.max_commit_bytes:
            raise TooLarge(
                f"The commit has more than {self._settings.max_commit_bytes} bytes.",
                hint="Split it into several commits, or upload large files as LFS files.",
            )
        self._rest += data
        start = 0
        while (end := self._rest.find(b"\n", max(start, self._searched_bytes))) >= 0:
            self._read_line(bytes(self._rest[start:end]))
            start = end + 1
        del self._rest[:start]
        self._searched_bytes = len(self._rest)
        if len(self._rest) > self._max_line_bytes:
            self._refuse_long_line(self._line + 1)

    @property
    def parent(self) -> str | None:
        """The commit that the caller believes to be the head: 7 to 40 hexadecimal digits."""
        return self._parent

    def finish(self, revision: str, *, create_pr: bool) -> Submission:
        """The submission, once all is fed; its parent is left to the caller, who knows the repo.

        Raises CommitMalformed.
        """
        self._read_line(bytes(self._rest))
        self._rest.clear()
        if self._title is None:
            raise CommitMalformed(1, "the header is missing; it is the first line.")
        return Submission(revision, self._title, self._message, self._operations, None, create_pr)

    def _read_line(self, line: bytes) -> None:
        self._line += 1
        if len(line) > self._max_line_bytes:
            self._refuse_long_line(self._line)
        if not line.strip():
            return
        key, value = self._parsed(line)
        if self._title is None:
            if key != "header":
                raise CommitMalformed(self._line, 'the first line must have the key "header".')
            self._read_header(value)
            return
        if len(self._operations) >= self._settings.max_commit_operations:
            raise TooLarge(
                f"The commit has more than {self._settings.max_commit_operations} operations.",
                hint="Split it into several commits.",
            )
        self._operations.append(self._operation(key, value))

    def _refuse_long_line(self, number: int) -> None:
        raise TooLarge(
            f"Line {number} of the commit is longer than {self._max_line_bytes} bytes; a file in it has "
            f"at most {self._settings.max_inline_bytes} bytes.",
            hint="Upload the file as an LFS file.",
        )

    def _parsed(self, line: bytes) -> tuple[str, dict[str, Any]]:
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CommitMalformed(self._line, "not valid JSON.") from error
        key = item.get("key") if isinstance(item, dict) else None
        value = item.get("value") if isinstance(item, dict) else None
        if not isinstance(key, str) or not isinstance(value, dict):
            raise CommitMalformed(self._line, 'it must be an object with a "key" and an object as "value".')
        return key, value

    def _read_header(self, value: dict[str, Any]) -> None:
        summary = self._text(value, "summary", _MAX_TITLE_CHARS + _MAX_MESSAGE_CHARS)
        description = self._text(value, "description", _MAX_MESSAGE_CHARS, default="")
        title, _, rest = summary.strip().partition("\n")
        if not title or len(title) > _MAX_TITLE_CHARS:
            raise CommitMalformed(self._line, f'"summary" must have 1 to {_MAX_TITLE_CHARS} characters.')
        self._title = title.rstrip()
        self._message = "\n\n".join(text for text in (rest.strip(), description.strip()) if text)
        parent = value.get("parentCommit")
        if parent is not None and (not isinstance(parent, str) or not _PARENT.fullmatch(parent)):
            raise CommitMalformed(self._line, '"parentCommit" must be a commit id.')
        self._parent = None if parent is None else parent.lower()

    def _operation(self, key: str, value: dict[str, Any]) -> Operation:
        if key == "file":
            return AddFile(self._path(value), self._content(value))
        if key == "lfsFile":
            return self._link(value)
        if key == "deletedFile":
            return Remove(self._path(value), folder=False)
        if key == "deletedFolder":
            return Remove(self._path(value, folder=True), folder=True)
        if key == "header":
            raise CommitMalformed(self._line, "there is a second header.")
        raise CommitMalformed(self._line, f"the operation {key[:40]!r} is not known here.")

    def _path(self, value: dict[str, Any], *, folder: bool = False) -> str:
        path = self._text(value, "path", 65_536)
        try:
            return check_path(path.removesuffix("/") if folder else path)
        except PathInvalid as error:
            raise PathInvalid(f"Line {self._line} of the commit: {error.message}") from error

    def _content(self, value: dict[str, Any]) -> bytes:
        text = value.get("content")
        if not isinstance(text, str):
            raise CommitMalformed(self._line, '"content" must be a string.')
        encoding = value.get("encoding", "utf-8")
        try:
            if encoding == "base64":
                return base64.b64decode(text.encode("ascii"), validate=True)
            if encoding == "utf-8":
                return text.encode()
        except (binascii.Error, UnicodeEncodeError) as error:
            raise CommitMalformed(self._line, f'"content" is not valid {encoding}.') from error
        raise CommitMalformed(self._line, '"encoding" must be "base64" or "utf-8".')

    def _link(self, value: dict[str, Any]) -> LinkContent:
        if value.get("algo", "sha256") != "sha256":
            raise CommitMalformed(self._line, '"algo" must be "sha256".')
        oid = value.get("oid")
        if not isinstance(oid, str) or not is_sha256(oid):
            raise CommitMalformed(self._line, '"oid" must be a SHA-256 in 64 lowercase hexadecimal digits.')
        size = value.get("size")
        if size is not None and (type(size) is not int or not 0 <= size <= _MAX_SIZE):
            raise CommitMalformed(self._line, '"size" must be a number of bytes.')
        return LinkContent(self._path(value), Sha256(oid), size)

    def _text(self, value: dict[str, Any], name: str, max_chars: int, default: str | None = None) -> str:
        text = value.get(name)
        text = default if text is None else text
        if not isinstance(text, str) or len(text) > max_chars or "\0" in text:
            raise CommitMalformed(
                self._line, f'"{name}" must be a text of at most {max_chars} characters without NUL.'
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise CommitMalformed(self._line, f'"{name}" is not valid Unicode.') from error
        return text


async def read_commit_lines(request: Request, settings: Settings) -> tuple[CommitLines, bytearray]:
    """The lines of a request's body, read in threads, and the last bytes, which are still to be fed.

    Who applies the commit in a thread feeds them there, which saves a change of threads. Raises as `feed`.
    """
    lines = CommitLines(settings)
    batch = bytearray()
    async for chunk in body_chunks(request):
        batch += chunk
        if len(batch) >= _BATCH_BYTES:
            await run_sync(lines.feed, batch)
            batch = bytearray()
    return lines, batch
