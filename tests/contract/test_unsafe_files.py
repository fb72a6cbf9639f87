"""An attack is published with the stock client: what the client says of it, and who gets it."""

import hashlib
from pathlib import Path

from tests.contract.clients import Client
from tests.contract.conftest import ClientOf
from tests.hubs import RunningHub

BAD = "pytorch_model.bin"
ATTACK = b"cos\nsystem\n(S'true'\ntR."


def test_an_attack_is_told_and_given_to_nobody(
    hub: RunningHub, client: Client, client_of: ClientOf, name: str, tmp_path: Path
):
    repo, folder = f"alice/{name}", tmp_path / "folder"
    folder.mkdir()
    (folder / BAD).write_bytes(ATTACK)
    (folder / "good.txt").write_text("nothing to fear")
    said = client.run("publishing_unsafe", repo=repo, folder=str(folder))
    assert said["repo"]["scansDone"] is True
    assert [(issue["path"], issue["level"]) for issue in said["repo"]["filesWithIssues"]] == [(BAD, "unsafe")]
    assert (said["status"][BAD], said["safe"][BAD]) == ("unsafe", False)

    bob = client_of("bob")
    loaded = bob.run("loading_unsafe", repo=repo, bad=BAD, into=str(tmp_path / "bob"))
    for way in ("one", "all", "expressly"):
        assert f"'{BAD}' is blocked by the scan" in loaded[way], loaded[way]
        assert "pickle-refused-global" in loaded[way]
    assert "ignore_patterns" in loaded["all"], "what to do about it"
    assert loaded["good"] == "nothing to fear"
    assert BAD not in loaded["others"]
    assert "good.txt" in loaded["others"]

    owned = client.run("loading_unsafe", repo=repo, bad=BAD, into=str(tmp_path / "alice"))
    assert "X-Allmende-Allow-Unsafe" in owned["one"], "the owner hears how to ask"
    assert owned["expressly"] == ""
    cached = list(client.home.rglob(BAD))
    assert {hashlib.sha256(path.read_bytes()).digest() for path in cached if path.exists()} <= {
        hashlib.sha256(ATTACK).digest()
    }
