"""How long hostile input may keep the processor: catches growth beyond any bound, and no busy machine."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def soon(limit_s: float) -> Iterator[None]:
    """Fails when what is done inside takes `limit_s` seconds of processor time or more.

    Counted are this process with all its threads, and the children that it has waited for.
    """
    began_s = _processor_s()
    yield
    took_s = _processor_s() - began_s
    if took_s >= limit_s:
        pytest.fail(f"took {took_s:.1f} s of processor time, {limit_s} s are allowed")


def _processor_s() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
