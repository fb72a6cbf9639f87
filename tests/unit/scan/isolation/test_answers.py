"""What a scanning process sends back, whole, broken or not at all: always a report, never an exception."""

import json
import os
import signal
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.scan import RULES, Bounds, FileReport, Finding, Status
from allmende.scan.isolation import answers
from allmende.scan.isolation.answers import Answer, answered, read_answer, report_of

BOUNDS = Bounds(cpu_s=10)
FOUND = FileReport("1", ("pickle",), (Finding(RULES["unreadable"], detail="Broken."),))


def message(report: object = None, failure: object = None) -> bytes:
    return json.dumps({"report": FOUND.row() if report is None else report, "failure": failure}).encode()


def rules(report: FileReport) -> list[str]:
    return [finding.rule.id for finding in report.findings]


def test_a_whole_report_is_taken_as_it_is() -> None:
    assert report_of(Answer(message()), 0, 0.1, BOUNDS) == FOUND


@pytest.mark.parametrize(
    ("failure", "rule"),
    [("time", "scanner-timeout"), ("memory", "scanner-memory"), ("Traceback …", "scanner-crashed")],
)
def test_what_was_found_before_a_failure_stays(failure: str, rule: str) -> None:
    assert rules(report_of(Answer(message(failure=failure)), 0, 0.1, BOUNDS)) == ["unreadable", rule]


@pytest.mark.parametrize(
    ("code", "used_s", "rule"),
    [
        (0, 0.1, "scanner-crashed"),
        (1, 0.1, "scanner-crashed"),
        (-signal.SIGSEGV, 0.1, "scanner-crashed"),
        (-signal.SIGKILL, 0.1, "scanner-memory"),
        (-signal.SIGKILL, 10.0, "scanner-timeout"),
        (-signal.SIGXCPU, 10.0, "scanner-timeout"),
    ],
)
def test_the_end_of_a_silent_process_says_what_it_died_of(code: int, used_s: float, rule: str) -> None:
    report = report_of(Answer(), code, used_s, BOUNDS)
    assert rules(report) == [rule]
    assert report.status() is Status.QUARANTINED


@pytest.mark.parametrize("answer", [Answer(in_time=False), Answer(in_bounds=False)])
def test_what_had_to_be_ended_is_quarantined(answer: Answer) -> None:
    assert report_of(answer, -signal.SIGKILL, 0.0, BOUNDS).status() is Status.QUARANTINED


def documents(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    keys = st.sampled_from(["report", "failure", "findings", "rule", "rule_set"])
    return st.lists(inner, max_size=3) | st.dictionaries(keys, inner)


SENT = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), documents)


@given(st.binary() | SENT.map(lambda value: json.dumps(value).encode()))
def test_nothing_that_is_sent_is_clean_or_raises(data: bytes) -> None:
    assert report_of(Answer(data), 0, 0.1, BOUNDS).status() >= Status.QUARANTINED


@pytest.mark.parametrize("name", list(FOUND.row()))
def test_a_report_that_lacks_something_is_none(name: str) -> None:
    row = {key: value for key, value in FOUND.row().items() if key != name}
    assert rules(report_of(Answer(message(row)), 0, 0.1, BOUNDS)) == ["scanner-crashed"]


def test_an_unknown_rule_is_no_report() -> None:
    row = FOUND.row() | {"findings": [FOUND.findings[0].row() | {"rule": "made-up"}]}
    assert rules(report_of(Answer(message(row)), 0, 0.1, BOUNDS)) == ["scanner-crashed"]


class TestBatches:
    LINE = message() + b"\n"

    @pytest.mark.parametrize(
        ("data", "known"),
        [
            (b"", 0),
            (LINE, 1),
            (LINE * 3, 3),
            (LINE * 2 + LINE[:-1], 2),
            (LINE + message(failure="memory") + b"\n" + LINE, 1),
            (LINE + b"{}\n" + LINE, 1),
            (LINE + b"\n" + LINE, 1),
            (LINE * 4, 0),
        ],
    )
    def test_reports_count_up_to_the_first_that_is_none(self, data: bytes, known: int) -> None:
        assert answered(Answer(data), 3) == [FOUND] * known

    @pytest.mark.parametrize("ended", [Answer(LINE, in_time=False), Answer(LINE, in_bounds=False)])
    def test_what_was_told_before_the_end_counts(self, ended: Answer) -> None:
        assert answered(ended, 3) == [FOUND]

    def test_several_get_no_more_time_than_one(self) -> None:
        assert Bounds(cpu_s=2, wall_s=3.0).of_a_batch() == Bounds(cpu_s=2, wall_s=3.0)
        assert Bounds().of_a_batch().cpu_s < Bounds().cpu_s


class TestReading:
    def test_to_the_end(self) -> None:
        ours, theirs = os.pipe()
        os.write(theirs, b"ab")
        os.close(theirs)
        assert read_answer(ours, BOUNDS) == Answer(b"ab")
        os.close(ours)

    def test_no_longer_than_it_may_take(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(answers, "_GRACE_S", 0.0)
        ours, theirs = os.pipe()
        assert not read_answer(ours, Bounds(wall_s=0.05)).in_time
        os.close(theirs)
        os.close(ours)

    def test_no_more_than_it_may_say(self) -> None:
        ours, theirs = os.pipe()
        os.write(theirs, b"x" * 2000)
        assert not read_answer(ours, Bounds(answer_bytes=1000)).in_bounds
        os.close(theirs)
        os.close(ours)

    def test_a_slow_writer_is_waited_for(self) -> None:
        ours, theirs = os.pipe()

        def write() -> None:
            for _ in range(5):
                os.write(theirs, b"x")
                time.sleep(0.01)
            os.close(theirs)

        threading.Thread(target=write).start()
        assert read_answer(ours, BOUNDS) == Answer(b"xxxxx")
        os.close(ours)
