"""Verdicts of the scan in the form that stock clients read: `securityFileStatus` and `securityRepoStatus`.

A client takes `status` for safe only where it is exactly `safe`. The form has words for what the hub's words
mean; what no reader knows is `unscanned` and never safe. The hub's own word and the rules stand beside it.
"""

from collections.abc import Mapping
from typing import Any

from allmende.flows import FileVerdict, RevisionVerdicts
from allmende.scan import Status

__all__ = ["file_status", "repo_status"]

_WORDS: Mapping[Status, str] = {
    Status.CLEAN: "safe",
    Status.NOTED: "safe",
    Status.WARNED: "suspicious",
    Status.NOT_SCANNED: "unscanned",
    Status.QUARANTINED: "unsafe",
    Status.BLOCKED: "unsafe",
}
_MAX_RULES = 20


def file_status(verdict: FileVerdict, *, examined: bool) -> dict[str, Any]:
    """What a client is told of a file. Until its revision is examined only what stops it is told.

    How soon a harmless file is known would tell that the hub had its bytes before.
    """
    told = examined or verdict.is_stopped
    return {
        "status": _word(verdict) if told else "queued",
        "avScan": None,
        "pickleImportScan": None,
        "allmendeScan": {
            "status": verdict.word if told else "unexamined",
            "rules": list(verdict.rules[:_MAX_RULES]) if told else [],
            "lifted": list(verdict.lifted[:_MAX_RULES]) if told else [],
        },
    }


def repo_status(verdicts: RevisionVerdicts, *, examined: bool) -> dict[str, Any]:
    """What a client is told of a revision: whether the scan is done, and the files that are not safe."""
    issues = [
        {"path": path, "level": _word(verdict), "rules": list(verdict.rules[:_MAX_RULES])}
        for path, verdict in verdicts.issues()
        if examined or verdict.is_stopped
    ]
    return {"scansDone": examined and verdicts.status is not None, "filesWithIssues": issues}


def _word(verdict: FileVerdict) -> str:
    return "queued" if verdict.status is None else _WORDS[verdict.status]
