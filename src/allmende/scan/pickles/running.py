"""Running one pickle through the machine, on the budget and into the record of a scan."""

from collections.abc import Callable
from typing import Final

from allmende.scan.budget import LimitReached
from allmende.scan.pickles.judgement import ScanJudge, is_growth
from allmende.scan.pickles.machine import ArraySkipper, Machine
from allmende.scan.pickles.pickle_rules import GROWTH
from allmende.scan.pickles.values import Value
from allmende.scan.provable import BOMB
from allmende.scan.scanning import Scan
from allmende.scan.source import Source

__all__ = ["run_pickle"]

_MAX_COLLISIONS: Final = 1000
_PROVEN_COLLISIONS: Final = 20_000
_PROVEN_PARTS: Final = 10**9


def run_pickle(
    source: Source,
    scan: Scan,
    offset: int = 0,
    *,
    torch: bool = False,
    arrays: ArraySkipper | None = None,
    persistent: Callable[[Value], None] | None = None,
    result: Callable[[Value], None] | None = None,
) -> int:
    """Interpret one stream from `offset` on; the offset behind its STOP.

    `torch` says that the loader supplies storages by persistent ids; `persistent` is told each of them.
    `result` is told what the stream amounts to.
    `arrays` knows what lies between opcodes. Raises Unreadable where the real machine would fail, and
    LimitReached.
    """
    judge = ScanJudge(scan, torch=torch, tell_persistent=persistent)
    machine = Machine(source, judge, offset, arrays)
    try:
        end = machine.run(scan.budget.opcodes_left)
    finally:
        scan.budget.add_opcodes(machine.count)
        if is_growth(machine.largest, machine.deepest, machine.count):
            size, depth = min(machine.largest, 10**30), machine.deepest
            scan.found(GROWTH, f"{size:.1e} parts, {depth} deep", offset=offset)
        if machine.tally.heaviest > _PROVEN_PARTS:
            scan.found(BOMB, f"a key of {min(machine.tally.heaviest, 10**30):.1e} parts", offset=offset)
        if machine.tally.worst > _PROVEN_COLLISIONS:
            scan.found(BOMB, f"{machine.tally.worst} keys that hash alike", offset=offset)
        elif machine.tally.worst > _MAX_COLLISIONS:
            scan.found(GROWTH, f"{machine.tally.worst} keys that hash alike", offset=offset)
        for chunk in judge.nested:
            nested = source.window(chunk.offset, chunk.size_bytes)
            scan.inside(f"bytes at {chunk.offset}", nested, hint="torch")
    if end is None:
        raise LimitReached("opcodes", f"A pickle has more than {scan.budget.limits.opcodes} opcodes.")
    if result is not None and machine.result is not None:
        result(machine.result)
    return end
