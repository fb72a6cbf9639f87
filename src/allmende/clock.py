"""The one source of time, so that tests can hold it still.

Times are kept as aware UTC datetimes in the domain and as ISO 8601 text with milliseconds on the wire.
"""

from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "iso", "parse_iso", "system_clock"]

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """`moment` as `YYYY-MM-DDTHH:MM:SS.mmmZ`, the one form that stock clients parse."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def parse_iso(text: str) -> datetime:
    """The inverse of `iso`; raises ValueError when `text` is not ISO 8601."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
