"""Wires everything: the only module that knows all rooms."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from allmende import api, hub, web
from allmende.errors import AllmendeError
from allmende.flows import Services, begin_meaning, make_log_runner, make_worker, open_services
from allmende.http import Edge, SegmentPaths, refused, register_convertors
from allmende.settings import load_settings

__all__ = ["create_app", "factory"]

_FLUSH_EVERY_S = 10.0
_WORKER_STOP_S = 10.0
_LOG_STOP_S = 5.0
_TURN_S = 0.0005
"""How long a thread may compute while others wait for the interpreter.

A page gives the interpreter away dozens of times, at each step of a statement, and where the log or a job
computes beside it waits so long to have it back. Python's own 5 ms make a page several times as slow then.
"""

_logger = logging.getLogger(__name__)


def create_app(services: Services) -> Starlette:
    """The ASGI application; its lifespan runs the log and the workers that the settings ask for."""
    register_convertors()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sys.setswitchinterval(_TURN_S)
        await run_sync(begin_meaning, services)
        worker = make_worker(services) if services.settings.workers else None
        if worker is not None:
            worker.start()
        log = make_log_runner(services)
        log.start()
        flushing = asyncio.create_task(_flush_downloads(services))
        try:
            yield
        finally:
            flushing.cancel()
            if worker is not None:
                await run_sync(worker.stop, _WORKER_STOP_S)
            await run_sync(log.stop, _LOG_STOP_S)
            await run_sync(services.downloads.flush, services.database)
            await run_sync(services.close)

    app = Starlette(
        routes=[*api.routes(), *hub.routes(), *web.routes()],
        exception_handlers={HTTPException: refused},
        lifespan=lifespan,
    )
    # The router's own redirects to addresses without a last slash repeat the Host header of the request.
    app.router.redirect_slashes = False
    app.add_middleware(SegmentPaths)
    app.add_middleware(Edge, services=services)
    return app


def factory() -> Starlette:
    """The application for a server process, from the settings in its environment."""
    settings = load_settings()
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return create_app(open_services(settings))


async def _flush_downloads(services: Services) -> None:
    while True:
        await anyio.sleep(_FLUSH_EVERY_S)
        try:
            await run_sync(services.downloads.flush, services.database)
        except AllmendeError as error:
            # The counts are kept and tried again; a busy database is no reason to stop counting.
            _logger.warning("downloads were not written: %s", error.message)
