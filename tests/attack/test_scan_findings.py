"""Inputs that once broke the scanner or held it up, replayed: each file is named after what was wrong.

The part of the name behind the last `--` is the file name that the bytes are scanned under.
"""

import time
from pathlib import Path

import pytest

from allmende.scan import Source, scan_source

FINDINGS = sorted((Path(__file__).parent / "findings").glob("*--*"))


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.name)
def test_what_once_broke_the_scanner_gets_an_answer(path: Path) -> None:
    started = time.process_time()
    report = scan_source(Source.of_bytes(path.read_bytes()), path.name.rpartition("--")[2])
    assert time.process_time() - started < 5
    assert report.formats or report.unread
