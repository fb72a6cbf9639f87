"""A hub's log without a server: services on a folder, and the round that `serve` does again and again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from allmende.flows import HotContents, Services, run_log
from allmende.jobs import SqlJobQueue
from allmende.merkle import KnownLog, TiledLog, read_verifier_key
from allmende.settings import load_settings
from allmende.storage import (
    Database,
    LinkSigner,
    LocalContentStore,
    LocalPackStore,
    LocalXorbStore,
)
from tests.scanners import scanner_in_process

ReadLog = Callable[[], TiledLog]


@pytest.fixture
def services(tmp_path: Path, database: Database, contents: LocalContentStore, queue: SqlJobQueue) -> Services:
    return open_at(tmp_path, database, contents, queue)


def open_at(folder: Path, database: Database, contents: LocalContentStore, queue: SqlJobQueue) -> Services:
    settings = load_settings({"data": folder, "public_url": "https://hub.example.org"}, {})
    return Services(
        settings=settings,
        database=database,
        contents=contents,
        signer=LinkSigner(b"s" * 32),
        queue=queue,
        xorbs=LocalXorbStore(contents.root / "xorbs", contents.incoming),
        packs=LocalPackStore(contents.root / "packs", contents.incoming),
        hot=HotContents(LocalContentStore(contents.root / "hot"), 1024**2, settings.hot_reads),
        scanner=scanner_in_process(),
    )


@pytest.fixture
def integrated(services: Services) -> ReadLog:
    """Run the log, and read what it serves as a stranger does who has its key."""

    def read() -> TiledLog:
        run_log(services)
        return served_log(services)

    return read


def served_log(services: Services) -> TiledLog:
    keys = tuple(read_verifier_key(text) for text in services.log.log_keys)

    def fetch(path: str, at_most_bytes: int) -> bytes:
        if path == "checkpoint":
            note = services.log.checkpoint()
            assert note is not None
            return bytes(note)
        return services.log.file(path)

    return TiledLog.newest(fetch, KnownLog(services.log.origin, keys))
