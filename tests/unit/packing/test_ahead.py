"""Contents read with parts decoded ahead: the same bytes and errors, in order, bounded, ended by closing."""

from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from allmende.codecs import BLOCK_WORDS, DamagedObject, Recipe, Stretch
from allmende.ids import Sha256
from allmende.packing import open_recipe
from allmende.packing.ahead import PartsAhead, part_ends
from tests.unit.packing.memory_shelf import MemoryShelf
from tests.unit.packing.stored_files import file_of, stored

MIB = 1024 * 1024


def family() -> tuple[MemoryShelf, bytes, Recipe]:
    """A model on a base: two tensors of several parts, forty of a fraction of one, and small ones."""
    random = np.random.default_rng(7)
    shapes = {"large": (1700, 512), "larger": (2500, 512)} | {f"m{i}": (64, 300) for i in range(40)}
    base = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    base |= {f"s{i}": random.standard_normal(9).astype(np.float32) for i in range(20)}
    child = {
        name: (one + random.standard_normal(one.shape) * 1e-5).astype(np.float32)
        for name, one in base.items()
    }
    shelf, data = MemoryShelf(), file_of(child)
    return shelf, data, stored(shelf, data, [[stored(shelf, file_of(base))]])


SHELF, DATA, RECIPE = family()


class Kept:
    """An executor that keeps what it is given, until it is told to begin."""

    def __init__(self) -> None:
        self.given: list[tuple[Future[memoryview], int, int]] = []

    def submit(self, _read: object, start: int, end: int) -> Future[memoryview]:
        future: Future[memoryview] = Future()
        self.given.append((future, start, end))
        return future


def parts_of(
    size: int, executor: object, until: int | None = None
) -> tuple[PartsAhead, list[tuple[int, int]]]:
    """Parts of ten bytes that tell which part it is, and what of them is read by the reader's own thread."""
    read: list[tuple[int, int]] = []

    def at(start: int, out: memoryview) -> None:
        read.append((start, start + len(out)))
        out[:] = bytes([start // 10]) * len(out)

    ends = list(range(10, size + 1, 10))
    return PartsAhead(ends, at, executor, size if until is None else until), read  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1000, 300_000, MIB, 50 * MIB])
def test_the_bytes_are_the_same(count: int) -> None:
    with ThreadPoolExecutor(2) as ahead, open_recipe(RECIPE, SHELF, ahead) as reader:
        found = bytearray()
        while block := reader.read(count):
            found += block
    assert bytes(found) == DATA


def test_jumps_are_followed() -> None:
    random = np.random.default_rng(3)
    with ThreadPoolExecutor(2) as ahead, open_recipe(RECIPE, SHELF, ahead) as reader:
        for _ in range(60):
            start, count = int(random.integers(0, len(DATA))), int(random.integers(0, 2 * MIB))
            reader.seek(start)
            assert reader.read(count) == DATA[start : start + count]


def test_parts_split_no_block() -> None:
    ends = part_ends(RECIPE)
    assert ends[-1] == len(DATA)
    assert all(end - begin < 2 * MIB for begin, end in pairwise([0, *ends]))
    at = 0
    for segment in RECIPE.segments:
        if isinstance(segment, Stretch):
            inside = [end - at + segment.start for end in ends if at < end < at + segment.size_bytes]
            assert all(place % (4 * BLOCK_WORDS) == 0 for place in inside)
        at += segment.size_bytes
    assert len(ends) >= len(DATA) // (2 * MIB)


def test_an_error_comes_where_it_belongs_and_again() -> None:
    shelf, data, recipe = family()
    number = max(range(len(recipe.objects)), key=lambda one: len(shelf.stored[recipe.objects[one]][0]))
    shelf.stored[recipe.objects[number]][0][-1] ^= 1
    (end,) = [
        sum(one.size_bytes for one in recipe.segments[: place + 1])
        for place, segment in enumerate(recipe.segments)
        if isinstance(segment, Stretch) and segment.number == number
    ]
    with ThreadPoolExecutor(2) as ahead, open_recipe(recipe, shelf, ahead) as reader:
        sound = bytearray()
        with pytest.raises(DamagedObject):
            while block := reader.read(100_000):
                sound += block
        assert bytes(sound) == data[: len(sound)]
        assert end - 2 * MIB < len(sound) < end
        with pytest.raises(DamagedObject):
            reader.read(end - len(sound))
        reader.seek(end)
        assert reader.read() == data[end:]
    assert set(shelf.reports) == {(recipe.objects[number], 0)}


def test_the_sha256_is_held_against_the_whole() -> None:
    wrong = Recipe(Sha256("0" * 64), RECIPE.size_bytes, RECIPE.objects, RECIPE.segments, RECIPE.literals)
    with (
        ThreadPoolExecutor(2) as ahead,
        open_recipe(wrong, SHELF, ahead) as reader,
        pytest.raises(DamagedObject),
    ):
        reader.read()


def test_a_few_parts_are_begun_and_no_more() -> None:
    kept = Kept()
    parts, _ = parts_of(1000, kept)
    parts.read_at(0, 1)
    assert [(start, end) for _, start, end in kept.given] == [(10, 20), (20, 30), (30, 40)]
    parts.read_at(9, 1)
    assert len(kept.given) == 3
    parts.read_at(10, 1)
    assert [(start, end) for _, start, end in kept.given[3:]] == [(40, 50)]


def test_nothing_is_begun_behind_the_end_that_was_said() -> None:
    kept = Kept()
    parts, read = parts_of(1000, kept, until=25)
    assert len(parts.read_at(3, 100)) == 7
    assert [(start, end) for _, start, end in kept.given] == [(10, 20), (20, 25)]
    assert len(parts.read_at(20, 100)) == 5
    assert len(parts.read_at(25, 100)) == 5
    assert read == [(3, 10), (20, 25), (25, 30)]


def test_what_nobody_has_begun_is_read_by_the_reader() -> None:
    kept = Kept()
    parts, read = parts_of(1000, kept)
    for start in range(0, 1000, 10):
        assert len(parts.read_at(start, 10)) == 10
    assert read == [(start, start + 10) for start in range(0, 1000, 10)]
    assert all(future.cancelled() for future, _, _ in kept.given)


def test_closing_and_jumping_cancel_what_was_to_come() -> None:
    kept = Kept()
    parts, _ = parts_of(1000, kept)
    parts.read_at(0, 1)
    parts.read_at(500, 1)
    assert all(future.cancelled() for future, _, _ in kept.given[:3])
    assert not any(future.cancelled() for future, _, _ in kept.given[3:])
    parts.close()
    assert all(future.cancelled() for future, _, _ in kept.given)


def test_what_was_given_stays_while_the_next_part_is_asked_for() -> None:
    parts, _ = parts_of(100, Kept())
    given = [parts.read_at(start, 10) for start in (0, 10)]
    assert [bytes(one) for one in given] == [bytes(10), bytes([1]) * 10]
    third = parts.read_at(70, 10)
    assert bytes(given[1]) == bytes([1]) * 10
    # The memory of the first one is used again.
    assert bytes(given[0]) == bytes(third) == bytes([7]) * 10


def test_a_jump_away_and_back_does_no_harm_to_the_sha256() -> None:
    with ThreadPoolExecutor(1) as ahead, open_recipe(RECIPE, SHELF, ahead) as reader:
        for start in range(0, len(DATA), MIB):
            reader.seek(start)
            assert reader.read(MIB) == DATA[start : start + MIB]
            for place in (len(DATA) // 3, 0, len(DATA) // 2):
                reader.seek(place)
                reader.read(1 if place else 0)


def test_an_executor_that_was_shut_down_is_done_without() -> None:
    ahead = ThreadPoolExecutor(2)
    with open_recipe(RECIPE, SHELF, ahead) as reader:
        first = reader.read(MIB)
        ahead.shutdown(cancel_futures=True)
        assert first + reader.read() == DATA


def test_many_readers_share_one_thread() -> None:
    with ThreadPoolExecutor(1) as ahead, ThreadPoolExecutor(6) as readers:

        def read(_number: int) -> bytes:
            with open_recipe(RECIPE, SHELF, ahead) as reader:
                return reader.read()

        assert set(readers.map(read, range(6))) == {DATA}


def test_another_encoding_takes_over_once_however_many_threads_find_out() -> None:
    shelf, data, recipe = family()
    for object_id in recipe.objects:
        sound = bytes(shelf.stored[object_id][0])
        broken = bytearray(sound)
        broken[-1] ^= 1
        shelf.stored[object_id] = [broken, bytearray(sound)]
    with ThreadPoolExecutor(4) as ahead, open_recipe(recipe, shelf, ahead) as reader:
        assert reader.read() == data
    assert sorted(set(shelf.reports)) == sorted(shelf.reports)
    assert {number for _, number in shelf.reports} == {0}
