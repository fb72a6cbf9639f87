"""Whom background work gives way to, and for how long."""

import threading

from allmende.flows.traffic import Traffic

LONG_S = 60.0


def test_work_goes_on_at_once_when_nobody_is_answered() -> None:
    traffic = Traffic()
    with traffic.request():
        pass
    traffic.give_way(LONG_S)
    assert traffic.is_busy, "a second ago somebody was answered still"


def test_work_waits_until_the_last_one_is_answered() -> None:
    traffic, done = Traffic(), threading.Event()

    def work() -> None:
        traffic.give_way(LONG_S)
        done.set()

    worker = threading.Thread(target=work)
    with traffic.request():
        with traffic.request():
            worker.start()
        assert not done.wait(0.05)
    worker.join(LONG_S)
    assert done.is_set()


def test_work_waits_no_longer_than_it_said() -> None:
    traffic = Traffic()
    with traffic.request():
        traffic.give_way(0.001)
