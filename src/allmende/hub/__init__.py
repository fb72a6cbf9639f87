"""The Hugging Face protocol, so that the clients that people already use work unchanged."""

from allmende.hub.routes import routes

__all__ = ["routes"]
