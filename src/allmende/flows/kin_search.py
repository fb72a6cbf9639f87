"""Finding weights that may be kin, among all that this hub has measured: their keys, held in memory."""

import threading
from datetime import UTC, datetime, timedelta

from allmende.facts import search_keys, weights_by_number
from allmende.ids import WeightsId
from allmende.storage import UnitOfWork
from allmende.weights import SKETCH_VERSION, TRACE_VERSION, SketchIndex

__all__ = ["LINEAGE_TOOL", "LINEAGE_TOOL_VERSION", "KinSearch"]

LINEAGE_TOOL = "allmende.weights"
LINEAGE_TOOL_VERSION = f"{SKETCH_VERSION}.{TRACE_VERSION}"

_PAGE = 10_000
_MOST = 100_000
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_AGAIN = timedelta(minutes=1)
"""What came so lately is read again: another process may commit later what it measured earlier."""


class KinSearch:
    """The keys of all weights, 256 bytes each; what came since the last search is added before the next.

    For all threads of the process. Who may know of what is found here is decided by the callers.
    """

    def __init__(self) -> None:
        self._index = SketchIndex()
        self._last = _BEGINNING
        self._lock = threading.Lock()

    def near(self, uow: UnitOfWork, key: bytes) -> dict[WeightsId, float]:
        """Weights whose keys are like this one, the nearest first, with the share of bits that agree."""
        with self._lock:
            self._catch_up(uow)
            found = self._index.near(key, most=_MOST)
        ids = weights_by_number(uow, (near.number for near in found))
        return {ids[near.number]: near.agreement for near in found if near.number in ids}

    def _catch_up(self, uow: UnitOfWork) -> None:
        after = (self._last - _AGAIN, 0)
        while True:
            page = search_keys(uow, LINEAGE_TOOL_VERSION, after, _PAGE)
            self._index.add((found.number, found.key) for found in page)
            if page:
                after = (page[-1].measured_at, page[-1].number)
                self._last = max(self._last, page[-1].measured_at)
            if len(page) < _PAGE:
                return
