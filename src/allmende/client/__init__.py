"""The client: talks to a hub over HTTP, and fetches what this machine does not have yet."""

from allmende.client.connection import Connection
from allmende.client.errors import BytesDiffer, HubUnreachable, UnexpectedAnswer
from allmende.client.listing import RemoteFile, RemoteRepo, Snapshot, list_snapshot
from allmende.client.local_files import LocalFiles, links_folder
from allmende.client.places import CachePlace, FolderPlace, SnapshotPlace, hub_cache
from allmende.client.pulling import Pulled, pull, wanted_files
from allmende.client.rebuilding import Savings
from allmende.client.token import known_endpoint, known_token

__all__ = [
    "BytesDiffer",
    "CachePlace",
    "Connection",
    "FolderPlace",
    "HubUnreachable",
    "LocalFiles",
    "Pulled",
    "RemoteFile",
    "RemoteRepo",
    "Savings",
    "Snapshot",
    "SnapshotPlace",
    "UnexpectedAnswer",
    "hub_cache",
    "known_endpoint",
    "known_token",
    "links_folder",
    "list_snapshot",
    "pull",
    "wanted_files",
]
