"""Rows of uploaded xorbs: whose they are, where their bytes lie, and for how long."""

from datetime import timedelta

import pytest

from allmende.ids import AccountId, Sha256, XetHash
from allmende.storage import (
    Database,
    XorbKey,
    XorbRun,
    add_content,
    add_runs,
    add_uploaded_xorb,
    find_uploaded_xorb,
    forget_content,
    forget_uploaded_xorb,
    kept_xorbs,
    known_xorb_locations,
    let_go_of_bytes,
    list_runs,
    mark_verified,
    see_xorbs,
    unused_since,
    uploaded_xorb_figures,
    waiting_xorbs,
    xorbs_unseen_since,
)
from tests.integration.conftest import HeldClock

HASH = XetHash("ab" * 32)
MINE, THEIRS = XorbKey(AccountId(1), HASH), XorbKey(AccountId(2), HASH)
ONE, TWO = (Sha256(digit * 64) for digit in "12")


def add(database: Database, key: XorbKey, location: str = "x") -> str | None:
    with database.write() as uow:
        return add_uploaded_xorb(uow, key, 100, bytes(36 * 10), location)


def run(first: int, end: int, sha256: Sha256 = ONE, offset: int = 0, key: XorbKey = MINE) -> XorbRun:
    return XorbRun(key, first, end, sha256, offset)


def record(database: Database, *runs: XorbRun) -> None:
    with database.write() as uow:
        for sha256 in (ONE, TWO):
            add_content(uow, sha256, 1000, sha256)
        add_runs(uow, runs)


def spans(database: Database, key: XorbKey = MINE) -> list[tuple[int, int, str]]:
    with database.read() as uow:
        return [(found.first, found.end, found.sha256[0]) for found in list_runs(uow, key)]


def test_the_same_xorb_of_two_accounts_is_two(database: Database) -> None:
    assert add(database, MINE, "mine") is None
    assert add(database, THEIRS, "theirs") is None
    with database.read() as uow:
        found = find_uploaded_xorb(uow, MINE)
        assert found is not None
        assert found.location == "mine"
        assert find_uploaded_xorb(uow, XorbKey(AccountId(3), HASH)) is None


def test_a_repeat_says_where_the_bytes_were(database: Database) -> None:
    assert [add(database, MINE, place) for place in ("a", "b", "c")] == [None, "a", "b"]
    with database.write() as uow:
        assert not let_go_of_bytes(uow, MINE, "a"), "they are elsewhere by now"
        assert let_go_of_bytes(uow, MINE, "c")
    assert add(database, MINE, "d") is None
    with database.read() as uow:
        assert known_xorb_locations(uow, ["a", "c", "d"]) == {"d"}


def test_of_runs_that_begin_alike_the_longer_stays(database: Database) -> None:
    add(database, MINE)
    record(database, run(0, 3), run(2, 5), run(2, 4, TWO))
    assert spans(database) == [(0, 3, "1"), (2, 5, "1")]
    record(database, run(0, 2, TWO), run(2, 8, TWO))
    assert spans(database) == [(0, 3, "1"), (2, 8, "2")]


def test_runs_in_damaged_contents_are_passed_over(database: Database) -> None:
    add(database, MINE)
    record(database, run(0, 5), run(6, 8, TWO))
    with database.write() as uow:
        mark_verified(uow, ONE, damage="The bytes are wrong.")
    assert spans(database) == [(6, 8, "2")]
    with database.write() as uow:
        add_runs(uow, [run(0, 3, TWO)])
    assert spans(database) == [(0, 3, "2"), (6, 8, "2")]


def test_runs_go_with_their_content_and_with_their_xorb(database: Database, clock: HeldClock) -> None:
    add(database, MINE)
    add(database, THEIRS)
    record(database, run(0, 5), run(6, 8, TWO), run(0, 5, key=THEIRS))
    with database.write() as uow:
        forget_content(uow, ONE)
    assert spans(database) == [(6, 8, "2")]
    assert spans(database, THEIRS) == []
    clock.advance(seconds=1)
    with database.write() as uow:
        assert forget_uploaded_xorb(uow, MINE, clock())
    assert spans(database) == []


def test_a_xorb_that_was_seen_since_is_not_forgotten(database: Database, clock: HeldClock) -> None:
    add(database, MINE)
    add(database, THEIRS)
    clock.advance(hours=1)
    with database.write() as uow:
        see_xorbs(uow, MINE.account_id, [HASH, XetHash("cd" * 32)])
    before = clock() - timedelta(minutes=1)
    with database.write() as uow:
        assert [found.key for found in xorbs_unseen_since(uow, before, 10)] == [THEIRS]
        assert not forget_uploaded_xorb(uow, MINE, before)
        assert forget_uploaded_xorb(uow, THEIRS, before)
        assert not forget_uploaded_xorb(uow, THEIRS, before)


def test_waiting_xorbs_are_those_of_the_account_and_the_newest_first(
    database: Database, clock: HeldClock
) -> None:
    keys = [XorbKey(AccountId(1), XetHash(f"{number:064x}")) for number in range(4)]
    for key in keys:
        add(database, key, key.hash)
        clock.advance(seconds=1)
    add(database, THEIRS)
    with database.write() as uow:
        let_go_of_bytes(uow, keys[2], keys[2].hash)
    with database.read() as uow:
        assert [found.key for found in waiting_xorbs(uow, AccountId(1), 10)] == [keys[3], keys[1], keys[0]]
        assert [found.key for found in waiting_xorbs(uow, AccountId(1), 1)] == [keys[3]]
        assert uploaded_xorb_figures(uow) == (4, 400)


def test_kept_xorbs_come_in_pages(database: Database) -> None:
    keys = sorted(
        (XorbKey(AccountId(account), XetHash(f"{number:064x}")) for account in (1, 2) for number in range(3)),
        key=lambda key: (key.account_id, key.hash),
    )
    for key in keys:
        add(database, key, f"{key.account_id}/{key.hash}")
    seen: list[XorbKey] = []
    with database.read() as uow:
        while page := kept_xorbs(uow, seen[-1] if seen else None, 2):
            seen += [found.key for found in page]
    assert seen == keys


@pytest.mark.parametrize("seen", [True, False])
def test_contents_that_hold_chunks_of_a_xorb_stay_while_it_may_be_named(
    database: Database, clock: HeldClock, seen: bool
) -> None:
    add(database, MINE)
    record(database, run(0, 5))
    clock.advance(days=40)
    if seen:
        with database.write() as uow:
            see_xorbs(uow, MINE.account_id, [HASH])
    clock.advance(days=1)
    with database.read() as uow:
        unused = unused_since(uow, [ONE, TWO], clock() - timedelta(days=30))
    assert set(unused) == ({TWO} if seen else {ONE, TWO})
