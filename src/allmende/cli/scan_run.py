"""The work of `allmende scan`: list files, scan them side by side, look at each folder as a whole."""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from allmende.cli.inspection import list_files
from allmende.cli.scan_links import outside_links
from allmende.cli.second_opinion import ask_picklescan, find_picklescan
from allmende.formats import JsonObject, JsonValue
from allmende.scan import (
    RULE_SET,
    FileReport,
    Finding,
    Policy,
    Scanner,
    Status,
    examine_repository,
)

__all__ = ["Scanned", "ScannedFile", "run_scan"]

_AHEAD = 4


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """One file: its path as it was named, and what was found. `error` is set where it could not be read."""

    path: str
    size_bytes: int
    status: Status
    report: FileReport
    error: str | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in it, the worst first."""
        return self.report.findings

    def document(self) -> JsonObject:
        """The file as JSON."""
        findings: list[JsonValue] = [finding.document() for finding in self.findings]
        document: JsonObject = {
            "path": self.path,
            "status": self.status.word,
            "size_bytes": self.size_bytes,
            "formats": list(self.report.formats),
            "not_scanned": list(self.report.unread),
            "findings": findings,
            "findings_left_out": self.report.findings_left_out,
        }
        return document if self.error is None else {**document, "error": self.error}


@dataclass
class Scanned:
    """Everything of one run, as it grows, by path. `failed` says that something could not be looked at."""

    policy: Policy
    by_path: dict[str, ScannedFile] = field(default_factory=dict)
    total: int = 0
    failed: bool = False

    @property
    def files(self) -> list[ScannedFile]:
        """Every file once, in the order in which they were done."""
        return list(self.by_path.values())


def run_scan(
    paths: Sequence[Path], scanned: Scanned, jobs: int, second_opinion: str | None
) -> Iterator[ScannedFile]:
    """Scan everything at and below the paths; yields files in the order of their paths, as they are done.

    Files of a folder are known together only at its end: where that shows more about a file, it comes once
    more, and then counts in place of the first. Links that lead out of a folder are told of and not followed.
    Raises AllmendeError where nothing can be scanned at all.
    """
    if second_opinion is not None:
        find_picklescan()
    listed = [_Folder(root, outside_links(root), list(list_files(root))) for root in paths]
    scanned.total = sum(len(folder.files) for folder in listed)
    # On an exception the scanner ends first, so that the threads have nothing left to wait for.
    with ThreadPoolExecutor(jobs) as pool, Scanner(jobs) as scanner:
        for folder in listed:
            done: dict[str, ScannedFile] = {}
            waiting: deque[tuple[str, Future[ScannedFile]]] = deque()
            for name, place in folder.files:
                if name in folder.links:
                    continue
                look = partial(_scan_one, scanner, folder.root, name, place, scanned.policy)
                waiting.append((name, pool.submit(look, second_opinion)))
                if len(waiting) > _AHEAD * jobs:
                    yield _take(waiting, done, scanned)
            while waiting:
                yield _take(waiting, done, scanned)
            if folder.root.is_dir():
                yield from _together(folder, done, scanned)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder, or a file that was named by itself: the links that lead out of it, and what is to be read."""

    root: Path
    links: Mapping[str, str]
    files: Sequence[tuple[str, Path]]


def _take(
    waiting: deque[tuple[str, Future[ScannedFile]]], done: dict[str, ScannedFile], scanned: Scanned
) -> ScannedFile:
    name, future = waiting.popleft()
    done[name] = future.result()
    return _keep(done[name], scanned)


def _keep(file: ScannedFile, scanned: Scanned) -> ScannedFile:
    scanned.by_path[file.path] = file
    scanned.failed = scanned.failed or file.error is not None
    return file


def _scan_one(
    scanner: Scanner, root: Path, name: str, place: Path, policy: Policy, second_opinion: str | None
) -> ScannedFile:
    shown = _shown(root / name if root.is_dir() else root)
    try:
        size_bytes = place.stat().st_size
        report = scanner.scan_path(place, name)
    except OSError as error:
        return _unreadable(shown, f"{error.strerror or error}.")
    if second_opinion is not None:
        report = ask_picklescan(place, report)
    return ScannedFile(shown, size_bytes, report.status(policy), report)


def _unreadable(path: str, error: str) -> ScannedFile:
    return ScannedFile(path, 0, Status.NOT_SCANNED, FileReport("", (), (), unread=("",)), error)


def _together(folder: _Folder, done: Mapping[str, ScannedFile], scanned: Scanned) -> Iterator[ScannedFile]:
    """The files about which the folder as a whole shows more, with that and what they showed themselves."""
    reports = {name: file.report for name, file in done.items() if file.error is None}
    sizes = {name: file.size_bytes for name, file in done.items()} | dict.fromkeys(folder.links, 0)
    by_path: dict[str, list[Finding]] = {}
    for found in examine_repository(reports, sizes, folder.links):
        by_path.setdefault(found.path, []).append(found.finding)
    for path, findings in by_path.items():
        file = done.get(path) or _unscanned(_shown(folder.root / path))
        together = sorted((*findings, *file.findings), key=lambda finding: -finding.severity)
        report = replace(file.report, findings=tuple(together))
        yield _keep(replace(file, report=report, status=report.status(scanned.policy)), scanned)


def _shown(path: Path) -> str:
    """The path as text: a name need not be any, and what stands for its odd bytes cannot be printed."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _unscanned(path: str) -> ScannedFile:
    return ScannedFile(path, 0, Status.CLEAN, FileReport(RULE_SET, (), ()))
