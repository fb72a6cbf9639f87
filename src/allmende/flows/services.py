"""What a hub works with, in one value: made once at start and handed to every edge and every job."""

from dataclasses import dataclass, field
from functools import partial

from allmende.flows.hot_contents import HotContents
from allmende.flows.kin_search import KinSearch
from allmende.flows.scan_policy import parse_policy
from allmende.flows.scanner import HubScanner
from allmende.flows.traffic import Traffic
from allmende.jobs import SqlJobQueue
from allmende.registry import DownloadCounter
from allmende.scan import Policy, Scanner
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

__all__ = ["Services", "open_services"]


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

    @property
    def policy(self) -> Policy:
        """What is done about findings of the scan. Raises SettingsInvalid."""
        return parse_policy(self.settings.scan_policy)

    def close(self) -> None:
        """End the scanner's process and the connections of the database."""
        self.scanner.close()
        self.database.close()


def open_services(settings: Settings) -> Services:
    """The services of a hub on its data folder; the database must be at the newest schema before use.

    Raises SettingsInvalid for a policy that makes no sense.
    """
    parse_policy(settings.scan_policy)
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
        scanner=HubScanner(partial(Scanner, processes=max(1, settings.workers))),
    )
