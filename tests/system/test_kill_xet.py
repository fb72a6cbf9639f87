"""kill -9 at every named point of an upload over Xet, by a stock client that then repeats it.

The client keeps its cache over the crash, as a user's does: it builds on what was acknowledged to it. After
each death nothing acknowledged may be missing, and the repeat must succeed by itself; after the last one what
the crashes left behind must be gone.
"""

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from allmende.failpoints import XET_POINTS
from tests.contract.clients import Client
from tests.hubs import USERS, RunningHub
from tests.system.test_kill import check_leftovers, check_whole

SHARED = (
    "upload.receiving",
    "upload.before_sync",
    "upload.before_rename",
    "upload.before_directory_sync",
    "upload.before_database",
    "upload.before_answer",
    "commit.before_answer",
)
"""Points that uploads of every kind pass; here on the way of a xorb, and again of the content made of it."""

ONCE = dict.fromkeys((*SHARED, *XET_POINTS), 1)
LATER = {"xorb.receiving": 3, "shard.rebuilding": 4, "upload.before_sync": 3, "upload.before_rename": 2}
DEATHS = [*ONCE.items(), *LATER.items()]


def write_folder(folder: Path, random: Random) -> dict[str, str]:
    """One file of several blocks, and small ones that share a xorb with it; returns their SHA-256."""
    folder.mkdir()
    files = {"large.weights": random.randbytes(11_000_000)}
    files |= {f"small-{number}.bin": random.randbytes(20_000 + number) for number in range(5)}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def read_back(client: Client, repo: str, into: Path) -> dict[str, str]:
    client.hf("download", repo, "--local-dir", str(into))
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in into.iterdir()
        if path.is_file() and path.name != ".gitattributes"
    }


def die_and_repeat(
    hub: RunningHub, client: Client, folder: Path, random: Random, point: str, nth: int
) -> None:
    """The hub is killed in the middle of an upload; the next life finds all in order and takes the repeat."""
    repo = f"alice/{point.replace('.', '-')}-{nth}"
    expected = write_folder(folder, random)
    hub.environment = {"ALLMENDE_FAILPOINT": f"{point}:{nth}"}
    hub.start()
    running = client.start_hf("upload", repo, str(folder))
    hub.wait_dead()
    running.kill()
    check_whole(hub)
    hub.environment = {}
    hub.start()
    client.hf("upload", repo, str(folder))
    assert read_back(client, repo, folder.with_name(f"{folder.name}-back")) == expected
    hub.stop()


def run_lives(folder: Path, seed: int, deaths: list[tuple[str, int]]) -> None:
    """One hub and one client through a number of deaths."""
    folder.mkdir()
    hub = RunningHub(folder / "data")
    hub.command("admin", "apply", "-", stdin=json.dumps(USERS))
    hub.start()
    client = Client("newest", Path(sys.executable).parent, folder / "home", hub.url, "token-of-alice")
    hub.stop()
    random = Random(seed)
    try:
        for number, (point, nth) in enumerate(deaths):
            die_and_repeat(hub, client, folder / f"model-{number}", random, point, nth)
        check_leftovers(hub)
    finally:
        if hub.is_running:
            hub.kill()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_upload_over_xet_survives_every_death(tmp_path: Path) -> None:
    """Two hubs side by side, as most of a life is starting."""
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(run_lives, tmp_path / str(half), half, DEATHS[half::2]) for half in (0, 1)]:
            each.result()
