import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.http.ranges import Part, RangeNotSatisfiable, is_unchanged, wanted_part

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-4", 2, 5),
        ("bytes=3-", 3, 10),
        ("bytes=0-100000", 0, 10),
        ("bytes=-3", 7, 10),
        ("bytes=-100", 0, 10),
        ("Bytes = 1 - 2 ", 1, 3),
    ],
)
def test_a_single_range(asked, start, end):
    part = wanted_part({"range": asked}, 10, ETAG)
    assert part == Part(start, end, 10)
    assert part.content_range == f"bytes {start}-{end - 1}/10"


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_beyond_the_end(asked):
    with pytest.raises(RangeNotSatisfiable) as caught:
        wanted_part({"range": asked}, 10, ETAG)
    assert caught.value.size_bytes == 10


def test_nothing_of_an_empty_file_can_be_had_by_range():
    with pytest.raises(RangeNotSatisfiable):
        wanted_part({"range": "bytes=0-"}, 0, ETAG)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=0-1,4-5",
        "lines=0-1",
        "bytes=\u0663-\u0664",
        "bytes=" + "9" * 30 + "-",
    ],
)
def test_what_is_no_single_range_is_passed_over(asked):
    assert wanted_part({"range": asked}, 10, ETAG) is None


def test_if_range_holds_the_range_only_for_the_same_bytes():
    asked = {"range": "bytes=1-"}
    assert wanted_part({**asked, "if-range": ETAG}, 10, ETAG) == Part(1, 10, 10)
    assert wanted_part({**asked, "if-range": '"other"'}, 10, ETAG) is None
    assert wanted_part({**asked, "if-range": f"W/{ETAG}"}, 10, ETAG) is None
    assert wanted_part({**asked, "if-range": "Sun, 22 Nov 2026 12:00:00 GMT"}, 10, ETAG) is None


@pytest.mark.parametrize("condition", [ETAG, f"W/{ETAG}", f'"x", {ETAG}', "*"])
def test_unchanged(condition):
    assert is_unchanged({"if-none-match": condition}, ETAG)


@pytest.mark.parametrize("headers", [{}, {"if-none-match": '"x"'}, {"if-none-match": "abc"}])
def test_changed(headers):
    assert not is_unchanged(headers, ETAG)


@given(st.text(alphabet="bytes=-0123456789, ", max_size=20), st.integers(0, 50))
def test_whatever_is_asked_the_part_lies_inside(asked, size_bytes):
    try:
        part = wanted_part({"range": asked}, size_bytes, ETAG)
    except RangeNotSatisfiable:
        return
    assert part is None or 0 <= part.start < part.end <= size_bytes
