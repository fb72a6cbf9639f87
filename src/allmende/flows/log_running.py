"""The thread that keeps the log up to the outbox: woken by each act, and never waited for by one.

Several processes may run one each; the locks of the log let one of them work at a time. What goes wrong is
kept for `/metrics`, the API and the operator, said once in the server's log, and tried again.
"""

import logging
import threading
import time

from allmende.errors import AllmendeError
from allmende.flows.log_statements import LogStatements
from allmende.flows.services import Services
from allmende.log import LOG_TROUBLE, collect_cosignatures, compare_with_witnesses

__all__ = ["LogRunner", "make_log_runner", "run_log"]

_logger = logging.getLogger(__name__)

_POLL_S = 0.5
"""For acts of other processes, whose commits wake nobody here."""
_GATHER_S = 0.1
"""Acts often come together; one checkpoint for them is enough."""
_PAUSE_AFTER_FAILURE_S = 5.0
_IN_A_ROUND = 4096
_ASK_AGAIN_S = 15.0
"""After which a witness that failed is asked again, and peers that were just named are asked at all."""


class LogRunner:
    """Two threads: one for the log, one that asks witnesses. `start` them once, `stop` them at the end."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._statements = LogStatements(services)
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._signed = threading.Event()
        self._asking = threading.Thread(target=self._ask_witnesses, name="cosigning", daemon=True)
        self._failed: str | None = None

    def start(self) -> None:
        """Begin; what waits in the outbox is taken at once."""
        self._services.database.on_events = self._wake.set
        self._thread.start()
        self._asking.start()

    def stop(self, timeout_s: float) -> None:
        """Finish the round that is under way, and end."""
        self._services.database.on_events = None
        self._ending.set()
        self._wake.set()
        self._signed.set()
        self._thread.join(timeout_s)
        self._asking.join(timeout_s)

    def _run(self) -> None:
        try:
            self._services.log.publisher.clear_leftovers()
            compare_with_witnesses(self._services.database, self._services.log)
        except LOG_TROUBLE as error:
            self._note(str(error))
        while not self._ending.is_set():
            pause_s = self._round()
            if pause_s and not self._ending.is_set():
                self._wake.wait(pause_s)
                self._wake.clear()
                self._ending.wait(_GATHER_S)

    def _round(self) -> float:
        """One round; how long to wait for the next unless an act comes, in seconds."""
        began = time.monotonic()
        try:
            taken = self._services.log.publisher.run(self._statements, _IN_A_ROUND)
        except AllmendeError as error:
            self._note(f"{error.message} {error.hint or ''}".strip())
        except (*LOG_TROUBLE, RuntimeError) as error:
            self._note(f"{type(error).__name__}: {error}")
        else:
            if self._failed is not None:
                _logger.info("the log goes on")
                self._failed = None
            _logger.debug("the log took %d acts in %.3f s", taken, time.monotonic() - began)
            if taken:
                self._signed.set()
            return 0.0 if taken >= _IN_A_ROUND else _POLL_S
        self._ending.wait(_PAUSE_AFTER_FAILURE_S)
        return _POLL_S

    def _ask_witnesses(self) -> None:
        """Beside the rounds: a witness that is slow delays nothing but its own cosignature."""
        while not self._ending.is_set():
            try:
                collect_cosignatures(self._services.database, self._services.log)
            except LOG_TROUBLE as error:
                _logger.warning("witnesses were not asked: %s", error)
            self._signed.wait(_ASK_AGAIN_S)
            self._signed.clear()

    def _note(self, failed: str) -> None:
        if failed != self._failed:
            _logger.error("the log stands still: %s", failed)
            self._failed = failed


def make_log_runner(services: Services) -> LogRunner:
    """A runner for the hub's log, not started yet."""
    return LogRunner(services)


def run_log(services: Services) -> int:
    """Take everything that waits in the outbox into the log, in this thread; returns how many acts.

    0 also while another process is at it. Raises what `log.Publisher.run` raises.
    """
    statements = LogStatements(services)
    total = 0
    while taken := services.log.publisher.run(statements, _IN_A_ROUND):
        total += taken
    return total
