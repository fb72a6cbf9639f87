"""Measures the hub on this machine and says where it stands against its goals.

    python -m bench.run [--only NAME]... [--rounds N] [--json PATH]

Everything happens on loopback and in memory (/dev/shm) and ends by itself; nothing stays. Exits 0 when all
that was asked for was measured, goals met or missed, and 1 when something could not be measured.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from bench.budget import measure_budget
from bench.delta import measure_delta
from bench.findings import Finding, Skipped, report, table
from bench.footprint import measure_first_upload, measure_memory
from bench.large_files import measure_download, measure_upload
from bench.lineage import measure_lineage
from bench.log import measure_log
from bench.place import Place, open_place
from bench.plain_http import BenchFailed
from bench.proof import measure_proof
from bench.scan import measure_scan
from bench.search import measure_pages
from bench.small_answers import measure_commit, measure_model_info, measure_tree
from bench.verify import measure_verify
from bench.xet import measure_xet
from tools.serving import HubFailed

MEASUREMENTS: dict[str, Callable[[Place, int], list[Finding]]] = {
    "model_info": measure_model_info,
    "tree": measure_tree,
    "pages": measure_pages,
    "budget": measure_budget,
    "commit": measure_commit,
    "download": measure_download,
    "upload": measure_upload,
    "xet": measure_xet,
    "scan": measure_scan,
    "lineage": measure_lineage,
    "delta": measure_delta,
    "log": measure_log,
    "proof": measure_proof,
    "verify": measure_verify,
    "memory": measure_memory,
    "first_upload": measure_first_upload,
}
RESULTS = Path(".cache/bench.json")


class Ended(BaseException):
    """A signal asks to end."""


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="bench.run", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="measure this (repeatable)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement")
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"where to write (default {RESULTS})")
    options = parser.parse_args(arguments)
    if not 1 <= options.rounds <= 50:
        parser.error("--rounds is a number from 1 to 50")
    signal.signal(signal.SIGTERM, _end)
    load_before = os.getloadavg()[0]
    findings: list[Finding] = []
    skipped: dict[str, str] = {}
    failed = False
    try:
        with open_place() as place:
            for name in options.only or MEASUREMENTS:
                failed |= not _measure(name, place, options.rounds, findings, skipped)
    except (Skipped, HubFailed) as reason:
        print(f"Nothing could be measured: {reason}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Ended):
        print("Ended; nothing was written.", file=sys.stderr)
        return 1
    result = report(findings, skipped, load_before)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(f"{json.dumps(result, indent=2)}\n", "utf-8")
    print(f"\n{table(findings, skipped)}\n\n{_said(result['machine'])}\nWritten to {options.json}.")
    return int(failed)


def _measure(name: str, place: Place, rounds: int, findings: list[Finding], skipped: dict[str, str]) -> bool:
    """One measurement; False when it failed, which is said at once and in the end."""
    print(f"{name} …", flush=True)
    try:
        findings += MEASUREMENTS[name](place, rounds)
    except Skipped as reason:
        skipped[name] = str(reason)
        print(f"SKIPPED: {reason}", file=sys.stderr)
    except (BenchFailed, HubFailed) as failure:
        skipped[name] = f"failed: {failure}".partition("\n")[0][:200]
        print(f"FAILED: {failure}", file=sys.stderr)
        return False
    return True


def _said(machine: dict[str, object]) -> str:
    return (
        f"{machine['processors']} processors ({machine['processor']}), kernel {machine['kernel']}, "
        f"Python {machine['python']}; load {machine['load_before']:.1f} before, "
        f"{machine['load_after']:.1f} after."
    )


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Ended


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
