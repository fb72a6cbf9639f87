"""How often strangers may make accounts: a few from one address, more from all, and waits that end."""

import pytest

from allmende.errors import TooManyRequests
from allmende.registry import AccountExists, check_password, create_account, sign_up
from allmende.storage import Database
from tests.integration.conftest import HeldClock

PASSWORD = "herons eat at dusk"


def try_it(database: Database, name: str, address: str = "192.0.2.1") -> None:
    sign_up(database, name, None, PASSWORD, address)


def test_five_from_an_address_are_free_then_each_waits(database: Database, clock: HeldClock) -> None:
    for number in range(5):
        try_it(database, f"user-{number}")
    for expected_s in (1, 2, 4):
        with pytest.raises(TooManyRequests) as refused:
            try_it(database, "one-more")
        assert refused.value.retry_after_s == expected_s
        clock.advance(seconds=expected_s)
        try_it(database, f"user-after-{expected_s}")
    try_it(database, "from-elsewhere", "192.0.2.2")


def test_the_longest_wait_is_five_minutes(database: Database, clock: HeldClock) -> None:
    with database.write() as uow:
        create_account(uow, "taken", "user")
    for _ in range(20):
        with pytest.raises(AccountExists):
            try_it(database, "taken")
        clock.advance(seconds=301)
    with pytest.raises(AccountExists):
        try_it(database, "taken")
    with pytest.raises(TooManyRequests) as refused:
        try_it(database, "taken")
    assert refused.value.retry_after_s == 300


def test_from_everywhere_together_it_is_bounded_too(database: Database, clock: HeldClock) -> None:
    with database.write() as uow:
        create_account(uow, "taken", "user")
    for number in range(50):
        with pytest.raises(AccountExists):
            try_it(database, "taken", f"192.0.2.{number}")
    with pytest.raises(TooManyRequests):
        try_it(database, "taken", "198.51.100.1")
    clock.advance(seconds=61)
    try_it(database, "somebody", "198.51.100.1")


def test_tries_do_not_count_against_signing_in(database: Database, clock: HeldClock) -> None:
    del clock
    with database.write() as uow:
        create_account(uow, "taken", "user")
    try_it(database, "ann")
    for _ in range(4):
        with pytest.raises(AccountExists):
            try_it(database, "taken")
    assert check_password(database, "ann", PASSWORD, "192.0.2.1").name == "ann"
