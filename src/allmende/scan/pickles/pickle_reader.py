"""Files that are pickles, one stream after another: what a `pickle.load` of them would do.

A pickle has no signature that could be relied on, and a loader opens whatever it is given. So the bytes are
tried: what runs soundly, or imports something before it breaks, is a pickle.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.pickles.allow_list import Allowed, allowed, modern_name
from allmende.scan.pickles.joblib import JoblibArrays
from allmende.scan.pickles.judgement import ScanJudge
from allmende.scan.pickles.machine import Machine
from allmende.scan.pickles.pickle_rules import COMPILED_TEXT, HANDED_ON, PLANTED, REFUSED_GLOBAL
from allmende.scan.pickles.running import run_pickle
from allmende.scan.pickles.torch_legacy import TorchStorages, is_torch_legacy
from allmende.scan.pickles.values import PLAIN, Global, Node, Value
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES", "claims_pickle"]

TRAILING_BYTES = Rule(
    "pickle-trailing-bytes",
    Severity.LOW,
    "bytes behind the end of a pickle",
    "The loader stops before these bytes and never sees them; something else may.",
    "Save the file again.",
    "CWE-436: interpretation conflict.",
)
RULES = (TRAILING_BYTES,)

_GRAVE: Final = (COMPILED_TEXT, HANDED_ON, PLANTED)

_TRIAL_OPCODES: Final = 500
_LONG_TRIAL_OPCODES: Final = 1_000_000
_TRIAL_WINDOW_BYTES: Final = 16 * 1024
_SOUND_OPCODES: Final = 8
_MAX_NAMES: Final = 1000
_PADDING_BYTES: Final = 64 * 1024
_MOST_STREAMS: Final = 10_000
_MOST_WITH_ARRAYS: Final = 50
_PROTOCOL: Final = 0x80
_FIRST_OPCODES: Final = frozenset(
    b"\x80(]})cSVIFGKMJNLXUTCBPi\x8a\x8b\x8c\x8d\x8e\x8f\x88\x89\x95\x96\x97\x82\x83\x84"
)
_NAME: Final = re.compile(r"[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*")
_HINTS: Final = frozenset({"pickle", "torch", "torch-pickle", "joblib"})


def claims_pickle(probe: Probe) -> Claim:
    """Whether `pickle.load` would do anything with these bytes, the first time or when called again."""
    named = Claim.NAME if probe.hint in _HINTS else Claim.NONE
    if is_torch_legacy(probe.head):
        return Claim.NONE
    if probe.head[0] not in _FIRST_OPCODES:
        return named
    announced = probe.head[0] == _PROTOCOL
    judge, machine, end, broken = _tried(probe.source, _TRIAL_OPCODES)
    if not announced and not broken and end is None and not judge.calls:
        # Padding must not hide what comes behind it: go on, as far as ordinary data never stay sound.
        judge, machine, end, broken = _tried(probe.source, _LONG_TRIAL_OPCODES)
    if judge.imports and (announced or judge.calls):
        return Claim.CONTENT
    if announced:
        sound = not broken or machine.count >= _SOUND_OPCODES
        return Claim.CONTENT if sound else named
    if broken:
        return named
    if end is None:
        return Claim.CONTENT
    following = _behind_padding(probe.source, end)
    if following < probe.source.size_bytes:
        return Claim.CONTENT if _is_followed(probe.source, following) else named
    return Claim.CONTENT if machine.count > 2 or judge.imports else named


def _is_followed(source: Source, position: int) -> bool:
    """Whether one of the streams from `position` on imports and calls something, or says that it is one."""
    for _ in range(_MOST_STREAMS):
        rest = source.window(position, source.size_bytes)
        head = rest.read_at(0, 4096)
        if not head or head[0] not in _FIRST_OPCODES:
            return False
        judge, machine, end, broken = _tried(rest, _TRIAL_OPCODES)
        if (judge.imports and judge.calls) or is_torch_legacy(head):
            return True
        if head[0] == _PROTOCOL:
            return not broken or bool(judge.imports) or machine.count >= _SOUND_OPCODES
        if broken or end is None:
            return not broken
        position = _behind_padding(source, position + end)
    return True


def _tried(source: Source, opcodes: int) -> tuple["_TrialJudge", Machine, int | None, bool]:
    """A trial of so many opcodes: what was seen, where it ended if it did, and whether it broke."""
    judge = _TrialJudge()
    machine = Machine(source, judge, window_bytes=_TRIAL_WINDOW_BYTES)
    try:
        return judge, machine, machine.run(opcodes), False
    except Unreadable:
        return judge, machine, None, True


def _read(source: Source, scan: Scan) -> None:
    """All streams of the file, as joblib would read them. Raises Unreadable, LimitReached."""
    torch = scan.hint == "torch-pickle"
    storages = TorchStorages()
    with_arrays: list[int] = []

    def run(offset: int) -> int:
        before = arrays.count
        try:
            return run_pickle(source, scan, offset, torch=torch, arrays=arrays, persistent=storages)
        finally:
            if arrays.count > before:
                with_arrays.append(offset)

    # joblib hands the pickles of object arrays to the plain loader.
    arrays = JoblibArrays(source, scan, lambda offset: run_pickle(source, scan, offset))
    try:
        _read_streams(source, scan, run)
    finally:
        for offset in with_arrays[:_MOST_WITH_ARRAYS]:
            _check_without_joblib(source, scan, offset)
    if torch and scan.needs is not None:
        for key, size_bytes in storages.size_bytes.items():
            scan.needs(key.decode("utf-8", "replace"), size_bytes or 0)


def _check_without_joblib(source: Source, scan: Scan, offset: int) -> None:
    """Run it once more as a plain `pickle.load` would, for which the arrays are opcodes.

    Ordinary arrays break that at once; what imports something on the way was put there. A stream that ends
    inside an array goes on with the next.
    """
    for _ in range(_MOST_WITH_ARRAYS):
        trial = _TrialJudge()
        judge = ScanJudge(_GraveFindings(scan), torch=False)
        machine = Machine(source, judge, offset)
        with suppress(Unreadable):
            machine.run(scan.budget.opcodes_left)
        scan.budget.add_opcodes(machine.count)
        for chunk in judge.nested:
            nested = source.window(chunk.offset, chunk.size_bytes)
            scan.inside(f"bytes at {chunk.offset}", nested, hint="torch")
        end: int | None = None
        with suppress(Unreadable):
            end = Machine(source, trial, offset).run(scan.budget.opcodes_left)
        for module, name in trial.names:
            if allowed(module, name) is Allowed.NOTHING:
                _found_in_arrays(scan, REFUSED_GLOBAL, f"{module}.{name}")
        offset = source.size_bytes if end is None else _behind_padding(source, end)
        if offset >= source.size_bytes or not _goes_on(source.window(offset, source.size_bytes)):
            return


def _found_in_arrays(scan: Scan, rule: Rule, evidence: str | bytes) -> None:
    scan.found(rule, evidence, detail="It comes when the arrays are read as opcodes.")


class _GraveFindings:
    """Passes on what nothing but intention writes; the rest is said by numbers that happen to be opcodes."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan

    def found(self, rule: Rule, evidence: str | bytes = "", *, offset: int | None = None) -> None:
        """See `Scan.found`."""
        if rule in _GRAVE:
            _found_in_arrays(self._scan, rule, evidence)


def _read_streams(source: Source, scan: Scan, run: Callable[[int], int]) -> None:
    position = run(0)
    while position < source.size_bytes:
        position = _behind_padding(source, position)
        rest = source.window(position, source.size_bytes - position)
        if rest.size_bytes == 0:
            return
        if not _goes_on(rest):
            scan.found(TRAILING_BYTES, rest.read_at(0, 32), offset=position)
            scan.inside("trailing bytes", rest, raw=True)
            return
        position = run(position)


def _goes_on(rest: Source) -> bool:
    """Whether what follows a stream is another one, in any protocol; the next call of a loader reads it."""
    announced = rest.read_at(0, 1)[0] == _PROTOCOL
    judge, machine, _, broken = _tried(rest, _TRIAL_OPCODES)
    if not broken:
        return True
    return bool(judge.imports and (announced or judge.calls)) or (
        announced and machine.count >= _SOUND_OPCODES
    )


def _behind_padding(source: Source, position: int) -> int:
    """Where the zeros, blanks and line ends that follow a stream are over."""
    while block := source.read_at(position, _PADDING_BYTES):
        kept = block.lstrip(b"\0\r\n\t ")
        position += len(block) - len(kept)
        if kept:
            break
    return position


class _TrialJudge:
    """Counts what would be imported and called, and judges nothing."""

    def __init__(self) -> None:
        self.imports = 0
        self.calls = 0
        self.names: set[tuple[str, str]] = set()

    def imported(self, module: str, name: str, protocol: int, offset: int) -> Global:
        """An import counts when a module could have such a name."""
        if protocol < 3:
            module, name = modern_name(module, name)
        if _NAME.fullmatch(module) is not None and _NAME.fullmatch(name) is not None:
            self.imports += 1
            if len(self.names) < _MAX_NAMES:
                self.names.add((module, name))
        return Global(module, name)

    def computed_import(self, module: Value, name: Value, offset: int) -> Value:
        """Nobody writes this by accident."""
        self.imports += 1
        return PLAIN

    def called(self, callee: Value, arguments: tuple[Value, ...], opcode: str, offset: int) -> None:
        """A call of something imported."""
        self.calls += isinstance(callee, Global)

    def computed_arguments(self, callee: Value, opcode: str, offset: int) -> None:
        """Judged when the stream is read, like the three below."""

    def held(self, function: Global, offset: int) -> None:
        """See above."""

    def filled(self, target: Node, offset: int) -> None:
        """See above."""

    def built(self, instance: Value, state: Value, offset: int) -> None:
        """A state for something imported."""
        self.calls += isinstance(instance, Global)

    def extension(self, code: int, offset: int) -> None:
        """An import by number; by accident too, so that the calls decide."""

    def persistent(self, pid: Value, offset: int) -> Value:
        """A plain loader has none, and stops here."""
        raise Unreadable("There is no loader of persistent ids.", offset)

    def memo_index(self, index: int, count: int, offset: int) -> None:
        """Judged when the stream is read."""


READER = Reader("pickle", "pickle", claims_pickle, _read)
