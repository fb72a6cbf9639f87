"""Evidence for auditors: an archive of the proofs of revisions, as far as the caller may see them.

What is in it, and how it is verified without the hub, is said in `proof.evidence`.
"""

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from tempfile import TemporaryFile
from typing import BinaryIO

from allmende.clock import iso
from allmende.errors import AllmendeError, TooLarge
from allmende.flows.proof_bundle import key_entries, proof_bundle, prove_entry
from allmende.flows.services import Services
from allmende.ids import GitOid
from allmende.log import LogUnsigned
from allmende.merkle import Note, read_checkpoint
from allmende.proof import (
    EvidenceRevision,
    check_bundle,
    keys_file,
    manifest_of,
    own_policy,
    record_file,
    signed_manifest,
)
from allmende.registry import Actor, Repo, RepoQuery, list_refs, list_repos
from allmende.storage import UnitOfWork

__all__ = ["heads_of", "repos_for_evidence", "write_evidence"]

_MAX_REVISIONS = 10_000
_PAGE = 500
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the archive: the manifest says when it was made."""


def repos_for_evidence(uow: UnitOfWork, actor: Actor, namespace: str | None) -> list[Repo]:
    """The repos of a namespace, or of the whole hub, that the actor may read. Raises TooLarge."""
    found: list[Repo] = []
    query = RepoQuery(None, author=namespace, descending=False, limit=_PAGE)
    while True:
        page = list_repos(uow, actor, query)
        found += page.repos
        if len(found) > _MAX_REVISIONS:
            raise _too_many()
        if page.next is None:
            return found
        query = RepoQuery(None, author=namespace, descending=False, limit=_PAGE, after=page.next)


def heads_of(uow: UnitOfWork, repos: Iterable[Repo]) -> list[tuple[Repo, GitOid]]:
    """The commits that branches and tags of the repos name, each once. Raises TooLarge."""
    heads = [
        (repo, commit)
        for repo in repos
        for commit in sorted({ref.commit_oid for ref in list_refs(uow, repo.id)})
    ]
    if len(heads) > _MAX_REVISIONS:
        raise _too_many()
    return heads


def write_evidence(
    services: Services,
    scope: str,
    heads: Sequence[tuple[Repo, GitOid]],
    attached: Mapping[str, bytes] | None = None,
) -> BinaryIO:
    """The archive, in a file that goes when it is closed, read from its beginning.

    Revisions without a proof are listed with the reason; files of `attached` lie below `attached/`.
    Raises LogUnsigned, KeysDamaged, OSError.
    """
    note = services.log.checkpoint()
    if note is None:
        raise LogUnsigned
    file = TemporaryFile(dir=services.settings.data)  # noqa: SIM115  # the caller closes it
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            _fill(services, archive, scope, heads, note, attached or {})
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _fill(
    services: Services,
    archive: zipfile.ZipFile,
    scope: str,
    heads: Sequence[tuple[Repo, GitOid]],
    note: Note,
    attached: Mapping[str, bytes],
) -> None:
    made_at = iso(services.database.clock())
    files: dict[str, tuple[str, int]] = {}
    proven: list[EvidenceRevision] = []
    without: list[tuple[EvidenceRevision, str]] = []

    def add(path: str, data: bytes) -> None:
        files[path] = (sha256(data).hexdigest(), len(data))
        _add(archive, path, data)

    for repo, commit in heads:
        revision = EvidenceRevision(repo.full_name, repo.type, repo.public_id, commit)
        try:
            bundle = proof_bundle(services, repo, commit)
            checked = check_bundle(bundle, own_policy(bundle))
        except AllmendeError as error:
            without.append((revision, error.code))
            continue
        add(revision.proof_path, bundle.data)
        record = record_file(checked)
        if record is not None:
            add(revision.record_path, record)
        proven.append(revision)
    size = read_checkpoint(note.text).size
    with services.database.read() as uow:
        keys = sorted(key_entries(uow, size), key=lambda one: one.number)
    add("keys.json", keys_file([prove_entry(services, one, note) for one in keys]))
    add("checkpoint", bytes(note))
    for name, data in attached.items():
        add(f"attached/{name}", data)
    named = [f"attached/{name}" for name in attached]
    manifest = manifest_of(
        services.log.origin, scope, made_at, services.log.log_keys, proven, without, files, named
    )
    _add(archive, "manifest.json", manifest)
    signer = services.log.statement_signer()
    _add(archive, "manifest.dsse.json", signed_manifest(manifest, signer, made_at))


def _add(archive: zipfile.ZipFile, path: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(path, _EARLIEST), data, zipfile.ZIP_DEFLATED)


def _too_many() -> TooLarge:
    return TooLarge(
        f"There are more than {_MAX_REVISIONS} revisions to give evidence of.",
        hint="Ask for one namespace or one repo at a time.",
    )
