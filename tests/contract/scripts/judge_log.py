"""Judges a folder that claims to be a tiled log, with the code of tlog-scales alone; runs in its environment.

judge_log.py FOLDER VKEY...       reads and checks a log; prints what was accepted
judge_log.py --write FOLDER SIZE  writes a log of its own; prints the keys that signed it
"""

import hashlib
import json
import random
import sys
from pathlib import Path

from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import MLDSA44CosignatureSigner, PlainEd25519Signer, Vkey
from tlog_scales.tiles import leaf_hash
from tlog_scales.tlog import ConsistencyProof, InclusionProof
from tlog_scales.writer import TilesWriter

_PROOFS = 100


def judge(folder: Path, vkeys: list[str]) -> dict[str, object]:
    """Everything there is: checkpoint, signatures, root, entries, random proofs, and the proofs given."""
    reader = TilesReader(LocalBackend(folder))
    checkpoint = reader.get_checkpoint()
    for text in vkeys:
        checkpoint.verify(Vkey.from_string(text))
    assert reader.calculate_root_hash() == checkpoint.root_hash
    entries = [reader.get_entry(index) for index in range(checkpoint.size)]
    chance = random.Random(checkpoint.size)
    for _ in range(_PROOFS):
        index = chance.randrange(checkpoint.size)
        proof = reader.get_inclusion_proof(index, checkpoint.size)
        proof.check(leaf_hash(entries[index]), checkpoint.root_hash)
    given = json.loads((folder / "proofs.json").read_text("utf-8"))
    for index, hashes in given["inclusion"]:
        made = InclusionProof(index, checkpoint.size, [bytes.fromhex(each) for each in hashes])
        made.check(leaf_hash(entries[index]), checkpoint.root_hash)
    for size, root, hashes in given["consistency"]:
        old = ConsistencyProof(size, checkpoint.size, [bytes.fromhex(each) for each in hashes])
        old.check(bytes.fromhex(root), checkpoint.root_hash)
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "keys": len(vkeys),
        "entries": hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in entries)).hexdigest(),
        "proofs": _PROOFS + len(given["inclusion"]) + len(given["consistency"]),
    }


def write(folder: Path, size: int) -> dict[str, object]:
    """A log of the judge's own, with both kinds of signature that it makes."""
    writer = TilesWriter.create(folder, "judge.example/log")
    for index in range(size):
        writer.add_leaf(b"leaf %d" % index)
    signers = [
        PlainEd25519Signer("judge.example/log", b"\1" * 32),
        MLDSA44CosignatureSigner("judge.example/witness", b"\2" * 32),
    ]
    writer.commit(signers)
    return {"vkeys": [signer.vkey.serialize() for signer in signers]}


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        told = write(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        told = judge(Path(sys.argv[1]), sys.argv[2:])
    print(json.dumps(told))
