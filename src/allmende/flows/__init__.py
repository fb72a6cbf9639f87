"""Use cases that join several rooms: bootstrap, examine, maintenance."""

from allmende.flows.administering import KINDS_OF_ACTS, note_administration
from allmende.flows.alike import models_like
from allmende.flows.application_assessing import (
    DescriptionImpossible,
    assess_text,
    notice_new_law,
)
from allmende.flows.application_evidence import evidence_of_application, log_evidence
from allmende.flows.application_register import (
    assessment_again,
    change_application,
    newest_shown,
    publish_application,
    register_application,
    shown_assessment,
    shown_assessments,
)
from allmende.flows.attesting import (
    MAX_ATTESTATION_BYTES,
    accept_attestation,
    check_attestation,
    shown_attestation,
    shown_attestations,
)
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
from allmende.flows.commons import Commons, FamilyLink, ScanDay, commons_of, public_counts
from allmende.flows.content_examination import format_fact
from allmende.flows.content_packing import enqueue_packing
from allmende.flows.erasing import erase_person
from allmende.flows.evidence import heads_of, repos_for_evidence, write_evidence
from allmende.flows.family_storage import FamilyFigures, family_figures
from allmende.flows.family_view import ancestors, path_between
from allmende.flows.file_scanning import report_fact, verdict_fact
from allmende.flows.file_verdicts import UNEXAMINED, FileVerdict, entry_verdicts, known_rule
from allmende.flows.findings import Finding
from allmende.flows.founding import NewRepo, make_organisation, make_repo, may_make_organisations
from allmende.flows.garbage import GarbageReport, collect_garbage
from allmende.flows.hot_contents import HotContents
from allmende.flows.integrity import FsckReport, fsck
from allmende.flows.known_chunks import shard_for_chunk
from allmende.flows.layer_changes import change_between, has_layer_change
from allmende.flows.lineage_reading import descendants, lineage_of, siblings
from allmende.flows.lineage_upkeep import (
    forget_lineage_of_contents,
    note_repo_changed,
    notice_new_lineage,
    start_relineage,
)
from allmende.flows.lineage_view import (
    AlikeView,
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
from allmende.flows.log_peers import apply_peer_settings, forget_peer, name_peer
from allmende.flows.log_running import LogRunner, make_log_runner, run_log
from allmende.flows.log_statements import LogStatements
from allmende.flows.log_view import LogStatus, log_status, policy_text, shown_entries, shown_entry
from allmende.flows.lost_bytes import mark_damaged
from allmende.flows.meaning import also_by_meaning, begin_meaning
from allmende.flows.membership import change_member, change_organisation, may_manage_members
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
from allmende.flows.page_changes import FilesPresent, change_files, move_operations
from allmende.flows.page_uploads import PartedUpload, is_present, keep_uploaded, open_parts
from allmende.flows.proof_bundle import ProofNotKept, proof_bundle
from allmende.flows.publisher_documents import (
    DocumentForOthers,
    DocumentSources,
    document_sources,
    make_for,
    offered_documents,
)
from allmende.flows.pushed_deltas import DELTA_TRANSFER, ReceivedDelta, rebuild_pushed
from allmende.flows.readiness import READY, readiness
from allmende.flows.reading import (
    BytesDamaged,
    ContentReader,
    open_content,
    open_packed,
    plain_file,
    shelf_of,
)
from allmende.flows.rebuilding import ShardProgress
from allmende.flows.record_queue import enqueue_record
from allmende.flows.records import RecordNotReady, ShownVersion, record_envelope, record_of, shown_versions
from allmende.flows.removal import remove_repo
from allmende.flows.repo_changes import change_repo, rename_repo
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
from allmende.flows.signature_checking import SIGNATURE
from allmende.flows.statement_key import statement_signer
from allmende.flows.storage_checks import (
    CHECK_JOB,
    COUNT_JOB,
    StorageReport,
    start_report,
    storage_report,
)
from allmende.flows.table_previews import table_preview
from allmende.flows.tree_digests import TreeFile, known_tree_digests, tree_digests
from allmende.flows.trust_policies import set_hub_trust, set_trust
from allmende.flows.unpacking import enqueue_unpacking
from allmende.flows.upload_rules import UploadRules, present_oid
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
    "CHECK_JOB",
    "COUNT_JOB",
    "DELTA_TRANSFER",
    "KINDS_OF_ACTS",
    "MAX_ATTESTATION_BYTES",
    "READY",
    "SCAN",
    "SIGNATURE",
    "UNEXAMINED",
    "AlikeView",
    "Ancestry",
    "Ask",
    "BytesDamaged",
    "Change",
    "ChunkDamaged",
    "Commons",
    "ContentReader",
    "ContentsFigures",
    "DeclaredBase",
    "DescendantsPage",
    "DescriptionImpossible",
    "DocumentForOthers",
    "DocumentSources",
    "Door",
    "EdgeView",
    "FamilyFigures",
    "FamilyLink",
    "FileBlocked",
    "FileHoldsSecret",
    "FileOffers",
    "FileQuarantined",
    "FileScan",
    "FileScanner",
    "FileStretch",
    "FileUnexamined",
    "FileVerdict",
    "FilesPresent",
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
    "LogRunner",
    "LogStatements",
    "LogStatus",
    "NeedsAuditor",
    "NewRepo",
    "NothingToLift",
    "Outcome",
    "PackingStatus",
    "ParentView",
    "PartedUpload",
    "Passed",
    "PathStep",
    "Plan",
    "PlanInvalid",
    "ProofNotKept",
    "ReceivedDelta",
    "ReconstructionTerm",
    "RecordNotReady",
    "RevisionVerdicts",
    "ScanDay",
    "ScanReport",
    "SerializedXorb",
    "Services",
    "ShardProgress",
    "ShownVersion",
    "StorageReport",
    "Subject",
    "TreeFile",
    "TreeLink",
    "TreeNode",
    "UploadRules",
    "Uploader",
    "XorbRange",
    "accept_attestation",
    "also_by_meaning",
    "ancestors",
    "apply_peer_settings",
    "apply_plan",
    "assess_text",
    "assessment_again",
    "begin_epoch",
    "begin_meaning",
    "change_application",
    "change_between",
    "change_files",
    "change_member",
    "change_organisation",
    "change_repo",
    "check_attestation",
    "collect_garbage",
    "commons_of",
    "contents_figures",
    "create_first_administrator",
    "descendants",
    "document_sources",
    "end_override",
    "enqueue_all_packing",
    "enqueue_chunking",
    "enqueue_packing",
    "enqueue_record",
    "enqueue_unpacking",
    "entry_verdicts",
    "erase_person",
    "evidence_of_application",
    "family_figures",
    "find_offers",
    "forget_lineage_of_contents",
    "forget_peer",
    "format_fact",
    "fsck",
    "has_layer_change",
    "heads_of",
    "is_auditor",
    "is_present",
    "keep_uploaded",
    "known_rule",
    "known_tree_digests",
    "let_go_of_named",
    "lift_verdict",
    "lineage_of",
    "log_evidence",
    "log_status",
    "make_for",
    "make_log_runner",
    "make_organisation",
    "make_packing_worker",
    "make_repo",
    "make_worker",
    "mark_damaged",
    "may_make_organisations",
    "may_manage_members",
    "models_like",
    "move_operations",
    "name_peer",
    "newest_shown",
    "note_administration",
    "note_repo_changed",
    "note_scopes_changed",
    "notice_new_law",
    "notice_new_lineage",
    "notice_new_rules",
    "offered",
    "offered_documents",
    "offers_xet",
    "open_content",
    "open_packed",
    "open_parts",
    "open_services",
    "packing_is_done",
    "packing_status",
    "path_between",
    "plain_file",
    "policy_text",
    "present_oid",
    "proof_bundle",
    "public_counts",
    "publish_application",
    "read_plan",
    "readiness",
    "rebuild_pushed",
    "receive_shard",
    "reconstruct",
    "record_envelope",
    "record_of",
    "register_application",
    "remove_repo",
    "rename_repo",
    "repo_figures",
    "report_fact",
    "repos_for_evidence",
    "repository_rules",
    "run_log",
    "scan_report",
    "scope_of_repo",
    "set_hub_trust",
    "set_packing_paused",
    "set_trust",
    "shard_for_chunk",
    "shelf_of",
    "shown_assessment",
    "shown_assessments",
    "shown_attestation",
    "shown_attestations",
    "shown_entries",
    "shown_entry",
    "shown_versions",
    "siblings",
    "start_relineage",
    "start_report",
    "start_rescan",
    "statement_signer",
    "storage_report",
    "stored_bytes_of",
    "subject_at",
    "subject_of",
    "table_preview",
    "tree_digests",
    "verdict_fact",
    "verdicts_of",
    "write_evidence",
]
