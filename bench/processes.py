"""What the processes of a session have used: a server and all its children, which share a session id."""

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cpu_seconds", "memory_mb", "peak_memory_mb"]

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_USER_TICKS = 11  # field 14 of proc(5) stat, counted behind the name
_SYSTEM_TICKS = 12


def cpu_seconds(leader: int) -> float:
    """Processor time of all living processes of the session, user and system.

    On a machine that others use too this moves far less than the time on the wall.
    """
    ticks = 0
    for pid in _session_of(leader):
        # The name in parentheses may hold anything, spaces and parentheses too.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        ticks += int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
    return ticks / _TICKS_PER_S


def memory_mb(leader: int) -> dict[str, float]:
    """Proportional and resident set size of all processes of the session, in MB (10^6 bytes)."""
    sizes = [_sizes_kib(pid) for pid in _session_of(leader)]
    return {
        "processes": len(sizes),
        "pss_mb": sum(size["Pss"] for size in sizes) * 1024 / 1e6,
        "rss_mb": sum(size["Rss"] for size in sizes) * 1024 / 1e6,
    }


def peak_memory_mb(leader: int) -> float:
    """The sum of the largest resident sizes that the living processes of the session ever had, in MB.

    An upper bound of what they had together at any time: pages that they share count once for each.
    """
    return sum(_high_water_kib(pid) for pid in _session_of(leader)) * 1024 / 1e6


def _session_of(leader: int) -> Iterator[int]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and _session(int(path.name)) == leader:
            yield int(path.name)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None  # gone meanwhile, or somebody else's


def _high_water_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _sizes_kib(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()[1:]
    return {name: int(size.split()[0]) for name, _, size in (line.partition(":") for line in lines)}
