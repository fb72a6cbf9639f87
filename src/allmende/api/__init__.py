"""Our own addresses: the JSON API under `/api/allmende/v1`, and what operators watch."""

from starlette.routing import BaseRoute

__all__ = ["routes"]


def routes() -> list[BaseRoute]:
    """The routes; they come before those of the Hugging Face protocol, whose patterns are wider.

    Convertors must be registered before.
    """
    from starlette.routing import Mount

    from allmende.api import health, log_files, witness
    from allmende.api.v1 import PREFIX, make_api

    return [*health.routes(), *log_files.routes(), *witness.routes(), Mount(PREFIX, make_api())]
