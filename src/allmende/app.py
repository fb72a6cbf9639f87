"""Wires everything: the only module that knows all rooms."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from allmende.flows import Services, open_services
from allmende.http import Edge, SegmentPaths, refusal_response, register_convertors
from allmende.settings import load_settings

__all__ = ["create_app", "factory"]


def create_app(services: Services) -> Starlette:
    """The ASGI application."""
    register_convertors()
    from allmende import hub

    routes: list[BaseRoute] = [*hub.routes()]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    app.add_middleware(SegmentPaths)
    app.add_middleware(Edge, services=services)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """The router's own refusals, in the form of all other errors."""
    if not isinstance(error, HTTPException):
        raise error
    return refusal_response(request, error)


def factory() -> Starlette:
    """The application for a server process, from the environment's settings."""
    return create_app(open_services(load_settings()))
