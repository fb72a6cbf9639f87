"""How often repos are downloaded: counted in memory and added to the database now and then.

One download is one caller reading the beginning of any file of a repo within one hour, however many
files and ranges that takes. A crash loses at most the counts since the last flush: they are a measure of
interest and not of account.
"""

import threading
from collections import Counter
from datetime import datetime

from sqlalchemy import update

from allmende.ids import RepoId
from allmende.registry.tables import repo
from allmende.storage import Database

__all__ = ["DownloadCounter"]

_MAX_SEEN = 100_000


class DownloadCounter:
    """Counts downloads; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hour: datetime | None = None
        self._seen: set[tuple[RepoId, str]] = set()
        self._counts: Counter[RepoId] = Counter()

    def count(self, repo_id: RepoId, caller: str, now: datetime) -> None:
        """Note that `caller` (an account or an address) reads from the repo."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        with self._lock:
            if hour != self._hour or len(self._seen) >= _MAX_SEEN:
                self._hour = hour
                self._seen.clear()
            if (repo_id, caller) in self._seen:
                return
            self._seen.add((repo_id, caller))
            self._counts[repo_id] += 1

    def flush(self, database: Database) -> None:
        """Add what was counted to the repos; keeps it when the database refuses."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with database.write() as uow:
                for repo_id, count in counts.items():
                    uow.execute(
                        update(repo).where(repo.c.id == repo_id).values(downloads=repo.c.downloads + count)
                    )
        except BaseException:
            with self._lock:
                self._counts.update(counts)
            raise
