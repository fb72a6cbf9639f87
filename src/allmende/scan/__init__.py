"""Looking into files without running them: findings, verdicts, and the bounded child process for both."""

from allmende.scan.budget import Limits
from allmende.scan.catalogue import catalogue_page
from allmende.scan.failures import SECOND_OPINION, SECOND_OPINION_FAILED
from allmende.scan.findings import Confidence, Finding, Rule, Severity
from allmende.scan.hints import HINTS, name_hint
from allmende.scan.isolation import (
    BATCH_BYTES,
    BATCH_FILES,
    SMALL_BYTES,
    Bounds,
    NamedFile,
    Scanner,
    ScannerUnavailable,
    ServerProcess,
    open_ordinary,
)
from allmende.scan.policy_words import PolicyInvalid, parse_policy
from allmende.scan.repository import RepositoryFinding, awaits_others, examine_repository
from allmende.scan.rule_set import READERS, RULE_SET, RULES, scan_source
from allmende.scan.sarif import sarif
from allmende.scan.source import Source
from allmende.scan.verdicts import (
    DEFAULT_POLICY,
    Action,
    FileReport,
    Policy,
    Reference,
    Status,
    worst,
)

__all__ = [
    "BATCH_BYTES",
    "BATCH_FILES",
    "DEFAULT_POLICY",
    "HINTS",
    "READERS",
    "RULES",
    "RULE_SET",
    "SECOND_OPINION",
    "SECOND_OPINION_FAILED",
    "SMALL_BYTES",
    "Action",
    "Bounds",
    "Confidence",
    "FileReport",
    "Finding",
    "Limits",
    "NamedFile",
    "Policy",
    "PolicyInvalid",
    "Reference",
    "RepositoryFinding",
    "Rule",
    "Scanner",
    "ScannerUnavailable",
    "ServerProcess",
    "Severity",
    "Source",
    "Status",
    "awaits_others",
    "catalogue_page",
    "examine_repository",
    "name_hint",
    "open_ordinary",
    "parse_policy",
    "sarif",
    "scan_source",
    "worst",
]
