"""Compressed streams: all of them are taken apart, broken ones as far as they go."""

import bz2
import gzip
import lzma
import random
import zlib
from collections.abc import Callable

import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.scan import FileReport, Source, Status, scan_source
from allmende.scan.budget import Limits
from tests.attack.corpus.payloads import BENIGN_PICKLE, EVIL

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zlib": zlib.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE), "lz4": lz4.frame.compress,
}  # fmt: skip
every_packer = pytest.mark.parametrize("name", PACKERS)
REFUSED = "pickle-refused-global"


def scan(data: bytes, name: str = "m.bin", limits: Limits | None = None) -> FileReport:
    return scan_source(Source.of_bytes(data), name, limits)


def rules_of(report: FileReport) -> set[str]:
    return {finding.rule.id for finding in report.findings}


@every_packer
class TestEveryPacker:
    def test_harmless_contents_are_clean(self, name: str) -> None:
        report = scan(PACKERS[name](BENIGN_PICKLE))
        assert (report.status(), report.formats) == (Status.CLEAN, (name, "pickle"))

    @pytest.mark.parametrize("size_bytes", [1, 2, 3, 255, 256, 257, 2**18 - 1, 2**18, 2**19 - 1, 2**20])
    def test_sizes_at_which_a_piece_is_full(self, name: str, size_bytes: int) -> None:
        line = b"0123456789abcde\n"
        report = scan(PACKERS[name]((line * (size_bytes // 16 + 1))[:size_bytes]), "a.txt")
        assert "unreadable" not in rules_of(report)

    def test_a_second_stream_is_read(self, name: str) -> None:
        assert REFUSED in rules_of(scan(PACKERS[name](BENIGN_PICKLE) + PACKERS[name](EVIL)))

    @pytest.mark.parametrize("zeros", [1, 4, 70_000])
    def test_zeros_hide_no_stream(self, name: str, zeros: int) -> None:
        assert REFUSED in rules_of(scan(PACKERS[name](BENIGN_PICKLE) + bytes(zeros) + PACKERS[name](EVIL)))

    def test_other_bytes_behind_are_scanned(self, name: str) -> None:
        assert {REFUSED, "stream-trailing-bytes"} <= rules_of(scan(PACKERS[name](BENIGN_PICKLE) + EVIL))

    def test_a_broken_stream_is_scanned_as_far_as_it_goes(self, name: str) -> None:
        packed = PACKERS[name](EVIL + random.Random(1).randbytes(1_200_000))
        assert {REFUSED, "unreadable"} <= rules_of(scan(packed[: len(packed) * 9 // 10], "m.pkl"))

    def test_the_limit_of_expansion_holds(self, name: str) -> None:
        report = scan(PACKERS[name](bytes(3_000_000)), limits=Limits(expanded_bytes=1_000_000))
        assert "limit-reached" in rules_of(report)


@pytest.mark.parametrize(
    "signature",
    [
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07\x00",
        b"\x5a\x2a\x4d\x18",
        b"070701" + b"0" * 104,
    ],
)
def test_closed_containers_are_quarantined(signature: bytes) -> None:
    assert rules_of(scan(signature + bytes(range(200)), "m.bin")) >= {"container-not-unpacked"}


def test_a_table_of_numbers_is_no_archive() -> None:
    assert "container-not-unpacked" not in rules_of(scan(b"070701,12,13\n070702,14,15\n", "t.csv"))


@pytest.mark.parametrize("space", [b"", b" "])
def test_the_old_wrapper_of_joblib_is_opened(space: bytes) -> None:
    head = b"ZF" + hex(len(EVIL)).encode().ljust(19) + space
    assert REFUSED in rules_of(scan(head + zlib.compress(EVIL)))


@pytest.mark.parametrize(
    "data",
    [
        b"".join(number.to_bytes(8, "little") for number in (93, 12) * 20),
        b"".join(number.to_bytes(8, "little") for number in (93 + (1 << 16), 3) * 20),
        bytes(200),
        b"\x01\0\0\0\x01" + bytes(4) + b"\x01" + bytes(50),
    ],
    ids=["small", "larger", "zeros", "truth values"],
)
def test_whole_numbers_are_no_stream(data: bytes) -> None:
    assert not scan(data).formats


@settings(max_examples=100, deadline=2000)
@given(st.sampled_from(sorted(PACKERS)), st.integers(0, 200), st.integers(0, 255))
def test_a_changed_byte_gets_an_answer(name: str, place: int, value: int) -> None:
    packed = bytearray(PACKERS[name](EVIL * 3))
    packed[place % len(packed)] = value
    scan(bytes(packed), "m.joblib")
