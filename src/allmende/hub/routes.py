"""Every route of the Hugging Face protocol that this hub answers, in the order in which they are tried."""

from starlette.routing import Route

__all__ = ["routes"]


def routes() -> list[Route]:
    """The routes; convertors must be registered before."""
    from allmende.hub import accounts

    return [*accounts.routes()]
