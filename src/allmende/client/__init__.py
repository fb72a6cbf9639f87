"""The client: talks to a hub over HTTP, fetches what this machine lacks, sends what the hub lacks."""

from allmende.client.commits import LocalFile, create_repo
from allmende.client.connection import Connection
from allmende.client.errors import BytesDiffer, HubKeyChanged, HubUnreachable, LogForked, UnexpectedAnswer
from allmende.client.files import read_bounded
from allmende.client.first_witnesses import NamedWitness, WitnessInvalid, named_witnesses
from allmende.client.key_sets import served_key_set
from allmende.client.known_hubs import (
    KnownPolicy,
    first_policy,
    known_key_set,
    known_policy,
    meet,
    policy_path,
)
from allmende.client.listing import RemoteFile, RemoteRepo, Snapshot, list_snapshot
from allmende.client.local_files import LocalFiles, links_folder
from allmende.client.log_mirror import DEFAULT_LIMIT_BYTES, LogMirror, MirrorStep, mirror_policy
from allmende.client.log_sources import FolderLog, HubLog, LogSource
from allmende.client.log_watch import LogWatch, SeenEntry, find_subjects
from allmende.client.mirror_checking import CheckedMirror, check_mirror
from allmende.client.places import CachePlace, FolderPlace, SnapshotPlace, hub_cache
from allmende.client.proofs import (
    LocalModel,
    cached_snapshot,
    fetch_evidence,
    fetch_proof,
    find_local,
    keep_proof,
    proof_path,
)
from allmende.client.pulling import Pulled, pull, wanted_files
from allmende.client.push_bases import LocalBase, card_bases, find_bases
from allmende.client.pushing import Pushed, files_to_push, push
from allmende.client.rebuilding import Savings
from allmende.client.small_files import read_small_files
from allmende.client.token import known_endpoint, known_token

__all__ = [
    "DEFAULT_LIMIT_BYTES",
    "BytesDiffer",
    "CachePlace",
    "CheckedMirror",
    "Connection",
    "FolderLog",
    "FolderPlace",
    "HubKeyChanged",
    "HubLog",
    "HubUnreachable",
    "KnownPolicy",
    "LocalBase",
    "LocalFile",
    "LocalFiles",
    "LocalModel",
    "LogForked",
    "LogMirror",
    "LogSource",
    "LogWatch",
    "MirrorStep",
    "NamedWitness",
    "Pulled",
    "Pushed",
    "RemoteFile",
    "RemoteRepo",
    "Savings",
    "SeenEntry",
    "Snapshot",
    "SnapshotPlace",
    "UnexpectedAnswer",
    "WitnessInvalid",
    "cached_snapshot",
    "card_bases",
    "check_mirror",
    "create_repo",
    "fetch_evidence",
    "fetch_proof",
    "files_to_push",
    "find_bases",
    "find_local",
    "find_subjects",
    "first_policy",
    "hub_cache",
    "keep_proof",
    "known_endpoint",
    "known_key_set",
    "known_policy",
    "known_token",
    "links_folder",
    "list_snapshot",
    "meet",
    "mirror_policy",
    "named_witnesses",
    "policy_path",
    "proof_path",
    "pull",
    "push",
    "read_bounded",
    "read_small_files",
    "served_key_set",
    "wanted_files",
]
