"""The transparency log of a hub: acts become entries, entries become tiles, and a checkpoint is signed.

To read it in order: `acts`, `entries`, `integrating` (from the outbox to rows); `keyring`, `key_sets`,
`signing_state`, `tile_files`, `checkpoint_files`, `publishing` (from rows to what is served and signed);
`hub_log` (what the rest of the hub uses); `peers`, `witnessing`, `cosigning` (hubs that vouch for others).
"""

from allmende.log.acts import Act, Stated, Statements
from allmende.log.checkpoint_files import CheckpointFiles
from allmende.log.cosigning import collect_cosignatures, compare_with_witnesses
from allmende.log.entries import (
    VEILED_KIND,
    LogEntry,
    entries_below,
    entries_between,
    entries_of_repo,
    erase_acts,
    erase_acts_of,
    erase_repo,
    key_entries,
    newest_entry,
    read_entry,
    times_of_entries,
)
from allmende.log.errors import (
    LOG_TROUBLE,
    EntryNotFound,
    KeysDamaged,
    LogContradicted,
    LogSetBack,
    LogUnsigned,
    PeerInvalid,
    PeerUnknown,
)
from allmende.log.hub_log import HubLog
from allmende.log.integrating import (
    KEYS_EVENT,
    LogSize,
    announce_keys,
    integrate,
    log_size,
    waiting_acts,
)
from allmende.log.key_sets import KeySets, KeySetUnfit
from allmende.log.keyring import HubKey, Keyring, KeyringFolder
from allmende.log.peers import Peer, add_peer, list_peers, put_peers, read_peers, remove_peer
from allmende.log.publishing import Publisher
from allmende.log.signing_state import Signed, SigningState
from allmende.log.tile_files import TileFiles
from allmende.log.upkeep import LogCheck, check_log, start_new_log
from allmende.log.witnessing import (
    Evidence,
    WitnessedLog,
    add_checkpoint,
    evidence_file,
    list_evidence,
    put_evidence,
    witnessed_logs,
    witnessed_note,
)

__all__ = [
    "KEYS_EVENT",
    "LOG_TROUBLE",
    "VEILED_KIND",
    "Act",
    "CheckpointFiles",
    "EntryNotFound",
    "Evidence",
    "HubKey",
    "HubLog",
    "KeySetUnfit",
    "KeySets",
    "Keyring",
    "KeyringFolder",
    "KeysDamaged",
    "LogCheck",
    "LogContradicted",
    "LogEntry",
    "LogSetBack",
    "LogSize",
    "LogUnsigned",
    "Peer",
    "PeerInvalid",
    "PeerUnknown",
    "Publisher",
    "Signed",
    "SigningState",
    "Stated",
    "Statements",
    "TileFiles",
    "WitnessedLog",
    "add_checkpoint",
    "add_peer",
    "announce_keys",
    "check_log",
    "collect_cosignatures",
    "compare_with_witnesses",
    "entries_below",
    "entries_between",
    "entries_of_repo",
    "erase_acts",
    "erase_acts_of",
    "erase_repo",
    "evidence_file",
    "integrate",
    "key_entries",
    "list_evidence",
    "list_peers",
    "log_size",
    "newest_entry",
    "put_evidence",
    "put_peers",
    "read_entry",
    "read_peers",
    "remove_peer",
    "start_new_log",
    "times_of_entries",
    "waiting_acts",
    "witnessed_logs",
    "witnessed_note",
]
