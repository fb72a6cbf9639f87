"""Every case of every module of the corpus."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tests.attack.corpus.case import Case

__all__ = ["all_cases"]

_NO_CASES = frozenset({"all_cases", "case", "zoo", "zoo_objects"})


def all_cases() -> Iterator[Case]:
    """All cases, by module; what has no function `cases` holds parts for those that have."""
    for found in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda found: found.name):
        if found.name not in _NO_CASES:
            module = import_module(f"tests.attack.corpus.{found.name}")
            yield from getattr(module, "cases", lambda: ())()
