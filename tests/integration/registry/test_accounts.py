"""Accounts and tokens."""

import pytest

from allmende.errors import BadRequest, Conflict, NotFound
from allmende.registry import (
    AccountExists,
    Actor,
    CredentialsInvalid,
    Scope,
    authenticate,
    create_account,
    find_account,
    issue_token,
    list_tokens,
    memberships_of,
    needs_touch,
    remove_member,
    revoke_token,
    set_member,
    touch_token,
)
from allmende.storage import Database
from tests.integration.conftest import HeldClock


def test_account_names_are_unique_whatever_their_case(database: Database, alice: Actor) -> None:
    with database.write() as uow:
        for name in ("alice", "ALICE"):
            with pytest.raises(AccountExists):
                create_account(uow, name, "org")
        assert find_account(uow, "Alice") == alice.account


def test_a_secret_is_not_in_the_database(database: Database, alice: Actor, tmp_path: object) -> None:
    assert alice.account is not None
    with database.write() as uow:
        secret = issue_token(uow, alice.account, "second", "read")
    with database.read() as uow:
        dump = "".join(uow.connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert secret not in dump


def test_tokens_are_replaced_revoked_and_expire(database: Database, alice: Actor, clock: HeldClock) -> None:
    account = alice.account
    assert account is not None
    from datetime import timedelta

    with database.write() as uow:
        first = issue_token(uow, account, "ci", "read")
        with pytest.raises(Conflict) as refused:
            issue_token(uow, account, "ci", "write")
        assert refused.value.code == "token_exists"
        assert authenticate(uow, first).token is not None
        second = issue_token(uow, account, "ci", "write", replace=True)
        with pytest.raises(CredentialsInvalid, match=r"^Invalid credentials in Authorization header$"):
            authenticate(uow, first)
        assert authenticate(uow, second).token.role == "write"  # type: ignore[union-attr]
        revoke_token(uow, account, "ci")
        with pytest.raises(CredentialsInvalid):
            authenticate(uow, second)
        with pytest.raises(NotFound):
            revoke_token(uow, account, "ci")
        short = issue_token(uow, account, "short", "read", expires_at=uow.now + timedelta(hours=1))
        authenticate(uow, short)
    clock.advance(hours=1)
    with database.read() as uow, pytest.raises(CredentialsInvalid):
        authenticate(uow, short)


def test_a_given_secret_is_taken_as_it_is(database: Database, alice: Actor, bob: Actor) -> None:
    assert alice.account is not None
    assert bob.account is not None
    with database.write() as uow:
        for secret in ("x", "ünïcode token", "hf_" + "a" * 500):
            issue_token(uow, alice.account, f"given {secret}"[:90], "read", secret=secret)
            assert authenticate(uow, secret).account == alice.account
        with pytest.raises(BadRequest, match="in use"):
            issue_token(uow, bob.account, "theirs", "read", secret="x")
        with pytest.raises(BadRequest, match="empty"):
            issue_token(uow, bob.account, "none", "read", secret=" ")


def test_scopes_and_roles_belong_together(database: Database, alice: Actor) -> None:
    assert alice.account is not None
    with database.write() as uow:
        with pytest.raises(BadRequest):
            issue_token(uow, alice.account, "t", "fine_grained")
        with pytest.raises(BadRequest):
            issue_token(uow, alice.account, "t", "write", scopes=(Scope("alice", "read"),))
        org = create_account(uow, "lab", "org")
        with pytest.raises(BadRequest, match="users"):
            issue_token(uow, org, "t", "write")


def test_only_an_administrator_with_an_admin_token_administers(database: Database, alice: Actor) -> None:
    with database.write() as uow:
        root = create_account(uow, "root", "user", is_admin=True)
        assert authenticate(uow, issue_token(uow, root, "a", "admin")).administers_hub
        assert not authenticate(uow, issue_token(uow, root, "w", "write")).administers_hub
        assert alice.account is not None
        assert not authenticate(uow, issue_token(uow, alice.account, "a", "admin")).administers_hub


def test_memberships_change(database: Database, alice: Actor) -> None:
    assert alice.account is not None
    with database.write() as uow:
        org = create_account(uow, "lab", "org")
        set_member(uow, org, alice.account, "read")
        set_member(uow, org, alice.account, "admin")
        assert memberships_of(uow, alice.account.id) == [(org, "admin")]
        remove_member(uow, org, alice.account)
        assert memberships_of(uow, alice.account.id) == []


def test_uses_are_recorded_to_the_hour(database: Database, alice: Actor, clock: HeldClock) -> None:
    assert alice.account is not None
    assert alice.token is not None
    with database.write() as uow:
        touch_token(uow, alice.token)
        used = list_tokens(uow, alice.account.id)[0]
        assert used.last_used_at == clock.now
        assert not needs_touch(used, clock.now)
    clock.advance(hours=2)
    assert needs_touch(used, clock.now)
