"""What comes back from the process that scans: its report, or what is known where it sent none.

Every way in which a scan can fail ends here as a report that quarantines the file. What the process had found
before it failed is kept, so that a file gains nothing by breaking its scanner.
"""

import json
import logging
import os
import select
import signal
import time
from dataclasses import dataclass, replace
from typing import Final

from allmende.scan.failures import CRASHED, OUT_OF_MEMORY, OUT_OF_TIME
from allmende.scan.findings import Finding, Rule
from allmende.scan.rule_set import RULE_SET, RULES
from allmende.scan.verdicts import FileReport

__all__ = ["Answer", "Bounds", "answered", "failed", "read_answer", "report_of"]

_log = logging.getLogger(__name__)

_MIB: Final = 1024 * 1024
_READ_BYTES: Final = 64 * 1024
_GRACE_S: Final = 5.0
_BATCH_CPU_S: Final = 10
_BATCH_WALL_S: Final = 20.0

_TOO_LONG: Final = "It was ended before it was done."
_TOO_LARGE: Final = "It wanted more memory than it may have."
_FAILED: Final = "It failed on these bytes; the log of the scanner says where."


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may take; beyond it, it is ended, and the file that it was given alone is quarantined."""

    cpu_s: int = 120
    memory_bytes: int = 2048 * _MIB
    wall_s: float = 300.0
    answer_bytes: int = 32 * _MIB

    def of_a_batch(self) -> "Bounds":
        """Those for several small files together: less time, for whoever needs more gets it alone."""
        return replace(self, cpu_s=min(self.cpu_s, _BATCH_CPU_S), wall_s=min(self.wall_s, _BATCH_WALL_S))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the child wrote until it ended, and whether it had to be ended for want of time or for excess.

    It is a line of JSON for each file, in their order.
    """

    data: bytes = b""
    in_time: bool = True
    in_bounds: bool = True


def read_answer(descriptor: int, bounds: Bounds) -> Answer:
    """Read the child's end of the pipe until it closes, for no longer than `bounds` say.

    The child watches its own time; a little more is given here, for it to say what it has found.
    """
    deadline = time.monotonic() + bounds.wall_s + _GRACE_S
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    data = bytearray()
    while (left_s := deadline - time.monotonic()) > 0:
        if not poll.poll(left_s * 1000):
            continue
        block = os.read(descriptor, _READ_BYTES)
        if not block:
            return Answer(bytes(data))
        data += block
        if len(data) > bounds.answer_bytes:
            return Answer(bytes(data), in_bounds=False)
    return Answer(bytes(data), in_time=False)


def report_of(answer: Answer, code: int, used_s: float, bounds: Bounds) -> FileReport:
    """The report in this answer of a child that ended with `code` after `used_s` seconds of computing."""
    if not answer.in_time:
        return failed(OUT_OF_TIME, _TOO_LONG)
    if not answer.in_bounds:
        return failed(CRASHED, f"Its report is longer than {bounds.answer_bytes} bytes.")
    told = _told(answer.data)
    if told is None:
        return _without_report(code, used_s, bounds)
    report, failure = told
    if failure is None:
        return report
    if failure == "time":
        return failed(OUT_OF_TIME, _TOO_LONG, report.findings)
    if failure == "memory":
        return failed(OUT_OF_MEMORY, _TOO_LARGE, report.findings)
    _log.error("the scan of a file failed:\n%s", failure)
    return failed(CRASHED, _FAILED, report.findings)


def answered(answer: Answer, count: int) -> list[FileReport]:
    """The reports on the first of `count` files, up to the one for which there is none, or a failed one."""
    *lines, _unfinished = answer.data.split(b"\n")
    if len(lines) > count:
        return []
    reports: list[FileReport] = []
    for line in lines:
        told = _told(line)
        if told is None or told[1] is not None:
            break
        reports.append(told[0])
    return reports


def failed(rule: Rule, detail: str, found: tuple[Finding, ...] = ()) -> FileReport:
    """The report of a file whose scan failed, with what was found until then."""
    findings = sorted((*found, Finding(rule, detail=detail)), key=lambda finding: -finding.severity)
    return FileReport(RULE_SET, (), tuple(findings))


def _told(line: bytes) -> tuple[FileReport, object] | None:
    """What one line says: the report, and why it is not whole; None for what is no such line."""
    try:
        document = json.loads(line)
        return FileReport.from_row(document["report"], RULES), document["failure"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _without_report(code: int, used_s: float, bounds: Bounds) -> FileReport:
    if code < 0 and used_s >= bounds.cpu_s:
        return failed(OUT_OF_TIME, _TOO_LONG)
    if code == -signal.SIGKILL:
        return failed(OUT_OF_MEMORY, "The machine ended it, which it does when its memory is short.")
    reason = f"by signal {-code}" if code < 0 else f"with code {code}"
    return failed(CRASHED, f"It ended {reason} and without a report.")
