"""Verdicts in the form that stock clients read."""

import pytest

from tests import scan_samples as samples
from tests.integration.hub.conftest import Hub
from tests.integration.hub.test_scan_serving import FILES, work

WORDS = {"bad.pkl": "unsafe", "broken.pkl": "unsafe", "odd.pkl": "suspicious", "good.pkl": "safe"}


@pytest.fixture
def api(hub: Hub) -> str:
    api = hub.create("alice/mixed")
    hub.commit(api, FILES)
    return api


def statuses(hub: Hub, api: str) -> dict[str, str]:
    listed = hub.get(f"{api}/tree/main?expand=true").json()
    asked = hub.call("POST", f"{api}/paths-info/main", data={"paths": list(FILES), "expand": "true"}).json()
    told = {item["path"]: item["securityFileStatus"] for item in listed}
    assert {item["path"]: item["securityFileStatus"] for item in asked}.items() <= told.items()
    assert all({"status", "avScan", "pickleImportScan"} <= set(status) for status in told.values())
    return {path: status["status"] for path, status in told.items()}


def test_files_are_queued_and_then_judged(hub, api) -> None:
    assert set(statuses(hub, api).values()) == {"queued"}
    work(hub)
    assert WORDS.items() <= statuses(hub, api).items()


def test_without_expand_nothing_is_said(hub, api) -> None:
    work(hub)
    assert all("securityFileStatus" not in item for item in hub.get(f"{api}/tree/main").json())


def test_the_repo_tells_what_is_not_safe(hub, api) -> None:
    def told(query: str):
        return hub.get(f"{api}{query}").json()["securityRepoStatus"]

    assert told("?securityStatus=true") == {"scansDone": False, "filesWithIssues": []}
    work(hub)
    status = told("?securityStatus=true")
    assert status["scansDone"]
    assert [(issue["path"], issue["level"]) for issue in status["filesWithIssues"]] == [
        ("bad.pkl", "unsafe"),
        ("broken.pkl", "unsafe"),
        ("odd.pkl", "suspicious"),
    ]
    assert told("?expand=securityRepoStatus") == status
    assert told("/revision/main?securityStatus=true") == status
    assert "securityRepoStatus" not in hub.get(api).json()
    assert hub.get("/api/models?expand=securityRepoStatus").status_code == 200


def test_a_harmless_file_that_the_hub_knows_is_queued_all_the_same(hub, api) -> None:
    """Else whoever uploads bytes would learn that somebody had uploaded them before."""
    work(hub)
    other = hub.create("bob/fresh", by="bob")
    hub.commit(other, FILES, by="bob")
    told = statuses(hub, other)
    assert (told["good.pkl"], told["odd.pkl"]) == ("queued", "queued")
    assert told["bad.pkl"] == "unsafe", "what harms is stopped at once"


def test_what_nobody_knows_is_not_safe(hub) -> None:
    api = hub.create("alice/unknown")
    hub.commit(api, {"what.xyz": b"\x01\x02 a format that nobody knows " * 10})
    work(hub)
    listed = hub.get(f"{api}/tree/main?expand=true").json()
    assert {item["path"]: item["securityFileStatus"]["status"] for item in listed}["what.xyz"] == "unscanned"


def test_a_pointer_to_bytes_that_the_repo_does_not_hold_tells_nothing(hub, api) -> None:
    """A verdict on bytes is told only through a repo that holds them."""
    large = hub.create("alice/large")
    oid = hub.link(large, "weights.bin", samples.BLOCKED)
    work(hub)
    hub.post(f"{large}/lfs-files/batch", {"deletions": {"sha": [oid], "rewriteHistory": False}}, by="alice")
    (item,) = [
        item for item in hub.get(f"{large}/tree/main?expand=true").json() if item["path"] == "weights.bin"
    ]
    assert "securityFileStatus" not in item


def test_a_stopped_file_shows_no_xet_hash(hub) -> None:
    """So that clients ask by its address, where they hear the reason."""
    api = hub.create("alice/large")
    for path, data in (("weights.bin", samples.BLOCKED), ("good.bin", samples.CLEAN)):
        hub.link(api, path, data)
    with hub.services.database.write() as uow:
        hub.services.queue.enqueue(uow, "chunk_missing", {})
    work(hub)
    items = {item["path"]: item for item in hub.get(f"{api}/tree/main").json()}
    assert "xetHash" in items["good.bin"]
    assert "xetHash" not in items["weights.bin"]
    assert "x-xet-hash" in hub.call("HEAD", "/alice/large/resolve/main/good.bin").headers
