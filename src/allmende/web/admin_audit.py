"""Who did what, for administrators: the acts on record, of one kind, account or repo, or of all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.flows import KINDS_OF_ACTS
from allmende.ids import AccountId, RepoId, RepoType
from allmende.registry import (
    Account,
    AccountNotFound,
    Repo,
    RepoNotFound,
    accounts_by_id,
    find_account,
    lookup_repo,
    repos_by_id,
)
from allmende.storage import Event, UnitOfWork, recent_events
from allmende.web.addresses import LISTS
from allmende.web.admin_frame import admin_route, shown, whole_number
from allmende.web.visits import Visit

__all__ = ["audit", "routes"]

_ON_PAGE = 50
_SHORT_CHARS = 160
_OF_ACCOUNTS = ("account.", "member.", "password.", "token.")
"""Kinds of events that name the account that they are about, and not who did them."""


@dataclass(frozen=True, slots=True)
class ActRow:
    """An act as the list shows it; `said` is all that is on record of it, as JSON."""

    event: Event
    by: Account | None
    about: Account | None
    repo: Repo | None
    what: str
    said: str
    short: str


def routes() -> list[Route]:
    """The page."""
    return [admin_route("/audit", audit)]


def audit(visit: Visit) -> Response:
    """A page of the acts, the newest first. Raises BadRequest, AccountNotFound, RepoNotFound for filters."""
    kind = visit.parameter("kind")
    if kind and kind not in KINDS_OF_ACTS:
        raise BadRequest("Acts of this kind are not known.", code="kind_unknown")
    text = visit.parameter("below")
    below = whole_number(text) if text else None
    with visit.read() as uow:
        found = recent_events(
            uow,
            _ON_PAGE + 1,
            below=below,
            kind=kind or None,
            actor_id=_account_id(uow, visit.parameter("account")),
            repo_id=_repo_id(uow, visit.parameter("repo")),
        )
        rows = _rows(uow, found[:_ON_PAGE])
    return shown(
        visit,
        "admin_audit.html",
        "audit",
        rows=rows,
        kinds=KINDS_OF_ACTS,
        kind=kind,
        account_name=visit.parameter("account"),
        repo_name=visit.parameter("repo"),
        newest=visit.address(below="") if text else None,
        older=visit.address(below=str(found[_ON_PAGE - 1].id)) if len(found) > _ON_PAGE else None,
    )


def _rows(uow: UnitOfWork, events: Sequence[Event]) -> list[ActRow]:
    named = {event.id: _about(event) for event in events}
    ids = {event.actor_id for event in events} | set(named.values())
    accounts = accounts_by_id(uow, (each for each in ids if each is not None))
    repos = repos_by_id(uow, (event.repo_id for event in events if event.repo_id is not None))
    rows = []
    for event in events:
        about, by = named[event.id], event.actor_id
        said = json.dumps(dict(event.payload), ensure_ascii=False, sort_keys=True)
        act = event.payload.get("act")
        rows.append(
            ActRow(
                event,
                None if by is None or event.kind.startswith(_OF_ACCOUNTS) else accounts.get(by),
                None if about is None else accounts.get(about),
                None if event.repo_id is None else repos.get(event.repo_id),
                act if isinstance(act, str) else "",
                said,
                said if len(said) <= _SHORT_CHARS else f"{said[:_SHORT_CHARS]}…",
            )
        )
    return rows


def _about(event: Event) -> AccountId | None:
    if event.kind.startswith(_OF_ACCOUNTS):
        return event.actor_id
    about = event.payload.get("account")
    return AccountId(about) if isinstance(about, int) else None


def _account_id(uow: UnitOfWork, name: str) -> AccountId | None:
    if not name:
        return None
    found = find_account(uow, name)
    if found is None:
        raise AccountNotFound(name)
    return found.id


def _repo_id(uow: UnitOfWork, text: str) -> RepoId | None:
    """The repo of `namespace/name`, a model, or of one with its type before, as addresses have it."""
    if not text:
        return None
    word, _, rest = text.partition("/")
    types: dict[str, RepoType] = {many: one for one, many in LISTS.items()}
    repo_type: RepoType = types[word] if word in types and "/" in rest else "model"
    found = lookup_repo(uow, repo_type, rest if word in types and "/" in rest else text)
    if found is None:
        raise RepoNotFound
    return found.id
