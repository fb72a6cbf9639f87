"""kill -9 of the hub while a pushed delta arrives and is rebuilt, and of the client: repeat, and done.

After each death nothing of the delta is left, and the same push brings the content.
"""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from allmende.failpoints import DELTA_POINTS
from tests.contract.test_pull_packed import SETTINGS, family
from tests.hubs import RunningHub
from tests.nursery import Forked, start_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def push(hub: RunningHub, home: Path, *arguments: str, user: str = "alice") -> Forked:
    environ = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": f"token-of-{user}",
        "HF_HOME": str(home / "hf"),
        "ALLMENDE_CACHE": str(home / "cache"),
    }
    with (home / "said").open("wb") as said:
        return start_command(["push", *arguments, "--json"], env=environ, stdout=said)


def sent(client: Forked, home: Path) -> int:
    """How many bytes a push that ends well has sent."""
    assert client.wait(100) == 0
    return int(json.loads((home / "said").read_bytes())["sent_bytes"])


def folders(place: Path) -> tuple[Path, Path]:
    found = []
    for name, data in zip(("base", "tuned"), family(), strict=True):
        folder = place / name
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(data)
        found.append(folder)
    return found[0], found[1]


@pytest.mark.parametrize("point", [*DELTA_POINTS, "upload.before_database", "upload.before_answer"])
def test_a_hub_that_dies_over_a_delta(tmp_path: Path, point: str) -> None:
    base, tuned = folders(tmp_path)
    with RunningHub(tmp_path / "data", dict(SETTINGS)) as hub:
        assert push(hub, tmp_path, str(base), "alice/base", "--create").wait(100) == 0
    dying = {**SETTINGS, "ALLMENDE_FAILPOINT": point}
    arguments = (str(tuned), "alice/tuned", "--create", "--base", str(base))
    with RunningHub(tmp_path / "data", dying) as hub:
        client = push(hub, tmp_path, *arguments)
        hub.wait_dead()
        client.kill()
        client.wait()
    with RunningHub(tmp_path / "data", dict(SETTINGS)) as hub:
        assert (
            sent(push(hub, tmp_path, *arguments), tmp_path)
            < 0.15 * (tuned / "model.safetensors").stat().st_size
        )
        hub.command("admin", "fsck", "--deep")
    # Files without a name are gone with the process that had them.
    left = [one for one in (tmp_path / "data").rglob("tmp*") if one.is_file()]
    assert left == []


def test_a_client_that_dies_sends_again_what_had_not_arrived(tmp_path: Path) -> None:
    base, tuned = folders(tmp_path)
    with RunningHub(tmp_path / "data", dict(SETTINGS)) as hub:
        assert push(hub, tmp_path, str(base), "alice/base", "--create").wait(100) == 0
        arguments = (str(tuned), "alice/tuned", "--create", "--base", str(base))
        for after_s in (0.3, 0.6, 1.0, 1.5):
            client = push(hub, tmp_path, *arguments)
            time.sleep(after_s)
            client.send_signal(signal.SIGKILL)
            client.wait()
        sent(push(hub, tmp_path, *arguments), tmp_path)
        assert sent(push(hub, tmp_path, *arguments), tmp_path) == 0
