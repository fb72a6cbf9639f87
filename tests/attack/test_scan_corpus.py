"""The corpus of attacks and of harmless files, each held to its label, and mutations of all of them."""

import random
import time
from collections import Counter
from functools import cache

import pytest

from allmende.scan import RULES, FileReport, Limits, Source, Status, scan_source
from tests.attack.corpus.all_cases import all_cases
from tests.attack.corpus.case import Case, acceptable

CASES = list(all_cases())
MUTATIONS = 500
CAMPAIGN_MUTATIONS = 20_000
PATIENCE_S = 5.0


@cache
def report_of(case: Case) -> FileReport:
    data = case.make()
    return scan_source(Source.of_bytes(data), case.file_name)


def test_the_cases_have_names_of_their_own() -> None:
    doubled = [name for name, count in Counter(case.id for case in CASES).items() if count > 1]
    assert not doubled


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_file_is_judged_as_its_label_says(case: Case) -> None:
    report = report_of(case)
    told = [
        (finding.rule.id, finding.inside, finding.evidence, finding.detail) for finding in report.findings
    ]
    assert acceptable(case.label, report.status()), (case.label, report.status().word, report.formats, told)


def test_hardly_anything_malicious_is_only_quarantined() -> None:
    """To be unreadable is no verdict: what is known to be bad is blocked or warned of, nearly always."""
    malicious = [case for case in CASES if case.label == "malicious"]
    caught = [case for case in malicious if report_of(case).status() in {Status.BLOCKED, Status.WARNED}]
    assert len(caught) >= 0.8 * len(malicious)


def test_a_report_survives_being_stored() -> None:
    for case in CASES:
        report = report_of(case)
        assert FileReport.from_row(report.row(), RULES) == report, case.id


def test_a_verdict_follows_from_the_bytes() -> None:
    for case in CASES[:: max(1, len(CASES) // 100)]:
        again = scan_source(Source.of_bytes(case.make()), f"elsewhere/{case.file_name}")
        assert again == report_of(case), case.id


def mutated(data: bytes, source: random.Random) -> bytes:
    """The data with one thing wrong: cut off, a bit flipped, a piece doubled, dropped, or overwritten."""
    if not data:
        return data
    place = source.randrange(len(data))
    length = min(len(data) - place, source.choice((1, 2, 4, 8, 64)))
    kind = source.randrange(5)
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data[:place] + bytes([data[place] ^ (1 << source.randrange(8))]) + data[place + 1 :]
    if kind == 2:
        return data[: place + length] + data[place:]
    if kind == 3:
        return data[:place] + data[place + length :]
    return data[:place] + source.choice((b"\xff", b"\x00", b"\x7f")) * length + data[place + length :]


def mutate_and_scan(count: int, seed: int) -> None:
    """Whatever is wrong with the bytes: an answer, in time, with bounded steps."""
    source = random.Random(seed)
    for number in range(count):
        case = source.choice(CASES)
        data = mutated(case.make(), source)
        started = time.process_time()
        try:
            scan_source(Source.of_bytes(data), case.file_name, Limits(expanded_bytes=64 * 1024 * 1024))
        except Exception as error:
            raise AssertionError(f"{case.id}, seed {seed}, number {number}: {error!r}") from error
        spent_s = time.process_time() - started
        assert spent_s < PATIENCE_S, f"{case.id}, seed {seed}, number {number}: {spent_s:.1f} s"


def test_no_mutation_breaks_or_holds_up_the_scanner() -> None:
    mutate_and_scan(MUTATIONS, 1)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(2, 12))
def test_no_mutation_of_many_breaks_or_holds_up_the_scanner(seed: int) -> None:
    mutate_and_scan(CAMPAIGN_MUTATIONS // 10, seed)
