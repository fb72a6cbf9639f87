"""Use cases that join several rooms: bootstrap, examine, maintenance."""

from allmende.flows.bootstrap import (
    Change,
    IssuedToken,
    Outcome,
    Plan,
    PlanInvalid,
    apply_plan,
    create_first_administrator,
    read_plan,
)
from allmende.flows.chunk_maps import enqueue_chunking
from allmende.flows.content_examination import format_fact
from allmende.flows.garbage import GarbageReport, collect_garbage
from allmende.flows.integrity import Finding, FsckReport, fsck
from allmende.flows.known_chunks import shard_for_chunk
from allmende.flows.lost_bytes import mark_damaged
from allmende.flows.rebuilding import ShardProgress
from allmende.flows.removal import remove_repo
from allmende.flows.services import Services, open_services
from allmende.flows.shard_receipt import let_go_of_named, receive_shard
from allmende.flows.worker import make_worker
from allmende.flows.xet_reading import (
    ChunkDamaged,
    ReconstructionTerm,
    SerializedXorb,
    XorbRange,
    offers_xet,
    reconstruct,
)
from allmende.flows.xorb_garbage import begin_epoch
from allmende.flows.xorb_sources import Ask, Uploader

__all__ = [
    "Ask",
    "Change",
    "ChunkDamaged",
    "Finding",
    "FsckReport",
    "GarbageReport",
    "IssuedToken",
    "Outcome",
    "Plan",
    "PlanInvalid",
    "ReconstructionTerm",
    "SerializedXorb",
    "Services",
    "ShardProgress",
    "Uploader",
    "XorbRange",
    "apply_plan",
    "begin_epoch",
    "collect_garbage",
    "create_first_administrator",
    "enqueue_chunking",
    "format_fact",
    "fsck",
    "let_go_of_named",
    "make_worker",
    "mark_damaged",
    "offers_xet",
    "open_services",
    "read_plan",
    "receive_shard",
    "reconstruct",
    "remove_repo",
    "shard_for_chunk",
]
