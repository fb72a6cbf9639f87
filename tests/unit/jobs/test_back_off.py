"""When a job that failed is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from allmende.jobs import back_off_s

HOUR_S = 3600.0


def test_pauses_double_from_two_seconds() -> None:
    assert [back_off_s(attempts, jitter=0.0) for attempts in range(1, 6)] == [2.0, 4.0, 8.0, 16.0, 32.0]


@given(st.integers(1, 10**9), st.floats(0, 1))
def test_a_pause_is_bounded_and_jitter_takes_at_most_half(attempts: int, jitter: float) -> None:
    longest = back_off_s(attempts, 0.0)
    pause = back_off_s(attempts, jitter)
    assert 1.0 <= pause <= longest <= HOUR_S
    assert pause >= longest / 2


@given(st.integers(1, 1000))
def test_a_later_attempt_never_waits_less(attempts: int) -> None:
    assert back_off_s(attempts + 1, 0.5) >= back_off_s(attempts, 0.5)
