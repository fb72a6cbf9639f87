"""Accounts and Xet: several may share one cache of a client, and nobody finds what is not theirs to read."""

from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.contract.clients import Client
from tests.contract.conftest import ClientOf, HubWith
from tests.contract.folders import MIB, digests, write_noise
from tests.contract.traffic import XORBS, Traffic
from tests.contract.wire import Relay
from tests.hubs import RunningHub

SIZE_BYTES = 5 * MIB


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "files" / "weights.bin"
    write_noise(path, SIZE_BYTES, 79)
    return path


@dataclass(frozen=True)
class Store:
    """The Xet store as one account reaches it, with a token for one of its repos."""

    url: str
    token: str

    @classmethod
    def of(cls, hub: RunningHub, user: str, repo: str, kind: str = "read") -> "Store":
        """Asks as the client does; the answer says everything twice."""
        answer = httpx2.get(
            f"{hub.url}/api/models/{repo}/xet-{kind}-token/main",
            headers={"Authorization": f"Bearer token-of-{user}"},
            timeout=10,
        ).raise_for_status()
        told = answer.json()
        assert answer.headers["X-Xet-Cas-Url"] == told["casUrl"]
        assert answer.headers["X-Xet-Access-Token"] == told["accessToken"]
        assert answer.headers["X-Xet-Token-Expiration"] == str(told["exp"])
        return cls(told["casUrl"], told["accessToken"])

    def status(self, path: str, *, url: str | None = None) -> int:
        """What a GET is answered with; `url` asks under the address of another account."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx2.get(f"{url or self.url}{path}", headers=headers, timeout=10).status_code


def upload(client: Client, repo: str, file: Path) -> None:
    client.hf("upload", repo, str(file), file.name, "--private")


def test_two_accounts_share_a_cache(hub_of_its_own: HubWith, client_of: ClientOf, file: Path, tmp_path: Path):
    """As people do who work under one login: what one has sent is not taken for sent by the other."""
    hub, shared = hub_of_its_own(), {"HF_XET_CACHE": str(tmp_path / "shared")}
    with Relay(hub.url) as relay:
        for user in ("alice", "bob"):
            client = client_of(user, endpoint=relay.url, extra=shared)
            assert relay.sent_by(upload, client, f"{user}/mine", file) > SIZE_BYTES, "unknown to this one"
            assert relay.sent_by(upload, client, f"{user}/again", file) < SIZE_BYTES / 10, "and known now"
        for user in ("alice", "bob"):
            client = client_of(user, endpoint=relay.url, extra=shared)
            found = client.run("download", repo=f"{user}/mine", path=file.name)["sha256"]
            assert found == digests(file.parent)[file.name]
        told = client_of("bob", endpoint=relay.url, extra=shared).hf("download", "alice/mine", code=1)
        assert "'alice/mine' not found" in told


def test_what_is_private_is_not_in_the_store_of_others(
    hub_of_its_own: HubWith, client_of: ClientOf, file: Path
):
    """By every hash that a file has, under both addresses, by a token for a repo of the other's own."""
    hub = hub_of_its_own()
    traffic = Traffic.from_now(hub)
    owner = client_of("alice", endpoint=hub.url)
    owner.hf("upload", "alice/private", str(file), file.name, "--private")
    file_hash = owner.run("xet_hashes", repo="alice/private")[file.name]
    asked = [each.path.rpartition("/")[2] for each in traffic.asked() if "/v1/chunks/" in each.path]
    (xorb,) = (each.path.rpartition("/")[2] for each in traffic.answered("POST", XORBS))
    assert asked, "the client asked for the first chunk"
    reading = [f"/v2/reconstructions/{file_hash}", f"/v1/reconstructions/{file_hash}"]
    finding = [f"/v1/chunks/default/{chunk}" for chunk in asked]

    write_noise(file.with_name("other.bin"), MIB, 80)
    other = client_of("bob", endpoint=hub.url)
    other.hf("upload", "bob/public", str(file.with_name("other.bin")), "other.bin")

    alice, writing = (Store.of(hub, "alice", "alice/private", kind) for kind in ("read", "write"))
    assert {alice.status(path) for path in reading} == {200}
    assert 200 in {writing.status(path) for path in finding}
    for kind in ("read", "write"):
        bob = Store.of(hub, "bob", "bob/public", kind)
        assert bob.url != alice.url
        assert {bob.status(path) for path in reading} == {404}
        assert {bob.status(path) for path in finding} == {404 if kind == "write" else 403}
        under_hers = {bob.status(path, url=alice.url) for path in [*reading, *finding]}
        assert under_hers <= {401, 403, 404}
        assert bob.status(f"/v1/xorbs/default/{xorb}") >= 400
        assert bob.status(f"/v2/reconstructions/{file_hash[::-1]}") == 404, "as if it were not there at all"


@pytest.mark.parametrize("kind", ["read", "write"])
def test_a_token_for_a_private_repo_is_refused_like_one_for_a_missing_repo(
    hub_of_its_own: HubWith, client_of: ClientOf, kind: str
):
    hub = hub_of_its_own()
    client_of("alice", endpoint=hub.url).hf("repos", "create", "alice/private", "--private")
    for headers in ({}, {"Authorization": "Bearer token-of-bob"}):
        answers = [
            httpx2.get(f"{hub.url}/api/models/{repo}/xet-{kind}-token/main", headers=headers, timeout=10)
            for repo in ("alice/private", "alice/missing")
        ]
        assert {(each.status_code, each.headers["X-Error-Code"]) for each in answers} == {
            (404, "RepoNotFound")
        }
