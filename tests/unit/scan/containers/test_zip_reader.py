"""Zip files: what is found in their records, and that members are scanned whatever the records say."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.scan import FileReport, Source, Status, scan_source
from allmende.scan.budget import Limits
from tests.attack.corpus.payloads import BENIGN_PICKLE, EVIL
from tests.attack.corpus.zip_parts import DEFLATED, Member, zip_file

TEXT = b"an ordinary line\n" * 30
NOTE = Member("notes.txt", TEXT)
REFUSED = "pickle-refused-global"


def scan(data: bytes, name: str = "m.zip", limits: Limits | None = None) -> FileReport:
    return scan_source(Source.of_bytes(data), name, limits)


def rules_of(report: FileReport) -> set[str]:
    return {finding.rule.id for finding in report.findings}


class TestRecords:
    @pytest.mark.parametrize(
        ("local", "central"),
        [
            ({"crc": 1}, {}), ({"method": 8}, {}), ({"flags": 1}, {}), ({"size": 3}, {}), ({"packed": 3}, {}),
            ({}, {"crc": 1}), ({}, {"flags": 0x800}), ({}, {"size": 3}), ({}, {"offset": 7}),
        ],
    )  # fmt: skip
    def test_headers_that_differ(self, local: Mapping[str, int], central: Mapping[str, int]) -> None:
        report = scan(zip_file([Member("a.txt", TEXT, local=local, central=central), NOTE]))
        assert "zip-disagreement" in rules_of(report)

    def test_a_local_name_of_its_own(self) -> None:
        assert "zip-disagreement" in rules_of(scan(zip_file([Member("a.txt", TEXT, local_name=b"b.txt")])))

    @pytest.mark.parametrize(
        "end", [{"count": 1, "here": 1}, {"count": 5, "here": 5}, {"size": 40}, {"offset": 2}, {"disk": 3}]
    )
    def test_an_end_record_that_lies(self, end: Mapping[str, int]) -> None:
        report = scan(zip_file([NOTE, Member("m.pkl", EVIL)], end=end))
        assert report.status() is Status.BLOCKED
        assert rules_of(report) & {"zip-disagreement", "zip-prefix", "unreadable", "zip-overlap"}

    @pytest.mark.parametrize(
        ("arguments", "rule"),
        [
            ({"prefix": b"GIF89a"}, "zip-prefix"),
            ({"prefix": b"GIF89a", "shifted": True}, "zip-prefix"),
            ({"before_directory": b"x" * 40}, "zip-hidden-data"),
            ({"comment": zip_file([NOTE])}, "zip-hidden-data"),
            ({"tail": b"x"}, "zip-hidden-data"),
            ({"before_end": b"xx"}, "zip-prefix"),
        ],
    )  # fmt: skip
    def test_bytes_outside_of_members(self, arguments: Mapping[str, Any], rule: str) -> None:
        assert rule in rules_of(scan(zip_file([NOTE], **arguments)))

    @pytest.mark.parametrize("length", [1, 12, 16, 20, 24, 5000])
    def test_bytes_between_members_are_no_descriptor(self, length: int) -> None:
        report = scan(zip_file([Member("a.txt", TEXT, behind=b"x" * length), NOTE]))
        assert "zip-hidden-data" in rules_of(report)

    def test_what_lies_between_members_is_scanned(self) -> None:
        report = scan(zip_file([Member("a.txt", TEXT, behind=EVIL), NOTE]))
        assert REFUSED in rules_of(report)

    @pytest.mark.parametrize("signature", [b"", b"PK\7\x08"])
    @pytest.mark.parametrize("form", ["<3L", "<L2Q"])
    def test_a_descriptor_is_no_hidden_data(self, signature: bytes, form: str) -> None:
        descriptor = signature + struct.pack(form, zlib.crc32(TEXT), len(TEXT), len(TEXT))
        nothing = {"crc": 0, "packed": 0, "size": 0}
        member = Member("a.txt", TEXT, flags=8, local=nothing, behind=descriptor)
        assert scan(zip_file([member, NOTE])).status() is Status.CLEAN

    def test_members_that_lie_on_one_another(self) -> None:
        report = scan(zip_file([NOTE, Member("b.txt", TEXT, central={"offset": 0})]))
        assert "zip-overlap" in rules_of(report)

    def test_members_that_are_larger_than_the_file_are_not_all_read(self) -> None:
        body = Member("a.txt", TEXT)
        names = [Member("a.txt", TEXT, central={"offset": 0}) for _ in range(500)]
        directory = b"".join(name.central_record(0) for name in names)
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 500, 500, len(directory), len(body.local_record()), 0)
        report = scan(body.local_record() + directory + end)
        assert {"zip-overlap", "archive-duplicate-name"} <= rules_of(report)


class TestMembers:
    def test_a_broken_member_does_not_hide_the_next(self) -> None:
        broken = Member("a.bin", b"\xff" * 50, local={"method": 8}, central={"method": 8})
        report = scan(zip_file([broken, Member("m.pkl", EVIL)]))
        assert {"unreadable", REFUSED} <= rules_of(report)

    def test_what_came_out_before_a_break_is_scanned(self) -> None:
        whole = Member("m.pkl", EVIL + bytes(range(256)) * 40, DEFLATED)
        data = bytearray(zip_file([whole]))
        data[200:220] = b"\xff" * 20
        assert REFUSED in rules_of(scan(bytes(data)))

    @pytest.mark.parametrize("cut", [22, 60, 90])
    def test_members_are_found_without_a_directory(self, cut: int) -> None:
        report = scan(zip_file([NOTE, Member("m.pkl", EVIL, DEFLATED)])[:-cut])
        assert {"unreadable", REFUSED} <= rules_of(report)

    def test_stored_members_are_not_copied(self) -> None:
        class Counting(io.BytesIO):
            count = 0

            def read(self, size: int | None = -1, /) -> bytes:
                data = super().read(size)
                self.count += len(data)
                return data

        size_bytes = 8 * 1024 * 1024
        data = zip_file(
            [
                Member("archive/data.pkl", BENIGN_PICKLE),
                Member("archive/data/0", random.Random(1).randbytes(size_bytes)),
            ]
        )
        file = Counting(data)
        scan_source(Source(file, len(data)), "model.pt")
        assert file.count < size_bytes // 4

    @pytest.mark.parametrize("kind", [0o020644, 0o060644, 0o010644, 0o140644])
    def test_devices(self, kind: int) -> None:
        report = scan(zip_file([NOTE, Member("node", attributes=kind << 16)]))
        assert "archive-device" in rules_of(report)

    @pytest.mark.parametrize("kind", [0o120777, 0o020644, 0o040755])
    def test_whatever_the_mode_says_the_bytes_are_scanned(self, kind: int) -> None:
        report = scan(zip_file([NOTE, Member("a/data.pkl", EVIL, attributes=kind << 16)]))
        assert REFUSED in rules_of(report)

    def test_modes_that_mean_nothing_are_no_devices(self) -> None:
        assert scan(zip_file([Member("a/", attributes=0xFFFF << 16), NOTE])).status() is Status.CLEAN

    def test_no_checksum_is_noted_and_a_wrong_one_quarantined(self) -> None:
        none, wrong = ({"crc": number} for number in (0, 7))
        noted = scan(zip_file([Member("a.txt", TEXT, local=none, central=none)]))
        assert noted.status() is Status.NOTED
        assert (
            scan(zip_file([Member("a.txt", TEXT, local=wrong, central=wrong)])).status() is Status.QUARANTINED
        )

    def test_the_limit_of_members_holds(self) -> None:
        many = zip_file([Member(f"{number}.txt", b"x") for number in range(20)])
        assert "limit-reached" in rules_of(scan(many, limits=Limits(members=10)))


UNOPENED = (zipfile.BadZipFile, ValueError, OSError, struct.error, NotImplementedError)


def by_zipfile(data: bytes) -> list[bytes]:
    """What Python's own reader gets out of the members that it can read."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except UNOPENED:
        return []
    out = []
    for info in archive.infolist():
        try:
            out.append(archive.read(info))
        except (*UNOPENED, zlib.error, EOFError, RuntimeError):
            continue
    return out


WHOLE = zip_file(
    [NOTE, Member("a/m.pkl", EVIL, DEFLATED), Member("b.bin", EVIL), Member("c.json", b"[1]")],
    comment=b"a comment",
)


@settings(max_examples=200, deadline=2000)
@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    st.binary(max_size=40),
)
def test_what_zipfile_finds_is_never_clean(changes: list[tuple[int, int]], prefix: bytes) -> None:
    changed = bytearray(WHOLE)
    for place, value in changes:
        changed[place] = value
    data = prefix + bytes(changed)
    report = scan(data, "weights.bin")
    if EVIL in by_zipfile(data):
        assert report.status() >= Status.QUARANTINED


@settings(max_examples=150, deadline=2000)
@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.binary(max_size=30))
def test_any_piece_of_an_archive_gets_an_answer(start: int, end: int, between: bytes) -> None:
    scan(WHOLE[:start] + between + WHOLE[end:])
