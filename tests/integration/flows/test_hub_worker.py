"""The hub's own worker: a commit is examined by itself, and maintenance comes round."""

import time
from collections.abc import Mapping

import pytest

from allmende.clock import Clock, system_clock
from allmende.facts import is_examined
from allmende.flows import Services, make_worker
from allmende.jobs import JobState
from allmende.registry import Actor, LinkContent
from tests.integration.flows.weights import safetensors
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

PATIENCE_S = 60.0


@pytest.fixture
def clock() -> Clock:
    """These tests live in real time."""
    return system_clock


def test_a_commit_is_examined_and_maintenance_runs(
    services: Services, make_repo: MakeRepo, alice: Actor, upload: Upload, commit: Commit
) -> None:
    worker = make_worker(services, threads=2)
    worker.start()
    try:
        repo = make_repo(alice)
        sha256 = upload(alice, safetensors(a=(3,)))
        head = commit(alice, repo, LinkContent("model.safetensors", sha256, None)).commit_oid
        deadline = time.monotonic() + PATIENCE_S
        wanted = {
            (kind, "done"): 1
            for kind in (
                "chunk_missing",
                "index_missing",
                "meaning",
                "pack_missing",
                "scrub",
                "settle",
                "sweep",
                "tend_applications",
            )
        } | {
            ("examine", "done"): 2,
            ("trace", "done"): 1,
        }
        # How often a revision is attested and recorded depends on what came first; all of it is done.
        while not _are_done(services.queue.counts(), wanted):
            assert time.monotonic() < deadline, services.queue.list_jobs()
            time.sleep(0.01)
    finally:
        assert worker.stop()
    with services.database.read() as uow:
        assert is_examined(uow, repo.id, head)


def _are_done(counts: Mapping[tuple[str, JobState], int], wanted: Mapping[tuple[str, str], int]) -> bool:
    return wanted.items() <= counts.items() and {state for _kind, state in counts} == {"done"}
