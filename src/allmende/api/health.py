"""What operators and their tools watch: `/healthz`, `/readyz` and `/metrics`.

`/healthz` says that the process answers, and touches nothing. `/readyz` says that it can do its work. What
`/metrics` tells to strangers says nothing of what the hub keeps: how much arrives in private repos must
not be read off sums. A token of the hub's administrator, of any role, gets those as well.
"""

import time
from collections.abc import Iterable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from allmende import __version__
from allmende.flows import READY, Services, log_status, readiness
from allmende.http import reading, reading_unit, services_of
from allmende.storage import (
    UnitOfWork,
    damaged_contents,
    hub_figures,
    outbox_events,
    stored_contents,
    uploaded_xorb_figures,
)

__all__ = ["routes"]

_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
_started_at = time.time()

Sample = tuple[Mapping[str, str], float]


def routes() -> list[Route]:
    """The three addresses."""
    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", reading(readyz), methods=["GET"]),
        Route("/metrics", reading(metrics), methods=["GET"]),
    ]


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


def readyz(request: Request) -> Response:
    """Whether the hub can do its work: database, schema, a store that takes bytes; 503 where it cannot."""
    services = services_of(request)
    checks = readiness(services)
    ready = all(result == READY for result in checks.values())
    return JSONResponse(
        {"ready": ready, "checks": checks}, 200 if ready else 503, headers={"Cache-Control": "no-store"}
    )


def metrics(request: Request) -> Response:
    """The hub's figures in the text format of Prometheus."""
    services = services_of(request)
    families = [
        _family("allmende_info", "gauge", "The version that runs.", [({"version": __version__}, 1)]),
        _family(
            "process_start_time_seconds", "gauge", "When the process started.", [({}, round(_started_at, 3))]
        ),
    ]
    with reading_unit(request) as (uow, actor):
        told = actor.account is not None and actor.account.is_admin
        if told:
            contents, size_bytes = stored_contents(uow)
            families += [
                _family("allmende_contents", "gauge", "Contents kept.", [({}, contents)]),
                _family("allmende_contents_bytes", "gauge", "Bytes of them.", [({}, size_bytes)]),
                _family(
                    "allmende_contents_damaged",
                    "gauge",
                    "Contents whose last verification failed.",
                    [({}, damaged_contents(uow))],
                ),
                *_packed(uow),
                *_waiting_xorbs(uow),
                _family(
                    "allmende_outbox_events_total", "counter", "Acts on record.", [({}, outbox_events(uow))]
                ),
            ]
    if told:
        families += [_jobs(services), *_scans(services)]
    families += _log(services, told=told)
    return PlainTextResponse(
        "".join(families), headers={"Cache-Control": "no-store", "Content-Type": _TEXT_FORMAT}
    )


def _log(services: Services, *, told: bool) -> list[str]:
    """What the log shows to everybody is its size; how much waits tells what happens in private repos."""
    found = log_status(services)
    stands = 0 if found.refused is None else 1
    families = [
        _family(
            "allmende_log_size", "gauge", "Entries under the newest checkpoint.", [({}, found.signed_size)]
        ),
        _family("allmende_log_refused", "gauge", "1 while the log signs nothing.", [({}, stands)]),
    ]
    if told:
        families += [
            _family("allmende_log_entries", "gauge", "Entries, signed or not.", [({}, found.entries)]),
            _family("allmende_log_waiting", "gauge", "Acts that are no entries yet.", [({}, found.waiting)]),
            _family(
                "allmende_log_lag_seconds",
                "gauge",
                "Age of the oldest of them.",
                [({}, round(found.lag_s, 3))],
            ),
        ]
    return families


def _packed(uow: UnitOfWork) -> list[str]:
    found = hub_figures(uow)
    saved: list[Sample] = [
        ({"by": "sharing"}, found.saved_by_sharing_bytes),
        ({"by": "prediction"}, found.saved_by_prediction_bytes),
        ({"by": "compression"}, found.saved_by_compression_bytes),
    ]
    return [
        _family("allmende_packed_bytes", "gauge", "Bytes of packed contents.", [({}, found.packed_bytes)]),
        _family("allmende_stored_bytes", "gauge", "What all contents take.", [({}, found.stored_bytes)]),
        _family("allmende_saved_bytes", "gauge", "What packing saves, by means.", saved),
        _family("allmende_packs_bytes", "gauge", "Bytes of the packs.", [({}, found.pack_bytes)]),
    ]


def _waiting_xorbs(uow: UnitOfWork) -> list[str]:
    xorbs, size_bytes = uploaded_xorb_figures(uow)
    return [
        _family("allmende_xorbs_waiting", "gauge", "Uploaded xorbs not in files yet.", [({}, xorbs)]),
        _family("allmende_xorbs_waiting_bytes", "gauge", "Bytes of them.", [({}, size_bytes)]),
    ]


def _jobs(services: Services) -> str:
    samples: list[Sample] = [
        ({"kind": kind, "state": state}, count)
        for (kind, state), count in sorted(services.queue.counts().items())
    ]
    return _family("allmende_jobs", "gauge", "Jobs by kind and state.", samples)


def _scans(services: Services) -> list[str]:
    statuses, seconds = services.scanner.figures()
    samples: list[Sample] = [({"status": status}, count) for status, count in sorted(statuses.items())]
    return [
        _family("allmende_scanned_files_total", "counter", "Files that this process scanned.", samples),
        _family("allmende_scan_seconds_total", "counter", "Time it took.", [({}, round(seconds, 3))]),
    ]


def _family(name: str, kind: str, said: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {said}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        listed = ",".join(f'{label}="{text}"' for label, text in labels.items())
        lines.append(f"{name}{{{listed}}} {value}" if listed else f"{name} {value}")
    return "".join(f"{line}\n" for line in lines)
