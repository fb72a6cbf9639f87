"""Previews in the process that reads them: Parquet as its own library writes it, hostile bytes, bounds."""

import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from allmende.tables import TableKind, TableReaderAbsent, preview_table, previewer

TABLE = pa.table(
    {
        "id": list(range(1000)),
        "text": [f"row {number}" for number in range(999)] + [None],
        "image": [{"bytes": b"x" * 50, "path": "a.png"}] * 1000,
        "list": [[1, 2, None]] * 1000,
    }
)


def written(**options: object) -> bytes:
    out = io.BytesIO()
    parquet.write_table(TABLE, out, **options)
    return out.getvalue()


def previewed(data: bytes, kind: TableKind = "parquet"):
    return preview_table(io.BytesIO(data), len(data), kind)


def test_parquet_is_told_from_its_footer_and_its_first_rows() -> None:
    found = previewed(written(row_group_size=300, compression="zstd"))
    assert found["rows_total"] == 1000
    assert found["rows_read"] == 100
    number, text, image, listed = found["columns"]
    assert number["type"] == "int64"
    assert number["of_all"] == {"nulls": 0, "min": "0", "max": "999"}
    assert (number["min"], number["max"], number["mean"]) == ("0", "99", "49.5")
    assert text["of_all"]["nulls"] == 1
    assert "distinct" not in image
    assert listed["type"].startswith("list<")
    assert found["rows"][0] == ["0", "row 0", {"bytes": 50}, "[1, 2, null]"]


def test_instants_are_shown_whatever_their_zone_and_precision() -> None:
    second = 1_772_341_200
    columns = {
        "zoned": pa.array([second, None], pa.timestamp("s", tz="Europe/Berlin")),
        "plain": pa.array([second * 10**6, 1], pa.timestamp("us")),
        "fine": pa.array([second * 10**9 + 7, 0], pa.timestamp("ns")),
        "far": pa.array([2**60, -(2**62)], pa.timestamp("ms")),
    }
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out)
    found = previewed(out.getvalue())
    first, second_row = found["rows"]
    assert first[:3] == [
        "2026-03-01 05:00:00Z",
        "2026-03-01 05:00:00",
        "2026-03-01 05:00:00.000000007",
    ]
    assert second_row[0] is None
    assert "longest" not in found["columns"][0]
    assert [row[3] for row in found["rows"]] == [f"{2**60} ms", f"{-(2**62)} ms"]


def test_only_ranges_are_read() -> None:
    blob = pa.table({"noise": [os.urandom(1000) for _ in range(40_000)], "n": list(range(40_000))})
    out = io.BytesIO()
    parquet.write_table(blob, out, row_group_size=40_000, use_dictionary=False)
    asked: list[int] = []

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size or 0)
            return super().read(size)

    data = out.getvalue()
    found = preview_table(Counted(data), len(data), "parquet")
    assert found["rows_total"] == 40_000
    assert sum(asked) < len(data) / 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1",
        b"PAR1" + b"\xff" * 100 + b"\x50\0\0\0PAR1",
        b"PAR1" + bytes(20) + b"\xff\xff\xff\x7fPAR1",
        b"PARE" + bytes(20) + b"\x01\0\0\0PARE",
        written()[:-9],
        written()[: len(written()) // 2] + bytes(len(written()) - len(written()) // 2 - 4) + b"PAR1",
    ],
)
def test_what_is_no_parquet_is_said_to_be_none(data: bytes) -> None:
    assert set(previewed(data)) == {"error"}


@pytest.mark.parametrize("place", range(0, 400, 80))
def test_flipped_bytes_never_break_the_hub(place: int) -> None:
    data = bytearray(written(compression="none"))
    data[-9 - place] ^= 0xFF
    found = previewed(bytes(data))
    assert "error" in found or found["rows_read"] <= 100


def test_what_wants_too_much_of_a_file_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previewer, "_MAX_READ_BYTES", 1000)
    assert "more of the file" in previewed(written())["error"]


def test_text_is_read_in_the_same_way() -> None:
    assert previewed(b"a,b\n1,2\n", "csv")["rows"] == [["1", "2"]]
    assert previewed(b"a\tb\n1\t2\n", "tsv")["rows"] == [["1", "2"]]
    assert previewed(json.dumps({"a": None}).encode(), "jsonl")["rows"] == [[None]]


def test_without_pyarrow_it_is_said_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previewer, "find_spec", lambda _name: None)
    with pytest.raises(TableReaderAbsent) as caught:
        previewed(written())
    assert caught.value.hint == "Its operator can install allmende[datasets]."


def test_the_child_can_open_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    deed = f"import allmende.tables.child as c; c.read_separated = lambda *_: open({str(secret)!r}); "
    monkeypatch.setattr(
        previewer, "_PROGRAM", previewer._PROGRAM.replace("from allmende", deed + "from allmende")
    )
    assert previewed(b"a\n1\n", "csv") == {"error": "The table cannot be read."}
