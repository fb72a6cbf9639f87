"""A locked user is nobody, by whatever they show, and has lost nothing when they are unlocked."""

import pytest

from allmende.errors import BadRequest
from allmende.registry import (
    Account,
    Actor,
    CredentialsInvalid,
    PasswordRefused,
    actor_by_token_id,
    authenticate,
    check_password,
    create_account,
    find_account,
    issue_token,
    list_tokens,
    lock_account,
    open_session,
    set_password,
    unlock_account,
)
from allmende.storage import Database, recent_events
from tests.integration.conftest import HeldClock

PASSWORD = "herons eat at dusk"


def known(database: Database, name: str = "alice") -> Account:
    with database.read() as uow:
        found = find_account(uow, name)
    assert found is not None
    return found


def test_every_way_in_is_shut_and_opens_again(database: Database, clock: HeldClock, alice: Actor) -> None:
    with database.write() as uow:
        owner = alice.require_account()
        set_password(uow, owner, PASSWORD)
        secret = issue_token(uow, owner, "other", "read")
        session = open_session(uow, owner, "Firefox Linux")
    with database.write() as uow:
        lock_account(uow, known(database))
    clock.advance(seconds=5)
    with database.write() as uow:
        lock_account(uow, known(database))
    assert known(database).locked_at is not None
    with database.read() as uow:
        with pytest.raises(CredentialsInvalid):
            authenticate(uow, secret)
        with pytest.raises(CredentialsInvalid):
            actor_by_token_id(uow, session.id, session.created_at)
        assert list_tokens(uow, owner.id, sessions=True) == []
        assert [one.kind for one in recent_events(uow, 1)] == ["account.updated"]
    with pytest.raises(PasswordRefused):
        check_password(database, "alice", PASSWORD, "")
    for _ in range(2):
        now = known(database)
        with database.write() as uow:
            unlock_account(uow, now)
    with database.read() as uow:
        assert authenticate(uow, secret).account == known(database)
        assert [one.payload["fields"] for one in recent_events(uow, 9, kind="account.updated")] == [
            ["locked_at"],
            ["locked_at"],
        ]
    assert check_password(database, "alice", PASSWORD, "").name == "alice"


def test_an_organisation_is_not_locked(database: Database) -> None:
    with database.write() as uow:
        made = create_account(uow, "lab", "org")
        with pytest.raises(BadRequest, match="Users are locked"):
            lock_account(uow, made)
