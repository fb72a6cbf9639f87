"""What the bench reads of processes: the largest memory ever, not that of the moment."""

import os
import subprocess
import sys

from bench.processes import memory_mb, peak_memory_mb

HELD_MB = 60


def test_a_peak_is_seen_after_it_has_passed():
    code = f"held = bytearray({HELD_MB} * 10**6); del held; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert os.getsid(process.pid) == process.pid
        assert memory_mb(process.pid)["rss_mb"] < HELD_MB
        assert HELD_MB < peak_memory_mb(process.pid) < 3 * HELD_MB
        process.communicate(b"\n")
