"""The walk through a file: who reads, what is found when reading fails, and what bounds it all."""

from collections.abc import Callable

import pytest

from allmende.formats import MalformedJson
from allmende.scan.budget import LimitReached, Limits
from allmende.scan.findings import Finding, Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable, scan_with
from allmende.scan.source import Source
from allmende.scan.verdicts import FileReport, Status


def rule(name: str, severity: Severity = Severity.MEDIUM) -> Rule:
    return Rule(name, severity, "title", "explanation", "remedy", "reference")


NOTED, BAD = rule("noted", Severity.LOW), rule("bad", Severity.CRITICAL)


def reader(
    name: str,
    read: Callable[[Source, Scan], None],
    *,
    start: bytes = b"",
    hint: str = "",
    family: str = "",
) -> Reader:
    def claims(probe: Probe) -> Claim:
        if start and probe.head.startswith(start):
            return Claim.CONTENT
        return Claim.NAME if hint and probe.hint == hint else Claim.NONE

    return Reader(name, family or name, claims, read)


def quiet(_source: Source, _scan: Scan) -> None:
    return


def scan(data: bytes, *readers: Reader, name: str = "file", limits: Limits | None = None) -> FileReport:
    return scan_with(readers, Source.of_bytes(data), name, "test", limits or Limits())


def rules_of(report: FileReport) -> list[str]:
    return [finding.rule.id for finding in report.findings]


class TestWhoReads:
    def test_a_file_that_nobody_knows_is_not_scanned(self) -> None:
        report = scan(b"?", reader("a", quiet, start=b"A"))
        assert report.status() is Status.NOT_SCANNED
        assert report.unread == ("",)

    def test_a_file_that_is_read_without_findings_is_clean(self) -> None:
        report = scan(b"A", reader("a", quiet, start=b"A"))
        assert (report.status(), report.formats) == (Status.CLEAN, ("a",))

    def test_an_empty_file_holds_nothing(self) -> None:
        assert scan(b"").status() is Status.CLEAN

    def test_a_name_adds_a_reader(self) -> None:
        report = scan(
            b"A",
            reader("a", quiet, start=b"A"),
            reader("t", quiet, hint="template", family="text"),
            name="x.jinja",
        )
        assert report.formats == ("a", "t")

    def test_a_name_does_not_open_what_the_content_belies_unless_that_is_a_text(self) -> None:
        named = reader("p", quiet, hint="pickle")
        assert scan(b"A", reader("a", quiet, start=b"A"), named, name="x.pkl").formats == ("a",)
        text = reader("t", quiet, start=b"A", family="text")
        assert scan(b"A", text, named, name="x.pkl").formats == ("t", "p")

    def test_only_the_last_part_of_a_name_counts(self) -> None:
        report = scan(b"A", reader("t", quiet, hint="template"), name="x.jinja/y")
        assert report.formats == ()

    def test_two_families_in_one_file_are_found(self) -> None:
        report = scan(b"AB", reader("a", quiet, start=b"A"), reader("b", quiet, start=b"AB"))
        assert rules_of(report) == ["polyglot"]
        assert report.findings[0].evidence == "a + b"

    def test_one_family_and_texts_are_no_polyglot(self) -> None:
        readers = [
            reader("a", quiet, start=b"A", family="same"),
            reader("b", quiet, start=b"AB", family="same"),
            reader("t", quiet, start=b"A", family="text"),
        ]
        assert scan(b"AB", *readers).findings == ()


class TestWhatFails:
    @pytest.mark.parametrize(
        ("error", "told"),
        [(Unreadable("It ends early.", 7), "It ends early."), (MalformedJson("No JSON."), "No JSON.")],
    )
    def test_what_cannot_be_read_is_quarantined(self, error: Exception, told: str) -> None:
        def fail(_source: Source, scan: Scan) -> None:
            scan.found(NOTED)
            raise error

        report = scan(b"A", reader("a", fail, start=b"A"))
        assert report.status() is Status.QUARANTINED
        assert rules_of(report) == ["unreadable", "noted"]
        assert report.findings[0].detail == told

    def test_a_name_that_the_content_belies_is_only_noted(self) -> None:
        def fail(_source: Source, _scan: Scan) -> None:
            raise Unreadable("not this")

        report = scan(
            b"A",
            reader("a", quiet, start=b"A"),
            reader("t", fail, hint="template", family="text"),
            name="x.jinja",
        )
        assert report.status() is Status.NOTED
        assert rules_of(report) == ["name-disagrees"]

    def test_what_a_reader_cannot_know_goes_to_the_caller(self) -> None:
        def fail(_source: Source, _scan: Scan) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            scan(b"A", reader("a", fail, start=b"A"))


class TestInside:
    def test_paths_show_how_deep_it_lies(self) -> None:
        def open_it(source: Source, scan: Scan) -> None:
            scan.inside("part", source.window(1, source.size_bytes))

        def bad(_source: Source, scan: Scan) -> None:
            scan.found(BAD, offset=0)

        report = scan(b"AAB", reader("a", open_it, start=b"A"), reader("b", bad, start=b"B"))
        assert [(finding.inside, finding.offset) for finding in report.findings] == [("part/part", 0)]
        assert report.status() is Status.BLOCKED

    def test_raw_parts_may_be_unknown(self) -> None:
        def open_it(source: Source, scan: Scan) -> None:
            scan.inside("weights.pkl", source.window(1, 10), raw=True)

        assert scan(b"A??", reader("a", open_it, start=b"A"), reader("p", quiet, hint="pickle")).formats == (
            "a",
        )

    def test_an_unknown_part_leaves_the_whole_not_scanned(self) -> None:
        def open_it(source: Source, scan: Scan) -> None:
            scan.inside("other", source.window(1, 10))

        assert scan(b"A??", reader("a", open_it, start=b"A")).unread == ("other",)

    def test_depth_ends_and_the_siblings_are_still_read(self) -> None:
        def open_it(source: Source, scan: Scan) -> None:
            scan.inside("deeper", source)
            scan.inside("bad", Source.of_bytes(b"B"))

        def bad(_source: Source, scan: Scan) -> None:
            scan.found(BAD)

        readers = [reader("a", open_it, start=b"A"), reader("b", bad, start=b"B")]
        report = scan(b"A", *readers, limits=Limits(depth=3))
        found = rules_of(report)
        assert found.count("limit-reached") == 2
        assert found.count("bad") == 3
        assert report.status() is Status.BLOCKED

    def test_a_limit_keeps_what_was_found_before(self) -> None:
        def count(_source: Source, scan: Scan) -> None:
            scan.found(BAD)
            scan.budget.add_members(11)

        report = scan(b"A", reader("a", count, start=b"A"), limits=Limits(members=10))
        assert rules_of(report) == ["bad", "limit-reached"]


class TestBudget:
    def budget(self, size_bytes: int, limits: Limits) -> Callable[[int], None]:
        kept: list[Scan] = []
        scan_with(
            [reader("a", lambda _, scan: kept.append(scan), start=b"A")],
            Source.of_bytes(b"A" * size_bytes),
            "",
            "",
            limits,
        )
        return kept[0].budget.add_expanded

    def test_little_may_expand_freely(self) -> None:
        expand = self.budget(1, Limits(expanded_bytes=1000, ratio=2, ratio_free_bytes=100))
        expand(100)
        with pytest.raises(LimitReached, match="2 times its size"):
            expand(1)

    def test_there_is_an_end_whatever_the_ratio(self) -> None:
        expand = self.budget(1000, Limits(expanded_bytes=500, ratio=2, ratio_free_bytes=100))
        with pytest.raises(LimitReached, match="more than 500 bytes"):
            expand(501)


class TestFindings:
    def test_the_same_is_said_once_and_the_worst_first(self) -> None:
        def find(_source: Source, scan: Scan) -> None:
            for _ in range(3):
                scan.found(NOTED, "same")
            scan.found(BAD, "other", offset=9)

        assert rules_of(scan(b"A", reader("a", find, start=b"A"))) == ["bad", "noted"]

    def test_a_flood_hides_nothing(self) -> None:
        def find(_source: Source, scan: Scan) -> None:
            for number in range(100):
                scan.found(NOTED, str(number))
            scan.found(BAD)

        report = scan(b"A", reader("a", find, start=b"A"), limits=Limits(findings=10))
        assert report.status() is Status.BLOCKED
        assert rules_of(report).count("bad") == 1
        assert report.findings_left_out == 100 + 1 - len(report.findings)

    def test_evidence_is_one_short_printable_line(self) -> None:
        def find(_source: Source, scan: Scan) -> None:
            scan.found(BAD, b"\x1b[31m\n" + b"x" * 1000)

        (finding,) = scan(b"A", reader("a", find, start=b"A")).findings
        assert finding.evidence.isprintable()
        assert finding.evidence.startswith("\\x1b[31m\\n")
        assert len(finding.evidence) <= 200

    def test_stored_and_read_again_it_is_the_same(self) -> None:
        def find(_source: Source, scan: Scan) -> None:
            scan.found(BAD, "e", detail="d", offset=3, inside="x", confidence="likely")
            scan.refers("index", "model-1.safetensors", 7)
            scan.not_scanned("odd")

        report = scan(b"A", reader("a", find, start=b"A"))
        assert FileReport.from_row(report.row(), {"bad": BAD}) == report

    @pytest.mark.parametrize(
        "row",
        [
            {"rule": "bad", "confidence": "sure"},
            {"rule": "bad", "confidence": "certain", "offset": True},
            {"rule": "bad", "confidence": "certain", "evidence": 3},
        ],
    )
    def test_a_row_that_is_no_finding_is_refused(self, row: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="not a finding"):
            Finding.from_row(row, {"bad": BAD})
