"""Applications of a namespace: finding, registering, describing anew, publishing, deleting, and who may.

A private application looks exactly like a missing one to everybody who may not see it: every look-up goes
through `readable_application`. Roles are those of repos: members of a namespace read what is private in it,
those with the role `write` change it. Events hold no name and no text, only a subject that those can tie to
the application who know its salt, so that nothing has to be erased from them.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NewType

from sqlalchemy import Row, and_, delete, false, func, or_, select, update

from allmende.applications.errors import (
    ApplicationChanged,
    ApplicationExists,
    ApplicationNotFound,
    NamespaceClosed,
    TooManyApplications,
    TooManyVersions,
)
from allmende.applications.tables import application, application_model, application_version
from allmende.ids import AccountId, RepoId, Sha256
from allmende.registry import Account, Actor, account_by_id, check_repo_name, find_account, name_key
from allmende.storage import UnitOfWork

__all__ = [
    "KIND",
    "Application",
    "ApplicationId",
    "ApplicationPage",
    "ApplicationVersion",
    "add_description",
    "application_event",
    "applications_using",
    "changeable_application",
    "check_may_register",
    "create_application",
    "delete_application",
    "description_of",
    "find_application",
    "list_applications",
    "models_used",
    "next_application_id",
    "readable_application",
    "set_private",
    "versions_of",
]

KIND: Final = "application"
_LISTED_AT_ONCE: Final = 500
"""What stands before its name in scopes of tokens, as `model` does for models."""

ApplicationId = NewType("ApplicationId", int)

_SALT_BYTES = 32
_PUBLIC_ID_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Application:
    """An application in a namespace; `version` is that of its newest description."""

    id: ApplicationId
    namespace_id: AccountId
    namespace: str
    name: str
    private: bool
    version: int
    created_at: datetime
    updated_at: datetime
    public_id: str
    subject: str
    """What stands for it in the log."""

    @property
    def full_name(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ApplicationVersion:
    """One description of an application, as it was given."""

    version: int
    digest: Sha256
    at: datetime


@dataclass(frozen=True, slots=True)
class ApplicationPage:
    """Some applications by name, and where the next ones begin; None at the end."""

    applications: list[Application]
    next: str | None


def create_application(
    uow: UnitOfWork, actor: Actor, namespace: str, name: str, *, private: bool, most: int
) -> Application:
    """A new application without a description, which the same transaction has to add.

    A namespace has at most `most`. Raises SignInRequired, AccessDenied, NamespaceClosed, NameInvalid,
    ApplicationExists, TooManyApplications.
    """
    owner = check_may_register(uow, actor, namespace, name)
    taken = select(application.c.id).where(
        application.c.namespace_id == owner.id, application.c.name_key == name_key(name)
    )
    if uow.one_or_none(taken) is not None:
        raise ApplicationExists(
            f"There is an application {owner.name}/{name} already.", hint="Change that one, or choose a name."
        )
    count = select(func.count()).select_from(application).where(application.c.namespace_id == owner.id)
    if uow.execute(count).scalar_one() >= most:
        raise TooManyApplications(owner.name, most)
    inserted = uow.execute(
        application.insert().values(
            namespace_id=owner.id,
            name=name,
            name_key=name_key(name),
            private=private,
            salt=secrets.token_bytes(_SALT_BYTES),
            version=0,
            created_at=uow.now,
            updated_at=uow.now,
        )
    ).inserted_primary_key
    if inserted is None:
        raise RuntimeError("the database gave a new application no id")
    created = find_application(uow, ApplicationId(int(inserted[0])))
    if created is None:
        raise RuntimeError("an application that was just inserted is not there")
    uow.emit("application.created", application_event(created), actor_id=actor.account_id)
    return created


def check_may_register(uow: UnitOfWork, actor: Actor, namespace: str, name: str) -> Account:
    """The namespace, if the actor may register an application of that name in it.

    Raises SignInRequired, AccessDenied, NamespaceClosed, NameInvalid.
    """
    actor.require_account()
    check_repo_name(name)
    owner = find_account(uow, namespace)
    if owner is None or actor.role_in(owner.id) is None:
        raise NamespaceClosed(
            f"You may not register an application in the namespace {namespace[:96]!r}.",
            hint="Take your own name, or an organisation in which you may write.",
        )
    actor.require_change(owner.id, KIND, f"{owner.name}/{name}")
    return owner


def find_application(uow: UnitOfWork, application_id: ApplicationId) -> Application | None:
    """The application, or None when it was deleted. For work inside the hub: checks no right."""
    row = uow.one_or_none(select(application).where(application.c.id == application_id))
    return None if row is None else _application(row, account_by_id(uow, AccountId(row.namespace_id)).name)


def readable_application(uow: UnitOfWork, actor: Actor, namespace: str, name: str) -> Application:
    """The application, if the actor may know of it. Raises ApplicationNotFound."""
    owner = find_account(uow, namespace)
    if owner is None:
        raise ApplicationNotFound
    row = uow.one_or_none(
        select(application).where(
            application.c.namespace_id == owner.id, application.c.name_key == name_key(name)
        )
    )
    if row is None:
        raise ApplicationNotFound
    found = _application(row, owner.name)
    if found.private and not actor.may_see(owner.id, KIND, found.full_name):
        raise ApplicationNotFound
    return found


def changeable_application(uow: UnitOfWork, actor: Actor, namespace: str, name: str) -> Application:
    """The application, if the actor may change it.

    Raises ApplicationNotFound, SignInRequired, AccessDenied.
    """
    found = readable_application(uow, actor, namespace, name)
    actor.require_change(found.namespace_id, KIND, found.full_name)
    return found


def list_applications(
    uow: UnitOfWork, actor: Actor, *, namespace: str | None = None, after: str | None = None, limit: int = 50
) -> ApplicationPage:
    """Those that the actor may see, by namespace and name, from behind the full name `after`."""
    owner = application.metadata.tables["account"]
    # Names are ordered in lower case, as they are unique.
    key = owner.c.name_key + "/" + application.c.name_key
    query = select(application, owner.c.name.label("namespace"), key.label("place"))
    query = query.join(owner, owner.c.id == application.c.namespace_id).where(_visible(actor))
    if namespace is not None:
        query = query.where(owner.c.name_key == name_key(namespace))
    if after is not None:
        query = query.where(key > name_key(after))
    seen: list[tuple[Application, str]] = []
    place = ""
    while len(seen) <= limit:
        rows = uow.all(query.where(key > place).order_by(key).limit(_LISTED_AT_ONCE))
        for row in rows:
            one = _application(row, row.namespace)
            # A token for single entities sees less than its owner, and no place that it does not see.
            if not one.private or actor.may_see(one.namespace_id, KIND, one.full_name):
                seen.append((one, row.place))
        if len(rows) < _LISTED_AT_ONCE:
            break
        place = rows[-1].place
    return ApplicationPage(
        [one for one, _ in seen[:limit]], seen[limit - 1][1] if len(seen) > limit else None
    )


def add_description(
    uow: UnitOfWork,
    found: Application,
    description: str,
    models: Mapping[str, RepoId | None],
    *,
    most: int,
    replaces: int | None = None,
) -> ApplicationVersion:
    """A new version of the description, with the models it names and their repos.

    Raises ApplicationChanged where `replaces` is not the version that is the newest, and TooManyVersions
    where there are `most` of them.
    """
    version = found.version + 1
    if version > most:
        raise TooManyVersions(found.full_name, most)
    changed = uow.execute(
        update(application)
        .where(application.c.id == found.id, application.c.version == found.version)
        .values(version=version, updated_at=uow.now)
    )
    if changed.rowcount != 1 or replaces not in (None, found.version):
        raise ApplicationChanged(
            "Somebody has changed this application since you read it.",
            hint="Read it again, and change that.",
        )
    digest = Sha256(hashlib.sha256(description.encode()).hexdigest())
    uow.execute(
        application_version.insert().values(
            application_id=found.id, version=version, description=description, digest=digest, at=uow.now
        )
    )
    uow.execute(delete(application_model).where(application_model.c.application_id == found.id))
    if models:
        uow.execute(
            application_model.insert(),
            [{"application_id": found.id, "model": name, "repo_id": repo} for name, repo in models.items()],
        )
    return ApplicationVersion(version, digest, uow.now)


def description_of(uow: UnitOfWork, found: Application, version: int | None = None) -> str | None:
    """The newest description, or that of a version; None where there is none of that number."""
    row = uow.one_or_none(
        select(application_version.c.description).where(
            application_version.c.application_id == found.id,
            application_version.c.version == (found.version if version is None else version),
        )
    )
    return None if row is None else str(row.description)


def versions_of(uow: UnitOfWork, found: Application, *, limit: int = 50) -> list[ApplicationVersion]:
    """The versions of the description, the newest first."""
    query = (
        select(application_version.c.version, application_version.c.digest, application_version.c.at)
        .where(application_version.c.application_id == found.id)
        .order_by(application_version.c.version.desc())
        .limit(limit)
    )
    return [ApplicationVersion(row.version, Sha256(row.digest), row.at) for row in uow.all(query)]


def models_used(uow: UnitOfWork, found: Application) -> dict[str, RepoId | None]:
    """The models of the newest description by the names in it, with their repos on this hub."""
    query = select(application_model).where(application_model.c.application_id == found.id)
    rows = uow.all(query.order_by(application_model.c.model))
    return {row.model: None if row.repo_id is None else RepoId(row.repo_id) for row in rows}


def applications_using(uow: UnitOfWork, repo_id: RepoId) -> list[ApplicationId]:
    """The applications that use a repo. For work inside the hub: checks no right."""
    query = select(application_model.c.application_id).where(application_model.c.repo_id == repo_id)
    return [ApplicationId(row.application_id) for row in uow.all(query.distinct())]


def next_application_id(uow: UnitOfWork, after: ApplicationId) -> ApplicationId | None:
    """The next application, for work that goes through all of them; None at the end."""
    query = select(application.c.id).where(application.c.id > after).order_by(application.c.id).limit(1)
    row = uow.one_or_none(query)
    return None if row is None else ApplicationId(row.id)


def set_private(uow: UnitOfWork, actor: Actor, found: Application, *, private: bool) -> Application:
    """Show the application to everybody, or only to its namespace. Raises AccessDenied."""
    known = actor.require_change(found.namespace_id, KIND, found.full_name)
    if private == found.private:
        return found
    uow.execute(update(application).where(application.c.id == found.id).values(private=private))
    changed = find_application(uow, found.id)
    if changed is None:
        raise RuntimeError("an application vanished while it was changed")
    if private:
        uow.emit("application.hidden", application_event(changed), actor_id=known.id)
    else:
        uow.emit("application.published", application_event(changed), actor_id=known.id)
    return changed


def delete_application(uow: UnitOfWork, actor: Actor, found: Application) -> None:
    """Delete an application with all its versions and assessments. Raises AccessDenied."""
    known = actor.require_change(found.namespace_id, KIND, found.full_name)
    uow.execute(delete(application).where(application.c.id == found.id))
    uow.emit("application.deleted", application_event(found), actor_id=known.id)


def application_event(found: Application, **said: str | int) -> dict[str, Any]:
    """What an event about it says: its subject, whether it is hidden, and what is given beside."""
    return {"id": found.public_id, "subject": found.subject, "hidden": found.private, **said}


def _visible(actor: Actor) -> Any:
    namespaces: Iterable[AccountId] = actor.roles.keys()
    own = [] if actor.account is None else [actor.account.id]
    mine = sorted({*namespaces, *own})
    seen = application.c.namespace_id.in_(mine) if mine else false()
    return or_(application.c.private.is_(False), and_(application.c.private.is_(True), seen))


def _application(row: Row[Any], namespace: str) -> Application:
    salt = bytes(row.salt)
    public_id = hashlib.sha256(b"allmende application " + salt).hexdigest()[:_PUBLIC_ID_DIGITS]
    return Application(
        id=ApplicationId(row.id),
        namespace_id=AccountId(row.namespace_id),
        namespace=namespace,
        name=row.name,
        private=row.private,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        public_id=public_id,
        subject=hmac.digest(salt, f"{KIND}/{public_id}".encode(), "sha256").hex(),
    )
