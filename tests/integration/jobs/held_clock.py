"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta


class HeldClock:
    """Call it for the time; `move` lets time pass."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
