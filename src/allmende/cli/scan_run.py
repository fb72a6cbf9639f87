"""The work of `allmende scan`: files side by side, each folder as a whole, and each file told of once."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from allmende.cli.scan_batches import LookedAt, batches, look_at
from allmende.cli.scan_folders import Folder, list_folders
from allmende.cli.scan_server import begun_server
from allmende.cli.second_opinion import find_picklescan
from allmende.formats import JsonObject, JsonValue
from allmende.scan import (
    RULE_SET,
    FileReport,
    Finding,
    Policy,
    RepositoryFinding,
    Scanner,
    Status,
    awaits_others,
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
    """Scan everything at and below the paths; yields each file once, in the order of paths, as they are done.

    Files about which their folder as a whole may show more come at its end. Links that lead out of a folder
    are told of and not followed. Raises AllmendeError where nothing can be scanned at all.
    """
    if second_opinion is not None:
        find_picklescan()
    folders = list_folders(paths)
    scanned.total = sum(len(folder.files) for folder in folders)
    # On an exception the scanner ends first, so that the threads have nothing left to wait for.
    with ThreadPoolExecutor(jobs) as pool, Scanner(jobs, begun=begun_server()) as scanner:
        for folder in folders:
            files = [(name, place) for name, place in folder.files if name not in folder.links]
            waiting: deque[Future[list[LookedAt]]] = deque()
            told = _Telling(folder, scanned)
            for batch in batches(files, jobs):
                waiting.append(pool.submit(look_at, scanner, batch, second_opinion))
                if len(waiting) > _AHEAD * jobs:
                    yield from told.now(waiting.popleft().result())
            while waiting:
                yield from told.now(waiting.popleft().result())
            yield from told.at_the_end()


class _Telling:
    """Which files of a folder can be told of when they are done, and which when the whole folder is."""

    def __init__(self, folder: Folder, scanned: Scanned) -> None:
        self._folder = folder
        self._scanned = scanned
        self._done: dict[str, ScannedFile] = {}
        self._held: dict[str, None] = {}
        sizes = dict.fromkeys((name for name, _ in folder.files), 0) | dict.fromkeys(folder.links, 0)
        self._named = {found.path for found in self._examined({}, sizes)}

    def now(self, looked: Iterable[LookedAt]) -> Iterator[ScannedFile]:
        """Of these that are done, the files about which nothing more can come."""
        for at in looked:
            file = self._keep(at.name, self._file(at))
            if at.name in self._named or awaits_others(at.name, file.report):
                self._held[at.name] = None
            else:
                yield file

    def at_the_end(self) -> Iterator[ScannedFile]:
        """The others, with what the folder as a whole shows about them; links that lead out among them."""
        reports = {name: file.report for name, file in self._done.items() if file.error is None}
        sizes = {name: file.size_bytes for name, file in self._done.items()}
        by_path: dict[str, list[Finding]] = {}
        for found in self._examined(reports, sizes | dict.fromkeys(self._folder.links, 0)):
            by_path.setdefault(found.path, []).append(found.finding)
        for name in sorted({*self._held, *by_path}):
            file = self._done.get(name) or _unscanned(self._folder.shown(name))
            together = sorted((*by_path.get(name, ()), *file.findings), key=lambda found: -found.severity)
            report = replace(file.report, findings=tuple(together))
            status = report.status(self._scanned.policy)
            yield self._keep(name, replace(file, report=report, status=status))

    def _examined(
        self, reports: Mapping[str, FileReport], sizes: Mapping[str, int]
    ) -> list[RepositoryFinding]:
        return examine_repository(reports, sizes, self._folder.links) if self._folder.is_folder else []

    def _keep(self, name: str, file: ScannedFile) -> ScannedFile:
        self._done[name] = file
        self._scanned.by_path[file.path] = file
        self._scanned.failed = self._scanned.failed or file.error is not None
        return file

    def _file(self, at: LookedAt) -> ScannedFile:
        shown = self._folder.shown(at.name)
        if at.report is None:
            nothing = FileReport("", (), (), unread=("",))
            return ScannedFile(shown, 0, Status.NOT_SCANNED, nothing, at.error)
        return ScannedFile(shown, at.size_bytes, at.report.status(self._scanned.policy), at.report)


def _unscanned(path: str) -> ScannedFile:
    return ScannedFile(path, 0, Status.CLEAN, FileReport(RULE_SET, (), ()))
