"""The meaning of `admin apply`: accounts, memberships and tokens brought to what a document says.

Applying adds and changes, and removes nothing: who is not named stays as they are. Applying the same
document again changes nothing, and a token that was generated is shown by the run that made it alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from allmende.errors import BadRequest
from allmende.registry import (
    Account,
    AccountExists,
    AccountNotFound,
    Role,
    Token,
    TokenRole,
    Visibility,
    count_accounts,
    create_account,
    find_account,
    find_token,
    issue_token,
    list_tokens,
    members_of,
    set_member,
    update_account,
)
from allmende.storage import UnitOfWork

__all__ = [
    "Change",
    "IssuedToken",
    "Outcome",
    "Plan",
    "PlanInvalid",
    "PlannedOrg",
    "PlannedUser",
    "apply_plan",
    "create_first_administrator",
    "read_plan",
]

FIRST_ADMINISTRATOR = "admin"
DEFAULT_TOKEN_NAME = "default"  # noqa: S105 (the name of a token, and no secret)

_ADMIN: Role = "admin"
_ROLES: tuple[Role, ...] = (_ADMIN, "write", "read")
_VISIBILITIES = ("public", "private")


class PlanInvalid(BadRequest):
    """The document is not of the form that `admin apply` takes; the message says where."""

    code = "plan_invalid"


@dataclass(frozen=True, slots=True)
class PlannedUser:
    """A user, and the one token that the document speaks of."""

    name: str
    fullname: str | None
    token: str | None
    """The secret; None lets the hub make one, unless the user has a token of that name already."""
    token_name: str
    token_role: TokenRole


@dataclass(frozen=True, slots=True)
class PlannedOrg:
    """An organisation and the members that it has at least."""

    name: str
    fullname: str | None
    members: Mapping[str, Role]
    default_visibility: Visibility | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a document asks for."""

    users: tuple[PlannedUser, ...]
    orgs: tuple[PlannedOrg, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was not yet as the document says. Of a member, the name is `org/user`."""

    kind: Literal["user", "org", "member", "token"]
    name: str
    change: Literal["created", "updated"]


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token that the hub made; its secret cannot be had again."""

    user: str
    name: str
    role: TokenRole
    secret: str


@dataclass(slots=True)
class Outcome:
    """What applying changed; nothing, when all was so already."""

    changes: list[Change] = field(default_factory=list)
    issued: list[IssuedToken] = field(default_factory=list)


def create_first_administrator(uow: UnitOfWork) -> str | None:
    """On a hub without any account: make the administrator, and return its token. Else do nothing."""
    if count_accounts(uow):
        return None
    admin = create_account(uow, FIRST_ADMINISTRATOR, "user", is_admin=True)
    return issue_token(uow, admin, "first start", "admin")


# --- reading -------------------------------------------------------------------------------------------


def read_plan(document: object) -> Plan:
    """The plan in a parsed JSON or YAML document. Raises PlanInvalid; unknown keys are refused."""
    top = _mapping(document, "", {"users", "orgs"})
    users = tuple(_user(item, path) for item, path in _items(top, "users"))
    orgs = tuple(_org(item, path) for item, path in _items(top, "orgs"))
    seen: set[str] = set()
    for name in (*(user.name for user in users), *(org.name for org in orgs)):
        if name.lower() in seen:
            raise PlanInvalid(f"The name {name!r} stands there twice.")
        seen.add(name.lower())
    return Plan(users, orgs)


def _user(item: object, path: str) -> PlannedUser:
    fields = _mapping(item, path, {"name", "fullname", "token", "token_name", "token_role"})
    return PlannedUser(
        name=_required(fields, "name", path),
        fullname=_text(fields, "fullname", path),
        token=_text(fields, "token", path),
        token_name=_text(fields, "token_name", path) or DEFAULT_TOKEN_NAME,
        token_role=_choice(fields.get("token_role", "write"), f"{path}.token_role"),
    )


def _org(item: object, path: str) -> PlannedOrg:
    fields = _mapping(item, path, {"name", "fullname", "members", "default_visibility"})
    members = fields.get("members", {})
    if not isinstance(members, dict):
        raise PlanInvalid(f"{path}.members: this must be a mapping of users to roles.")
    visibility = fields.get("default_visibility")
    if visibility is not None and visibility not in _VISIBILITIES:
        raise PlanInvalid(f"{path}.default_visibility: {visibility!r} is neither 'public' nor 'private'.")
    return PlannedOrg(
        name=_required(fields, "name", path),
        fullname=_text(fields, "fullname", path),
        members={
            _name(user, f"{path}.members"): _choice(role, f"{path}.members.{user}")
            for user, role in members.items()
        },
        default_visibility=visibility,
    )


def _mapping(value: object, path: str, known: set[str]) -> dict[str, Any]:
    where = path or "the document"
    if not isinstance(value, dict):
        raise PlanInvalid(f"{where}: this must be a mapping.")
    unknown = sorted(str(key) for key in value if key not in known)
    if unknown:
        full = f"{path}.{unknown[0]}" if path else unknown[0]
        raise PlanInvalid(f"{full}: this key is not known.", hint=f"Known here: {', '.join(sorted(known))}.")
    return value


def _items(top: Mapping[str, Any], key: str) -> Iterator[tuple[object, str]]:
    listed = top.get(key)
    if listed is None:
        return
    if not isinstance(listed, list):
        raise PlanInvalid(f"{key}: this must be a list.")
    yield from ((item, f"{key}[{index}]") for index, item in enumerate(listed))


def _required(fields: Mapping[str, Any], key: str, path: str) -> str:
    if fields.get(key) is None:
        raise PlanInvalid(f"{path}.{key}: this is missing.")
    return _name(fields[key], f"{path}.{key}")


def _name(value: object, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise PlanInvalid(
            f"{path}: {value!r} is not a name.", hint="In YAML, put names like 123 or on in quotes."
        )
    return value


def _text(fields: Mapping[str, Any], key: str, path: str) -> str | None:
    value = fields.get(key)
    if value is not None and not isinstance(value, str):
        raise PlanInvalid(f"{path}.{key}: this must be a text.", hint="In YAML, put it in quotes.")
    return value


def _choice(value: object, path: str) -> Role:
    for role in _ROLES:
        if value == role:
            return role
    raise PlanInvalid(f"{path}: {value!r} is not a role.", hint="The roles are read, write and admin.")


# --- applying ------------------------------------------------------------------------------------------


def apply_plan(uow: UnitOfWork, plan: Plan) -> Outcome:
    """Bring the hub to what the plan says; all of it, or none if it raises.

    Raises NameInvalid, AccountExists when a user's name is an organisation's or the reverse,
    AccountNotFound for a member that does not exist, BadRequest for a token that is somebody else's.
    """
    outcome = Outcome()
    for planned in plan.users:
        user = _apply_user(uow, planned, outcome)
        _apply_token(uow, user, planned, outcome)
    for planned_org in plan.orgs:
        org = _apply_org(uow, planned_org, outcome)
        _apply_members(uow, org, planned_org, outcome)
    return outcome


def _apply_user(uow: UnitOfWork, planned: PlannedUser, outcome: Outcome) -> Account:
    is_admin = planned.token_role == _ADMIN
    found = find_account(uow, planned.name)
    if found is None:
        outcome.changes.append(Change("user", planned.name, "created"))
        return create_account(uow, planned.name, "user", fullname=planned.fullname, is_admin=is_admin)
    _require_kind(found, "user")
    changes: dict[str, Any] = {}
    if planned.fullname is not None and planned.fullname != found.fullname:
        changes["fullname"] = planned.fullname
    if is_admin and not found.is_admin:
        changes["is_admin"] = True
    _update(uow, found, changes, outcome)
    return found


def _apply_token(uow: UnitOfWork, user: Account, planned: PlannedUser, outcome: Outcome) -> None:
    present = {token.name: token for token in list_tokens(uow, user.id)}.get(planned.token_name)
    stands_for = present if planned.token is None else find_token(uow, planned.token)
    if present is not None and _is_as_planned(stands_for, present, planned):
        return
    secret = issue_token(
        uow, user, planned.token_name, planned.token_role, secret=planned.token, replace=True
    )
    change = Change("token", f"{user.name}/{planned.token_name}", "created" if present is None else "updated")
    outcome.changes.append(change)
    if planned.token is None:
        outcome.issued.append(IssuedToken(user.name, planned.token_name, planned.token_role, secret))


def _is_as_planned(stands_for: Token | None, present: Token, planned: PlannedUser) -> bool:
    return (
        stands_for is not None
        and stands_for.id == present.id
        and stands_for.role == planned.token_role
        and stands_for.expires_at is None
    )


def _apply_org(uow: UnitOfWork, planned: PlannedOrg, outcome: Outcome) -> Account:
    found = find_account(uow, planned.name)
    if found is None:
        outcome.changes.append(Change("org", planned.name, "created"))
        return create_account(
            uow,
            planned.name,
            "org",
            fullname=planned.fullname,
            default_visibility=planned.default_visibility or "public",
        )
    _require_kind(found, "org")
    changes: dict[str, Any] = {}
    if planned.fullname is not None and planned.fullname != found.fullname:
        changes["fullname"] = planned.fullname
    if planned.default_visibility not in (None, found.default_visibility):
        changes["default_visibility"] = planned.default_visibility
    _update(uow, found, changes, outcome)
    return found


def _apply_members(uow: UnitOfWork, org: Account, planned: PlannedOrg, outcome: Outcome) -> None:
    present = {user.id: role for user, role in members_of(uow, org.id)}
    for name, role in planned.members.items():
        user = find_account(uow, name)
        if user is None:
            raise AccountNotFound(name)
        _require_kind(user, "user")
        if present.get(user.id) == role:
            continue
        set_member(uow, org, user, role)
        change = Change("member", f"{org.name}/{user.name}", "updated" if user.id in present else "created")
        outcome.changes.append(change)


def _update(uow: UnitOfWork, found: Account, changes: dict[str, Any], outcome: Outcome) -> None:
    if changes:
        update_account(uow, found, changes)
        kind: Literal["user", "org"] = "user" if found.kind == "user" else "org"
        outcome.changes.append(Change(kind, found.name, "updated"))


def _require_kind(found: Account, kind: Literal["user", "org"]) -> None:
    if found.kind != kind:
        words = {"user": "a user", "org": "an organisation"}
        raise AccountExists(f"{found.name!r} is {words[found.kind]} and not {words[kind]}.")
