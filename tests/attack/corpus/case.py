"""A labelled file: what it is called, its bytes, and what a scanner must make of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from allmende.scan import Status

__all__ = ["ACCEPTED", "Case", "Label", "acceptable", "fixed"]

Label = Literal["malicious", "policy", "benign"]
"""`malicious`: must be blocked, warned of or quarantined. `policy`: legitimate, but must be shown, not blocked.
`benign`: must stay quiet."""

ACCEPTED: dict[Label, frozenset[Status]] = {
    "malicious": frozenset({Status.BLOCKED, Status.QUARANTINED, Status.WARNED}),
    "policy": frozenset({Status.WARNED, Status.QUARANTINED}),
    "benign": frozenset({Status.CLEAN, Status.NOTED}),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One file of the corpus. `family` groups variants of one idea; `make` gives the bytes, always the same.

    Payloads are inert: what they would call or write has no effect that matters, on a loader that falls for it.
    """

    family: str
    name: str
    file_name: str
    label: Label
    make: Callable[[], bytes]

    @property
    def id(self) -> str:
        """Its name among all cases."""
        return f"{self.family}/{self.name}"


def acceptable(label: Label, status: Status) -> bool:
    """Whether the status is right for a file with this label."""
    return status in ACCEPTED[label]


def fixed(data: bytes) -> Callable[[], bytes]:
    """What makes a case of bytes that are there already."""
    return lambda: data
