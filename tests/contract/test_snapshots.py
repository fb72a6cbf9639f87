"""Snapshots with patterns out of 300 files: pages of the tree, branches, no second download."""

from uuid import uuid4

from tests.contract.conftest import ClientOf
from tests.contract.folders import Folder
from tests.contract.traffic import Traffic
from tests.hubs import RunningHub


def test_a_snapshot_with_patterns(hub: RunningHub, client_of: ClientOf, wide_folder: Folder):
    client, repo = client_of("alice"), f"alice/wide-{uuid4().hex[:8]}"
    client.hf("upload", repo, str(wide_folder.path), ".")
    wanted = {path: sha256 for path, sha256 in wide_folder.sha256s.items() if path.endswith(".json")}

    listening = Traffic.from_now(hub)
    first = client.run("snapshot", repo=repo, patterns=["*.json"], branch="dev")
    asked = listening.asked()
    assert first["files"] == first["offline"] == wanted
    pages = [each for each in asked if f"/{repo}/tree/" in each.path]
    assert len(pages) >= 4, "300 files and a page size of 100"
    content = [each.path for each in asked if each.is_content and each.method == "GET"]
    assert len(content) == len(wanted) == 150

    listening = Traffic.from_now(hub)
    second = client.run("snapshot", repo=repo, patterns=["*.json"], branch="dev")
    assert second == first
    assert [each for each in listening.asked() if each.is_content] == [], "nothing had changed"
