"""The job `record`: the transparency record of a revision, assembled, signed, kept, and told to the log.

Its payload is `{"repo_id", "commit_oid"}`. It is idempotent: a record that would say what the newest version
says already is not made. A version is kept and its event emitted in one transaction; what is signed names the
revision as in-toto does, and its predicate is the record itself.

Reading gives the newest version, as long as everybody may still see the repos that it names.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from allmende import __version__
from allmende.bom import MAX_BOM_BYTES, is_bom_path
from allmende.clock import iso
from allmende.errors import NotFound
from allmende.facts import (
    RecordVersion,
    add_record,
    erase_records_of,
    forget_records,
    is_examined,
    latest_record,
    record_versions,
    repos_named_in,
    revisions_with_record,
    signed_record,
)
from allmende.flows.application_queue import note_model_changed
from allmende.flows.file_verdicts import entry_verdicts
from allmende.flows.record_facts import CONFIGS, MAX_CONFIG_BYTES, Gathered, gather
from allmende.flows.record_files import small_files
from allmende.flows.record_queue import enqueue_record
from allmende.flows.services import Services
from allmende.flows.statement_key import statement_signer
from allmende.flows.tree_digests import TreeFile, tree_digests
from allmende.git import owns, read_commit
from allmende.ids import GitOid, RepoId
from allmende.jobs import JobContext, Schedule
from allmende.proof import (
    PREDICATES,
    Envelope,
    JsonObject,
    MalformedStatement,
    Statement,
    dir_hash,
    read_envelope,
    sign_statement,
    statement_of,
)
from allmende.proof import Subject as SignedSubject
from allmende.record import Record, Subject, Tool, basis_of, make_record, read_record, unknown
from allmende.registry import (
    ANONYMOUS,
    CARD_PATH,
    Repo,
    find_entry,
    find_repo_by_id,
    list_refs,
    next_repo_id,
    visible_among,
)
from allmende.storage import UnitOfWork

__all__ = [
    "RECORDING",
    "RecordNotReady",
    "RecordWithheld",
    "ShownVersion",
    "hub_name",
    "make_record_of",
    "record_envelope",
    "record_of",
    "shown_versions",
    "tend_records",
]

_log = logging.getLogger(__name__)

RECORDING = Schedule("tend_records", every_s=24 * 3600.0)
"""Once a day what was missed is made up for, and what is of revisions that are gone goes."""

_MAX_BOMS = 5
_TOOL = Tool("allmende", __version__)


class RecordNotReady(NotFound):
    """The revision has no transparency record yet."""

    code = "record_not_ready"


class RecordWithheld(NotFound):
    """This version of the record is not kept, or names what not everybody may see any more."""

    code = "record_withheld"


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """A version of a record; `shown` is False when what it says is not told any more."""

    version: RecordVersion
    shown: bool


# --- making --------------------------------------------------------------------------------------------


def make_record_of(services: Services, context: JobContext) -> None:
    """The job. Does nothing for what is gone, or was not examined yet: the examination asks for it again.

    Raises JobInterrupted when it should stop, and NotFound where the store has lost bytes.
    """
    repo_id = RepoId(int(context.payload["repo_id"]))
    commit_oid = GitOid(str(context.payload["commit_oid"]))
    with services.database.read() as uow:
        if not (owns(uow, repo_id, commit_oid) and is_examined(uow, repo_id, commit_oid)):
            return
    context.checkpoint()
    tree = tree_digests(services, repo_id, commit_oid)
    configs = small_files(services, repo_id, tree, CONFIGS.__contains__, MAX_CONFIG_BYTES, len(CONFIGS))
    boms = small_files(services, repo_id, tree, is_bom_path, MAX_BOM_BYTES, _MAX_BOMS)
    with services.database.read() as uow:
        repo = find_repo_by_id(uow, repo_id)
        if repo is None:
            return
        shows_card = _shows_card(services, uow, repo, commit_oid)
        gathered = gather(uow, repo, commit_oid, tree, configs, boms, shows_card=shows_card)
        before = latest_record(uow, repo_id, commit_oid)
    subject = _subject(repo, commit_oid, tree)
    basis = basis_of(subject, gathered.facts)
    if before is not None and before.kept and before.basis == basis:
        return
    _sign(services, subject, repo_id, gathered, basis, before)


def _shows_card(services: Services, uow: UnitOfWork, repo: Repo, commit_oid: GitOid) -> bool:
    """Whether the words of the card may stand in a record, which everybody reads who may know of the repo."""
    entry = find_entry(uow, read_commit(uow, commit_oid).tree_oid, CARD_PATH)
    verdicts = entry_verdicts(services, uow, repo.id, [] if entry is None else [entry])
    holds_back = services.settings.hold_back_secrets
    return not any(
        verdict.is_stopped or (verdict.holds_secret and holds_back) for verdict in verdicts.values()
    )


def _subject(repo: Repo, commit_oid: GitOid, tree: Sequence[TreeFile]) -> Subject:
    tree_hash: str | None = None
    try:
        tree_hash = dir_hash([(file.path, file.sha256) for file in tree])
    except MalformedStatement:
        _log.info(
            "revision %s of repo %s has no dirHash: a path of it holds a line break", commit_oid, repo.id
        )
    return Subject(repo.type, repo.full_name, repo.public_id, commit_oid, tree_hash)


def _sign(
    services: Services,
    subject: Subject,
    repo_id: RepoId,
    gathered: Gathered,
    basis: str,
    before: RecordVersion | None,
) -> None:
    commit_oid = GitOid(str(subject.commit))
    now = services.database.clock()
    document = make_record(
        subject,
        gathered.facts,
        hub=hub_name(services),
        tool=_TOOL,
        at=now,
        version=1 if before is None else before.version + 1,
        supersedes=None if before is None else _superseded(before),
    )
    digests: dict[str, str] = {"gitCommit": commit_oid}
    if subject.tree_hash is not None:
        digests["dirHash"] = subject.tree_hash
    name = f"{subject.type}/{subject.id}@{commit_oid}"
    statement = Statement((SignedSubject(digests, name),), PREDICATES["record"], document)
    envelope = sign_statement(statement, statement_signer(services))
    with services.database.write() as uow:
        if find_repo_by_id(uow, repo_id) is None or not owns(uow, repo_id, commit_oid):
            return
        if latest_record(uow, repo_id, commit_oid) != before:
            # Another worker was faster; whoever asked for this one gets what holds now.
            enqueue_record(services, uow, repo_id, commit_oid)
            return
        if not _all_seen(uow, gathered.named):
            enqueue_record(services, uow, repo_id, commit_oid)
            return
        if gathered.facts["card"] == unknown("held_back"):
            # Versions from before the scan stopped the card still say its words.
            erase_records_of(uow, repo_id, commit_oid)
        version = 1 if before is None else before.version + 1
        add_record(uow, repo_id, commit_oid, version, basis, envelope.digest, envelope.data, gathered.named)
        uow.emit(
            "record.signed",
            {"revision": commit_oid, "envelope": envelope.digest, "version": version},
            repo_id=repo_id,
        )
        note_model_changed(services, uow, repo_id)


def hub_name(services: Services) -> str:
    """Under which name the hub speaks: its public address without the scheme."""
    settings = services.settings
    if settings.public_url is None:
        return f"{settings.host}:{settings.port}"
    return settings.public_url.partition("://")[2].rstrip("/")


def _superseded(before: RecordVersion) -> JsonObject:
    return {"version": before.version, "digest": before.digest, "made_at": iso(before.made_at)}


def tend_records(services: Services, context: JobContext) -> None:
    """The job of that name: ask for the records of all heads, and forget those of commits that are gone."""
    repo_id = RepoId(0)
    while True:
        context.checkpoint()
        with services.database.read() as uow:
            following = next_repo_id(uow, repo_id)
        if following is None:
            return
        repo_id = following
        with services.database.write() as uow:
            known = revisions_with_record(uow, repo_id)
            gone = [commit for commit in known if not owns(uow, repo_id, commit)]
            forget_records(uow, repo_id, gone)
            for commit in sorted({ref.commit_oid for ref in list_refs(uow, repo_id)}):
                enqueue_record(services, uow, repo_id, commit)


# --- reading -------------------------------------------------------------------------------------------


def record_envelope(uow: UnitOfWork, repo: Repo, commit_oid: GitOid, version: int | None = None) -> Envelope:
    """The newest signed record of a revision, or a version of it, for whoever may read the repo.

    Raises RecordNotReady, and RecordWithheld for what is not told (any more).
    """
    if version is None:
        found = latest_record(uow, repo.id, commit_oid)
    else:
        listed = record_versions(uow, repo.id, commit_oid, 1, version + 1)
        found = listed[0] if listed and listed[0].version == version else None
    if found is None:
        raise RecordNotReady(
            "This revision has no transparency record yet."
            if version is None
            else f"The transparency record of this revision has no version {version}.",
            hint="A record is made when a revision has been examined: ask again in a while.",
        )
    data = signed_record(uow, found.number) if _is_shown(uow, [found])[found.number] else None
    if data is None:
        raise RecordWithheld(
            f"What version {found.version} of this record said is not told any more.",
            hint="It was superseded long ago, or names what not everybody may see: ask for the newest.",
        )
    return read_envelope(data)


def record_of(envelope: Envelope) -> Record:
    """The record in an envelope of this hub."""
    return read_record(statement_of(envelope).predicate)


def shown_versions(
    uow: UnitOfWork, repo: Repo, commit_oid: GitOid, limit: int, before: int | None = None
) -> list[ShownVersion]:
    """The versions of a revision's record, the newest first."""
    listed = record_versions(uow, repo.id, commit_oid, limit, before)
    shown = _is_shown(uow, listed)
    return [ShownVersion(version, shown[version.number]) for version in listed]


def _is_shown(uow: UnitOfWork, listed: Iterable[RecordVersion]) -> dict[int, bool]:
    """Which of these may be told: those whose bytes are kept, and all of whose named repos are public."""
    versions = list(listed)
    named = repos_named_in(uow, [version.number for version in versions])
    every = {one for found in named.values() for one in found}
    seen = visible_among(uow, ANONYMOUS, every).keys()
    return {version.number: version.kept and named.get(version.number, set()) <= seen for version in versions}


def _all_seen(uow: UnitOfWork, named: Iterable[RepoId]) -> bool:
    wanted = set(named)
    return wanted <= visible_among(uow, ANONYMOUS, wanted).keys()
