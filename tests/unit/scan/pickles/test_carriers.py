"""joblib, npy and torch's older files: code in them goes through the machine, data does not."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.scan import FileReport, Source, Status, scan_source
from tests.attack.corpus.carriers import (
    DTYPE_F8,
    DTYPE_OBJECT,
    joblib,
    legacy,
    npy,
    npy_header,
    storage_in_tar,
    torch_tar,
    wrapped,
)
from tests.attack.corpus.payloads import BENIGN_PICKLE, EVIL

REFUSED = "pickle-refused-global"
NUMBERS = struct.pack("<2d", 1.5, 2.5)


def scan(data: bytes, name: str = "m.bin") -> FileReport:
    return scan_source(Source.of_bytes(data), name)


def rules_of(report: FileReport) -> set[str]:
    return {finding.rule.id for finding in report.findings}


class TestNpy:
    @pytest.mark.parametrize(
        "array",
        [
            np.arange(6.0).reshape(2, 3), np.array("text"), np.zeros((0, 3)),
            np.zeros(2, [("a", "i1", (2,)), ("b", "U3")]),
            np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
            np.array(["2026-01-01"], "datetime64[us]"),
            np.asfortranarray(np.ones((2, 3), ">c16")),
        ],
        ids=lambda array: str(array.dtype),
    )  # fmt: skip
    def test_what_numpy_writes_is_clean(
        self, array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"
    ) -> None:
        sink = io.BytesIO()
        np.save(sink, array)
        assert (scan(sink.getvalue()).status(), scan(sink.getvalue()).formats[0]) == (Status.CLEAN, "npy")

    @pytest.mark.parametrize("descr", ["|O", "O", [("a", "<f4"), ("b", "|O")], [("a", "O", (2, 2))]])
    def test_objects_are_a_pickle(self, descr: object) -> None:
        assert REFUSED in rules_of(scan(npy(npy_header(descr), EVIL)))

    def test_numbers_are_no_pickle_but_are_looked_at(self) -> None:
        assert scan(npy(npy_header("|u1", (4,)), b"cos\n")).status() is Status.CLEAN
        assert REFUSED in rules_of(scan(npy(npy_header("|u1", (len(EVIL),)), EVIL)))

    @pytest.mark.parametrize(
        "header",
        ["", "1", "()", "-" * 200_000 + "1", "1" + "+1" * 50_000,
         "not " * 50_000 + "1", "lambda:" * 20_000 + "1",
         "9" * 9000,
         "(" * 50 + ")" * 50, "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}",
         "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
         "{'descr': '<f8', 'fortran_order': 0, 'shape': ()}",
         npy_header("<f8", (2**20, 2**20)), npy_header("<f8", (11,)), "'\\", "'" * 99_999],
        ids=lambda header: header[:20] or "empty",
    )  # fmt: skip
    def test_headers_that_numpy_never_writes(self, header: str) -> None:
        assert rules_of(scan(npy(header, bytes(80), 2))) == {"unreadable"}


class TestJoblib:
    @pytest.mark.parametrize("alignment", [False, True])
    def test_arrays_are_skipped_and_what_follows_is_read(self, *, alignment: bool) -> None:
        array = wrapped(DTYPE_F8, NUMBERS, alignment=alignment)
        assert scan(joblib(array, array), "m.joblib").status() is Status.CLEAN
        assert REFUSED in rules_of(scan(joblib(array, EVIL[2:-1]), "m.joblib"))

    @pytest.mark.parametrize("shape", [b"J\xff\xff\xff\x7f\x85", b"J\xff\xff\xff\xff\x85", b"N", b"N\x85"])
    def test_shapes_that_cannot_be(self, shape: bytes) -> None:
        assert "unreadable" in rules_of(scan(joblib(wrapped(DTYPE_F8, NUMBERS, shape)), "m.joblib"))

    def test_object_arrays_are_pickles_of_their_own(self) -> None:
        good, bad = (wrapped(DTYPE_OBJECT, data, alignment=False) for data in (BENIGN_PICKLE, EVIL))
        assert scan(joblib(good), "m.joblib").status() is Status.CLEAN
        assert REFUSED in rules_of(scan(joblib(bad), "m.joblib"))

    def test_arrays_are_opcodes_to_a_plain_loader(self) -> None:
        data = b"cos\ngetpid\n)R.".ljust(16, b".")
        assert REFUSED in rules_of(scan(joblib(wrapped(DTYPE_F8, data, alignment=False)), "m.joblib"))


class TestTorchLegacy:
    def test_an_ordinary_file_is_clean(self) -> None:
        assert scan(legacy()).status() is Status.CLEAN

    @pytest.mark.parametrize("part", ["system", "pickled", "keys", "behind"])
    def test_every_stream_is_run(self, part: str) -> None:
        assert REFUSED in rules_of(scan(legacy(**{part: EVIL})))  # type: ignore[arg-type]  # all are bytes

    @pytest.mark.parametrize("number", [0, 1])
    def test_every_storage_is_looked_at(self, number: int) -> None:
        storages = [bytes(16), bytes(8)]
        storages[number] = b"(ios\na\n.".ljust(len(storages[number]), b"\0")
        assert scan(legacy(storages=(storages[0], storages[1]))).status() >= Status.QUARANTINED

    def test_storages_must_be_there(self) -> None:
        assert "unreadable" in rules_of(scan(legacy()[:-4]))


class TestTorchTar:
    def test_an_ordinary_file_is_clean(self) -> None:
        assert scan(torch_tar(storages=storage_in_tar(bytes(8)))).status() <= Status.NOTED

    @pytest.mark.parametrize("part", ["system", "pickled", "tensors", "storages"])
    def test_every_part_is_run(self, part: str) -> None:
        assert REFUSED in rules_of(scan(torch_tar(**{part: EVIL})))

    def test_what_lies_behind_a_storage_is_run(self) -> None:
        assert REFUSED in rules_of(scan(torch_tar(storages=storage_in_tar(bytes(8))[:-4] + EVIL)))


WHOLES = {
    "npy": npy(npy_header(), BENIGN_PICKLE),
    "joblib": joblib(wrapped(DTYPE_F8, NUMBERS), wrapped(DTYPE_OBJECT, BENIGN_PICKLE, alignment=False)),
    "legacy": legacy(),
    "tar": torch_tar(storages=storage_in_tar(bytes(8))),
}


@settings(max_examples=200, deadline=2000)
@given(st.sampled_from(sorted(WHOLES)), st.integers(0, 10_000), st.integers(0, 255), st.booleans())
def test_a_changed_byte_or_a_cut_gets_an_answer(name: str, place: int, value: int, cut: bool) -> None:
    data = bytearray(WHOLES[name])
    place %= len(data)
    data[place] = value
    scan(bytes(data[:place] if cut else data), f"m.{name}")
