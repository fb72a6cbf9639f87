"""Verifying a folder of 1 GB against what `sha256sum` needs for the same bytes.

In memory, so that no disk is measured. `sha256sum` runs as one process; verifying reads files side by side,
so both the processor time and the wall time are told. The bound is on the processor time.
"""

import os
import resource
import subprocess
import time
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from statistics import median

from allmende.merkle import (
    Checkpoint,
    KeyKind,
    LogProof,
    MemoryTree,
    SigningKey,
    generate_key,
    inclusion_proof,
    leaf_hash,
    signed_checkpoint,
)
from allmende.proof import BundleFile, ProofBundle, ProvenEntry, canonical_json, dir_hash
from allmende.proof.verifier import verify_folder
from bench.findings import Finding
from bench.place import Place

__all__ = ["measure_verify"]

_FILES = 4
_FILE_BYTES = 250_000_000
_BLOCK_BYTES = 1_000_000
_COMMIT = "0" * 40
_ORIGIN = "bench.example/log"
_BOUND = 1.2


def measure_verify(place: Place, rounds: int) -> list[Finding]:
    """One folder, verified and summed again and again."""
    folder = place.folder / "verify"
    folder.mkdir()
    files = [_made(folder / f"part-{number}.bin") for number in range(_FILES)]
    key = generate_key(_ORIGIN, KeyKind.ED25519)
    bundle = _bundle(files, key).data
    policy = f"log {key.verifier.text}\nquorum none\n".encode()
    names = [str(folder / one.path) for one in files]
    cpu, walls = [], []
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        verdict = verify_folder(bundle, folder, policy)
        ours = (time.process_time() - used, time.perf_counter() - began)
        if verdict.state != "verified":
            raise RuntimeError(f"the folder is {verdict.state}: {verdict.reason}")
        theirs = _summed(names)
        cpu.append(ours[0] / theirs[0])
        walls.append(ours[1] / theirs[1])
    for name in names:
        Path(name).unlink()
    size = _FILES * _FILE_BYTES
    return [
        Finding(
            "verify_folder",
            f"verifying {size / 1e9:.0f} GB in {_FILES} files, processor time against that of sha256sum",
            median(cpu),
            "times",
            _BOUND,
            details={"cpu_ratios": cpu, "wall_ratios": walls, "processors": os.cpu_count()},
        )
    ]


def _summed(names: list[str]) -> tuple[float, float]:
    """Processor and wall time of `sha256sum`."""
    began, used = time.perf_counter(), _children_s()
    subprocess.run(["sha256sum", *names], check=True, stdout=subprocess.DEVNULL)
    return _children_s() - used, time.perf_counter() - began


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _made(path: Path) -> BundleFile:
    digest = sha256()
    block = token_bytes(_BLOCK_BYTES)
    with path.open("wb") as file:
        for number in range(_FILE_BYTES // _BLOCK_BYTES):
            data = number.to_bytes(8) + block[8:]
            digest.update(data)
            file.write(data)
    return BundleFile(path.name, digest.hexdigest(), _FILE_BYTES)


def _bundle(files: list[BundleFile], key: SigningKey) -> ProofBundle:
    statement = canonical_json(
        {
            "v": 1,
            "kind": "publish",
            "time": "2026-11-28T09:00:00Z",
            "hub": _ORIGIN,
            "repo": {"type": "model", "id": "bench", "subject": "0" * 64},
            "commit": _COMMIT,
            "dirHash": dir_hash((one.path, one.sha256) for one in files),
        }
    )
    salt = token_bytes(32)
    entry = canonical_json(
        {
            "v": 1,
            "kind": "publish",
            "time": "2026-11-28T09:00:00Z",
            "subject": "0" * 64,
            "commitment": sha256(salt + statement).hexdigest(),
        }
    )
    tree = MemoryTree(leaf_hash(each) for each in (b"before", entry, b"after"))
    note = signed_checkpoint(Checkpoint(_ORIGIN, tree.size, tree.root()), [key])
    proof = LogProof(1, tuple(inclusion_proof(tree, 1, tree.size)), note)
    proven = ProvenEntry(entry, statement, salt, proof)
    return ProofBundle(_ORIGIN, "model", "bench", _COMMIT, tuple(files), (proven,), (), (), (key.verifier,))
