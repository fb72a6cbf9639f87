"""Proofs of revisions: fetched from a hub, and kept where stock clients pass them over.

In a folder a proof lies at `.allmende/proof.json`. In the Hugging Face cache it lies at
`<repo>/.allmende/<commit>.json`, beside `snapshots`: their clients look into `refs`, `snapshots` and `blobs`
of a repo's folder and into nothing else, while a file in a snapshot would count as one of the model's.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from allmende.client.connection import Connection
from allmende.client.errors import UnexpectedAnswer
from allmende.client.files import put_whole
from allmende.client.listing import RemoteRepo
from allmende.client.places import hub_cache, repo_folder_name
from allmende.ids import COMMIT_OID, RepoType
from allmende.proof import MAX_PROOF_BUNDLE_BYTES

__all__ = [
    "PROOF_NAME",
    "LocalModel",
    "cached_snapshot",
    "fetch_evidence",
    "fetch_proof",
    "find_local",
    "keep_proof",
    "proof_path",
]

PROOF_NAME = ".allmende/proof.json"

_BLOCK_BYTES = 256 * 1024
_MAX_EVIDENCE_BYTES = 8 * 1024**3
_REVISION = re.compile(r"[^\0-\x1f\\]{1,255}")


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A folder of a model on this machine, and where the proof of its revision lies if there is one."""

    folder: Path
    proof: Path


def fetch_proof(hub: Connection, repo: RemoteRepo, commit: str) -> bytes:
    """The proof of a commit as the hub gives it, unread. Raises NotFound where the hub has none."""
    with hub.open("GET", f"/api/allmende/v1/{repo.type}s/{repo.name}/proof/{commit}") as answer:
        data = answer.read(MAX_PROOF_BUNDLE_BYTES + 1)
    if len(data) > MAX_PROOF_BUNDLE_BYTES:
        raise UnexpectedAnswer(f"The hub's proof is larger than {MAX_PROOF_BUNDLE_BYTES} bytes.")
    return bytes(data)


def proof_path(folder: Path) -> Path:
    """Where the proof of a folder lies: in it, or beside the snapshots of the cache that it is in."""
    if folder.parent.name == "snapshots" and COMMIT_OID.fullmatch(folder.name):
        return folder.parent.parent / ".allmende" / f"{folder.name}.json"
    return folder / PROOF_NAME


def keep_proof(folder: Path, data: bytes) -> Path:
    """Write the proof to its place, whole or not at all; returns the place."""
    path = proof_path(folder)
    put_whole(path, data)
    return path


def find_local(path: Path) -> LocalModel:
    """The model at a path: a folder, or the folder of a repo in the cache, of which `main` is taken.

    The folder of the repo may have one snapshot and no ref. Raises FileNotFoundError, NotADirectoryError.
    """
    if not path.is_dir():
        raise NotADirectoryError(20, "Not a folder", str(path))
    folder = path.absolute()
    if (folder / "snapshots").is_dir() and "--" in folder.name:
        folder = _snapshot(folder, "main")
    return LocalModel(folder, proof_path(folder))


def cached_snapshot(repo: RemoteRepo, revision: str, cache: Path | None = None) -> Path | None:
    """The snapshot of a repo in the cache, by commit, branch or tag; None where there is none."""
    folder = (cache or hub_cache()) / repo_folder_name(repo)
    return _snapshot(folder, revision) if (folder / "snapshots").is_dir() else None


def _snapshot(repo_folder: Path, revision: str) -> Path:
    commit = revision
    if COMMIT_OID.fullmatch(revision) is None:
        if _REVISION.fullmatch(revision) is None or ".." in revision.split("/"):
            raise FileNotFoundError(2, "No such revision in the cache", revision)
        ref = repo_folder / "refs" / revision
        if ref.is_file():
            with ref.open("rb") as file:
                commit = file.read(64).decode("ascii", "replace").strip()
        else:
            there = [each.name for each in (repo_folder / "snapshots").iterdir() if each.is_dir()]
            commit = there[0] if len(there) == 1 and revision == "main" else ""
    if COMMIT_OID.fullmatch(commit) is None or not (repo_folder / "snapshots" / commit).is_dir():
        raise FileNotFoundError(2, f"No snapshot of {revision} in the cache", str(repo_folder))
    return repo_folder / "snapshots" / commit


def fetch_evidence(hub: Connection, of: str | None, repo_type: RepoType, into: Path) -> None:
    """Write the archive of evidence of a repo, of a namespace, or (None) of the hub, as the hub gives it."""
    if of is None:
        address = "/api/allmende/v1/evidence/hub"
    elif "/" in of:
        repo = RemoteRepo(repo_type, of)
        address = f"/api/allmende/v1/{repo.type}s/{repo.name}/evidence"
    else:
        address = f"/api/allmende/v1/evidence/namespaces/{quote(of, safe='')}"
    size_bytes = 0
    with hub.open("GET", address) as answer, into.open("wb") as writer:
        while block := answer.read(_BLOCK_BYTES):
            size_bytes += len(block)
            if size_bytes > _MAX_EVIDENCE_BYTES:
                raise UnexpectedAnswer(f"The hub's evidence is larger than {_MAX_EVIDENCE_BYTES} bytes.")
            writer.write(block)
