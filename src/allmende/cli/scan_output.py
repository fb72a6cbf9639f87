"""What `allmende scan` prints: for people the worst first, for programs JSON, lines of JSON, or SARIF."""

import json
import sys
import time
from collections import Counter
from types import TracebackType
from typing import Self

from allmende import __version__
from allmende.cli.output import note, printable, say, say_json
from allmende.cli.scan_run import Scanned, ScannedFile
from allmende.scan import RULE_SET, RULES, Severity, Status, sarif

__all__ = ["Output", "say_rules"]

_PROGRESS_EVERY_S = 0.2
_BAR_CHARS = 30
_MAX_SHOWN = 10


class Output:
    """Prints in one of the forms. What is shown while it works goes to the terminal alone."""

    def __init__(self, *, as_json: bool, as_jsonl: bool, as_sarif: bool, show_all: bool) -> None:
        self._form = "jsonl" if as_jsonl else "json" if as_json else "sarif" if as_sarif else "text"
        self._show_all = show_all
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic()

    def __enter__(self) -> Self:
        """Nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The line of progress goes."""
        self._clear()

    def tell(self, file: ScannedFile, scanned: Scanned) -> None:
        """A file is done."""
        if self._form == "jsonl":
            self._clear()
            say(json.dumps(file.document()))
            sys.stdout.flush()
        self._progress(scanned)

    def finish(self, scanned: Scanned) -> None:
        """Everything is done."""
        self._clear()
        if self._form == "json":
            say_json("allmende.scan/1", _document(scanned))
        elif self._form == "sarif":
            results = [(file.path, file.findings) for file in scanned.files]
            unread = [(file.path, said) for file in scanned.files if (said := _not_read(file)) is not None]
            document = sarif(results, __version__, unread, complete=not scanned.failed)
            say(json.dumps(document, indent=2))
        elif self._form == "text":
            self._say_text(scanned)

    def _progress(self, scanned: Scanned) -> None:
        if self._terminal and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PROGRESS_EVERY_S
            done, total = len(scanned.files), max(1, scanned.total)
            filled = min(_BAR_CHARS, _BAR_CHARS * done // total)
            bar = "█" * filled + "░" * (_BAR_CHARS - filled)
            print(f"\r\x1b[K{bar} {done} of {scanned.total}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _say_text(self, scanned: Scanned) -> None:
        for file in sorted(scanned.files, key=lambda file: (-file.status, file.path)):
            if file.error is not None:
                say(f"not read     {printable(file.path)}: {printable(file.error)}")
            elif self._show_all or file.status > Status.NOTED:
                self._say_file(file)
        counts = Counter(file.status for file in scanned.files)
        told = ", ".join(f"{counts[status]} {_word(status)}" for status in sorted(counts, reverse=True))
        note(f"{len(scanned.files)} files: {told or 'nothing to scan'}. Rule set {RULE_SET}.")

    def _say_file(self, file: ScannedFile) -> None:
        say(f"{_word(file.status):12} {printable(file.path)}")
        for place in file.report.unread[:_MAX_SHOWN]:
            say(f"    not scanned: {printable(place) or 'the format is not known'}")
        worth = [finding for finding in file.findings if self._show_all or finding.severity > Severity.LOW]
        for finding in worth[:_MAX_SHOWN]:
            at = "" if finding.offset is None else f" at byte {finding.offset}"
            inside = f" in {finding.inside}" if finding.inside else ""
            evidence = f": {finding.evidence}" if finding.evidence else ""
            say(f"    {finding.severity.word} {finding.rule.id}{printable(evidence)}{printable(inside)}{at}")
            if finding.detail:
                say(f"        {printable(finding.detail)}")
        if len(worth) > _MAX_SHOWN:
            say(f"    and {len(worth) - _MAX_SHOWN + file.report.findings_left_out} more findings")
        for remedy in dict.fromkeys(finding.rule.remedy for finding in worth[:_MAX_SHOWN]):
            say(f"    → {remedy}")


def say_rules(*, as_json: bool) -> None:
    """All rules, the worst first."""
    rules = sorted(RULES.values(), key=lambda rule: (-rule.severity, rule.id))
    if as_json:
        listed = [
            {
                "id": rule.id,
                "severity": rule.severity.word,
                "title": rule.title,
                "explanation": rule.explanation,
                "remedy": rule.remedy,
                "reference": rule.reference,
            }
            for rule in rules
        ]
        say_json("allmende.scan-rules/1", {"rule_set": RULE_SET, "rules": listed})
        return
    for rule in rules:
        say(f"{rule.severity.word:9} {rule.id}: {rule.title}")


def _document(scanned: Scanned) -> dict[str, object]:
    counts = Counter(file.status.word for file in scanned.files)
    worst = max((file.status for file in scanned.files), default=Status.CLEAN)
    return {
        "rule_set": RULE_SET,
        "status": worst.word,
        "counts": dict(sorted(counts.items())),
        "files": [file.document() for file in scanned.files],
    }


def _not_read(file: ScannedFile) -> str | None:
    """Why the file was not read to its end, if so."""
    if file.error is not None:
        return file.error
    return "The format is not known." if file.report.unread else None


def _word(status: Status) -> str:
    return status.word.replace("_", " ")
