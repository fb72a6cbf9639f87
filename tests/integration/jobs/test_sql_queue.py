"""The embedded queue: what is enqueued, claimed, retried and forgotten, with time held still."""

import threading

import pytest

from allmende.ids import JobId
from allmende.jobs import Job, JobState, JobUnknown, SqlJobQueue
from allmende.storage import Database
from tests.integration.conftest import HeldClock
from tests.integration.jobs.conftest import Put

LEASE_S = 60.0


def claim(queue: SqlJobQueue, *kinds: str, owner: str = "w1") -> Job:
    run = try_claim(queue, *kinds, owner=owner)
    assert run is not None
    return run


def try_claim(queue: SqlJobQueue, *kinds: str, owner: str = "w1") -> Job | None:
    return queue.claim(kinds or ("scan",), LEASE_S, owner)


def states(queue: SqlJobQueue) -> list[JobState]:
    return [found.state for found in reversed(queue.list_jobs())]


def test_a_job_exists_if_and_only_if_its_transaction_commits(database: Database, queue: SqlJobQueue) -> None:
    def fails_after_enqueue() -> None:
        with database.write() as uow:
            queue.enqueue(uow, "scan", {"n": 1})
            raise RuntimeError("the act failed")

    with pytest.raises(RuntimeError):
        fails_after_enqueue()
    assert queue.counts() == {}
    with database.write() as uow:
        queue.enqueue(uow, "scan", {"n": 2})
    assert claim(queue).payload == {"n": 2}


def test_a_waiting_job_swallows_a_second_one_with_its_key(queue: SqlJobQueue, put: Put) -> None:
    put("scan", {"n": 1}, key="scan:7")
    put("scan", {"n": 2}, key="scan:7")
    put("scan", {"n": 3}, key="scan:8")
    put("scan", {"n": 4})
    put("scan", {"n": 5})
    assert [found.payload["n"] for found in reversed(queue.list_jobs())] == [1, 3, 4, 5]


def test_a_running_job_does_not_swallow_a_new_request(queue: SqlJobQueue, put: Put) -> None:
    put("scan", {"n": 1}, key="scan:7")
    first = claim(queue)
    put("scan", {"n": 2}, key="scan:7")
    put("scan", {"n": 3}, key="scan:7")
    assert queue.finish(first)
    assert claim(queue).payload == {"n": 2}
    assert try_claim(queue) is None


def test_the_urgent_go_first_then_the_early(queue: SqlJobQueue, put: Put, clock: HeldClock) -> None:
    put("scan", {"n": "early"})
    clock.advance(seconds=1)
    put("scan", {"n": "late"})
    put("scan", {"n": "urgent"}, priority=5)
    assert [claim(queue).payload["n"] for _ in range(3)] == ["urgent", "early", "late"]


def test_a_worker_gets_only_the_kinds_it_asks_for(queue: SqlJobQueue, put: Put) -> None:
    put("scan")
    assert try_claim(queue, "pack") is None
    assert claim(queue, "pack", "scan").kind == "scan"


def test_a_delayed_job_waits_for_its_time(queue: SqlJobQueue, put: Put, clock: HeldClock) -> None:
    put("scan", delay_s=30)
    assert try_claim(queue) is None
    clock.advance(seconds=30)
    assert try_claim(queue) is not None


def test_a_job_whose_worker_died_is_claimed_again_after_its_lease(
    queue: SqlJobQueue, put: Put, clock: HeldClock
) -> None:
    put("scan")
    first = claim(queue)
    clock.advance(seconds=LEASE_S)
    assert try_claim(queue, owner="w2") is None
    clock.advance(seconds=1)
    second = claim(queue, owner="w2")
    assert (second.id, second.attempts) == (first.id, 2)


def test_a_heartbeat_extends_the_lease(queue: SqlJobQueue, put: Put, clock: HeldClock) -> None:
    put("scan")
    run = claim(queue)
    for _ in range(5):
        clock.advance(seconds=LEASE_S * 0.9)
        assert queue.heartbeat(run, LEASE_S)
    assert try_claim(queue, owner="w2") is None


def test_what_a_run_reports_after_it_lost_its_lease_is_ignored(
    queue: SqlJobQueue, put: Put, clock: HeldClock
) -> None:
    put("scan")
    lost = claim(queue)
    clock.advance(seconds=LEASE_S + 1)
    taken = claim(queue, owner="w2")
    assert not queue.heartbeat(lost, LEASE_S)
    assert not queue.progress(lost, 0.5, "half")
    assert not queue.fail(lost, "late")
    assert not queue.release(lost)
    assert not queue.finish(lost)
    assert states(queue) == ["running"]
    assert queue.finish(taken)
    assert not queue.finish(taken)


def test_a_run_that_lost_its_lease_to_its_own_thread_is_told_apart(
    queue: SqlJobQueue, put: Put, clock: HeldClock
) -> None:
    put("scan")
    lost = claim(queue)
    clock.advance(seconds=LEASE_S + 1)
    claim(queue)
    assert not queue.finish(lost)


def test_failures_are_retried_with_growing_pauses_and_then_given_up(
    queue: SqlJobQueue, put: Put, clock: HeldClock
) -> None:
    put("scan")
    pauses = []
    for attempt in (1, 2):
        run = claim(queue)
        assert run.attempts == attempt
        queue.fail(run, f"error {attempt}")
        waiting = queue.list_jobs("waiting")[0]
        assert waiting.error == f"error {attempt}"
        pauses.append((waiting.run_after - clock()).total_seconds())
        assert try_claim(queue) is None
        clock.advance(seconds=pauses[-1])
    assert 1.0 <= pauses[0] <= 2.0 <= pauses[1] <= 4.0
    queue.fail(claim(queue), "x" * 100_000)
    (failed,) = queue.list_jobs("failed")
    assert failed.finished_at == clock()
    assert len(failed.error or "") == 8192
    clock.advance(seconds=1e6)
    assert try_claim(queue) is None


def test_a_job_that_kills_its_worker_every_time_ends_as_failed(
    queue: SqlJobQueue, put: Put, clock: HeldClock
) -> None:
    put("scan", {"n": "killer"})
    put("scan", {"n": "harmless"})
    for _ in range(3):
        assert claim(queue).payload == {"n": "killer"}
        clock.advance(seconds=LEASE_S + 1)
    for _ in range(6):
        try_claim(queue)
        clock.advance(seconds=LEASE_S + 1)
    assert try_claim(queue) is None
    killers = [found for found in queue.list_jobs("failed") if found.payload == {"n": "killer"}]
    assert [found.attempts for found in killers] == [3]
    assert "died" in str(killers[0].error)


def test_a_released_job_is_taken_up_at_once_and_costs_no_attempt(queue: SqlJobQueue, put: Put) -> None:
    put("scan")
    assert queue.release(claim(queue))
    assert claim(queue, owner="w2").attempts == 1


def test_a_failed_job_can_be_retried_by_hand(queue: SqlJobQueue, put: Put, clock: HeldClock) -> None:
    put("scan")
    put("scan")
    for _ in range(3):
        for run in (claim(queue), claim(queue)):
            queue.fail(run, "no luck")
        clock.advance(seconds=10)
    assert queue.counts() == {("scan", "failed"): 2}
    one = queue.list_jobs("failed")[0]
    queue.retry(one.id)
    assert claim(queue).id == one.id
    with pytest.raises(JobUnknown):
        queue.retry(one.id)
    with pytest.raises(JobUnknown):
        queue.retry(JobId(999))
    assert queue.retry_all() == 1
    assert claim(queue).attempts == 1


def test_progress_is_kept_and_bounded(queue: SqlJobQueue, put: Put) -> None:
    put("scan")
    run = claim(queue)
    assert queue.progress(run, 0.25, "reading")
    assert [(j.progress, j.progress_note) for j in queue.list_jobs()] == [(0.25, "reading")]
    queue.progress(run, 7.0, "odd")
    assert queue.list_jobs()[0].progress == 1.0


def test_jobs_are_listed_in_pages_the_newest_first(queue: SqlJobQueue, put: Put) -> None:
    for n in range(5):
        put("scan", {"n": n})
    page = queue.list_jobs("waiting", limit=2)
    rest = queue.list_jobs("waiting", limit=10, after=page[-1].id)
    assert [found.payload["n"] for found in page + rest] == [4, 3, 2, 1, 0]
    assert queue.list_jobs("done") == []


def test_done_jobs_are_forgotten_failed_ones_are_not(database: Database, put: Put, clock: HeldClock) -> None:
    queue = SqlJobQueue(database, max_attempts=1)
    put("scan")
    put("scan")
    queue.finish(claim(queue))
    queue.fail(claim(queue), "broken")
    clock.advance(seconds=1000)
    put("scan")
    queue.finish(claim(queue))
    with database.write() as uow:
        assert queue.prune(uow, older_than_s=1000) == 0
    clock.advance(seconds=1)
    with database.write() as uow:
        assert queue.prune(uow, older_than_s=1000) == 1
    assert queue.counts() == {("scan", "done"): 1, ("scan", "failed"): 1}


def test_a_periodic_job_is_made_once_in_each_period_by_however_many(
    database: Database, queue: SqlJobQueue, clock: HeldClock
) -> None:
    other = SqlJobQueue(database)
    assert [each.enqueue_if_due("sweep", {}, 600) for each in (queue, other, queue)] == [True, False, False]
    clock.advance(seconds=601)
    assert not queue.enqueue_if_due("sweep", {}, 600), "one waits still"
    queue.finish(claim(queue, "sweep"))
    assert [each.enqueue_if_due("sweep", {}, 600) for each in (queue, other)] == [True, False]
    assert try_claim(queue, "sweep") is not None


def test_a_committed_job_wakes_a_waiting_worker_a_rolled_back_one_does_not(
    database: Database, queue: SqlJobQueue
) -> None:
    seen = queue.wake_count
    with pytest.raises(RuntimeError), database.write() as uow:
        queue.enqueue(uow, "scan", {})
        raise RuntimeError("the act failed")
    assert queue.wake_count == seen
    woken = threading.Event()

    def waits() -> None:
        queue.wait(seen, timeout_s=30)
        woken.set()

    thread = threading.Thread(target=waits)
    thread.start()
    with database.write() as uow:
        queue.enqueue(uow, "scan", {})
        assert not woken.wait(0.05)
    assert woken.wait(10)
    thread.join()


def test_eight_threads_claim_each_job_once(database: Database, queue: SqlJobQueue) -> None:
    with database.write() as uow:
        for n in range(200):
            queue.enqueue(uow, "scan", {"n": n})
    claimed = []

    def work(owner: str) -> None:
        while (run := queue.claim(("scan",), LEASE_S, owner)) is not None:
            claimed.append(run.payload["n"])
            assert queue.finish(run)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(200))
    assert queue.counts() == {("scan", "done"): 200}


def test_what_waits_or_failed_is_cancelled_and_nothing_else(database: Database, put: Put) -> None:
    queue = SqlJobQueue(database, max_attempts=1)
    put("scan", {"n": 1}, key="scan:7")
    run = claim(queue)
    with pytest.raises(JobUnknown):
        queue.cancel(run.id)
    assert queue.fail(run, "broken")
    queue.cancel(run.id)
    put("scan", {"n": 2}, key="scan:7")
    queue.cancel(queue.list_jobs()[0].id)
    put("scan", {"n": 3}, key="scan:7")
    done = claim(queue)
    assert queue.finish(done)
    with pytest.raises(JobUnknown):
        queue.cancel(done.id)
    assert [found.payload["n"] for found in queue.list_jobs()] == [3]
