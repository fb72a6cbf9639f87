"""Ordinary checkpoints of real libraries: the scanner has nothing to say against them."""

from collections import Counter
from pathlib import Path

import pytest

from allmende.scan import Source, Status, scan_source
from tests.attack.corpus.zoo import WRITERS, write_zoo

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
