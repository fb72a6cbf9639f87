"""The page of signatures: who signed a revision, which files that covers, what changed, what is attested."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response
from starlette.routing import Route

from allmende.facts import HUB, Attestation, CheckedSignature, model_signatures_of, trust_policy_of
from allmende.flows import shown_attestations
from allmende.ids import AccountId
from allmende.log import entries_of_repo
from allmende.proof import JsonValue, read_json, read_trust_policy
from allmende.registry import check_gate
from allmende.storage import UnitOfWork
from allmende.web.addresses import blob_path, program_path
from allmende.web.messages import Catalogue
from allmende.web.repo_views import View, repo_of, routes_of, view_of
from allmende.web.visits import Visit
from allmende.web.vouching import GOOD_SIGNATURES, attested_word

__all__ = ["AttestedRow", "Coverage", "SignatureRow", "routes", "signatures"]

_ON_PAGE = 50
_MAX_ENTRIES = 1000
_SINCE = ("changed", "missing", "unsigned", "unread", "ignored")
_MAX_SIGNERS = 20


@dataclass(frozen=True, slots=True)
class Coverage:
    """Files that are not as they were signed, in one way: how many, and the first of them."""

    how: str
    count: int
    first: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """A signature as the page shows it."""

    path: str
    link: str
    state: str
    is_good: bool
    reason: str
    signer: str
    key: str
    identities: tuple[str, ...]
    covered: int
    since: tuple[Coverage, ...]
    first_seen: datetime
    checked: datetime


@dataclass(frozen=True, slots=True)
class AttestedRow:
    """A statement about the revision as the page shows it."""

    what: str
    type: str
    signers: tuple[str, ...]
    added: datetime
    link: str
    entry: int | None
    by_hub: bool


def routes() -> list[Route]:
    """The page, for each type."""
    return routes_of("/signatures/{revision:revision}", signatures)


def signatures(visit: Visit) -> Response:
    """Signatures and statements, for those who may read the files. Raises AccessDenied and its like."""
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        check_gate(uow, visit.actor, repo)
        view = view_of(uow, repo, str(visit.request.path_params["revision"]))
        oid = view.revision.oid
        signed = model_signatures_of(uow, repo.id, oid)
        attested, following = shown_attestations(uow, repo, oid, limit=_ON_PAGE)
        logged = _entries_by_envelope(uow, view)
        trusted = [(None, _trusted(uow, HUB)), (repo.namespace, _trusted(uow, repo.namespace_id))]
    return visit.render(
        "signatures.html",
        view=view,
        tab="signatures",
        signatures=[_signature(one, view) for one in signed],
        attested=[_attested(one, view, logged, visit.t) for one in attested],
        more=following is not None,
        program=program_path(repo, "attestations", view.name),
        trusted=[(who, names) for who, names in trusted if names],
    )


def _signature(found: CheckedSignature, view: View) -> SignatureRow:
    report = found.report
    files = report.get("files")
    by_state: Mapping[str, JsonValue] = files if isinstance(files, dict) else {}
    identities = report.get("identities")
    return SignatureRow(
        path=found.path,
        link=blob_path(view.repo, view.name, found.path),
        state=found.state,
        is_good=found.state in GOOD_SIGNATURES,
        reason=str(report.get("reason") or ""),
        signer=str(report.get("signer") or ""),
        key=str(report.get("key_id") or report.get("claimed_key_id") or ""),
        identities=tuple(map(str, identities)) if isinstance(identities, list) else (),
        covered=_count(by_state.get("covered")),
        since=tuple(
            Coverage(how, count, _first(by_state.get(how), view))
            for how in _SINCE
            if (count := _count(by_state.get(how)))
        ),
        first_seen=found.first_seen_at,
        checked=found.checked_at,
    )


def _count(value: JsonValue) -> int:
    count = value.get("count") if isinstance(value, dict) else None
    return count if isinstance(count, int) else 0


def _first(value: JsonValue, view: View) -> tuple[tuple[str, str], ...]:
    listed = value.get("first") if isinstance(value, dict) else None
    paths = [str(path) for path in listed] if isinstance(listed, list) else []
    return tuple((path, blob_path(view.repo, view.name, path)) for path in paths)


def _attested(found: Attestation, view: View, logged: Mapping[str, int], t: Catalogue) -> AttestedRow:
    return AttestedRow(
        attested_word(found, t),
        found.predicate_type,
        tuple(signer.get("name") or signer.get("id", "") for signer in found.signers),
        found.added_at,
        program_path(view.repo, f"attestation/{found.digest}", view.name),
        logged.get(found.digest),
        t.word(f"vouching.made.{found.maker}", "") != "",
    )


def _entries_by_envelope(uow: UnitOfWork, view: View) -> dict[str, int]:
    """Which entry of the log names which envelope."""
    found: dict[str, int] = {}
    for one in entries_of_repo(uow, view.repo.id, view.revision.oid, limit=_MAX_ENTRIES):
        value = read_json(one.statement) if one.statement is not None and one.kind == "attest" else None
        if isinstance(value, dict) and isinstance(digest := value.get("envelope"), str):
            found[digest] = one.number
    return found


def _trusted(uow: UnitOfWork, account_id: AccountId) -> list[str]:
    """Whom a namespace, or the hub, trusts to sign, by the names that its policy gives them."""
    policy = trust_policy_of(uow, account_id)
    if policy is None:
        return []
    return [signer.name for signer in read_trust_policy(policy.document).signers][:_MAX_SIGNERS]
