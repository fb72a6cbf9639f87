"""What somebody who is signed in makes on a page: a repo with its first card, or an organisation."""

from dataclasses import dataclass

from allmende.errors import Conflict, Forbidden
from allmende.flows.services import Services
from allmende.ids import RepoType
from allmende.registry import (
    CARD_PATH,
    AccessDenied,
    Account,
    Actor,
    AddFile,
    Repo,
    Submission,
    Visibility,
    create_account,
    create_repo,
    memberships_of,
    prepare,
    receive,
    set_member,
)
from allmende.storage import UnitOfWork

__all__ = ["NewRepo", "make_organisation", "make_repo", "may_make_organisations"]

_BRANCH = "main"
_TITLE = "Add a first card"


@dataclass(frozen=True, slots=True)
class NewRepo:
    """A repo that somebody asks for; without a `card` it begins without one."""

    type: RepoType
    namespace: str
    name: str
    private: bool
    sdk: str | None = None
    """Of a space: what it is made with."""
    card: str = ""


def make_repo(services: Services, uow: UnitOfWork, actor: Actor, wish: NewRepo) -> Repo:
    """The repo and its card, both or neither.

    Raises SignInRequired, AccessDenied, NameInvalid, RepoExists, TooLarge.
    """
    details = {} if wish.sdk is None else {"sdk": wish.sdk}
    made = create_repo(
        uow,
        services.queue,
        actor,
        wish.type,
        wish.namespace,
        wish.name,
        private=wish.private,
        details=details,
    )
    if wish.card:
        card = AddFile(CARD_PATH, wish.card.encode())
        submission = Submission(_BRANCH, _TITLE, "", [card], None, create_pr=False)
        receive(uow, services.queue, actor, made, prepare(submission, services.settings.max_inline_bytes))
    return made


def may_make_organisations(services: Services, actor: Actor) -> bool:
    """Whether the hub lets the actor make organisations: anybody whose token is not limited to some repos."""
    writes = actor.token is not None and actor.token.role in ("write", "admin")
    return services.settings.max_organisations > 0 and writes


def make_organisation(
    services: Services, uow: UnitOfWork, actor: Actor, name: str, fullname: str | None, visibility: Visibility
) -> Account:
    """A new organisation, which the actor administers.

    Raises SignInRequired, Forbidden where the hub lets nobody, AccessDenied for a token that may not,
    Conflict for who administers too many already, NameInvalid, AccountExists.
    """
    founder = actor.require_account()
    most = services.settings.max_organisations
    if most == 0:
        raise Forbidden(
            "Organisations of this hub are made by its operator.",
            hint="Ask whoever runs it.",
            code="organisations_closed",
        )
    if not may_make_organisations(services, actor):
        raise AccessDenied(
            "You signed in with a token that may not make organisations.",
            hint="Sign in with your password.",
            code="token_scope",
        )
    administered = [org for org, role in memberships_of(uow, founder.id) if role == "admin"]
    if len(administered) >= most:
        raise Conflict(
            f"You administer {len(administered)} organisations; more than {most} are not made here.",
            hint="Ask whoever runs this hub, or leave one of them.",
            code="organisations_many",
        )
    made = create_account(uow, name, "org", fullname=fullname, default_visibility=visibility)
    set_member(uow, made, founder, "admin")
    return made
