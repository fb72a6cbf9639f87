"""A second opinion by another scanner, as a program of its own: it can make a verdict worse, never better."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from allmende.errors import NotOffered
from allmende.scan import SECOND_OPINION, SECOND_OPINION_FAILED, FileReport, Finding, Rule

__all__ = ["SecondOpinionMissing", "ask_picklescan", "find_picklescan"]

_TIME_S = 60
_MAX_OUTPUT_BYTES = 64 * 1024
_MAX_TOLD_CHARS = 500
_CLEAN, _INFECTED = 0, 1


class SecondOpinionMissing(NotOffered):
    """The other scanner is not installed."""

    code = "second_opinion_missing"

    def __init__(self) -> None:
        super().__init__(
            "picklescan is not installed.",
            hint="`pip install picklescan`, or leave out --second-opinion.",
        )


def ask_picklescan(path: Path, report: FileReport) -> FileReport:
    """The report, with one finding more where picklescan objects or does not come to an end.

    Raises SecondOpinionMissing.
    """
    with tempfile.TemporaryFile() as output:
        try:
            answer = subprocess.run(
                [find_picklescan(), f"--path={path}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                timeout=_TIME_S,
                check=False,
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            )
        except subprocess.TimeoutExpired:
            return _worse(report, SECOND_OPINION_FAILED, f"picklescan took more than {_TIME_S} s.")
        output.seek(0)
        said = output.read(_MAX_OUTPUT_BYTES).decode("utf-8", "replace")
    if answer.returncode == _CLEAN:
        return report
    if answer.returncode == _INFECTED:
        return _worse(report, SECOND_OPINION, _objection(said))
    return _worse(report, SECOND_OPINION_FAILED, f"picklescan ended with {answer.returncode}.")


def find_picklescan() -> str:
    """Where the program lies: beside this Python, or on the path. Raises SecondOpinionMissing."""
    beside = Path(sys.executable).with_name("picklescan")
    found = str(beside) if beside.exists() else shutil.which("picklescan")
    if found is None:
        raise SecondOpinionMissing
    return found


def _objection(output: str) -> str:
    lines = [line for line in output.splitlines() if "dangerous" in line.lower()]
    return lines[0][:_MAX_TOLD_CHARS] if lines else "picklescan objects."


def _worse(report: FileReport, rule: Rule, told: str) -> FileReport:
    finding = Finding(rule, evidence="picklescan", detail=told, confidence="likely")
    return replace(report, findings=(finding, *report.findings))
