"""What `allmende verify` finds out: on a folder, on a snapshot in the cache, on a repo of a hub."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from allmende.cli.root_trust import RootTrust
from allmende.client import (
    BytesDiffer,
    Connection,
    KnownPolicy,
    LocalModel,
    NamedWitness,
    RemoteFile,
    RemoteRepo,
    cached_snapshot,
    fetch_proof,
    known_policy,
    list_snapshot,
    meet,
    proof_path,
    read_bounded,
    read_small_files,
)
from allmende.errors import AllmendeError, NotFound
from allmende.ids import COMMIT_OID, RepoType
from allmende.proof import (
    MAX_BUNDLE_BYTES,
    MAX_PROOF_BUNDLE_BYTES,
    BundleFile,
    Check,
    EvidenceVerdict,
    FolderFile,
    SignatureReport,
    SignedFile,
    TrustPolicy,
    Verdict,
    checks_of,
    evidence_hub,
    is_signature_path,
    judge_bundle,
    judge_evidence,
    judge_files,
    read_folder,
    read_proof_bundle,
    refused,
    unknown,
    verify_model_signature,
)

__all__ = [
    "Verification",
    "cached_model",
    "is_archive",
    "verify_archive",
    "verify_local",
    "verify_remote",
    "with_signatures",
]

_TYPES: tuple[RepoType, ...] = ("model", "dataset", "space")
_NO_PROOF_HINT = "Pull it with allmende pull, or fetch one: allmende proof REPO -o FILE, then --bundle FILE."


_ADVISORIES = Check("advisories", "not_checked", "What became known of the model later is not asked for.")


@dataclass(frozen=True, slots=True)
class Verification:
    """A verdict, and what was found beside it."""

    verdict: Verdict
    folder: Path | None = None
    """What was read; None where nothing was."""
    signatures: Mapping[str, SignatureReport] = field(default_factory=dict)
    """Of the publisher's own signatures among the files, by path."""
    known: KnownPolicy | None = None
    """The user's file by which the log is believed, if it was that."""
    withheld: tuple[str, ...] = ()
    """Small files that the hub gives to nobody: their sizes are compared, and their bytes are not."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the verdict rests on, step by step, and what was not looked at."""
        steps = checks_of(self.verdict, bytes_read=self.folder is not None)
        if not steps:
            return ()
        return (*steps, *self._withheld_check(), *self._publisher_checks(), _ADVISORIES)

    def _withheld_check(self) -> tuple[Check, ...]:
        if not self.withheld:
            return ()
        count = len(self.withheld)
        named = f"{self.withheld[0]}{f' and {count - 1} more' if count > 1 else ''}"
        return (Check("withheld", "not_checked", f"The hub's scan stops {named}: compared by size alone."),)

    def _publisher_checks(self) -> tuple[Check, ...]:
        if self.folder is None:
            return (Check("publisher", "not_checked", "Signatures of the publisher are read in a folder."),)
        if not self.signatures:
            return (Check("publisher", "absent", "No signature of the publisher lies among the files."),)
        return tuple(
            Check(
                "publisher",
                "held" if report.is_valid else "not_checked",
                f"{path}: {report.state}. {report.reason}",
            )
            for path, report in self.signatures.items()
        )


def verify_local(
    model: LocalModel,
    bundle: Path | None,
    policy: bytes | None,
    connection: Callable[[], Connection] | None,
    *,
    root: RootTrust | None = None,
    partial: bool,
    jobs: int,
    told: Callable[[int], None] | None = None,
) -> Verification:
    """The verdict on a folder. Where no proof lies there, the hub is asked, if it may be. Raises OSError."""
    path = bundle or model.proof
    data = None
    if bundle or path.exists():
        data = read_bounded(path, MAX_PROOF_BUNDLE_BYTES)
    elif connection is not None:
        with connection() as hub:
            data = _proof_for_snapshot(hub, model.folder)
    if data is None:
        return Verification(unknown(f"There is no proof for {model.folder}.", _NO_PROOF_HINT), model.folder)
    known = None
    if root is not None:
        origin = _hub_of(data)
        policy = policy if origin is None else root.policy(origin, policy)
    elif policy is None and (known := _policy_for(data)) is not None:
        policy = known.data
    verdict = judge_bundle(data, policy)
    if verdict.checked is not None:
        sizes = {one.path: one.size_bytes for one in verdict.checked.bundle.files}
        try:
            found = read_folder(model.folder, sizes, told, jobs)
        except AllmendeError as error:
            return Verification(refused(error), model.folder)
        verdict = judge_files(verdict, found, partial=partial)
    return Verification(verdict, model.folder, known=known)


def verify_remote(
    hub: Connection,
    repo: RemoteRepo,
    revision: str,
    policy: bytes | None,
    *,
    root: RootTrust | None = None,
    witnesses: Sequence[NamedWitness] | None = None,
    jobs: int = 0,
) -> Verification:
    """The verdict on what a hub lists and proves.

    Small files, which git itself keeps and names, are read; of large ones the hashes are compared.
    """
    known = None if policy is not None or root is not None else meet(hub, witnesses)
    snapshot = list_snapshot(hub, repo, revision)
    try:
        data = fetch_proof(hub, repo, snapshot.commit)
    except NotFound as error:
        return Verification(unknown(f"The hub has no proof of {repo.name}: {error.message}", error.hint))
    if root is not None and (origin := _hub_of(data)) is not None:
        policy = root.policy(origin, policy)
    verdict = judge_bundle(data, policy if known is None else known.data)
    if verdict.checked is None:
        return Verification(verdict, known=known)
    if verdict.checked.bundle.commit != snapshot.commit:
        return Verification(
            Verdict("refused", "other_commit", "The proof is of another commit."), known=known
        )
    try:
        read = read_small_files(hub, snapshot, jobs=jobs)
    except BytesDiffer as error:
        return Verification(refused(error), known=known)
    withheld = tuple(sorted(path for path, file in read.items() if file.sha256 is None))
    verdict = judge_files(verdict, _listed(read, verdict.checked.bundle.files))
    return Verification(verdict, known=known, withheld=withheld)


def with_signatures(found: Verification, trust: TrustPolicy, *, is_needed: bool) -> Verification:
    """What the publisher's own signatures among the files say; with `is_needed` one of them has to be valid.

    They are asked as of the time at which a witness saw the log, or now.
    """
    checked, files = found.verdict.checked, found.verdict.files
    if found.folder is None or checked is None or files is None or found.verdict.state != "verified":
        return found
    at = datetime.now(UTC) if checked.seen_at_s is None else datetime.fromtimestamp(checked.seen_at_s, UTC)
    signed = [SignedFile(one.path, one.sha256, one.size_bytes) for one in checked.bundle.files]
    reports = {
        path: verify_model_signature(
            read_bounded(found.folder / path, MAX_BUNDLE_BYTES), signed, trust, at, not_files=(path,)
        )
        for path in files.right
        if is_signature_path(path)
    }
    verdict = found.verdict
    if is_needed and not any(report.is_valid for report in reports.values()):
        why = "; ".join(f"{path}: {report.reason}" for path, report in reports.items())
        verdict = Verdict(
            "refused",
            "publisher_signature_missing",
            "No signature of a trusted publisher covers these files" + (f" ({why})" if why else "") + ".",
        )
    return replace(found, verdict=verdict, signatures=reports)


def cached_model(repo: RemoteRepo, revision: str, cache: Path | None) -> LocalModel:
    """The model of a repo in the cache; raises NotFound."""
    folder = cached_snapshot(repo, revision, cache)
    if folder is None:
        raise NotFound(
            f"{repo.name} is not in the cache.", hint="Pull it, or leave --offline and --cache out."
        )
    return LocalModel(folder, proof_path(folder))


def _proof_for_snapshot(hub: Connection, folder: Path) -> bytes | None:
    """The proof of a snapshot in the cache from the hub, where the names of the folders say which it is."""
    repo_folder = folder.parent.parent.name
    kind, _, name = repo_folder.partition("s--")
    if COMMIT_OID.fullmatch(folder.name) is None or kind not in _TYPES:
        return None
    repo_type = next(each for each in _TYPES if each == kind)
    try:
        return fetch_proof(hub, RemoteRepo(repo_type, name.replace("--", "/", 1)), folder.name)
    except NotFound:
        return None


def is_archive(path: Path) -> bool:
    """Whether a path is that of an archive of evidence, by its name."""
    return path.suffix.lower() == ".zip" and path.is_file()


def verify_archive(
    path: Path, policy: bytes | None, root: RootTrust | None = None
) -> tuple[EvidenceVerdict, KnownPolicy | None]:
    """The verdict on an archive of evidence, and the user's policy for its hub if that was used."""
    with path.open("rb") as archive:
        known = None
        if root is not None:
            hub = evidence_hub(archive)
            policy = policy if hub is None else root.policy(hub, policy)
        elif policy is None and (hub := evidence_hub(archive)) is not None:
            known = known_policy(hub)
        archive.seek(0)
        return judge_evidence(archive, known.data if known is not None else policy), known


def _hub_of(data: bytes) -> str | None:
    """The hub that a bundle names; a broken bundle names none, and is refused whatever the policy."""
    try:
        return read_proof_bundle(data).hub
    except AllmendeError:
        return None


def _policy_for(data: bytes) -> KnownPolicy | None:
    """The user's policy for the hub that a bundle names."""
    hub = _hub_of(data)
    return None if hub is None else known_policy(hub)


def _listed(listed: Mapping[str, RemoteFile], proven: tuple[BundleFile, ...]) -> Mapping[str, FolderFile]:
    """The hub's list as if it were files; of what it withholds the sizes alone compare."""
    digests = {one.path: one.sha256 for one in proven}
    return {
        path: FolderFile(path, one.size_bytes, one.sha256 or digests.get(path))
        for path, one in listed.items()
    }
