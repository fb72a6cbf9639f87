"""Pages for people: rendered on the server, complete without scripts, in the visitor's language."""

from allmende.web.routes import routes

__all__ = ["routes"]
