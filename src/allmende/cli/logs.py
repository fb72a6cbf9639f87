"""Where log lines go and what they look like: standard error, one line each, times in UTC."""

import logging
import time
from typing import Any

__all__ = ["LogFormatter", "log_configuration"]

_LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR"}


class LogFormatter(logging.Formatter):
    """`2026-11-22T09:30:00.123Z INFO allmende.access: …`."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")


def log_configuration(level: str) -> dict[str, Any]:
    """The configuration for `logging.config.dictConfig`; `level` is that of the settings, and is ours alone.

    Libraries are heard from warnings on; the server under the hub is among them.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": LogFormatter}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"allmende": {"level": _LEVELS[level]}, "_granian": {"level": "WARNING"}},
    }
