"""Facts by content and by revision, and what scans of everything changed."""

from allmende.facts.content_facts import (
    content_fact_value,
    content_facts,
    forget_content_facts,
    put_content_facts,
)
from allmende.facts.fact import ContentKey, Fact, FactSource
from allmende.facts.revision_facts import (
    EXAMINED,
    RevisionFacts,
    examined_value,
    forget_repo_facts,
    is_examined,
    put_revision_facts,
    repos_with_facts,
    revision_facts,
    revisions_facts,
)
from allmende.facts.scan_runs import (
    Cause,
    ScanChange,
    ScanRun,
    advance_scan_run,
    begin_scan_run,
    find_scan_run,
    finish_scan_run,
    forget_scan_changes,
    last_scan_run,
    scan_changes,
)

__all__ = [
    "EXAMINED",
    "Cause",
    "ContentKey",
    "Fact",
    "FactSource",
    "RevisionFacts",
    "ScanChange",
    "ScanRun",
    "advance_scan_run",
    "begin_scan_run",
    "content_fact_value",
    "content_facts",
    "examined_value",
    "find_scan_run",
    "finish_scan_run",
    "forget_content_facts",
    "forget_repo_facts",
    "forget_scan_changes",
    "is_examined",
    "last_scan_run",
    "put_content_facts",
    "put_revision_facts",
    "repos_with_facts",
    "revision_facts",
    "revisions_facts",
    "scan_changes",
]
