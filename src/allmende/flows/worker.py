"""Which jobs this hub runs: kinds, their handlers, and what is due periodically."""

from collections.abc import Callable
from functools import partial

from allmende.flows.chunk_maps import CHUNKING, chunk_contents
from allmende.flows.examine import examine
from allmende.flows.lineage_tracing import retrace, trace_weights
from allmende.flows.lineage_upkeep import relineage
from allmende.flows.maintenance import SCHEDULES, scrub, sweep
from allmende.flows.rescan import rescan
from allmende.flows.services import Services
from allmende.jobs import Handler, JobContext, Worker

__all__ = ["handlers", "make_worker"]

_JOBS: dict[str, Callable[[Services, JobContext], None]] = {
    "chunk": chunk_contents,
    "chunk_missing": chunk_contents,
    "examine": examine,
    "relineage": relineage,
    "rescan": rescan,
    "retrace": retrace,
    "scrub": scrub,
    "sweep": sweep,
    "trace": trace_weights,
}


def handlers(services: Services) -> dict[str, Handler]:
    """The handler of each kind of job."""
    return {kind: partial(run, services) for kind, run in _JOBS.items()}


def make_worker(services: Services, threads: int | None = None) -> Worker:
    """A worker for all jobs of the hub, not started yet; without `threads`, as many as the settings say."""
    return Worker(
        services.queue,
        handlers(services),
        schedules=(*SCHEDULES, CHUNKING),
        threads=services.settings.workers if threads is None else threads,
    )
