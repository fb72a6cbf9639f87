"""The step cache: computed once, kept by inputs and tool version, never inside a transaction."""

import threading

import pytest

from allmende.jobs import cached_step, forget_step


@pytest.fixture
def compute():
    calls = []

    def count(value=None):
        calls.append(value)
        return {"calls": len(calls)}

    count.calls = calls
    return count


def test_the_same_step_is_computed_once(database, compute):
    inputs = {"content": "ab" * 32, "name": "x"}
    first = cached_step(database, "header", inputs, "1", compute)
    again = cached_step(database, "header", dict(reversed(inputs.items())), "1", compute)
    assert first == again == {"calls": 1}
    assert len(compute.calls) == 1


def test_another_step_input_or_version_is_computed_anew(database, compute):
    for step, inputs, version in [
        ("header", {"c": 1}, "1"),
        ("header", {"c": 1}, "2"),
        ("header", {"c": 2}, "1"),
        ("scan", {"c": 1}, "1"),
    ]:
        cached_step(database, step, inputs, version, compute)
    assert len(compute.calls) == 4


def test_a_step_that_raises_keeps_nothing(database, compute):
    def breaks():
        raise RuntimeError("no result")

    with pytest.raises(RuntimeError):
        cached_step(database, "header", {}, "1", breaks)
    assert cached_step(database, "header", {}, "1", compute) == {"calls": 1}


def test_a_result_is_the_same_when_fresh_and_when_kept(database):
    results = [cached_step(database, "s", {}, "1", lambda: {"shape": (1, 2)}) for _ in range(2)]
    assert results == [{"shape": [1, 2]}] * 2


def test_null_is_a_result_like_any_other(database, compute):
    assert cached_step(database, "s", {}, "1", lambda: None) is None
    assert cached_step(database, "s", {}, "1", compute) is None
    assert compute.calls == []


def test_computing_holds_no_transaction(database):
    def writes_meanwhile():
        with database.write() as uow:
            uow.emit("test", {})
        return 1

    assert cached_step(database, "s", {}, "1", writes_meanwhile) == 1


def test_two_at_once_agree_on_one_result(database):
    both = threading.Barrier(2)
    results = []

    def slow(n):
        def run():
            both.wait(10)
            return n

        results.append(cached_step(database, "s", {}, "1", run))

    threads = [threading.Thread(target=slow, args=(n,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert results[0] == results[1]


def test_forgotten_steps_are_computed_again(database, compute):
    for version in ("1", "2"):
        cached_step(database, "s", {"c": 1}, version, compute)
    cached_step(database, "s", {"c": 2}, "1", compute)
    with database.write() as uow:
        forget_step(uow, "s", {"c": 1})
    cached_step(database, "s", {"c": 2}, "1", compute)
    assert len(compute.calls) == 3
    cached_step(database, "s", {"c": 1}, "2", compute)
    assert len(compute.calls) == 4
