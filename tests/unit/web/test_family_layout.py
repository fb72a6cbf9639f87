"""The drawing of a family: nothing overlaps, parents stand above, and lines go from box to box."""

import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.web.family_layout import BOX_HEIGHT, BOX_WIDTH, Drawing, Link, draw, shortened, text_width


def overlapping(drawing: Drawing) -> list[tuple[str, str]]:
    return [
        (one, other)
        for (one, a), (other, b) in combinations(drawing.boxes.items(), 2)
        if abs(a.x - b.x) < BOX_WIDTH and abs(a.y - b.y) < BOX_HEIGHT
    ]


def ends(path: str) -> tuple[tuple[int, int], tuple[int, int]]:
    numbers = [int(number) for number in re.findall(r"-?\d+", path)]
    return (numbers[0], numbers[1]), (numbers[-2], numbers[-1])


def test_a_parent_stands_above_the_middle_of_its_children() -> None:
    drawing = draw([["base"], ["a", "b"]], [Link("base", "a"), Link("base", "b")])
    base, a, b = (drawing.boxes[key] for key in ("base", "a", "b"))
    assert base.y < a.y == b.y
    assert abs(base.x - (a.x + b.x) / 2) <= 1
    assert not overlapping(drawing)


def test_lines_go_from_the_foot_of_the_parent_to_the_head_of_the_child() -> None:
    links = [Link("base", "mid"), Link("mid", "self"), Link("base", "self")]
    drawing = draw([["base"], ["mid"], ["self"]], links)
    for link, line in zip(links, drawing.lines, strict=True):
        (x0, y0), (x1, y1) = ends(line.path)
        parent, child = drawing.boxes[link.parent], drawing.boxes[link.child]
        assert abs(x0 - parent.x - BOX_WIDTH / 2) <= 1
        assert y0 == parent.y + BOX_HEIGHT
        assert abs(x1 - child.x - BOX_WIDTH / 2) <= 1
        assert y1 == child.y


def test_a_line_over_several_rows_passes_by_the_boxes_between() -> None:
    drawing = draw(
        [["base"], ["mid"], ["self"]], [Link("base", "mid"), Link("mid", "self"), Link("base", "self")]
    )
    mid = drawing.boxes["mid"]
    beside = int(re.findall(r"(-?\d+) \d+V", drawing.lines[2].path)[0])
    assert not mid.x <= beside <= mid.x + BOX_WIDTH


def test_crossings_are_undone() -> None:
    drawing = draw([["p", "q"], ["x", "y"]], [Link("p", "y"), Link("q", "x")])
    boxes = drawing.boxes
    assert (boxes["p"].x < boxes["q"].x) == (boxes["y"].x < boxes["x"].x)


def test_a_lonely_model_is_a_drawing_too() -> None:
    drawing = draw([["self"]], [])
    assert drawing.boxes["self"].x >= 0
    assert drawing.width > BOX_WIDTH


def test_a_parent_below_its_child_is_refused() -> None:
    with pytest.raises(ValueError, match="above"):
        draw([["child"], ["parent"]], [Link("parent", "child")])


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_whatever_the_family_nothing_overlaps_and_all_is_inside(sizes: list[int], random: object) -> None:
    rows = [[f"{row}.{place}" for place in range(size)] for row, size in enumerate(sizes)]
    choose = random.choice  # type: ignore[attr-defined]
    links = [Link(choose(choose(rows[:row])), key) for row, keys in enumerate(rows) if row for key in keys]
    drawing = draw(rows, links)
    assert not overlapping(drawing)
    assert all(0 <= box.x <= drawing.width - BOX_WIDTH for box in drawing.boxes.values())
    assert all(0 <= box.y <= drawing.height - BOX_HEIGHT for box in drawing.boxes.values())
    assert drawing == draw(rows, links)


def test_long_names_keep_both_ends() -> None:
    assert shortened("short", 100, 14) == "short"
    short = shortened("a-very-long-name-of-a-model-GGUF", 120, 14)
    assert short.startswith("a-very")
    assert short.endswith("GGUF")
    assert text_width(short, 14) <= 120


@given(st.text(max_size=200))
def test_whatever_the_text_it_fits(text: str) -> None:
    assert text_width(shortened(text, 100, 14), 14) <= 100
