"""An independent reader accepts the logs that our functions write, and ours reads the logs that it writes."""

import hashlib
import json
import random
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from allmende.merkle import (
    EMPTY_ROOT,
    Checkpoint,
    KeyKind,
    KnownLog,
    MemoryTree,
    Policy,
    PolicyLog,
    PolicyWitness,
    SigningKey,
    TiledLog,
    TiledTree,
    TileMissing,
    bundle_names,
    consistency_proof,
    grow,
    inclusion_proof,
    leaf_hash,
    make_bundle,
    open_tile,
    read_verifier_key,
    signed_checkpoint,
)
from tests.contract.clients import SCRIPTS

pytestmark = pytest.mark.clients

ORIGIN = "hub.example/log"
KEYS = [
    SigningKey(ORIGIN, KeyKind.ED25519, b"\1" * 32),
    SigningKey("witness.example/one", KeyKind.ED25519_COSIGNATURE, b"\2" * 32),
    SigningKey("witness.example/two", KeyKind.ML_DSA_44_COSIGNATURE, b"\3" * 32),
]
NOW = 1_800_000_000

Judge = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def judge(require_environment) -> Judge:
    python = require_environment("log-judge") / "python"

    def run(*arguments: object) -> dict[str, Any]:
        command = [str(python), str(SCRIPTS / "judge_log.py"), *map(str, arguments)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        answer: dict[str, Any] = json.loads(ended.stdout)
        return answer

    return run


class Entries:
    """The entries of the log, from nothing to large ones."""

    @staticmethod
    def at(index: int) -> bytes:
        return b"" if index == 7 else bytes(65_535) if index == 9 else b"entry %d" % index

    def entries(self, begin: int, end: int) -> list[bytes]:
        return [self.at(index) for index in range(begin, end)]


def write_log(folder: Path, sizes: list[int]) -> None:
    """The files as a hub would have them after these sizes, each grown out of the one before."""
    folder.mkdir()
    source = Entries()
    root = EMPTY_ROOT
    for old_size, size in pairwise([0, *sizes]):
        fresh = [leaf_hash(entry) for entry in source.entries(old_size, size)]
        growth = grow(old_size, root, lambda name: (folder / name.path).read_bytes(), fresh)
        bundles = {name.path: make_bundle(name, source) for name in bundle_names(size, old_size)}
        for path, data in {**{name.path: data for name, data in growth.tiles.items()}, **bundles}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        root = growth.root
    note = signed_checkpoint(Checkpoint(ORIGIN, sizes[-1], root), KEYS, NOW)
    (folder / "checkpoint").write_bytes(bytes(note))


def write_proofs(folder: Path, size: int) -> int:
    """Proofs of ours beside the log; answers how many."""
    chance = random.Random(size)
    tiles = TiledTree(size, lambda name: open_tile(name, (folder / name.path).read_bytes()))
    tree = MemoryTree(leaf_hash(Entries.at(index)) for index in range(size))
    indexes = {0, size - 1, *(chance.randrange(size) for _ in range(100))}
    olds = {1, size, *(chance.randrange(1, size + 1) for _ in range(50))}
    proofs = {
        "inclusion": [
            [index, [each.hex() for each in inclusion_proof(tiles, index, size)]] for index in indexes
        ],
        "consistency": [
            [old, tree.root(old).hex(), [each.hex() for each in consistency_proof(tiles, old, size)]]
            for old in olds
        ],
    }
    (folder / "proofs.json").write_text(json.dumps(proofs), "utf-8")
    return len(indexes) + len(olds)


@pytest.mark.parametrize(
    "sizes",
    [
        [1],
        [255],
        [256],
        [257],
        [65_535],
        [65_536],
        [65_537],
        [70_000],
        [1, 255, 256, 257, 65_535, 65_537, 70_000],
    ],
    ids=lambda sizes: "-".join(map(str, sizes)),
)
def test_the_judge_accepts_our_log(judge: Judge, tmp_path: Path, sizes: list[int]):
    folder, size = tmp_path / "log", sizes[-1]
    write_log(folder, sizes)
    count = write_proofs(folder, size)
    told = judge(folder, *(key.verifier.text for key in KEYS))
    digests = b"".join(hashlib.sha256(Entries.at(index)).digest() for index in range(size))
    assert told == {
        "origin": ORIGIN,
        "size": size,
        "keys": 3,
        "entries": hashlib.sha256(digests).hexdigest(),
        "proofs": 100 + count,
    }


def test_the_judge_notices_a_turned_bit(judge: Judge, tmp_path: Path):
    folder = tmp_path / "log"
    write_log(folder, [300])
    write_proofs(folder, 300)
    tile = folder / "tile/0/000"
    tile.write_bytes(tile.read_bytes()[:-1] + b"\0")
    with pytest.raises(AssertionError):
        judge(folder, *(key.verifier.text for key in KEYS))


@pytest.mark.parametrize("size", [1, 256, 700])
def test_we_accept_the_log_of_the_judge(judge: Judge, tmp_path: Path, size: int):
    folder = tmp_path / "theirs"
    log_key, witness_key = map(read_verifier_key, judge("--write", folder, size)["vkeys"])

    def fetch(path: str, at_most_bytes: int) -> bytes:
        if not (folder / path).exists():
            raise TileMissing(f"There is no {path}.")
        return (folder / path).read_bytes()[: at_most_bytes + 1]

    log = TiledLog.newest(fetch, KnownLog.of_key(log_key))
    assert list(log.entries(0, size)) == [b"leaf %d" % index for index in range(size)]
    policy = Policy((PolicyLog(log_key),), (PolicyWitness("W", witness_key),), (), "W")
    assert policy.accept((folder / "checkpoint").read_bytes()).checkpoint.size == size
