"""Where a pulled snapshot comes to lie: a Hugging Face cache, or a plain folder.

The cache is laid out as the stock clients lay it out, so that what was pulled is found by `from_pretrained`
and `hf` without a network: the bytes under `blobs/` by their etag, `snapshots/<commit>/` with relative links
to them, and `refs/` with the commit that a branch or tag named. Every file gets its name when it is whole.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from allmende.client.listing import RemoteFile, RemoteRepo, Snapshot
from allmende.errors import Conflict

__all__ = ["CachePlace", "FolderPlace", "SnapshotPlace", "hub_cache", "repo_folder_name"]


class SnapshotPlace(Protocol):
    """A place for the files of one snapshot."""

    @property
    def folder(self) -> Path:
        """Where the files are found in the end."""
        ...

    def present(self, file: RemoteFile) -> Path | None:
        """Where a file lies already, if it does; whether its bytes are right is not looked at."""

    def partial(self, file: RemoteFile) -> Path:
        """Where its bytes are gathered; what an interrupted pull left is still there."""

    def finish(self, file: RemoteFile) -> Path:
        """Give the gathered bytes, which were verified, their name. Returns where they lie."""

    def complete(self) -> None:
        """All files are there: make the snapshot known under its revision."""


def hub_cache() -> Path:
    """The folder of the stock clients' cache, by their own variables."""
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    beside = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(beside).expanduser() / "huggingface" / "hub"


class CachePlace:
    """A snapshot in the stock clients' cache."""

    def __init__(self, root: Path, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._repo = root / repo_folder_name(snapshot.repo)
        self.folder = self._repo / "snapshots" / snapshot.commit
        self._blobs = self._repo / "blobs"
        for folder in (self._blobs, self.folder, self._repo / "refs"):
            folder.mkdir(parents=True, exist_ok=True)

    def present(self, file: RemoteFile) -> Path | None:
        """See SnapshotPlace. A blob of another revision counts: it is linked."""
        blob = self._blobs / file.etag
        if not blob.is_file() or blob.stat().st_size != file.size_bytes:
            return None
        self._link(file)
        return blob

    def partial(self, file: RemoteFile) -> Path:
        """See SnapshotPlace."""
        return self._blobs / f"{file.etag}.allmende-part"

    def finish(self, file: RemoteFile) -> Path:
        """See SnapshotPlace."""
        blob = self._blobs / file.etag
        _replace(self.partial(file), blob)
        self._link(file)
        return blob

    def complete(self) -> None:
        """See SnapshotPlace."""
        if self._snapshot.revision != self._snapshot.commit:
            named = self._repo / "refs" / self._snapshot.revision
            named.parent.mkdir(parents=True, exist_ok=True)
            with _written(named) as temporary:
                temporary.write_text(self._snapshot.commit, "ascii")

    def _link(self, file: RemoteFile) -> None:
        link = self.folder / file.path
        target = os.path.relpath(self._blobs / file.etag, link.parent)
        if link.is_symlink() and str(link.readlink()) == target:
            return
        link.parent.mkdir(parents=True, exist_ok=True)
        with _written(link) as temporary:
            temporary.symlink_to(target)


class FolderPlace:
    """A snapshot as plain files in a folder, with what is unfinished in `.allmende/` beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unfinished = folder / ".allmende" / "incoming"
        self._unfinished.mkdir(parents=True, exist_ok=True)

    def present(self, file: RemoteFile) -> Path | None:
        """See SnapshotPlace. Raises Conflict where a folder or a link stands in the way."""
        path = self._path(file)
        if path.is_symlink() or path.is_dir():
            raise Conflict(f"{path} is in the way.", hint="Move it, or pull into another folder.")
        return path if path.is_file() and path.stat().st_size == file.size_bytes else None

    def partial(self, file: RemoteFile) -> Path:
        """See SnapshotPlace."""
        return self._unfinished / file.etag

    def finish(self, file: RemoteFile) -> Path:
        """See SnapshotPlace."""
        path = self._path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(self.partial(file), path)
        return path

    def complete(self) -> None:
        """See SnapshotPlace. The folder of what was unfinished goes when it is empty."""
        if not any(self._unfinished.iterdir()):
            self._unfinished.rmdir()

    def _path(self, file: RemoteFile) -> Path:
        path = self.folder / file.path
        # A link that somebody put into the folder must not lead what is written out of it.
        inside = self.folder.resolve()
        if not path.parent.resolve().is_relative_to(inside):
            raise Conflict(f"{path.parent} leads out of {self.folder}.", hint="Pull into an empty folder.")
        return path


def repo_folder_name(repo: RemoteRepo) -> str:
    """The name of a repo's folder in the cache."""
    return f"{repo.type}s--{repo.name.replace('/', '--')}"


def _replace(partial: Path, final: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(final)


@contextmanager
def _written(final: Path) -> Iterator[Path]:
    """A name beside `final` to write under, which then takes its place."""
    temporary = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
    try:
        yield temporary
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)
