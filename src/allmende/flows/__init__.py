"""Use cases that join several rooms: bootstrap, examine, maintenance."""

from allmende.flows.services import Services, open_services

__all__ = ["Services", "open_services"]
