"""The processes that scan: they start, scan what is like a file, and end, and nothing of them is left."""

import io
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from allmende.scan import BATCH_FILES, Limits, Scanner, ScannerUnavailable, Source, Status, scan_source
from allmende.scan.isolation import server_process
from tests.attack.corpus.all_cases import all_cases
from tests.attack.corpus.case import Case
from tests.integration.scan.asking import children, named, rules, scan

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def real() -> Iterator[Scanner]:
    with Scanner(2) as opened:
        yield opened


class TestStart:
    def test_the_level_is_that_of_the_platform(self, real: Scanner) -> None:
        expected = "filter" if sys.platform == "linux" else "limits"
        assert real.level() == expected

    def test_no_secret_of_the_environment_goes_along(
        self, real: Scanner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ALLMENDE_TEST_SECRET", "x")
        before = children()
        with Scanner() as opened:
            opened.level()
            (pid,) = children() - before
            assert b"SECRET" not in Path(f"/proc/{pid}/environ").read_bytes()


class TestLife:
    def test_no_process_is_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = children()
        with Scanner(2) as opened:
            opened.level()
            assert children() > before
        assert children() == before

    def test_a_closed_scanner_refuses_at_once(self) -> None:
        opened = Scanner()
        opened.close()
        opened.close()
        with pytest.raises(ScannerUnavailable):
            scan(opened, b"{}")

    def test_it_says_so_when_no_process_can_be_started(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/nonexistent")
        with Scanner() as opened, pytest.raises(ScannerUnavailable, match="cannot be started"):
            opened.level()

    def test_it_says_so_when_the_process_does_not_come_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server_process, "_PROGRAM", "raise SystemExit(3)")
        with Scanner() as opened:
            for _ in range(2):
                with pytest.raises(ScannerUnavailable, match="does not start"):
                    opened.level()

    def test_it_ends_with_the_process_that_started_it(self) -> None:
        program = (
            f"import sys, os, pathlib; sys.path.insert(0, {str(ROOT / 'src')!r})\n"
            "from allmende.scan import Scanner\n"
            "Scanner().level()\n"
            "print(pathlib.Path('/proc/thread-self/children').read_text(), flush=True)\n"
            "os._exit(0)\n"
        )
        answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        (pid,) = map(int, answer.stdout.split())
        deadline = time.monotonic() + 60
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not Path(f"/proc/{pid}").exists()


class TestFiles:
    def test_many_threads_share_it(self, real: Scanner) -> None:
        bad = pickle.dumps(print)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda number: scan(real, bad if number % 2 else b"{}"), range(40)))
        assert {report.status() for report in found[1::2]} == {Status.BLOCKED}
        assert {report.status() for report in found[0::2]} == {Status.CLEAN}

    def test_a_path_is_opened_and_its_name_counts(self, real: Scanner, tmp_path: Path) -> None:
        place = tmp_path / "chat_template.jinja"
        place.write_text("{{ ''.__class__ }}")
        assert real.scan_path(place).status() is Status.BLOCKED
        assert real.scan_path(place, "notes.txt").status() is not Status.BLOCKED

    def test_a_pipe_is_refused_and_not_waited_for(self, real: Scanner, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a.pkl")
        with pytest.raises(OSError, match="no ordinary file"):
            real.scan_path(tmp_path / "a.pkl")

    def test_a_file_open_for_writing_is_copied(self, real: Scanner) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(pickle.dumps(print))
            assert real.scan(file, file.tell(), "a").status() is Status.BLOCKED

    def test_an_endless_file_is_read_no_further_than_its_size(self, real: Scanner) -> None:
        class Endless(io.RawIOBase):
            def seek(self, offset: int, whence: int = 0) -> int:
                return offset

            def read(self, size: int = -1) -> bytes:
                return b" " * size

        assert real.scan(Endless(), 5_000_000, "a.txt").status() is Status.CLEAN  # type: ignore[arg-type]

    def test_a_file_that_became_shorter_is_quarantined(self, real: Scanner) -> None:
        report = real.scan(io.BytesIO(b"\x80\x04"), 5000, "a.pkl")
        assert rules(report) == ["scanner-crashed"]

    @pytest.mark.parametrize("name", ["", "a" * 3_000_000 + ".pkl", "\udcff\ud800.pkl", "a\0b\n.pkl"])
    def test_every_name_is_possible(self, real: Scanner, name: str) -> None:
        assert scan(real, pickle.dumps(print), name).status() is Status.BLOCKED

    def test_limits_go_along(self) -> None:
        with Scanner(limits=Limits(opcodes=3)) as opened:
            assert "limit-reached" in rules(scan(opened, pickle.dumps(list(range(100)))))


def test_the_report_is_the_one_that_a_scan_in_this_process_gives(real: Scanner) -> None:
    """For some cases of every family: all that a reader loads is loaded before it is confined."""

    def differs(case: Case) -> str | None:
        data = case.make()
        outside = scan_source(Source.of_bytes(data), case.file_name)
        inside = scan(real, data, case.file_name)
        return None if inside == outside else f"{case.id}: {rules(outside)} but {rules(inside)}"

    by_family: dict[str, list[Case]] = defaultdict(list)
    for case in all_cases():
        by_family[case.family].append(case)
    cases = [case for family in by_family.values() for case in family[:: max(1, len(family) // 3)]]
    assert len(cases) > 200
    with ThreadPoolExecutor(2) as pool:
        assert [said for said in pool.map(differs, cases) if said] == []


def test_a_batch_gives_what_each_of_its_files_gives_alone(real: Scanner) -> None:
    """For a case of every family, in an order by which attacks stand before harmless files and behind."""
    by_family: dict[str, list[Case]] = defaultdict(list)
    for case in all_cases():
        by_family[case.family].append(case)
    cases = [case for family in by_family.values() for case in (family[0], family[-1])]
    random.Random(5).shuffle(cases)
    assert len(cases) > 100
    reports = [
        report
        for start in range(0, len(cases), BATCH_FILES)
        for report in real.scan_batch(
            [named(case.make(), case.file_name) for case in cases[start : start + BATCH_FILES]]
        )
    ]
    told = {
        case.id: (rules(report), rules(alone))
        for case, report in zip(cases, reports, strict=True)
        if report != (alone := scan_source(Source.of_bytes(case.make()), case.file_name))
    }
    assert told == {}
