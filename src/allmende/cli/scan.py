"""`allmende scan`: what is dangerous in files and folders, found without running anything, offline."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from allmende.cli.exits import SCAN_FAILED
from allmende.cli.output import AsJson, complain
from allmende.errors import AllmendeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allmende.cli.scan_run import ScannedFile

__all__ = ["scan"]

_EXIT_OF = {"clean": 0, "noted": 0, "warned": 1, "blocked": 2, "quarantined": 3, "not_scanned": 3}


def scan(
    paths: Annotated[list[Path] | None, Parameter(help="Files and folders.")] = None,
    /,
    *,
    as_json: AsJson = False,
    as_jsonl: Annotated[bool, Parameter(name="--jsonl", help="Print a line of JSON for each file.")] = False,
    as_sarif: Annotated[bool, Parameter(name="--sarif", help="Print SARIF 2.1.0.")] = False,
    show_all: Annotated[bool, Parameter(name="--all", help="Tell of clean files too, and of notes.")] = False,
    jobs: Annotated[int | None, Parameter(help="Files at a time; as many as there are processors.")] = None,
    policy: Annotated[
        list[str] | None,
        Parameter(help="SEVERITY=ACTION or RULE=ACTION, in place of the default; may be repeated."),
    ] = None,
    second_opinion: Annotated[
        Literal["picklescan"] | None,
        Parameter(help="Ask this scanner too, if it is installed; it can only make a verdict worse."),
    ] = None,
    rules: Annotated[bool, Parameter(help="List what is looked for, and end.")] = False,
) -> int:
    """Scan files, and all files in folders. Nothing in them is run, imported or unpickled.

    Exit code: 0 clean or noted, 1 warned, 2 blocked, 3 quarantined or not scanned, 4 could not run; the worst
    of all files, in the order clean, warned, not scanned, quarantined, blocked.
    """
    from allmende.cli.scan_output import Output, say_rules
    from allmende.cli.scan_run import Scanned, run_scan
    from allmende.scan import parse_policy

    try:
        if rules:
            say_rules(as_json=as_json)
            return 0
        if not paths:
            complain("There is nothing to scan.", "Name files or folders; `.` is this one.")
            return SCAN_FAILED
        output = Output(as_json=as_json, as_jsonl=as_jsonl, as_sarif=as_sarif, show_all=show_all)
        scanned = Scanned(parse_policy(policy or []))
        with output:
            for file in run_scan(paths, scanned, max(1, jobs or os.cpu_count() or 1), second_opinion):
                output.tell(file, scanned)
            output.finish(scanned)
    except AllmendeError as error:
        complain(error.message, error.hint)
        return SCAN_FAILED
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
        return SCAN_FAILED
    sys.stdout.flush()
    return SCAN_FAILED if scanned.failed else _exit_code(scanned.files)


def _exit_code(files: "Sequence[ScannedFile]") -> int:
    worst = max((file.status for file in files), default=None)
    return 0 if worst is None else _EXIT_OF[worst.word]
