"""Verify a folder against the proof of a revision, offline: `python -m allmende.proof.verifier --help`.

For auditors: this is all there is to believe in. It needs the rooms `merkle` and `proof`, `cryptography`, and
no network. The command `allmende verify` does the same through the same functions. To follow it, read this
module, `verdicts`, `revision_checking`, `logged_acts`, `proof_bundles`, then `merkle` from its `__init__` on.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from allmende.errors import AllmendeError
from allmende.merkle import MAX_POLICY_BYTES, read_verifier_key
from allmende.proof.checks import check_lines, checks_of
from allmende.proof.key_sets import MAX_KEY_SET_BYTES, root_policy
from allmende.proof.model_folders import read_folder
from allmende.proof.proof_bundles import MAX_PROOF_BUNDLE_BYTES
from allmende.proof.verdicts import (
    EXIT_CODES,
    Verdict,
    detail_lines,
    judge_bundle,
    judge_files,
    refused,
    verdict_lines,
)

__all__ = ["main", "verify_folder"]


def verify_folder(bundle: bytes, folder: Path, policy: bytes | None, *, partial: bool = False) -> Verdict:
    """The verdict on the files of a folder. Raises OSError where a file cannot be read."""
    verdict = judge_bundle(bundle, policy)
    if verdict.checked is None:
        return verdict
    sizes = {one.path: one.size_bytes for one in verdict.checked.bundle.files}
    try:
        return judge_files(verdict, read_folder(folder, sizes), partial=partial)
    except AllmendeError as error:
        return refused(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns 0 verified, 1 refused, 2 nothing to verify against or not possible."""
    parser = argparse.ArgumentParser(
        prog="allmende.proof.verifier", description=(__doc__ or "").split(":")[0]
    )
    parser.add_argument(
        "bundle", type=Path, help="the proof: .allmende/proof.json of a folder that was pulled"
    )
    parser.add_argument("folder", type=Path, help="the folder of the model")
    parser.add_argument("--policy", type=Path, help="whom to believe (C2SP tlog-policy)")
    parser.add_argument("--root", help="believe only keys in --keys, and those only of this root key")
    parser.add_argument("--keys", type=Path, help="the set of keys that the root has signed")
    parser.add_argument("--partial", action="store_true", help="files of the revision may be missing")
    given = parser.parse_args(arguments)
    if (given.root is None) != (given.keys is None):
        parser.error("--root and --keys go together")
    try:
        policy = None if given.policy is None else _read(given.policy, MAX_POLICY_BYTES)
        if given.root is not None and given.keys is not None:
            signed = _read(given.keys, MAX_KEY_SET_BYTES)
            policy = root_policy(read_verifier_key(given.root), signed, policy)
        bundle = _read(given.bundle, MAX_PROOF_BUNDLE_BYTES)
        verdict = verify_folder(bundle, given.folder, policy, partial=given.partial)
    except AllmendeError as error:
        verdict = refused(error)
    except OSError as error:
        sys.stderr.write(f"error: {printable(str(error))}\n")
        return EXIT_CODES["unknown"]
    for line in (*verdict_lines(verdict), *check_lines(checks_of(verdict)), *detail_lines(verdict)):
        sys.stdout.write(f"{printable(line)}\n")
    return EXIT_CODES[verdict.state]


def printable(text: str) -> str:
    """Without what a terminal would obey: names of files are anybody's."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _read(path: Path, at_most: int) -> bytes:
    """A file; of one that is too long one byte too many, which its reader refuses."""
    with path.open("rb") as file:
        return file.read(at_most + 1)


if __name__ == "__main__":
    sys.exit(main())
