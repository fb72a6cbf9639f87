"""Ordinary checkpoints of real libraries: the scanner has nothing to say against them."""

import pickle
from collections import Counter
from pathlib import Path

import pytest

from allmende.scan import Source, Status, scan_source
from tests.attack.corpus.zoo import WRITERS, write_zoo
from tests.attack.corpus.zoo_objects import nemo_file, objects

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(600)]


def test_ordinary_checkpoints_pass(tmp_path: Path) -> None:
    statuses: Counter[Status] = Counter()
    remarks = []
    for path in write_zoo(tmp_path):
        with path.open("rb", buffering=0) as file:
            report = scan_source(Source(file, path.stat().st_size), path.name)
        status = report.status()
        statuses[status] += 1
        if status >= Status.WARNED:
            told = [(finding.rule.id, finding.inside, finding.evidence) for finding in report.findings[:3]]
            remarks.append((path.relative_to(tmp_path).as_posix(), status.word, report.unread[:2], told))
    count = sum(statuses.values())
    assert count >= 40 * len(WRITERS)
    assert statuses[Status.BLOCKED] + statuses[Status.QUARANTINED] == 0, remarks
    assert statuses[Status.WARNED] <= 0.01 * count, remarks


def test_objects_of_libraries_pass() -> None:
    remarks = []
    for name, make in objects():
        value = make()
        for protocol in (3, 4, 5):
            report = scan_source(Source.of_bytes(pickle.dumps(value, protocol)), "m.pkl")
            if report.status() >= Status.WARNED:
                told = [(finding.rule.id, finding.evidence) for finding in report.findings[:3]]
                remarks.append((name, protocol, told))
    assert not remarks


def test_a_nemo_file_passes() -> None:
    report = scan_source(Source.of_bytes(nemo_file()), "m.nemo")
    assert report.status() <= Status.NOTED, report.findings
