"""The central directory agrees with the standard library and is bounded."""

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.formats import MalformedZip
from allmende.formats.zip_directory import first_entry_name, read_directory, stored_start


def _zip(names: list[str], comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, name.encode() * 3)
        archive.comment = comment
    return buffer.getvalue()


@given(st.lists(st.text("abc/ä.", min_size=1, max_size=8), unique=True, max_size=6), st.binary(max_size=30))
def test_the_entries_are_those_that_zipfile_sees(names: list[str], comment: bytes) -> None:
    data = _zip(names, comment.replace(b"PK", b"  "))
    theirs = [(info.filename, info.file_size) for info in zipfile.ZipFile(io.BytesIO(data)).infolist()]
    assert [(entry.name, entry.size_bytes) for entry in read_directory(io.BytesIO(data), len(data))] == theirs
    assert first_entry_name(data) == (theirs[0][0] if theirs else None)


def test_zip64_records_are_followed() -> None:
    names = [f"n{i}" for i in range(70_000)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    data = buffer.getvalue()
    with pytest.raises(MalformedZip, match="70000 entries"):
        read_directory(io.BytesIO(data), len(data))


@pytest.mark.parametrize(
    ("count", "length", "start", "part"),
    [
        (1, 46, 1 << 30, "outside of the file"),
        (1, 1 << 30, 0, "at most"),
        (60_000, 46, 0, "at most"),
        (3, 20, 0, "before its last entry"),
    ],
)
def test_a_lying_end_record_is_refused(count: int, length: int, start: int, part: str) -> None:
    data = bytes(100) + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, length, start, 0)
    with pytest.raises(MalformedZip, match=part):
        read_directory(io.BytesIO(data), len(data))


def test_a_lying_zip64_locator_is_refused() -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    for record_at in (2**60, 0):
        data = bytes(100) + struct.pack("<4sLQL", b"PK\x06\x07", 0, record_at, 1) + end
        with pytest.raises(MalformedZip, match="zip64 end record"):
            read_directory(io.BytesIO(data), len(data))


def test_a_cut_anywhere_is_refused() -> None:
    data = _zip(["a", "b"])
    for cut in range(len(data)):
        with pytest.raises(MalformedZip):
            read_directory(io.BytesIO(data[:cut]), cut)
        with pytest.raises(MalformedZip):
            read_directory(io.BytesIO(data[:cut]), len(data))


@given(st.lists(st.text("abc/ä.", min_size=1, max_size=8), unique=True, min_size=1, max_size=6))
def test_the_bytes_of_entries_are_found(names: list[str]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, name.encode() * 3)
        with archive.open(zipfile.ZipInfo("wide"), "w", force_zip64=True) as file:
            file.write(b"wide")
    data = buffer.getvalue()
    for entry in read_directory(io.BytesIO(data), len(data)):
        start = stored_start(io.BytesIO(data), len(data), entry)
        assert data[start : start + entry.packed_bytes] == (
            b"wide" if entry.name == "wide" else entry.name.encode() * 3
        )
        assert not entry.compressed


@pytest.mark.parametrize(
    ("at", "value", "part"),
    [
        (42, 2**31, "outside of the file"),
        (42, 1, "not where the directory says"),
        (20, 2**31, "ends outside of the file"),
        (8, 1, "is encrypted"),
        (46, int.from_bytes(b"wxyz", "little"), "another name"),
    ],
)
def test_entries_that_are_elsewhere_are_refused(at: int, value: int, part: str) -> None:
    data = bytearray(_zip(["name"]))
    start = data.rindex(b"PK\x01\x02")
    size = 2 if at == 8 else 4
    data[start + at : start + at + size] = value.to_bytes(size, "little")
    (entry,) = read_directory(io.BytesIO(data), len(data))
    with pytest.raises(MalformedZip, match=part):
        stored_start(io.BytesIO(data), len(data), entry)
