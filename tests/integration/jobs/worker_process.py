"""A worker in a process of its own: the crash test starts several and kills them.

Usage: worker_process.py DATABASE_URL JOURNAL. Each job appends `begin N` and `end N` to the journal; the
process prints `ready` when it works and ends when its input is closed.
"""

import os
import sys
import time

from allmende.jobs import JobContext, SqlJobQueue, Worker
from allmende.storage import Database

LEASE_S = 6.0


def main(url: str, journal: str) -> None:
    # One short write with O_APPEND is whole: lines of several processes do not mix.
    lines = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def handle(context: JobContext) -> None:
        number = context.payload["n"]
        os.write(lines, f"begin {number}\n".encode())
        time.sleep(0.01)
        context.checkpoint()
        os.write(lines, f"end {number}\n".encode())

    queue = SqlJobQueue(Database(url), max_attempts=100)
    worker = Worker(queue, {"count": handle}, threads=2, lease_s=LEASE_S, poll_s=0.1)
    worker.start()
    print("ready", flush=True)
    sys.stdin.read()
    worker.stop()


main(*sys.argv[1:])
