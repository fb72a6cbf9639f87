"""Who vouches for a revision: its record, signatures, statements about it and entries of the log."""

from dataclasses import dataclass

from allmende.facts import Attestation, RecordVersion, RevisionFacts, latest_record
from allmende.flows import SIGNATURE, Services, shown_attestations
from allmende.ids import GitOid
from allmende.log import LogEntry, entries_of_repo
from allmende.proof import PREDICATES
from allmende.registry import Repo
from allmende.storage import UnitOfWork
from allmende.web.addresses import documents_path, log_path, record_path, signatures_path
from allmende.web.messages import Catalogue
from allmende.web.statements import Statement

__all__ = ["GOOD_SIGNATURES", "Vouched", "attested_word", "vouched_for", "vouching_statements"]

GOOD_SIGNATURES = frozenset({"valid", "valid-extra-files"})
_TYPES = {predicate_type: name for name, predicate_type in PREDICATES.items()}
_MAX_COUNTED = 20
_PUBLISH = "publish"


@dataclass(frozen=True, slots=True)
class Vouched:
    """What is known of a revision beside its own facts; entries and statements up to 20 of each."""

    repo: Repo
    revision: str
    """As the page's address calls it."""
    record: RecordVersion | None
    attestations: tuple[Attestation, ...]
    more_attestations: bool
    entries: tuple[LogEntry, ...]
    signed_size: int
    """How many entries the newest checkpoint covers."""
    has_additions: bool
    """Whether the publisher has added something for documents."""


def vouched_for(
    services: Services, uow: UnitOfWork, repo: Repo, oid: GitOid, revision: str, *, has_additions: bool
) -> Vouched:
    """All of it, for whoever may read the repo."""
    attested, following = shown_attestations(uow, repo, oid, limit=_MAX_COUNTED)
    signed = services.log.signed()
    return Vouched(
        repo,
        revision,
        latest_record(uow, repo.id, oid),
        tuple(attested),
        following is not None,
        tuple(entries_of_repo(uow, repo.id, oid, limit=_MAX_COUNTED)),
        0 if signed is None else signed.size,
        has_additions,
    )


def vouching_statements(vouched: Vouched, facts: RevisionFacts, t: Catalogue) -> list[Statement]:
    """The same as statements, each of which leads to its evidence."""
    return [
        _record(vouched, t),
        *([_documents(vouched, t)] if vouched.repo.type == "model" else []),
        _signature(vouched, facts, t),
        _attested(vouched, t),
        _logged(vouched, t),
    ]


def attested_word(found: Attestation, t: Catalogue) -> str:
    """What kind of statement it is: by the step of this hub that made it, or by its type."""
    own = t.word(f"vouching.made.{found.maker}", "")
    return own or t.word(f"vouching.type.{_TYPES.get(found.predicate_type)}", found.predicate_type)


def _record(vouched: Vouched, t: Catalogue) -> Statement:
    found, link = vouched.record, record_path(vouched.repo, vouched.revision)
    if found is None:
        return Statement("record", t("vouching.no_record"), None, link=link)
    says = t("vouching.record", version=t.number(found.version), when=t.day(found.made_at))
    return Statement("record", says, "attested", t("vouching.record_evidence"), link)


def _documents(vouched: Vouched, t: Catalogue) -> Statement:
    """Where they are and what they rest on; to count gaps, all of them would have to be made."""
    link = documents_path(vouched.repo, vouched.revision)
    if vouched.record is None:
        return Statement("documents", t("vouching.no_documents"), None, link=link)
    key = "documents_with_additions" if vouched.has_additions else "documents_of_record"
    return Statement("documents", t(f"vouching.{key}"), "derived", t("vouching.documents_evidence"), link)


def _signature(vouched: Vouched, facts: RevisionFacts, t: Catalogue) -> Statement:
    link = signatures_path(vouched.repo, vouched.revision)
    fact = facts.get(SIGNATURE)
    value = fact.value if fact is not None and isinstance(fact.value, dict) else {}
    state = value.get("state")
    if fact is None or not isinstance(state, str):
        return Statement("signature", t("vouching.unsigned"), None, link=link)
    word = t.word(f"vouching.state.{state}", state)
    evidence = t("evidence.tool", tool=fact.tool, version=fact.tool_version, when=t.moment(fact.at))
    if state in GOOD_SIGNATURES:
        signer = _signer(value.get("signatures"), state)
        says = t("vouching.signed_by", who=signer) if signer else word
        return Statement("signature", says, "attested", evidence, link)
    return Statement("signature", t("vouching.signature_there"), "attested", evidence, link, doubt=word)


def _signer(listed: object, state: str) -> str:
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("state") == state and isinstance(one.get("signer"), str):
            return str(one["signer"])
    return ""


def _attested(vouched: Vouched, t: Catalogue) -> Statement:
    link = f"{signatures_path(vouched.repo, vouched.revision)}#attestations"
    found = vouched.attestations
    if not found:
        return Statement("attested", t("vouching.nothing_attested"), None, link=link)
    words = list(dict.fromkeys(attested_word(one, t) for one in found))
    says = ", ".join(words) + (" …" if vouched.more_attestations else "")
    return Statement("attested", says, "attested", t("vouching.attested_evidence"), link)


def _logged(vouched: Vouched, t: Catalogue) -> Statement:
    link = log_path(vouched.repo, vouched.revision)
    published = [one for one in vouched.entries if one.kind == _PUBLISH]
    entry = next(iter((*published, *vouched.entries)), None)
    if entry is None:
        return Statement("logged", t("vouching.not_logged"), None, link=link)
    says = t("vouching.logged", number=t.number(entry.number))
    doubt = "" if entry.number < vouched.signed_size else t("vouching.not_signed_yet")
    return Statement("logged", says, "measured", t("vouching.logged_evidence"), link, doubt)
