"""A publisher that keeps its own account of what the hub acknowledged, and holds the hub to it.

The ledger lies outside the hub. What was answered with success is in it; the one publication whose answer is
outstanding is `pending`. After a crash the hub must hold exactly the ledger, or the ledger and all of what is
pending: never part of it, never less.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from tests.system.wire_client import GONE, Publication, WireClient, sha256_of

MIB = 1024 * 1024
SETTINGS: Mapping[str, str] = {
    "ALLMENDE_MULTIPART_THRESHOLD_BYTES": str(5 * MIB),
    "ALLMENDE_MULTIPART_PART_BYTES": str(2 * MIB),
}
"""What the hub must be set to for `RARE_SIZES` to be what they say."""

RARE_SIZES = (4 * MIB + 70_001, 5 * MIB + 70_001)
"""One that is written in two batches, and one that is uploaded in three parts."""
BATCH_BYTES = 4 * MIB

OWN_FILES = frozenset({".gitattributes"})
"""What the hub puts into a new repo."""


@dataclass
class Publisher:
    """Publishes seeded files, one publication after another, and remembers what it was promised."""

    random: Random
    files: dict[str, bytes] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    oids: list[str] = field(default_factory=list)
    uploaded: dict[str, int] = field(default_factory=dict)
    pending: Publication | None = None
    landed: str | None = None
    """The commit of what is pending, if it was there after a crash although nobody was told."""
    begun: int = 0

    def publish_until_gone(self, url: str, at_most: int) -> bool:
        """Publish until the hub goes away; False if it outlived `at_most` publications."""
        try:
            with WireClient(url) as client:
                for _ in range(at_most):
                    self.publish(client)
        except GONE:
            return True
        return False

    def publish(self, client: WireClient) -> None:
        """Repeat what is pending, or else publish something new. Raises what a dying hub makes of it."""
        if self.pending is None:
            self.pending = self._invent()
        for data in self.pending.large.values():
            client.upload(data)
            self.uploaded[sha256_of(data)] = len(data)
        answer = client.commit(self.pending)
        assert answer.status == 200, (self.pending.title, answer.body)
        oid = str(answer.json["commitOid"])
        assert self.landed in (None, oid), "the repeat made a second commit of what had landed"
        self.files |= self.pending.files
        self.titles.append(self.pending.title)
        self.oids.append(oid)
        self.pending = self.landed = None

    def check(self, client: WireClient) -> None:
        """All that was acknowledged is there, byte for byte; what is pending is there whole or not at all."""
        assert client.wanted(self.uploaded) == {}, "an acknowledged upload is lost"
        titles = client.titles()
        expected_titles, expected_files = list(self.titles), dict(self.files)
        if self.pending is not None and self.pending.title in titles:
            expected_titles.append(self.pending.title)
            expected_files |= self.pending.files
            self.landed = client.head()
        assert list(reversed(titles))[-len(expected_titles) :] == expected_titles or not expected_titles
        assert len(titles) == len(expected_titles) + 1, f"commits beside those that were made: {titles}"
        if self.landed is None and self.oids:
            assert client.head() == self.oids[-1]
        assert client.paths() - OWN_FILES == set(expected_files)
        for path, data in expected_files.items():
            assert client.read(path) == data, f"{path} has other bytes than were published"

    def hits_of_repeat(self, point: str) -> int:
        """How often repeating what is pending passes a failpoint, at most."""
        if self.pending is None:
            return 0
        if point.startswith("commit."):
            return 1
        if point == "upload.receiving":
            return sum(len(data) // BATCH_BYTES + 1 for data in self.pending.large.values())
        return len(self.pending.large)

    def _invent(self) -> Publication:
        self.begun += 1
        large = {self._path("bin"): self.random.randbytes(self._size_bytes()) for _ in range(self._count())}
        small = {self._path("txt"): self.random.randbytes(self.random.randint(0, 3000)) for _ in range(2)}
        return Publication(f"publication {self.begun}", small, large)

    def _count(self) -> int:
        return self.random.choice((1, 1, 2))

    def _size_bytes(self) -> int:
        if self.random.random() < 0.1:
            return self.random.choice(RARE_SIZES)
        return self.random.randint(1, 200_000)

    def _path(self, ending: str) -> str:
        """Mostly a new file; now and then one that replaces an older one."""
        known = [path for path in self.files if path.endswith(ending)]
        if known and self.random.random() < 0.2:
            return self.random.choice(known)
        return f"{self.random.choice(('', 'data/', 'data/deep/'))}{self.random.getrandbits(48):012x}.{ending}"
