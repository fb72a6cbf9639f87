"""What a hub asked of the kernel, read from a trace of strace, and whether it asked in a durable order.

A call counts as done before another only if it had returned before the other began, so that two threads at
the same time never pass for an order. The trace is that of `COMMAND`, which shows every descriptor's path.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

TRACED = (
    "openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2", "link",
    "unlink", "mkdir", "close", "sendto", "writev", "sendmsg",
)  # fmt: skip
SHOWN_BYTES = 5000
"""More than a page of the database, so that a row is seen in the page that holds it."""

NEVER = 1 << 62
_LINE = re.compile(r"(?P<thread>\d+)\s+(?P<rest>.*)")
_WHOLE = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\)\s+= (?P<result>.*)")
_BEGUN = re.compile(r"(?P<name>\w+)\((?P<arguments>.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<arguments>.*)\)\s+= (?P<result>.*)")
_DESCRIPTOR = re.compile(r"\d+<(?P<path>.*?)>(?:\(deleted\))?(?:,|$)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')

SYNCS = frozenset({"fsync", "fdatasync"})
WRITES = frozenset({"write", "pwrite64", "writev"})
RENAMES = frozenset({"rename", "renameat", "renameat2"})
SENDS = frozenset({"sendto", "sendmsg", "writev", "write"})


def command(output: Path) -> tuple[str, ...]:
    """How a program is started to leave a trace in `output`."""
    return (
        "strace", "-f", "--seccomp-bpf", "-yy", "-s", str(SHOWN_BYTES), "-e", f"trace={','.join(TRACED)}",
        "-o", str(output), "--",
    )  # fmt: skip


class OutOfOrder(AssertionError):
    """The trace does not show the order that durability needs."""


@dataclass(slots=True)
class Call:
    """One system call: from the line where it began to the line where it had returned."""

    thread: int
    name: str
    arguments: str
    began: int
    ended: int = NEVER
    result: str = ""

    @property
    def worked(self) -> bool:
        """Whether it returned, and no error."""
        return self.ended != NEVER and not self.result.startswith("-1")

    @property
    def path(self) -> str:
        """The path, or the two ends of the connection, of the descriptor that it is about."""
        found = _DESCRIPTOR.match(self.arguments)
        return found["path"] if found else ""

    @property
    def names(self) -> list[str]:
        """The paths that it names itself."""
        return _TEXT.findall(self.arguments)


def read_trace(lines: Iterable[str]) -> list[Call]:
    """The calls in the order in which they began."""
    calls: list[Call] = []
    open_calls: dict[int, Call] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line)
        if found is None:
            continue
        thread, rest = int(found["thread"]), found["rest"]
        if resumed := _RESUMED.match(rest):
            call = open_calls.pop(thread, None)
            if call is not None:
                call.arguments += resumed["arguments"]
                call.ended, call.result = number, resumed["result"]
        elif begun := _BEGUN.match(rest):
            call = Call(thread, begun["name"], begun["arguments"], number)
            open_calls[thread] = call
            calls.append(call)
        elif whole := _WHOLE.match(rest):
            calls.append(Call(thread, whole["name"], whole["arguments"], number, number, whole["result"]))
    return calls


@dataclass(frozen=True, slots=True)
class Place:
    """Where a traced hub keeps things."""

    contents: Path
    log: Path
    """The write-ahead log of its database."""


def check_upload(calls: list[Call], place: Place, sha256: str, size_bytes: int, client_port: int) -> None:
    """Raises OutOfOrder unless the trace proves: bytes, sync, name, sync of the name, row, sync, answer.

    The connection from `client_port` carried nothing but the request that ended this upload.
    """
    check_file(calls, place, f"{sha256[:2]}/{sha256[2:4]}/{sha256}", size_bytes, client_port)


def check_file(calls: list[Call], place: Place, location: str, size_bytes: int, client_port: int) -> None:
    """The same of any file that a row names by its `location` below `place.contents`."""
    final = place.contents / location
    named = _one(calls, lambda call: call.name in RENAMES and call.names[-1] == str(final), "rename to it")
    temporary = named.names[0]
    written = [call for call in calls if call.name in WRITES and call.path == temporary]
    if sum(int(call.result or 0) for call in written) != size_bytes:
        raise OutOfOrder(f"the trace does not show {size_bytes} bytes written to {temporary}")
    row = _first_row(calls, place, location)
    _require_sync(calls, temporary, max(call.ended for call in written), named.began)
    _require_sync(calls, str(final.parent), named.ended, row.began)
    folder = final.parent
    while folder != place.contents:
        made = [
            call for call in calls if call.name == "mkdir" and call.names == [str(folder)] and call.worked
        ]
        _require_sync(calls, str(folder.parent), max((call.ended for call in made), default=-1), row.began)
        folder = folder.parent
    _check_answer(calls, place, row, client_port)


def check_commit(calls: list[Call], place: Place, commit_oid: str, client_port: int) -> None:
    """Raises OutOfOrder unless the trace proves: rows of the commit, sync of the database, answer."""
    _check_answer(calls, place, _first_row(calls, place, commit_oid), client_port)


def _first_row(calls: list[Call], place: Place, text: str) -> Call:
    """The first page with `text` in it that went into the database's log."""
    for call in calls:
        if call.name in WRITES and call.path == str(place.log) and text in call.arguments:
            return call
    raise OutOfOrder(f"no page with {text} was written to {place.log}")


def _check_answer(calls: list[Call], place: Place, row: Call, client_port: int) -> None:
    log = str(place.log)
    own = [call for call in calls if call.thread == row.thread and call.path == log]
    synced = next((call for call in own if call.name in SYNCS and call.began > row.ended), None)
    if synced is None or not synced.worked:
        raise OutOfOrder(f"{log} was not synced after the rows were written")
    ends = re.compile(rf":{client_port}\]$")
    answers = [call for call in calls if call.name in SENDS and ends.search(call.path)]
    if not any("HTTP/1.1 200" in call.arguments for call in answers):
        raise OutOfOrder("the trace does not show a success that was sent to the client")
    answered = min(call.began for call in answers)
    if answered < synced.ended:
        raise OutOfOrder("the client was answered before the database was synced")
    late = [call for call in own if call.name in WRITES and synced.began < call.began < answered]
    if late:
        raise OutOfOrder("more was written to the database after its sync, and the client was answered")
    _check_log_name(calls, place, answered)


def _check_log_name(calls: list[Call], place: Place, answered: int) -> None:
    """If the log was made in this trace, its name must be durable too.

    Every connection opens the log as if to make it; the one that may have is the first since it was last
    removed, as the last connection to close does. One that only joins in needs no sync of the name.
    """
    log = str(place.log)
    about = [call for call in calls if call.names[:1] == [log] and call.worked and call.began < answered]
    removed = max((call.ended for call in about if call.name == "unlink"), default=-1)
    for call in about:
        if call.name == "openat" and "O_CREAT" in call.arguments and call.began > removed:
            _require_sync(calls, str(place.log.parent), call.ended, answered)
            return


def _one(calls: list[Call], wanted: Callable[[Call], bool], what: str) -> Call:
    found = [call for call in calls if wanted(call) and call.worked]
    if len(found) != 1:
        raise OutOfOrder(f"{what}: {len(found)} such calls in the trace, not one")
    return found[0]


def _require_sync(calls: list[Call], path: str, after: int, before: int) -> None:
    for call in calls:
        if call.name in SYNCS and call.path == path and call.worked and call.began > after:
            if call.ended < before:
                return
            break
    raise OutOfOrder(f"{path} was not synced between the calls that need it")
