"""Proposes entries for the allow-list of pickles: what the pickles of real libraries import, and how.

    python -m tools.allow_list FOLDER...

Reads all pickles under the folders (also those inside zip files, and the streams of torch's old format), as
the test corpus `tests/attack/corpus/zoo.py` writes them, and prints as JSON what is not on the list yet:
`values` (only imported), `classes` (made without arguments or by `__new__`), `calls` (called with arguments).
A person then reads the source of each: an entry is right only if neither making it nor giving it a state can
run, fetch, read or write anything, whatever the arguments are. The entry goes into
`src/allmende/scan/pickles/allow_list.json`, with a new version there and in `allmende.scan.rule_set`.
"""

import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from allmende.scan.pickles.allow_list import Allowed, allowed, modern_name
from allmende.scan.pickles.machine import Machine
from allmende.scan.pickles.values import PLAIN, Global, Node, Value
from allmende.scan.scanning import Unreadable
from allmende.scan.source import Source

_MOST_OPCODES = 50_000_000
_STREAMS = 8


class Recorder:
    """A judge that keeps what is imported and how it is used."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], Allowed] = {}

    def imported(self, module: str, name: str, protocol: int, offset: int) -> Global:
        """Keep the name."""
        if protocol < 3:
            module, name = modern_name(module, name)
        self.seen.setdefault((module, name), Allowed.VALUE)
        return Global(module, name)

    def computed_import(self, module: Value, name: Value, offset: int) -> Value:
        """Nothing that a library does."""
        return name

    def called(self, callee: Value, arguments: tuple[Value, ...], opcode: str, offset: int) -> None:
        """Keep how it is made."""
        if isinstance(callee, Global):
            made = opcode in {"NEWOBJ", "NEWOBJ_EX"} or not arguments
            self._use(callee, Allowed.CLASS if made else Allowed.CALL)
            if callee.path == "copyreg._reconstructor" and isinstance(arguments[0], Global):
                self._use(arguments[0], Allowed.CLASS)

    def computed_arguments(self, callee: Value, opcode: str, offset: int) -> None:
        """Nothing that a library does."""

    def held(self, function: Global, offset: int) -> None:
        """Nothing that a library does."""

    def filled(self, target: Node, offset: int) -> None:
        """Items say nothing new."""

    def built(self, instance: Value, state: Value, offset: int) -> None:
        """States say nothing new."""

    def extension(self, code: int, offset: int) -> None:
        """Nothing that a library does."""

    def persistent(self, pid: Value, offset: int) -> Value:
        """Storages of torch."""
        return PLAIN

    def memo_index(self, index: int, count: int, offset: int) -> None:
        """Nothing that a library does."""

    def _use(self, used: Global, how: Allowed) -> None:
        key = used.module, used.name
        self.seen[key] = max(self.seen.get(key, Allowed.VALUE), how)


def main(folders: Sequence[str]) -> int:
    """Print the proposals."""
    recorder = Recorder()
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                for data in pickles_of(path):
                    record(data, recorder)
    proposals: dict[str, dict[str, list[str]]] = {"values": {}, "classes": {}, "calls": {}}
    for (module, name), how in sorted(recorder.seen.items()):
        if allowed(module, name) < how:
            kind = {Allowed.VALUE: "values", Allowed.CLASS: "classes", Allowed.CALL: "calls"}[how]
            proposals[kind].setdefault(module, []).append(name)
    print(json.dumps(proposals, indent=1))
    return 0


def pickles_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, or those of the pickles in a zip."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist() if name.endswith(".pkl"))
    else:
        yield path.read_bytes()


def record(data: bytes, recorder: Recorder) -> None:
    """Run the streams of a file, as far as they are pickles."""
    position = 0
    source = Source.of_bytes(data)
    for _ in range(_STREAMS):
        if data[position : position + 1] not in {b"\x80", b"(", b"c", b"]", b"}"}:
            return
        try:
            end = Machine(source, recorder, position).run(_MOST_OPCODES)
        except Unreadable:
            return
        if end is None:
            return
        position = end


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
