"""Scanning in processes of their own, which can do nothing but read the files that they were given."""

from allmende.scan.isolation.answers import Bounds
from allmende.scan.isolation.descriptors import open_ordinary
from allmende.scan.isolation.scanner import BATCH_BYTES, BATCH_FILES, SMALL_BYTES, NamedFile, Scanner
from allmende.scan.isolation.server_process import ScannerUnavailable, ServerProcess

__all__ = [
    "BATCH_BYTES",
    "BATCH_FILES",
    "SMALL_BYTES",
    "Bounds",
    "NamedFile",
    "Scanner",
    "ScannerUnavailable",
    "ServerProcess",
    "open_ordinary",
]
