"""The step cache: computed once, kept by inputs and tool version, never inside a transaction."""

import threading
from typing import Any

import pytest

from allmende.jobs import cached_step, forget_step
from allmende.storage import Database


class Count:
    """A computation that knows how often it was done."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, int]:
        self.calls += 1
        return {"calls": self.calls}


@pytest.fixture
def compute() -> Count:
    return Count()


def test_the_same_step_is_computed_once(database: Database, compute: Count) -> None:
    inputs = {"content": "ab" * 32, "name": "x"}
    first = cached_step(database, "header", inputs, "1", compute)
    again = cached_step(database, "header", dict(reversed(inputs.items())), "1", compute)
    assert first == again == {"calls": 1}
    assert compute.calls == 1


def test_another_step_input_or_version_is_computed_anew(database: Database, compute: Count) -> None:
    for step, inputs, version in [
        ("header", {"c": 1}, "1"),
        ("header", {"c": 1}, "2"),
        ("header", {"c": 2}, "1"),
        ("scan", {"c": 1}, "1"),
    ]:
        cached_step(database, step, inputs, version, compute)
    assert compute.calls == 4


def test_a_step_that_raises_keeps_nothing(database: Database, compute: Count) -> None:
    def breaks() -> None:
        raise RuntimeError("no result")

    with pytest.raises(RuntimeError):
        cached_step(database, "header", {}, "1", breaks)
    assert cached_step(database, "header", {}, "1", compute) == {"calls": 1}


def test_a_result_is_the_same_when_fresh_and_when_kept(database: Database) -> None:
    results = [cached_step(database, "s", {}, "1", lambda: {"shape": (1, 2)}) for _ in range(2)]
    assert results == [{"shape": [1, 2]}] * 2


def test_null_is_a_result_like_any_other(database: Database, compute: Count) -> None:
    assert cached_step(database, "s", {}, "1", lambda: None) is None
    assert cached_step(database, "s", {}, "1", compute) is None
    assert compute.calls == 0


def test_computing_holds_no_transaction(database: Database) -> None:
    def writes_meanwhile() -> int:
        with database.write() as uow:
            uow.emit("test", {})
        return 1

    assert cached_step(database, "s", {}, "1", writes_meanwhile) == 1


def test_two_at_once_agree_on_one_result(database: Database) -> None:
    both = threading.Barrier(2)
    results: list[Any] = []

    def slow(n: int) -> None:
        def run() -> int:
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


def test_forgotten_steps_are_computed_again(database: Database, compute: Count) -> None:
    for version in ("1", "2"):
        cached_step(database, "s", {"c": 1}, version, compute)
    cached_step(database, "s", {"c": 2}, "1", compute)
    with database.write() as uow:
        forget_step(uow, "s", {"c": 1})
    cached_step(database, "s", {"c": 2}, "1", compute)
    assert compute.calls == 3
    cached_step(database, "s", {"c": 1}, "2", compute)
    assert compute.calls == 4
