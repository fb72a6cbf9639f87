import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.http.ranges import Part, RangeNotSatisfiable, is_unchanged, wanted_part, wanted_parts

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


def spans(asked, size_bytes=10, most=4):
    parts = wanted_parts({"range": asked}, size_bytes, most)
    assert all(part.size_bytes == size_bytes for part in parts)
    return [(part.start, part.end) for part in parts]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=3-", [(3, 10)]),
        ("bytes=-3", [(7, 10)]),
        ("bytes=0-1,4-5", [(0, 2), (4, 6)]),
        ("bytes=0-1, 4-5", [(0, 2), (4, 6)]),
        ("  bytes=0-1,4-5 ", [(0, 2), (4, 6)]),
        ("bytes=0-1,2-3", [(0, 2), (2, 4)]),
        ("bytes=0-0,2-2,4-4,6-6", [(0, 1), (2, 3), (4, 5), (6, 7)]),
        ("bytes=0-1,8-99999999999999999999", [(0, 2), (8, 10)]),
        ("bytes=0-1,10-11", [(0, 2)]),
    ],
)
def test_ranges(asked, wanted):
    assert spans(asked) == wanted


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes=",
        "bytes=,",
        "bytes=0-1,",
        "bytes=0-1,,4-5",
        "bytes=4-5,0-1",
        "bytes=0-4,4-5",
        "bytes=0-5,1-2",
        "bytes=0-1,0-1",
        "bytes=5-2",
        "bytes=0-1,5-2",
        "bytes=0-0,2-2,4-4,6-6,8-8",
        "bytes=0-1,4-",
        "bytes=0-1,-2",
        "bytes=0-1;4-5",
        "lines=0-1,4-5",
        "bytes=0-1,  4-5",
        "bytes=0-1,\u0663-\u0664",
        "bytes=0-1," + "9" * 30 + "-" + "9" * 31,
    ],
)
def test_what_names_no_ranges_in_order_gets_the_whole(asked):
    assert spans(asked) == []


@pytest.mark.parametrize("asked", ["bytes=10-10", "bytes=10-", "bytes=10-11,13-14", "bytes=-0"])
def test_ranges_all_beyond_the_end(asked):
    with pytest.raises(RangeNotSatisfiable):
        spans(asked)


def test_very_many_ranges_are_passed_over_soon():
    assert spans("bytes=" + ",".join(f"{n * 2}-{n * 2}" for n in range(50_000)), 10**6, 1000) == []
    assert spans("bytes=" + "0-1" * 100_000 + "x", 10**6) == []
    assert spans("bytes=" + "1" * 500_000, 10**6) == []


@given(st.text(alphabet="bytes=-0123456789, ", max_size=30), st.integers(0, 50), st.integers(1, 5))
def test_whatever_is_asked_the_parts_follow_each_other(asked, size_bytes, most):
    try:
        parts = wanted_parts({"range": asked}, size_bytes, most)
    except RangeNotSatisfiable:
        return
    assert len(parts) <= most
    ends = [0, *(part.end for part in parts)]
    for part, before in zip(parts, ends, strict=False):
        assert before <= part.start < part.end <= size_bytes
    assert sum(part.length_bytes for part in parts) <= size_bytes
