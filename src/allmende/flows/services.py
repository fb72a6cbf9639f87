"""What a hub works with, in one value: made once at start and handed to every edge and every job."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from allmende.flows.hot_contents import HotContents
from allmende.flows.kin_search import KinSearch
from allmende.flows.meaning_model import MeaningModel, chosen_meaning
from allmende.flows.scan_policy import parse_policy
from allmende.flows.scanner import HubScanner
from allmende.flows.traffic import Traffic
from allmende.jobs import SqlJobQueue
from allmende.log import HubLog
from allmende.registry import DownloadCounter
from allmende.scan import Policy, Scanner
from allmende.search import LoadedRepos, LoadedVectors
from allmende.settings import Settings
from allmende.storage import (
    ContentStore,
    Database,
    LinkSigner,
    LocalContentStore,
    LocalPackStore,
    LocalXorbStore,
    PackStore,
    XorbStore,
    load_secret,
)

__all__ = ["Services", "log_origin", "open_services"]


_MOST_AHEAD = 4


def _ahead() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(_MOST_AHEAD, os.cpu_count() or 1), thread_name_prefix="decoding")


@dataclass(frozen=True, slots=True)
class Services:
    """Settings and ports; nothing here is a global."""

    settings: Settings
    database: Database
    contents: ContentStore
    signer: LinkSigner
    queue: SqlJobQueue
    xorbs: XorbStore
    packs: PackStore
    hot: HotContents
    traffic: Traffic = field(default_factory=Traffic)
    downloads: DownloadCounter = field(default_factory=DownloadCounter)
    scanner: HubScanner = field(default_factory=HubScanner)
    kin: KinSearch = field(default_factory=KinSearch)
    loaded: LoadedRepos = field(default_factory=LoadedRepos)
    """What a search asks of every repo."""
    meaning: MeaningModel | None = None
    """By what searches find by meaning too; None where the operator chose nothing."""
    vectors: LoadedVectors = field(default_factory=LoadedVectors)
    """What the texts of repos mean, by that model."""
    ahead: ThreadPoolExecutor = field(default_factory=_ahead)
    """Decodes packed contents ahead of who reads them at a stretch."""

    @property
    def policy(self) -> Policy:
        """What is done about findings of the scan. Raises SettingsInvalid."""
        return parse_policy(self.settings.scan_policy)

    @property
    def log(self) -> HubLog:
        """The hub's transparency log and its keys."""
        return HubLog(self.database, self.settings.data, log_origin(self.settings), self.database.clock)

    def close(self) -> None:
        """End the scanner's process, the threads and the connections of the database."""
        self.scanner.close()
        self.ahead.shutdown(cancel_futures=True)
        self.database.close()


def log_origin(settings: Settings) -> str:
    """What a new log of this hub is called: the address under which it is read, without the scheme.

    A hub that was told no address is called after the one that it listens on.
    """
    if settings.public_url is not None:
        return f"{settings.public_url.partition('://')[2].rstrip('/')}/log"
    return f"{settings.host}:{settings.port}/log" if settings.port else f"{settings.host}/log"


def open_services(settings: Settings) -> Services:
    """The services of a hub on its data folder; the database must be at the newest schema before use.

    Raises SettingsInvalid for a policy that makes no sense, and for a model that is not there.
    """
    parse_policy(settings.scan_policy)
    meaning = chosen_meaning(settings.meaning_model)
    database = Database(settings.database_url)
    contents = LocalContentStore(settings.contents_dir)
    return Services(
        settings=settings,
        database=database,
        contents=contents,
        signer=LinkSigner(load_secret(settings.data / "secret.key")),
        queue=SqlJobQueue(database),
        xorbs=LocalXorbStore(settings.xorbs_dir, contents.incoming),
        packs=LocalPackStore(settings.packs_dir, contents.incoming),
        hot=HotContents(LocalContentStore(settings.hot_dir), settings.hot_cache_bytes, settings.hot_reads),
        meaning=meaning,
        scanner=HubScanner(partial(Scanner, processes=max(1, settings.workers))),
    )
