"""Tar archives: every header is sound, said once, and leads nowhere else."""

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.scan import FileReport, Source, Status, scan_source
from tests.attack.corpus import tar_parts as tar
from tests.attack.corpus.payloads import EVIL

NOTE = tar.member("notes.txt", b"an ordinary line\n")
BAD = tar.member("m.pkl", EVIL)


def scan(data: bytes, name: str = "m.tar") -> FileReport:
    return scan_source(Source.of_bytes(data), name)


def rules_of(report: FileReport) -> set[str]:
    return {finding.rule.id for finding in report.findings}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_tarfile_writes_is_clean(form: int) -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        for name in ("a.txt", "folder/" * 14 + "b.txt"):
            info = tarfile.TarInfo(name)
            info.size = 5
            archive.addfile(info, io.BytesIO(b"text\n"))
    assert scan(sink.getvalue()).status() is Status.CLEAN


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ([tar.pax([("size", "0")], kind=b"g"), NOTE], "tar-disagreement"),
        ([tar.pax([("path", "a") ]), tar.pax([("path", "b")]), NOTE], "tar-disagreement"),
        ([tar.pax([("path", "../x")]), tar.pax([("path", "b")]), NOTE], "archive-unsafe-path"),
        ([tar.pax([("size", "9" * 5000)]), NOTE], "unreadable"),
        ([tar.pax([("GNU.sparse.major", "1")]), NOTE], "container-not-unpacked"),
        ([NOTE, tar.member("x", EVIL, kind=b"Q")], "pickle-refused-global"),
        ([NOTE, tar.member("l", kind=b"2", link=b"/etc/passwd")], "archive-unsafe-path"),
        ([NOTE, tar.member("l", kind=b"2", link=b"notes.txt")], "archive-link"),
        ([NOTE, tar.member("a/b/l", kind=b"2", link=b"../c/x")], "archive-link"),
        ([NOTE, tar.member("a/l", kind=b"2", link=b"../../x")], "archive-unsafe-path"),
        ([NOTE, tar.member("a/b/l", kind=b"1", link=b"../c/x")], "archive-unsafe-path"),
        ([NOTE, tar.member("d", kind=b"3")], "archive-device"),
        ([tar.member("x", b"", prefix=b"../..", magic=b"ustar  \0")], "archive-unsafe-path"),
        ([NOTE, NOTE], "archive-duplicate-name"),
        ([tar.member("m", EVIL, size=b"\xff" * 12)], "unreadable"),
        ([tar.member("m", EVIL, checksum=1)], "unreadable"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_member(parts: list[bytes], rule: str) -> None:
    assert rule in rules_of(scan(tar.archive(*parts)))


@pytest.mark.parametrize("zeros", [512, 1024, 10_240, 200_000, 204_800])
def test_what_follows_the_end_is_scanned(zeros: int) -> None:
    report = scan(NOTE + bytes(zeros) + tar.archive(BAD))
    assert {"zip-hidden-data", "pickle-refused-global"} <= rules_of(report)


def test_signed_checksums_of_old_programs_are_right() -> None:
    name = "\u00fc.txt"
    block = bytearray(tar.member(name, b"text\n"))
    counted = block[:148] + b" " * 8 + block[156:512]
    signed = sum(byte - 256 if byte > 127 else byte for byte in counted)
    block[148:156] = b"%06o\0 " % signed
    assert scan(tar.archive(bytes(block))).status() is Status.CLEAN


WHOLE = tar.archive(NOTE, tar.pax([("path", "a.txt")]), tar.member("x", b"text\n"), BAD)


@settings(max_examples=150, deadline=2000)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_what_tarfile_finds_is_never_clean(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(WHOLE)
    for place, value in changes:
        changed[place] = value
    report = scan(bytes(changed), "weights.bin")
    if EVIL in by_tarfile(bytes(changed)):
        assert report.status() >= Status.QUARANTINED


def by_tarfile(data: bytes) -> list[bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            found = [archive.extractfile(info) for info in archive if info.isreg()]
            return [file.read() for file in found if file is not None]
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError):
        return []
