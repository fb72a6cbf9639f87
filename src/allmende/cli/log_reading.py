"""`allmende log mirror|check|watch`: reading a hub's log without believing the hub."""

import re
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from allmende.cli.output import AsJson, note, printable, say, say_json, say_line
from allmende.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from allmende.client import Connection, LogSource, LogWatch, MirrorStep, SeenEntry

__all__ = ["check", "mirror", "watch"]

_POLL_S = 5.0
_DATE_CHARS = len("2026-11-28")
_SUBJECT = re.compile(r"[0-9a-f]{64}")

_PolicyFile = Annotated[Path | None, Parameter(help="Whom to believe (C2SP tlog-policy).")]
_Follow = Annotated[bool, Parameter(help="Go on, looking every few seconds, until Ctrl-C.")]
_Every = Annotated[float, Parameter(name="--every", help="Seconds between two looks.")]


def mirror(
    url: Annotated[str, Parameter(help="The address of the hub, such as https://hub.example.org")],
    folder: Annotated[Path, Parameter(help="Where the mirror lies, or is to lie.")],
    /,
    *,
    policy: _PolicyFile = None,
    follow: _Follow = False,
    every_s: _Every = _POLL_S,
    statements: Annotated[
        bool, Parameter(negative="--no-statements", help="Take the public statements along.")
    ] = True,
    limit: Annotated[
        int, Parameter(name="--limit", help="How many bytes the entries may take together.")
    ] = 64 * 1024**3,
    as_json: AsJson = False,
) -> None:
    """Keep a copy of the log, each step checked against the one before. A repeat goes on where it stopped.

    A log that has signed two histories leaves a file with the evidence in the folder, and exit code 1.
    """
    from allmende.client import Connection, HubLog, LogMirror
    from allmende.merkle import read_policy

    with Connection(url) as hub:
        believed = read_policy(_mirror_policy(hub, folder, policy))
        kept = LogMirror(
            folder, HubLog(hub), believed, limit_bytes=limit, with_statements=statements, told=_progress()
        )
        while True:
            step = kept.step()
            if step.fresh or not follow:
                _tell_step(folder, step, as_json=as_json)
            if not follow:
                return
            time.sleep(max(0.1, every_s))


def check(
    folder: Annotated[Path, Parameter(help="A mirror, or a file with evidence against a log.")],
    /,
    *,
    policy: _PolicyFile = None,
    as_json: AsJson = False,
) -> None:
    """Check a mirror whole, without a network: entries, tiles, every checkpoint, every statement.

    Of a file with evidence it says whether the log has signed two histories; --policy names the log's key.
    """
    from allmende.client import check_mirror
    from allmende.merkle import read_policy

    if folder.is_file():
        _check_evidence(folder, policy, as_json=as_json)
        return
    found = check_mirror(folder, read_policy(_given_policy(folder, policy)))
    checkpoint = found.accepted.checkpoint
    if as_json:
        say_json(
            "allmende.log-check/1",
            {
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root": checkpoint.root.hex(),
                "checkpoints": found.checkpoints,
                "statements": found.statements,
                "witnesses": dict(found.accepted.witnesses),
            },
        )
        return
    say(
        f"right: {checkpoint.size} entries of {checkpoint.origin}, {found.checkpoints} checkpoints, "
        f"{found.statements} statements."
    )


def _check_evidence(file: Path, policy: Path | None, *, as_json: bool) -> None:
    from allmende.client import read_bounded
    from allmende.merkle import (
        MAX_EVIDENCE_BYTES,
        KnownLog,
        read_checkpoint,
        read_equivocation,
        read_policy,
    )

    found = read_equivocation(read_bounded(file, MAX_EVIDENCE_BYTES))
    origin = read_checkpoint(found.larger.text).origin
    believed = read_policy(_given_policy(file.parent, policy))
    keys = tuple(log.key for log in believed.logs if log.key.name == origin)
    smaller, larger = found.check(KnownLog(origin, keys))
    if as_json:
        roots = [{"size": one.size, "root": one.root.hex()} for one in (smaller, larger)]
        say_json("allmende.log-evidence/1", {"origin": origin, "signed": roots})
        return
    say(
        printable(
            f"proven: {origin} has signed two histories, of {smaller.size} and of {larger.size} entries."
        )
    )


def watch(
    whom: Annotated[
        str, Parameter(help="A namespace, namespace/name, datasets/namespace/name, or a subject.")
    ],
    /,
    *,
    hub: Annotated[str | None, Parameter(name="--hub", help="The hub's address; else HF_ENDPOINT.")] = None,
    mirror: Annotated[
        Path | None, Parameter(name="--mirror", help="Read the log from a mirror instead.")
    ] = None,
    since: Annotated[str, Parameter(help="From which index on, or from which day (2026-11-28).")] = "0",
    policy: _PolicyFile = None,
    follow: _Follow = False,
    every_s: _Every = _POLL_S,
    token: Annotated[
        str | None, Parameter(help="Who asks; else HF_TOKEN or what `hf auth login` left.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell every entry about repos, each checked to be in the log. `--json` prints one line an entry."""
    from allmende.client import (
        Connection,
        FolderLog,
        HubLog,
        LogWatch,
        find_subjects,
        known_endpoint,
        known_token,
    )
    from allmende.merkle import read_policy

    index, day = _since(since)
    if mirror is not None and _is_subject(whom):
        believed = read_policy(_given_policy(mirror, policy))
        _watch(
            LogWatch(FolderLog(mirror), believed),
            {whom: whom},
            index,
            day,
            every_s if follow else None,
            as_json=as_json,
        )
        return
    with Connection(hub or known_endpoint(), token or known_token()) as connection:
        subjects = {whom: whom} if _is_subject(whom) else find_subjects(connection, whom)
        if not subjects:
            note(f"{printable(whom)} has no repos that you may read.")
        if mirror is None:
            source: LogSource = HubLog(connection)
            believed = read_policy(_hub_policy(connection, policy))
        else:
            source, believed = FolderLog(mirror), read_policy(_given_policy(mirror, policy))
        watching = LogWatch(source, believed)
        _watch(watching, subjects, index, day, every_s if follow else None, as_json=as_json)


def _watch(
    watching: "LogWatch",
    subjects: "Mapping[str, str]",
    index: int,
    day: str,
    every_s: float | None,
    *,
    as_json: bool,
) -> None:
    while True:
        for seen in watching.entries(subjects, index):
            if seen.entry.time[:_DATE_CHARS] >= day:
                _tell_entry(seen, as_json=as_json)
        index = max(index, watching.size)
        if every_s is None:
            return
        time.sleep(max(0.1, every_s))


def _tell_entry(seen: "SeenEntry", *, as_json: bool) -> None:
    act = seen.act
    if as_json:
        document: dict[str, Any] = {
            "index": seen.index,
            "repo": seen.repo,
            "kind": seen.entry.kind if act is None else act.kind,
            "time": seen.entry.time if act is None else act.time,
            "subject": seen.entry.subject,
            "statement": None if act is None else act.statement,
            **{name: value for name, value in seen.entry.told.items() if isinstance(value, str)},
        }
        say_line("allmende.log-entry/1", document)
        return
    kind = seen.entry.kind if act is None else act.kind
    about = act.text("commit") if act is not None else seen.entry.told.get("commit")
    what = act.text("act") if act is not None else None
    words = [str(seen.index), seen.entry.time, seen.repo, kind, what or "", str(about or "")]
    say(printable("  ".join(word for word in words if word)))


def _tell_step(folder: Path, step: "MirrorStep", *, as_json: bool) -> None:
    if as_json:
        say_line(
            "allmende.log-mirror-step/1",
            {
                "folder": str(folder),
                "size": step.size,
                "fresh": step.fresh,
                "statements": step.statements,
                "behind": step.is_behind,
            },
        )
        return
    say(f"{step.size} entries, {step.fresh} of them new, {step.statements} statements with them.")
    if step.is_behind:
        note("The log showed an older state than the mirror has; it does not contradict it.")


def _progress() -> "Callable[[int, int], None]":
    from allmende.cli.progress import EntryProgress

    bar = EntryProgress()

    def told(done: int, of: int) -> None:
        bar.show(done, of)
        if done == of:
            bar.clear()

    return told


def _since(text: str) -> tuple[int, str]:
    """An index and the first day: one of them says something."""
    if text.isascii() and text.isdecimal():
        return int(text), ""
    try:
        return 0, date.fromisoformat(text).isoformat()
    except ValueError:
        raise BadRequest(f"{text} is neither an index nor a day.", hint="Such as 120 or 2026-11-28") from None


def _is_subject(whom: str) -> bool:
    return _SUBJECT.fullmatch(whom) is not None


def _mirror_policy(hub: "Connection", folder: Path, given: Path | None) -> bytes:
    """The policy of a mirror: given, kept in it, the user's for this hub, or made at the first contact."""
    from allmende.client import mirror_policy, read_bounded
    from allmende.merkle import MAX_POLICY_BYTES

    if given is not None:
        return mirror_policy(folder, read_bounded(given, MAX_POLICY_BYTES)) or b""
    kept = mirror_policy(folder, None)
    return kept if kept is not None else mirror_policy(folder, _hub_policy(hub, None)) or b""


def _given_policy(folder: Path, given: Path | None) -> bytes:
    from allmende.client import mirror_policy, read_bounded
    from allmende.merkle import MAX_POLICY_BYTES

    data = read_bounded(given, MAX_POLICY_BYTES) if given is not None else mirror_policy(folder, None)
    if data is None:
        raise BadRequest("There is no policy to read the mirror by.", hint="Give --policy FILE.")
    return data


def _hub_policy(hub: "Connection", given: Path | None) -> bytes:
    from allmende.cli.first_contact import tell_first_contact
    from allmende.client import meet, read_bounded
    from allmende.merkle import MAX_POLICY_BYTES

    if given is not None:
        return read_bounded(given, MAX_POLICY_BYTES)
    known = meet(hub)
    if known is None:
        raise NotFound(f"The hub at {hub.endpoint} keeps no log.")
    tell_first_contact(known)
    return known.data
