"""What a hub was asked, read from its access log."""

import re
import time
from dataclasses import dataclass
from uuid import uuid4

import httpx2

from tests.hubs import RunningHub

_LINE = re.compile(r"(?P<method>GET|HEAD|POST|PUT|DELETE) (?P<path>/\S*.*?) (?P<status>[1-5]\d\d) [\d.]+ ms")

XORBS = "/v1/xorbs/"
"""Where a client sends new bytes over Xet."""

SHARDS = "/shards"
"""Where it says of which parts of xorbs its files consist."""

RECONSTRUCTIONS = "/reconstructions/"
"""Where it asks how to put a file together."""


@dataclass(frozen=True)
class Asked:
    """One request as the hub saw it; the path is decoded and without its query."""

    method: str
    path: str
    status: int

    @property
    def is_content(self) -> bool:
        """Whether it asked for a file of a repo by plain HTTP."""
        return "/resolve/" in self.path

    @property
    def succeeded(self) -> bool:
        """Whether it was answered with what it asked for."""
        return self.status < 300


@dataclass(frozen=True)
class Traffic:
    """The requests from now on."""

    hub: RunningHub
    start: int

    @classmethod
    def from_now(cls, hub: RunningHub) -> "Traffic":
        """Begin to listen."""
        return cls(hub, _settled(hub))

    def asked(self) -> list[Asked]:
        """Every request since then, in the order in which they were answered."""
        lines = self.hub.log[self.start : _settled(self.hub)].splitlines()
        found = [match for line in lines if (match := _LINE.search(line))]
        return [
            Asked(match["method"], match["path"], int(match["status"]))
            for match in found
            if "/settled-" not in match["path"]
        ]

    def answered(self, method: str, needle: str) -> list[Asked]:
        """Those of that method with `needle` in the path that succeeded."""
        return [
            each for each in self.asked() if each.method == method and needle in each.path and each.succeeded
        ]


def _settled(hub: RunningHub) -> int:
    """How long the log is once all that was answered before is in it: a request of ours marks the place."""
    mark = f"/settled-{uuid4().hex}"
    httpx2.get(f"{hub.url}{mark}", timeout=10)
    deadline = time.monotonic() + 60
    while mark not in (log := hub.log):
        if time.monotonic() > deadline:
            raise AssertionError("the hub's log does not show its requests")
        time.sleep(0.02)
    return len(log)
