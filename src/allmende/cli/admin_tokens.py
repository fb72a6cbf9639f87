"""`allmende admin token`: secrets that stand for a user."""

import re
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, note, say, say_json, say_table
from allmende.clock import iso
from allmende.errors import BadRequest

if TYPE_CHECKING:
    from allmende.registry import Account, Scope, Token
    from allmende.storage import UnitOfWork

__all__ = ["create_token", "list_of_tokens", "revoke"]

_DAYS = re.compile(r"([1-9][0-9]{0,4})d")
_SCOPE = re.compile(r"(read|write):((?:(?:model|dataset|space)/[^/\s]+/)?[^/\s]+)")

_User = Annotated[str, Parameter(help="The user.")]


def create_token(
    user: _User,
    name: Annotated[str, Parameter(help="What to call the token.")],
    /,
    *,
    role: Annotated[
        Literal["read", "write", "admin"] | None,
        Parameter(help="What it allows: read (if nothing is said), write, or admin."),
    ] = None,
    scope: Annotated[
        tuple[str, ...],
        Parameter(help="Instead of a role, again for each: read:NAMESPACE or write:TYPE/NAMESPACE/NAME."),
    ] = (),
    expires: Annotated[
        str | None, Parameter(help="When it ends: 2030-12-31, a date with time, or 90d.")
    ] = None,
    replace: Annotated[bool, Parameter(help="Replace the user's token of that name.")] = False,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print its secret, which cannot be shown again."""
    from allmende.registry import issue_token, list_tokens

    if scope and role is not None:
        raise BadRequest("A token has a role or scopes, not both.", hint="Leave --role or --scope out.")
    scopes = tuple(_scope(text) for text in scope)
    kind = "fine_grained" if scopes else role or "read"
    with opened(place) as services, services.database.write() as uow:
        owner = _owner(uow, user)
        ends = None if expires is None else _moment(expires, uow.now)
        secret = issue_token(uow, owner, name, kind, scopes=scopes, expires_at=ends, replace=replace)
        (made,) = (token for token in list_tokens(uow, owner.id) if token.name == name)
    if as_json:
        say_json("allmende.admin-token/1", {"user": owner.name, **_token(made), "token": secret})
        return
    note(f"The token {name!r} of {owner.name}; it is shown only now:")
    say(secret)


def list_of_tokens(user: _User, /, *, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """List a user's tokens, without their secrets."""
    from allmende.registry import list_tokens

    with opened(place) as services, services.database.read() as uow:
        owner = _owner(uow, user)
        tokens = list_tokens(uow, owner.id)
    if as_json:
        say_json(
            "allmende.admin-tokens/1", {"user": owner.name, "tokens": [_token(token) for token in tokens]}
        )
        return
    rows = [
        (
            token.name,
            token.role,
            " ".join(f"{scope.allows}:{scope.entity}" for scope in token.scopes),
            _or_never(token.expires_at),
            _or_never(token.last_used_at),
        )
        for token in tokens
    ]
    say_table(("NAME", "ROLE", "SCOPES", "EXPIRES", "LAST USED"), rows)


def revoke(
    user: _User,
    name: Annotated[str, Parameter(help="The token.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """End a token at once."""
    from allmende.registry import revoke_token

    with opened(place) as services, services.database.write() as uow:
        owner = _owner(uow, user)
        revoke_token(uow, owner, name)
    if as_json:
        say_json("allmende.admin-token-revoked/1", {"user": owner.name, "name": name})
    else:
        say(f"revoked token {name} of {owner.name}")


def _owner(uow: "UnitOfWork", name: str) -> "Account":
    from allmende.registry import AccountNotFound, find_account

    found = find_account(uow, name)
    if found is None:
        raise AccountNotFound(name)
    return found


def _scope(text: str) -> "Scope":
    from allmende.registry import Scope

    found = _SCOPE.fullmatch(text)
    if found is None:
        raise BadRequest(
            f"{text!r} is not a scope.",
            hint="Write read:NAMESPACE, or write:model/NAMESPACE/NAME (or dataset, or space).",
            code="scope_invalid",
        )
    return Scope(found[2], "read" if found[1] == "read" else "write")


def _moment(text: str, now: datetime) -> datetime:
    """`text` as a moment that is still to come; a bare date means its end, all of it in UTC."""
    days = _DAYS.fullmatch(text)
    try:
        if days is not None:
            return now + timedelta(days=int(days[1]))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"{text!r} is not a time.", hint="Write 2030-12-31, 2030-12-31T12:00Z or 90d."
        ) from error
    if len(text) == len("2030-12-31"):
        moment = datetime.combine(moment, time.max)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= now:
        raise BadRequest(f"{text} is over already.", hint="Give a time that is still to come.")
    return moment


def _token(token: "Token") -> dict[str, Any]:
    return {
        "name": token.name,
        "role": token.role,
        "scopes": [{"entity": scope.entity, "allows": scope.allows} for scope in token.scopes],
        "created_at": iso(token.created_at),
        "expires_at": None if token.expires_at is None else iso(token.expires_at),
        "last_used_at": None if token.last_used_at is None else iso(token.last_used_at),
    }


def _or_never(moment: datetime | None) -> str:
    return "never" if moment is None else iso(moment)
