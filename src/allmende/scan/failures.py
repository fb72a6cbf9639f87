"""What is found when the scan of a file fails, or another scanner objects: findings about the scanning."""

from allmende.scan.findings import Rule, Severity

__all__ = ["CRASHED", "OUT_OF_MEMORY", "OUT_OF_TIME", "RULES", "SECOND_OPINION", "SECOND_OPINION_FAILED"]

_REFERENCE = (
    "Fail closed: a file that was not looked into to its end is not clean. docs/scanning.md, isolation."
)
_REMEDY = "Tell the operator of this scanner. Publish the weights as safetensors."

CRASHED = Rule(
    "scanner-crashed",
    Severity.HIGH,
    "the scanner failed on this file",
    "The process that looked into the file ended without an answer. Files are sometimes built to do that.",
    _REMEDY,
    _REFERENCE,
)
OUT_OF_TIME = Rule(
    "scanner-timeout",
    Severity.HIGH,
    "looking into the file took too long",
    "The process that looked into the file was ended when its time was over.",
    _REMEDY,
    _REFERENCE,
)
OUT_OF_MEMORY = Rule(
    "scanner-memory",
    Severity.HIGH,
    "looking into the file took too much memory",
    "The process that looked into the file wanted more memory than it may have.",
    _REMEDY,
    _REFERENCE,
)
SECOND_OPINION = Rule(
    "second-opinion",
    Severity.CRITICAL,
    "another scanner objects",
    "A second scanner was asked, and it does not find the file harmless.",
    "Look at what the other scanner says.",
    "docs/scanning.md, second opinions.",
)
SECOND_OPINION_FAILED = Rule(
    "second-opinion-failed",
    Severity.HIGH,
    "another scanner came to no end",
    "A second scanner was asked, and it failed on the file or took too long.",
    "Look at what the other scanner says.",
    "docs/scanning.md, second opinions.",
)
RULES = (CRASHED, OUT_OF_TIME, OUT_OF_MEMORY, SECOND_OPINION, SECOND_OPINION_FAILED)
