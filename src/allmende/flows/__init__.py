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
from allmende.flows.content_packing import enqueue_packing
from allmende.flows.family_storage import FamilyFigures, family_figures
from allmende.flows.family_view import ancestors, path_between
from allmende.flows.file_scanning import report_fact, verdict_fact
from allmende.flows.file_verdicts import UNEXAMINED, FileVerdict, entry_verdicts, known_rule
from allmende.flows.findings import Finding
from allmende.flows.garbage import GarbageReport, collect_garbage
from allmende.flows.hot_contents import HotContents
from allmende.flows.integrity import FsckReport, fsck
from allmende.flows.known_chunks import shard_for_chunk
from allmende.flows.lineage_reading import descendants, lineage_of, siblings
from allmende.flows.lineage_upkeep import (
    forget_lineage_of_contents,
    note_repo_changed,
    notice_new_lineage,
    start_relineage,
)
from allmende.flows.lineage_view import (
    Ancestry,
    DeclaredBase,
    DescendantsPage,
    EdgeView,
    KinView,
    LineageView,
    ParentView,
    PathStep,
    TreeLink,
    TreeNode,
)
from allmende.flows.lost_bytes import mark_damaged
from allmende.flows.object_offers import (
    FileOffers,
    FileStretch,
    find_offers,
    offered,
    stored_bytes_of,
)
from allmende.flows.object_shelf import HubShelf
from allmende.flows.pack_figures import ContentsFigures, contents_figures, repo_figures, scope_of_repo
from allmende.flows.packing_upkeep import (
    PackingStatus,
    enqueue_all_packing,
    note_scopes_changed,
    packing_status,
    set_packing_paused,
)
from allmende.flows.reading import BytesDamaged, open_content, open_packed, plain_file, shelf_of
from allmende.flows.rebuilding import ShardProgress
from allmende.flows.removal import remove_repo
from allmende.flows.rescan import notice_new_rules, start_rescan
from allmende.flows.scan_overriding import (
    Judge,
    NeedsAuditor,
    NothingToLift,
    Subject,
    end_override,
    lift_verdict,
    subject_at,
    subject_of,
)
from allmende.flows.scan_policy import is_auditor
from allmende.flows.scan_report import FileScan, ScanReport, scan_report
from allmende.flows.scan_summary import SCAN, RevisionVerdicts, verdicts_of
from allmende.flows.scanner import FileScanner, HubScanner
from allmende.flows.services import Services, open_services
from allmende.flows.serving import (
    ALLOW_UNSAFE_HEADER,
    ALLOW_UNSAFE_PARAMETER,
    Door,
    FileBlocked,
    FileHoldsSecret,
    FileQuarantined,
    FileUnexamined,
    Passed,
    repository_rules,
)
from allmende.flows.shard_receipt import let_go_of_named, receive_shard
from allmende.flows.unpacking import enqueue_unpacking
from allmende.flows.worker import make_packing_worker, make_worker, packing_is_done
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
    "ALLOW_UNSAFE_HEADER",
    "ALLOW_UNSAFE_PARAMETER",
    "SCAN",
    "UNEXAMINED",
    "Ancestry",
    "Ask",
    "BytesDamaged",
    "Change",
    "ChunkDamaged",
    "ContentsFigures",
    "DeclaredBase",
    "DescendantsPage",
    "Door",
    "EdgeView",
    "FamilyFigures",
    "FileBlocked",
    "FileHoldsSecret",
    "FileOffers",
    "FileQuarantined",
    "FileScan",
    "FileScanner",
    "FileStretch",
    "FileUnexamined",
    "FileVerdict",
    "Finding",
    "FsckReport",
    "GarbageReport",
    "HotContents",
    "HubScanner",
    "HubShelf",
    "IssuedToken",
    "Judge",
    "KinView",
    "LineageView",
    "NeedsAuditor",
    "NothingToLift",
    "Outcome",
    "PackingStatus",
    "ParentView",
    "Passed",
    "PathStep",
    "Plan",
    "PlanInvalid",
    "ReconstructionTerm",
    "RevisionVerdicts",
    "ScanReport",
    "SerializedXorb",
    "Services",
    "ShardProgress",
    "Subject",
    "TreeLink",
    "TreeNode",
    "Uploader",
    "XorbRange",
    "ancestors",
    "apply_plan",
    "begin_epoch",
    "collect_garbage",
    "contents_figures",
    "create_first_administrator",
    "descendants",
    "end_override",
    "enqueue_all_packing",
    "enqueue_chunking",
    "enqueue_packing",
    "enqueue_unpacking",
    "entry_verdicts",
    "family_figures",
    "find_offers",
    "forget_lineage_of_contents",
    "format_fact",
    "fsck",
    "is_auditor",
    "known_rule",
    "let_go_of_named",
    "lift_verdict",
    "lineage_of",
    "make_packing_worker",
    "make_worker",
    "mark_damaged",
    "note_repo_changed",
    "note_scopes_changed",
    "notice_new_lineage",
    "notice_new_rules",
    "offered",
    "offers_xet",
    "open_content",
    "open_packed",
    "open_services",
    "packing_is_done",
    "packing_status",
    "path_between",
    "plain_file",
    "read_plan",
    "receive_shard",
    "reconstruct",
    "remove_repo",
    "repo_figures",
    "report_fact",
    "repository_rules",
    "scan_report",
    "scope_of_repo",
    "set_packing_paused",
    "shard_for_chunk",
    "shelf_of",
    "siblings",
    "start_relineage",
    "start_rescan",
    "stored_bytes_of",
    "subject_at",
    "subject_of",
    "verdict_fact",
    "verdicts_of",
]
