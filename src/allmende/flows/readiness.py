"""Whether the hub can do its work now: for programs that watch it, and for its administrators' pages."""

import hashlib

from allmende.errors import AllmendeError
from allmende.flows.services import Services
from allmende.ids import Sha256
from allmende.storage import pending_migrations

__all__ = ["READY", "readiness"]

READY = "ok"

_EMPTY = Sha256(hashlib.sha256().hexdigest())


def readiness(services: Services) -> dict[str, str]:
    """Of the `database` and the `store` each `READY`, or a word for what is wrong with it."""
    return {"database": _check_database(services), "store": _check_store(services)}


def _check_database(services: Services) -> str:
    try:
        pending = pending_migrations(services.database)
    except AllmendeError as error:
        return error.code
    return "migrations_pending" if pending else READY


def _check_store(services: Services) -> str:
    """Begins to write a content and gives it up: the store has a place and takes files."""
    try:
        services.contents.open_write(_EMPTY, 0).discard()
    except AllmendeError as error:
        return error.code
    except OSError:
        return "not_writable"
    return READY
