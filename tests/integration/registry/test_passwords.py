"""Passwords: kept as slow hashes, guarded against guessing, and the sessions that they open."""

import pytest
from sqlalchemy import select

from allmende.errors import BadRequest, NotFound, TooManyRequests
from allmende.registry import (
    Account,
    Actor,
    CredentialsInvalid,
    PasswordRefused,
    actor_by_token_id,
    authenticate,
    check_password,
    create_account,
    end_other_sessions,
    end_session,
    has_password,
    issue_token,
    list_tokens,
    open_session,
    revoke_token,
    set_password,
)
from allmende.registry.tables import password, sign_in_failure
from allmende.storage import Database
from tests.integration.conftest import HeldClock

RIGHT = "herons eat at dusk"
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def owner(database: Database, alice: Actor) -> Account:
    account = alice.require_account()
    with database.write() as uow:
        set_password(uow, account, RIGHT)
    return account


def fail(database: Database, times: int, name: str = "alice", address: str = HERE) -> None:
    for _ in range(times):
        with pytest.raises(PasswordRefused):
            check_password(database, name, "wrong guess here", address)


def test_the_right_password_is_taken_whatever_the_case_of_the_name(
    database: Database, owner: Account
) -> None:
    assert check_password(database, "ALICE", RIGHT, HERE) == owner
    for text in (RIGHT.upper(), RIGHT + " ", "", "x" * 5000, "\x00"):
        with pytest.raises(PasswordRefused):
            check_password(database, "alice", text, THERE + text[:1])


def test_neither_password_nor_name_lies_in_the_tables(database: Database, owner: Account) -> None:
    fail(database, 1, "somebody-else")
    with database.read() as uow:
        assert has_password(uow, owner.id)
        (row,) = uow.all(select(password))
        assert row.hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert RIGHT not in row.hashed
        assert all("somebody" not in found.key for found in uow.all(select(sign_in_failure)))


def test_unknown_names_and_users_without_a_password_are_refused_alike(
    database: Database, owner: Account, bob: Actor
) -> None:
    said = set()
    for name in ("nobody", "bob", "alice"):
        with pytest.raises(PasswordRefused) as refused:
            check_password(database, name, "wrong guess here", HERE)
        said.add((refused.value.message, refused.value.code))
    assert len(said) == 1
    assert bob.account is not None


def test_after_five_failures_each_wait_is_longer(
    database: Database, owner: Account, clock: HeldClock
) -> None:
    fail(database, 5)
    waits = []
    for _ in range(4):
        with pytest.raises(TooManyRequests) as refused:
            check_password(database, "alice", RIGHT, HERE)
        waits.append(refused.value.retry_after_s)
        clock.advance(seconds=refused.value.retry_after_s)
        fail(database, 1)
    assert waits == [1, 2, 4, 8]
    # From elsewhere its owner gets in meanwhile, and the one that failed may wait for it.
    assert check_password(database, "alice", RIGHT, THERE) == owner
    clock.advance(seconds=16)
    assert check_password(database, "alice", RIGHT, HERE) == owner
    fail(database, 5)


def test_guessing_from_many_addresses_is_slowed_down_too(
    database: Database, owner: Account, clock: HeldClock
) -> None:
    for number in range(50):
        fail(database, 1, address=f"198.51.100.{number}")
    with pytest.raises(TooManyRequests) as refused:
        check_password(database, "alice", RIGHT, THERE)
    assert refused.value.retry_after_s <= 60
    clock.advance(seconds=61)
    assert check_password(database, "alice", RIGHT, THERE) == owner


def test_failures_are_forgotten_after_a_day(database: Database, owner: Account, clock: HeldClock) -> None:
    fail(database, 5)
    clock.advance(hours=25)
    fail(database, 5)
    check_password(database, "alice", RIGHT, THERE)
    clock.advance(hours=25)
    check_password(database, "alice", RIGHT, THERE)
    with database.read() as uow:
        assert uow.all(select(sign_in_failure)) == []


@pytest.mark.parametrize("text", ["", "short", "x" * 11, "x" * 201, "alice1234567"])
def test_what_is_too_weak_is_not_set(database: Database, alice: Actor, text: str) -> None:
    with database.write() as uow, pytest.raises(BadRequest):
        set_password(uow, alice.require_account(), text)


def test_organisations_have_none(database: Database) -> None:
    with database.write() as uow:
        org = create_account(uow, "lab", "org")
        with pytest.raises(BadRequest):
            set_password(uow, org, RIGHT)


def test_a_session_acts_for_its_owner_and_is_no_token(database: Database, owner: Account) -> None:
    with database.write() as uow:
        session = open_session(uow, owner, "Firefox Linux")
        issue_token(uow, owner, "t2", "read")
    with database.read() as uow:
        assert actor_by_token_id(uow, session.id, session.created_at).account == owner
        assert session.name not in [one.name for one in list_tokens(uow, owner.id)]
        assert [one.id for one in list_tokens(uow, owner.id, sessions=True)] == [session.id]
        with pytest.raises(CredentialsInvalid):
            authenticate(uow, session.name)
    with database.write() as uow:
        with pytest.raises(NotFound, match="no token called"):
            revoke_token(uow, owner, session.name)
        end_session(uow, owner, session.id)
    with database.read() as uow, pytest.raises(CredentialsInvalid):
        actor_by_token_id(uow, session.id, session.created_at)


def test_sessions_end_after_a_week_by_the_dozen_and_by_their_owner_alone(
    database: Database, owner: Account, bob: Actor, clock: HeldClock
) -> None:
    opened = []
    for _ in range(23):
        clock.advance(seconds=1)
        with database.write() as uow:
            opened.append(open_session(uow, owner, "Firefox"))
    with database.write() as uow:
        left = [one.id for one in list_tokens(uow, owner.id, sessions=True)]
        assert sorted(left) == sorted(one.id for one in opened[-20:])
        end_session(uow, bob.require_account(), opened[-1].id)
        assert len(list_tokens(uow, owner.id, sessions=True)) == 20
        end_other_sessions(uow, owner, opened[-1].id)
        assert [one.id for one in list_tokens(uow, owner.id, sessions=True)] == [opened[-1].id]
    clock.advance(days=8)
    with database.read() as uow, pytest.raises(CredentialsInvalid):
        actor_by_token_id(uow, opened[-1].id, opened[-1].created_at)
