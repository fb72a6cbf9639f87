"""What a bench says: a figure, its goal, whether it is met, and all that was seen on the way."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Literal

__all__ = ["Finding", "Series", "Skipped", "percentile", "report", "table", "versus"]

SCHEMA = "allmende.bench/1"


class Skipped(Exception):
    """Something that a measurement needs is not here; says what, and how to get it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure. The goal is met when the value is at most it, or at least, as `sense` says."""

    name: str
    what: str
    value: float
    unit: str
    goal: float
    sense: Literal["at most", "at least"] = "at most"
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_met(self) -> bool:
        """Whether the value reaches the goal."""
        return self.value <= self.goal if self.sense == "at most" else self.value >= self.goal

    @property
    def verdict(self) -> str:
        """The same in a word."""
        return "met" if self.is_met else "MISSED"


@dataclass(frozen=True, slots=True)
class Series:
    """One side of a comparison, round by round: seconds on the wall, and of the server's processor time."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)


def versus(
    name: str,
    what: str,
    goal: float,
    ours: Series,
    theirs: Series,
    sides: tuple[str, str] = ("hub", "nginx"),
) -> Finding:
    """The ratio of two interleaved series: of their medians, with that of their minima beside it.

    `sides` are what the two are called.
    """
    one, other = sides
    return Finding(
        name,
        what,
        median(ours.seconds) / median(theirs.seconds),
        f"x {other}",
        goal,
        details={
            "ratio_of_minima": min(ours.seconds) / min(theirs.seconds),
            f"{one}_median_s": median(ours.seconds),
            f"{other}_median_s": median(theirs.seconds),
            f"{one}_s": ours.seconds,
            f"{other}_s": theirs.seconds,
            f"{one}_cpu_s": ours.cpu_seconds,
            f"{other}_cpu_s": theirs.cpu_seconds,
        },
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which that share of the values lies (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))]


def report(findings: Sequence[Finding], skipped: dict[str, str], load_before: float) -> dict[str, Any]:
    """Everything, as it is written to the JSON file; its form is a contract named by `schema`."""
    return {
        "schema": SCHEMA,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(load_before),
        "findings": [{**asdict(finding), "verdict": finding.verdict} for finding in findings],
        "skipped": skipped,
    }


def table(findings: Sequence[Finding], skipped: dict[str, str]) -> str:
    """The findings for people."""
    rows = [("what", "value", "goal", "verdict")]
    rows += [
        (finding.what, _figure(finding.value, finding.unit), _goal(finding), finding.verdict)
        for finding in findings
    ]
    rows += [(name, "-", "-", f"SKIPPED: {reason}") for name, reason in skipped.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    )


def _figure(value: float, unit: str) -> str:
    return f"{value:.2f} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def _goal(finding: Finding) -> str:
    sign = "≤" if finding.sense == "at most" else "≥"
    return f"{sign} {finding.goal:g} {finding.unit}"


def _machine(load_before: float) -> dict[str, Any]:
    return {
        "processors": os.cpu_count(),
        "processor": _processor(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "huggingface_hub": version("huggingface_hub"),
        "granian": version("granian"),
        "load_before": load_before,
        "load_after": os.getloadavg()[0],
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )
