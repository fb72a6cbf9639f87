"""Which jobs this hub runs: kinds, their handlers, and what is due periodically."""

from collections.abc import Callable
from functools import partial

from allmende.flows.application_assessing import ASSESSING, assess_again, tend_applications
from allmende.flows.application_queue import ASSESS_JOB
from allmende.flows.chunk_maps import CHUNKING, chunk_contents
from allmende.flows.content_packing import pack_content
from allmende.flows.examine import examine
from allmende.flows.layer_changes import LAYERS_JOB, measure_layer_changes
from allmende.flows.lineage_tracing import retrace, trace_weights
from allmende.flows.lineage_upkeep import relineage
from allmende.flows.maintenance import SCHEDULES, scrub, sweep
from allmende.flows.meaning import MEANING, make_vectors
from allmende.flows.own_attestations import attest
from allmende.flows.packing_upkeep import PACKING, SETTLING, pack_missing, settle
from allmende.flows.record_queue import RECORD_JOB
from allmende.flows.records import RECORDING, make_record_of, tend_records
from allmende.flows.rescan import rescan
from allmende.flows.search_index import INDEXING, index_missing
from allmende.flows.services import Services
from allmende.flows.signature_checking import recheck_signatures
from allmende.flows.storage_checks import CHECK_JOB, COUNT_JOB, check_storage, count_garbage
from allmende.flows.unpacking import unpack_hot
from allmende.jobs import Handler, JobContext, Worker

__all__ = ["handlers", "make_packing_worker", "make_worker", "packing_is_done"]

_JOBS: dict[str, Callable[[Services, JobContext], None]] = {
    ASSESS_JOB: assess_again,
    "attest": attest,
    CHECK_JOB: check_storage,
    COUNT_JOB: count_garbage,
    "chunk": chunk_contents,
    "chunk_missing": chunk_contents,
    "examine": examine,
    "index_missing": index_missing,
    LAYERS_JOB: measure_layer_changes,
    MEANING.kind: make_vectors,
    "pack": pack_content,
    "pack_missing": pack_missing,
    RECORD_JOB: make_record_of,
    "relineage": relineage,
    "rescan": rescan,
    "retrace": retrace,
    "scrub": scrub,
    "settle": settle,
    "signatures": recheck_signatures,
    "sweep": sweep,
    "tend_applications": tend_applications,
    "tend_records": tend_records,
    "trace": trace_weights,
    "unpack": unpack_hot,
}


def handlers(services: Services) -> dict[str, Handler]:
    """The handler of each kind of job."""
    return {kind: partial(run, services) for kind, run in _JOBS.items()}


_OF_PACKING = ("pack", "pack_missing", "settle")


def make_packing_worker(services: Services) -> Worker:
    """A worker that does nothing but pack, not started yet: for an operator who waits for it."""
    of_packing = {kind: handler for kind, handler in handlers(services).items() if kind in _OF_PACKING}
    return Worker(services.queue, of_packing, poll_s=0.5)


def packing_is_done(services: Services) -> bool:
    """Whether no work of packing waits or runs; what has failed or is put off is left alone."""
    now = services.database.clock()
    return not any(
        job.kind in _OF_PACKING and (state == "running" or job.run_after <= now)
        for state in ("waiting", "running")
        for job in services.queue.list_jobs(state, limit=1000)
    )


def make_worker(services: Services, threads: int | None = None) -> Worker:
    """A worker for all jobs of the hub, not started yet; without `threads`, as many as the settings say."""
    return Worker(
        services.queue,
        handlers(services),
        schedules=(*SCHEDULES, ASSESSING, CHUNKING, INDEXING, MEANING, PACKING, SETTLING, RECORDING),
        threads=services.settings.workers if threads is None else threads,
    )
