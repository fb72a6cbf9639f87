"""Scanning in a process of its own, which can do nothing but read the one file that it was given."""

from allmende.scan.isolation.answers import Bounds
from allmende.scan.isolation.scanner import Scanner, ScannerUnavailable

__all__ = ["Bounds", "Scanner", "ScannerUnavailable"]
