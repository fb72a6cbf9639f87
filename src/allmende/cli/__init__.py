"""The command line: what people type, and what they and their scripts read."""

from allmende.cli.entry import main

__all__ = ["main"]
