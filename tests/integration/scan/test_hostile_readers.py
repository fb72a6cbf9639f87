"""Readers that turn against the scanner: nothing is within their reach, and the next file is scanned."""

import json
import logging
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from allmende.scan import Bounds, Scanner, Status
from allmende.scan.isolation import answers, server_process
from tests.integration.scan.asking import children, named, rules, scan
from tests.integration.scan.hostile_server import ATTEMPTS

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = (
    f"import sys; sys.path[:0] = [sys.argv[1], {str(ROOT)!r}]; "
    "from tests.integration.scan.hostile_server import main; main(int(sys.argv[2]))"
)
BOUNDS = Bounds(cpu_s=2, memory_bytes=256 * 1024 * 1024, wall_s=4.0, answer_bytes=256 * 1024)


@pytest.fixture(scope="module")
def hostile() -> Iterator[Scanner]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_process, "_PROGRAM", PROGRAM)
        patch.setattr(answers, "_GRACE_S", 1.0)
        patch.setattr(server_process, "_ANSWER_S", 10.0)
        with Scanner(bounds=BOUNDS) as opened:
            yield opened


class TestConfinement:
    @pytest.mark.parametrize("attempt", ATTEMPTS)
    def test_nothing_but_the_file_is_within_reach(self, hostile: Scanner, attempt: str) -> None:
        if hostile.level() != "filter":
            pytest.skip("this platform has no filter of system calls")
        (finding,) = scan(hostile, attempt).findings
        assert finding.inside == attempt
        assert finding.evidence in {"EPERM", "EBADF"}

    def test_what_cannot_be_confined_is_not_scanned(
        self, hostile: Scanner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = PROGRAM.replace("; main(", "; from allmende.scan.isolation import server; main(")
        unconfined = "server._level = lambda: 'filter'; server.confine = lambda: False"
        monkeypatch.setattr(server_process, "_PROGRAM", program.replace("; main(", f"; {unconfined}; main("))
        with Scanner(bounds=BOUNDS) as opened:
            assert rules(scan(opened, "ordinary")) == ["scanner-crashed"]

    def test_nothing_is_written_into_the_log(
        self, hostile: Scanner, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with Scanner(bounds=BOUNDS) as opened:
            assert scan(opened, "write-to-the-log").status() is Status.BLOCKED
        assert capfd.readouterr() == ("", "")


class TestFailures:
    @pytest.mark.parametrize(
        ("deed", "rule"),
        [
            ("loop", "scanner-timeout"),
            ("sleep", "scanner-timeout"),
            ("grow", "scanner-memory"),
            ("grow-at-once", "scanner-memory"),
            ("recurse", "scanner-crashed"),
            ("raise 10", "scanner-crashed"),
            ("raise 10000000", "scanner-crashed"),
        ],
    )
    def test_what_was_found_before_is_kept(self, hostile: Scanner, deed: str, rule: str) -> None:
        report = scan(hostile, deed)
        assert rule in rules(report)
        assert len(report.findings) == 2
        assert report.status() is Status.BLOCKED
        assert scan(hostile, "ordinary").status() is Status.CLEAN

    @pytest.mark.parametrize(
        ("deed", "rule"),
        [
            ("deaf-loop", "scanner-timeout"),
            ("segfault", "scanner-crashed"),
            ("exit 0", "scanner-crashed"),
            ("exit 7", "scanner-crashed"),
            ("answer", "scanner-crashed"),
            ("answer " + b"{".hex(), "scanner-crashed"),
            ("answer " + b"[]".hex(), "scanner-crashed"),
            ("answer " + b"null".hex(), "scanner-crashed"),
            ("answer " + b'{"report": {}}'.hex(), "scanner-crashed"),
            ("answer " + b'{"report": 7, "failure": null}'.hex(), "scanner-crashed"),
            ("answer " + b"\xff\xfe".hex(), "scanner-crashed"),
            ("close-the-pipe", "scanner-timeout"),
        ],
    )
    def test_no_answer_is_a_quarantine(
        self, hostile: Scanner, monkeypatch: pytest.MonkeyPatch, deed: str, rule: str
    ) -> None:
        # A loop is ended by its processor time, which may take long on a machine with much to do.
        monkeypatch.setattr(server_process, "_ANSWER_S", 120.0)
        report = scan(hostile, deed)
        assert rules(report) == [rule]
        assert report.status() is Status.QUARANTINED
        assert scan(hostile, "ordinary").status() is Status.CLEAN

    def test_the_traceback_goes_to_the_log_and_not_into_the_report(
        self, hostile: Scanner, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR):
            report = scan(hostile, "raise 10")
        assert "xxxxxxxxxx" in caplog.text
        assert "xxxxxxxxxx" not in json.dumps(report.row())

    def test_a_server_that_dies_is_replaced(self, hostile: Scanner) -> None:
        before = children()
        with Scanner(bounds=BOUNDS) as opened:
            scan(opened, "ordinary")
            (pid,) = children() - before
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
            assert scan(opened, "ordinary").status() is Status.CLEAN

    def test_a_server_that_dies_under_a_scan_is_a_quarantine(self, hostile: Scanner) -> None:
        before = children()
        with Scanner(bounds=BOUNDS) as opened, ThreadPoolExecutor(1) as pool:
            scan(opened, "ordinary")
            (pid,) = children() - before
            waiting = pool.submit(scan, opened, "sleep")
            time.sleep(0.3)
            os.kill(pid, signal.SIGKILL)
            assert rules(waiting.result(20)) == ["scanner-crashed"]
            assert scan(opened, "ordinary").status() is Status.CLEAN


class TestBatches:
    """What one file of a batch does changes nothing for the others, and it is judged as if it were alone."""

    @pytest.mark.parametrize(
        ("deed", "place"),
        [
            ("grow", 1),
            ("recurse", 4),
            ("raise 10", 0),
            ("raise 10", 2),
            ("segfault", 0),
            ("segfault", 3),
            ("exit 0", 1),
            ("exit 7", 4),
            ("answer " + b"[]\n".hex(), 2),
            ("deaf-loop", 2),
        ],
    )
    def test_a_file_that_breaks_its_process(self, hostile: Scanner, deed: str, place: int) -> None:
        words = ["ordinary", "socket", "fork", "open-for-reading"]
        words.insert(place, deed)
        together = hostile.scan_batch([named(word) for word in words])
        assert together == [scan(hostile, word) for word in words]

    def test_many_that_break_it(self, hostile: Scanner) -> None:
        words = ["exit 0", "ordinary", "raise 10", "segfault", "ordinary", "exit 1"]
        together = hostile.scan_batch([named(word) for word in words])
        assert together == [scan(hostile, word) for word in words]

    def test_a_process_that_says_too_much_is_believed_in_nothing(self, hostile: Scanner) -> None:
        clean = scan(hostile, "ordinary").row()
        line = json.dumps({"report": clean, "failure": None}).encode() + b"\n"
        words = ["ordinary", "answer " + (line * 9).hex(), "socket"]
        together = hostile.scan_batch([named(word) for word in words])
        assert together[2] == scan(hostile, "socket")

    def test_time_is_that_of_the_batch_and_the_slow_get_their_own(
        self, hostile: Scanner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(answers, "_BATCH_CPU_S", 1)
        together = hostile.scan_batch([named(word) for word in ["ordinary", "loop", "socket"]])
        assert together == [scan(hostile, word) for word in ["ordinary", "loop", "socket"]]

    def test_a_server_that_dies_is_replaced_in_the_middle(self, hostile: Scanner) -> None:
        before = children()
        with Scanner(bounds=BOUNDS) as opened, ThreadPoolExecutor(1) as pool:
            scan(opened, "ordinary")
            (pid,) = children() - before
            waiting = pool.submit(opened.scan_batch, [named("ordinary"), named("sleep"), named("socket")])
            time.sleep(0.3)
            os.kill(pid, signal.SIGKILL)
            assert waiting.result(60) == [scan(opened, word) for word in ("ordinary", "sleep", "socket")]


class TestEnd:
    def test_close_waits_for_what_is_under_way(self, hostile: Scanner) -> None:
        opened = Scanner(bounds=BOUNDS)
        opened.level()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(scan, opened, "loop")
            time.sleep(0.3)
            opened.close()
            assert "scanner-timeout" in rules(waiting.result(20))

    def test_an_exception_ends_what_is_under_way(self, hostile: Scanner) -> None:
        with (
            ThreadPoolExecutor(1) as pool,
            pytest.raises(KeyboardInterrupt),
            Scanner(bounds=Bounds(wall_s=600.0)) as opened,  # beyond the patience of the tests
        ):
            opened.level()
            pool.submit(scan, opened, "sleep")
            time.sleep(0.3)
            raise KeyboardInterrupt
