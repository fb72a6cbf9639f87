"""Which lines changed: a shortest edit script, its groups, two columns, and giving up in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.web.diff_lines import DiffLine, Steps, TooManySteps, changed_lines, side_by_side

LINES = st.lists(st.sampled_from("abc"), max_size=9)


def told(lines: list[DiffLine]) -> list[str]:
    marks = {"added": "+", "removed": "-", "same": " ", "place": ""}
    return [marks[line.kind] + line.text for line in lines]


def longest_common(a: list[str], b: list[str]) -> int:
    before = [0] * (len(b) + 1)
    for one in a:
        row = [0]
        for place, other in enumerate(b):
            row.append(before[place] + 1 if one == other else max(before[place + 1], row[place]))
        before = row
    return before[-1]


@given(LINES, LINES)
def test_both_texts_can_be_read_off_and_nothing_is_told_twice(a: list[str], b: list[str]) -> None:
    # Texts this short have one group at most, or several that leave out equal lines alone.
    lines = changed_lines(a, b, Steps(10_000))
    removed = [line for line in lines if line.kind == "removed"]
    added = [line for line in lines if line.kind == "added"]
    assert all(line.before is not None and a[line.before - 1] == line.text for line in removed)
    assert all(line.after is not None and b[line.after - 1] == line.text for line in added)
    assert len(a) - len(removed) == len(b) - len(added) == longest_common(a, b)
    kept_a = [line for place, line in enumerate(a) if place + 1 not in {one.before for one in removed}]
    kept_b = [line for place, line in enumerate(b) if place + 1 not in {one.after for one in added}]
    assert kept_a == kept_b


def test_groups_have_three_lines_around_them_and_say_where_they_are() -> None:
    before = [str(number) for number in range(1, 31)]
    after = [*before[:9], "new", *before[10:24], *before[25:]]
    assert told(changed_lines(before, after, Steps(1000))) == [
        "@@ -7,7 +7,7 @@", " 7", " 8", " 9", "-10", "+new", " 11", " 12", " 13",
        "@@ -22,7 +22,6 @@", " 22", " 23", " 24", "-25", " 26", " 27", " 28",
    ]  # fmt: skip


def test_a_new_text_is_told_as_such() -> None:
    assert told(changed_lines([], ["a", "b"], Steps(10))) == ["@@ -0,0 +1,2 @@", "+a", "+b"]
    assert changed_lines(["a"], ["a"], Steps(10)) == []


def test_texts_that_differ_too_much_are_given_up_in_a_bounded_number_of_steps() -> None:
    steps = Steps(5000)
    before, after = [f"a{n}" for n in range(10_000)], [f"b{n}" for n in range(10_000)]
    with pytest.raises(TooManySteps):
        changed_lines(before, after, steps)
    assert -20_000 < steps.left < 0
    # One long run of lines that are all alike, against another length: many ways, all the same.
    assert len(changed_lines(["x"] * 9000, ["x"] * 9001, Steps(100))) == 5


def test_replaced_lines_stand_side_by_side() -> None:
    lines = changed_lines(["a", "b", "c"], ["a", "B", "C", "D"], Steps(100))
    pairs = [
        (pair.before.text if pair.before else None, pair.after.text if pair.after else None)
        for pair in side_by_side(lines)[1:]
    ]
    assert pairs == [("a", "a"), ("b", "B"), ("c", "C"), (None, "D")]


def test_what_would_be_unseen_is_shown() -> None:
    lines = changed_lines(["a"], ["a\r", "b\u202ec", "x" * 3000], Steps(100))
    added = [line.text for line in lines if line.kind == "added"]
    assert added[:2] == ["a␍", "b⟨U+202E⟩c"]
    assert len(added[2]) == 2001
