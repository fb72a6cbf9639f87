"""Which files of an upload go into the commit and which are kept as large files, and what is left out.

Clients are told before they send anything, and all doors decide alike: by size, by `.gitattributes`, by
whether the beginning looks like text. The files that hold the rules are not subject to them.
"""

import codecs
from collections.abc import Callable
from functools import cache

from allmende.formats import GitAttributes, GitIgnore, parse_gitattributes, parse_gitignore
from allmende.registry import FileEntry, Repo, Revision, find_entry, read_blob
from allmende.storage import UnitOfWork

__all__ = ["UploadRules", "present_oid"]

_ATTRIBUTES = ".gitattributes"
_IGNORE = ".gitignore"


class UploadRules:
    """The rules of a revision, read when they are first needed; `git_ignore` goes before the repo's own."""

    def __init__(
        self,
        uow: UnitOfWork,
        repo: Repo,
        revision: Revision,
        max_inline_bytes: int,
        git_ignore: str | None = None,
    ) -> None:
        self._max_inline_bytes = max_inline_bytes

        def text_of(path: str) -> bytes:
            found = find_entry(uow, revision.commit.tree_oid, path)
            inline = found is not None and not found.is_directory and found.pointer is None
            return read_blob(uow, repo.id, found.oid) if found is not None and inline else b""

        def attributes() -> GitAttributes:
            return parse_gitattributes(text_of(_ATTRIBUTES))

        def ignore() -> GitIgnore:
            own = git_ignore if git_ignore is not None else text_of(_IGNORE).decode("utf-8", "replace")
            return parse_gitignore(own)

        self._attributes: Callable[[], GitAttributes] = cache(attributes)
        self._ignore: Callable[[], GitIgnore] = cache(ignore)

    def is_large(self, path: str, size_bytes: int, sample: bytes) -> bool:
        """Whether the bytes are kept beside git; `sample` is how they begin. Empty files never are."""
        if size_bytes == 0:
            return False
        return (
            size_bytes > self._max_inline_bytes
            or (path not in {_ATTRIBUTES, _IGNORE} and self._attributes().is_lfs(path))
            or _is_binary(sample, is_whole=len(sample) >= size_bytes)
        )

    def ignores(self, path: str) -> bool:
        """Whether the repo says that such a file is left out."""
        return path not in {_ATTRIBUTES, _IGNORE} and self._ignore().ignores(path)


def present_oid(found: FileEntry | None) -> str | None:
    """What a client compares with its own file: SHA-256 of an LFS file, git's SHA-1 of any other."""
    if found is None or found.is_directory:
        return None
    return found.oid if found.pointer is None else found.pointer.oid


def _is_binary(sample: bytes, *, is_whole: bool) -> bool:
    """Whether these first bytes are not those of a text; a sample may end inside a character."""
    if b"\0" in sample:
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(sample, final=is_whole)
    except UnicodeDecodeError:
        return True
    return False
