"""A scanner in the very process of the test: the isolation has tests of its own."""

from typing import BinaryIO

from allmende.flows import HubScanner
from allmende.scan import FileReport, Source, scan_source

__all__ = ["InProcess", "scanner_in_process"]


class InProcess:
    """Reads files itself, and remembers their names."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def scan(self, file: BinaryIO, size_bytes: int, name: str) -> FileReport:
        self.names.append(name)
        return scan_source(Source(file, size_bytes), name)

    def close(self) -> None:
        pass


def scanner_in_process(inner: InProcess | None = None) -> HubScanner:
    """The hub's scanner over it."""
    return HubScanner(lambda: inner or InProcess())
