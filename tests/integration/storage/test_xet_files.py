"""Contents under their Xet hashes."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from allmende.ids import Sha256, XetHash
from allmende.storage import (
    Database,
    FileXorb,
    add_content,
    add_file_xorbs,
    begin_xet_file,
    complete_xet_file,
    contents_without_xet_file,
    find_xet_file,
    forget_content,
    list_file_xorbs,
    mark_verified,
    mention_xet_file,
    metadata,
    numbered_xorbs,
    xet_hashes_of,
    xorbs_by_hash,
)
from tests.integration.conftest import HeldClock

ONE, TWO = (Sha256(digit * 64) for digit in "12")


def name(number: int) -> XetHash:
    return XetHash(f"{number:064x}")


@pytest.fixture
def put(database: Database) -> Callable[..., None]:
    """A content, and a file of it whose xorbs have these sizes."""

    def run(xet_hash: XetHash, sha256: Sha256, *sizes: int, complete: bool = True) -> None:
        with database.write() as uow:
            add_content(uow, sha256, sum(sizes), sha256)
            begin_xet_file(uow, xet_hash, sha256)
            offset = 0
            xorbs = []
            for number, size in enumerate(sizes):
                xorbs.append(FileXorb(xet_hash, number, name(100 + number), offset, size, b"\0" * 36))
                offset += size
            add_file_xorbs(uow, xorbs, [(name(900), xet_hash, 0)] if xorbs else [])
            if complete:
                assert complete_xet_file(uow, xet_hash, len(sizes))

    return run


def test_a_file_counts_when_it_is_complete(database: Database, put: Callable[..., None]) -> None:
    put(name(1), ONE, 10, complete=False)
    with database.read() as uow:
        assert find_xet_file(uow, name(1)) is None
        assert xet_hashes_of(uow, [ONE]) == {}
        assert xorbs_by_hash(uow, name(100), 0, 10) == []
        assert [content.sha256 for content in contents_without_xet_file(uow, None, 10)] == [ONE]
    put(name(1), ONE, 10)
    with database.read() as uow:
        found = find_xet_file(uow, name(1))
        assert found is not None
        assert found.sha256 == ONE
        assert xet_hashes_of(uow, [ONE, TWO]) == {ONE: name(1)}
        assert [sha256 for _xorb, sha256 in xorbs_by_hash(uow, name(100), 0, 10)] == [ONE]
        assert contents_without_xet_file(uow, None, 10) == []


def test_a_file_with_a_hole_is_not_completed(database: Database, put: Callable[..., None]) -> None:
    put(name(1), ONE, 10, 20, complete=False)
    for xorbs in (0, 1, 3):
        with database.write() as uow:
            assert not complete_xet_file(uow, name(1), xorbs)
    with database.read() as uow:
        assert find_xet_file(uow, name(1)) is None


def test_writing_twice_is_harmless(database: Database, put: Callable[..., None]) -> None:
    for _ in range(2):
        put(name(1), ONE, 10, 20, 30)
    with database.read() as uow:
        assert [xorb.number for xorb in numbered_xorbs(uow, name(1), 0, 9)] == [0, 1, 2]


def test_the_first_of_several_cuts_is_named(
    database: Database, put: Callable[..., None], clock: HeldClock
) -> None:
    for number in (7, 3, 9):
        put(name(number), ONE, 10)
        clock.advance(seconds=1)
    with database.read() as uow:
        assert xet_hashes_of(uow, [ONE]) == {ONE: name(7)}


@pytest.mark.parametrize(
    ("start", "end", "numbers"),
    [
        (0, 60, [0, 1, 2]),
        (0, 1, [0]),
        (9, 10, [0]),
        (9, 11, [0, 1]),
        (10, 30, [1]),
        (29, 31, [1, 2]),
        (59, 60, [2]),
        (60, 70, []),
        (0, 10**18, [0, 1, 2]),
    ],
)
def test_the_xorbs_that_hold_bytes(
    database: Database, put: Callable[..., None], start: int, end: int, numbers: list[int]
) -> None:
    put(name(1), ONE, 10, 20, 30)
    put(name(2), TWO, 100)
    with database.read() as uow:
        found = list_file_xorbs(uow, name(1), start_byte=start, end_byte=end, limit=10)
        assert [xorb.number for xorb in found] == numbers
        few = list_file_xorbs(uow, name(1), start_byte=start, end_byte=end, limit=1)
        assert [xorb.number for xorb in few] == numbers[:1]


def test_places_of_a_xorb_come_in_pages_and_the_newest_first(
    database: Database, put: Callable[..., None], clock: HeldClock
) -> None:
    hashes = [Sha256(f"{number:064x}") for number in range(5)]
    for number, sha256 in enumerate(hashes):
        put(name(number), sha256, 10)
        clock.advance(seconds=1)
    with database.read() as uow:
        pages = [xorbs_by_hash(uow, name(100), start, 2) for start in (0, 2, 4, 6)]
    assert [[sha256 for _xorb, sha256 in page] for page in pages] == [
        hashes[:2:-1],
        hashes[2:0:-1],
        hashes[:1],
        [],
    ]


def test_a_content_takes_its_files_along(database: Database, put: Callable[..., None]) -> None:
    put(name(1), ONE, 10)
    with database.write() as uow:
        forget_content(uow, ONE)
    with database.read() as uow:
        assert find_xet_file(uow, name(1)) is None
        assert numbered_xorbs(uow, name(1), 0, 9) == []
        assert uow.all(_everything("dedup_chunk")) == []


def _everything(table: str):
    return select(metadata.tables[table])


def test_what_is_to_be_cut(database: Database, put: Callable[..., None]) -> None:
    """Neither what is damaged, nor the empty content, which has no chunk."""
    hashes = [Sha256(f"{number:064x}") for number in range(6)]
    with database.write() as uow:
        for sha256 in hashes:
            add_content(uow, sha256, 0 if sha256 == hashes[5] else 3, sha256)
        mark_verified(uow, hashes[2], damage="The bytes are wrong.")
    put(name(1), hashes[1], 3)
    with database.read() as uow:
        first = [content.sha256 for content in contents_without_xet_file(uow, None, 2)]
        rest = [content.sha256 for content in contents_without_xet_file(uow, first[-1], 9)]
    assert first + rest == [hashes[0], hashes[3], hashes[4]]


def test_a_file_that_is_mentioned(database: Database, put: Callable[..., None], clock: HeldClock) -> None:
    put(name(1), ONE, 10)
    clock.advance(days=3)
    with database.write() as uow:
        mention_xet_file(uow, name(1))
    with database.read() as uow:
        found = find_xet_file(uow, name(1))
    assert found is not None
    assert found.mentioned_at == clock()
