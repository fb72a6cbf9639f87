"""How packing gives way: to whoever is answered by the hub, to an operator who pauses it, to the end of a
process.

The rule: while the hub answers somebody, a block of work is followed by a rest ten times as long, of a second
at most. So packing takes no more than an eleventh of one processor from requests, and never stands still.
"""

import time

from allmende.flows.services import Services
from allmende.jobs import JobContext, JobInterrupted
from allmende.storage import is_packing_paused

__all__ = ["PackingPace"]

_REST_FACTOR = 10.0
_MOST_REST_S = 1.0
_STEP_S = 0.02
_LOOK_EVERY_S = 2.0


class PackingPace:
    """Called between two blocks of work, of which a repeat could leave out none."""

    def __init__(self, services: Services, context: JobContext) -> None:
        self._services = services
        self._context = context
        self._began = time.monotonic()
        self._next_look = self._began + _LOOK_EVERY_S
        self.rested_s = 0.0

    def checkpoint(self) -> None:
        """Rest if the hub is busy. Raises JobInterrupted when the run should end."""
        self._context.checkpoint()
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_EVERY_S
            with self._services.database.read() as uow:
                if is_packing_paused(uow):
                    raise JobInterrupted
        if self._services.traffic.is_busy:
            self._rest(min(_MOST_REST_S, _REST_FACTOR * (now - self._began)))
        self._began = time.monotonic()

    def _rest(self, most_s: float) -> None:
        began = time.monotonic()
        end = began + most_s
        while (now := time.monotonic()) < end and self._services.traffic.is_busy:
            time.sleep(min(_STEP_S, end - now))
            self._context.checkpoint()
        self.rested_s += time.monotonic() - began
