"""Looking into files without running them: findings, verdicts, and the bounded child process for both."""

from allmende.scan.budget import Limits
from allmende.scan.catalogue import catalogue_page
from allmende.scan.failures import SECOND_OPINION, SECOND_OPINION_FAILED
from allmende.scan.findings import Confidence, Finding, Rule, Severity
from allmende.scan.hints import HINTS, name_hint
from allmende.scan.isolation import Bounds, Scanner, ScannerUnavailable
from allmende.scan.policy_words import PolicyInvalid, parse_policy
from allmende.scan.repository import RepositoryFinding, examine_repository
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
    "DEFAULT_POLICY",
    "HINTS",
    "READERS",
    "RULES",
    "RULE_SET",
    "SECOND_OPINION",
    "SECOND_OPINION_FAILED",
    "Action",
    "Bounds",
    "Confidence",
    "FileReport",
    "Finding",
    "Limits",
    "Policy",
    "PolicyInvalid",
    "Reference",
    "RepositoryFinding",
    "Rule",
    "Scanner",
    "ScannerUnavailable",
    "Severity",
    "Source",
    "Status",
    "catalogue_page",
    "examine_repository",
    "name_hint",
    "parse_policy",
    "sarif",
    "scan_source",
    "worst",
]
