"""What the bench says of its figures: goals, ratios, and that a skipped one never counts as met."""

import pytest

from bench.findings import Finding, Series, percentile, report, table, versus


@pytest.mark.parametrize(
    ("value", "sense", "is_met"),
    [(5.0, "at most", True), (5.1, "at most", False), (5.0, "at least", True), (4.9, "at least", False)],
)
def test_a_goal_is_met_up_to_its_edge(value, sense, is_met):
    assert Finding("name", "what", value, "ms", 5.0, sense).is_met is is_met


def test_a_ratio_is_that_of_medians_and_one_slow_round_does_not_move_it():
    found = versus("download", "what", 1.1, Series([2.0, 2.2, 60.0]), Series([2.0, 2.0, 2.0]))
    assert found.value == pytest.approx(1.1)
    assert found.details["ratio_of_minima"] == pytest.approx(1.0)
    assert found.details["hub_s"] == [2.0, 2.2, 60.0]


def test_a_ratio_names_its_two_sides():
    found = versus("xet_upload", "what", 1.5, Series([3.0], [1.0]), Series([2.0], [0.5]), ("xet", "lfs"))
    assert found.unit == "x lfs"
    assert (found.details["xet_median_s"], found.details["lfs_cpu_s"]) == (3.0, [0.5])
    assert found.is_met


def test_percentiles_are_values_that_occurred():
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 50), percentile(values, 99), percentile([7.0], 99)) == (51.0, 100.0, 7.0)


def test_what_was_skipped_is_said_and_not_met():
    met = Finding("memory", "Idle memory", 90.0, "MB", 200.0)
    result = report([met], {"upload": "nginx is not installed"}, load_before=0.5)
    assert [finding["verdict"] for finding in result["findings"]] == ["met"]
    assert result["skipped"] == {"upload": "nginx is not installed"}
    assert "SKIPPED: nginx is not installed" in table([met], result["skipped"])
