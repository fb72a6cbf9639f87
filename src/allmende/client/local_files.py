"""Which files this machine has already, by their SHA-256: in the stock clients' cache, and pulled elsewhere.

Nothing is searched through: caches name their blobs by the hash, and a pull into a folder leaves a link under
the hash in a folder of its own. Whatever is found is verified before it is used.
"""

import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from allmende.ids import Sha256

__all__ = ["LocalFiles", "links_folder"]


def links_folder() -> Path:
    """Where links to pulled files are kept: `$ALLMENDE_CACHE/pulled`, else in the user's cache folder."""
    named = os.environ.get("ALLMENDE_CACHE")
    if named:
        return Path(named).expanduser() / "pulled"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "allmende" / "pulled"


class LocalFiles:
    """Finds files by their SHA-256."""

    def __init__(self, cache: Path, links: Path) -> None:
        self._links = links
        self._blobs = sorted(cache.glob("*--*/blobs"))

    def find(self, hashes: Iterable[Sha256]) -> Mapping[Sha256, Path]:
        """Those that are here."""
        found = ((sha256, self._find(sha256)) for sha256 in hashes)
        return {sha256: path for sha256, path in found if path is not None}

    def remember(self, sha256: Sha256, path: Path) -> None:
        """Leave a link, so that the file is found when something is built upon it."""
        self._links.mkdir(parents=True, exist_ok=True)
        temporary = self._links / f".{secrets.token_hex(8)}"
        temporary.symlink_to(path.resolve())
        temporary.replace(self._links / sha256)

    def _find(self, sha256: Sha256) -> Path | None:
        places = (*(folder / sha256 for folder in self._blobs), self._links / sha256)
        return next((path for path in places if path.is_file()), None)
