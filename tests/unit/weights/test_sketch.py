import numpy as np
import pytest

from allmende.weights import SketchIndex, UnreadableWeights, make_sketch, read_sketch
from allmende.weights.positions import run_positions
from tests.unit.weights.made_families import base, named, rounded, trained


def agreement(one: bytes | None, other: bytes | None) -> float:
    assert one is not None
    assert other is not None
    bits = np.unpackbits(np.frombuffer(one, np.uint8) ^ np.frombuffer(other, np.uint8))
    return 1 - float(bits.mean())


class TestPositions:
    def test_they_lie_inside_and_in_runs(self) -> None:
        for rows, columns in ((8, 8), (1000, 384), (30522, 384), (7, 3)):
            found = run_positions(rows, columns, 32)
            assert found.min() >= 0
            assert found.max() < rows * columns
            assert (np.diff(found, axis=1) == 1).all()
            assert (found // columns == found[:, :1] // columns).all()

    def test_rows_that_are_added_move_few_of_them(self) -> None:
        before, after = run_positions(30522, 384, 512), run_positions(30586, 384, 512)
        assert (before == after).all(axis=1).mean() > 0.99
        beyond = run_positions(32768 + 64, 384, 512)
        assert (run_positions(32768, 384, 512) == beyond).all(axis=1).mean() > 0.45


class TestSketch:
    def test_it_comes_back_from_its_bytes(self) -> None:
        sketch = make_sketch(named("one", base()))
        again = read_sketch(sketch.to_bytes())
        assert again.key == sketch.key
        assert again.to_bytes() == sketch.to_bytes()
        assert [tensor.name for tensor in again.tensors] == [tensor.name for tensor in sketch.tensors]

    def test_it_stays_small(self) -> None:
        many = make_sketch(named("deep", base(layers=40)))
        assert len(many.tensors) == 40
        assert len(many.to_bytes()) < 16 * 1024

    def test_kin_agree_and_strangers_do_not(self) -> None:
        start = base()
        key = make_sketch(named("start", start)).key
        assert agreement(key, make_sketch(named("tuned", trained(start, 1, far=0.3))).key) > 0.8
        assert agreement(key, make_sketch(named("cast", rounded(start, "BF16"))).key) > 0.98
        assert agreement(key, make_sketch(named("deeper", base() | base(layers=4))).key) > 0.8
        assert agreement(key, make_sketch(named("stranger", base(seed=9))).key) < 0.58

    def test_what_says_nothing_has_no_key(self) -> None:
        assert make_sketch(named("flat", {"a": np.zeros((64, 64), np.float32)})).key is None
        assert make_sketch(named("nan", {"a": np.full((64, 64), np.nan, np.float32)})).key is None
        assert make_sketch(named("vector", {"a": np.ones(64, np.float32)})).key is None

    @pytest.mark.parametrize("cut", [0, 3, 8, 100, 300, -1])
    def test_damaged_bytes_are_refused(self, cut: int) -> None:
        with pytest.raises(UnreadableWeights):
            read_sketch(make_sketch(named("one", base())).to_bytes()[:cut])
        with pytest.raises(UnreadableWeights):
            read_sketch(make_sketch(named("one", base())).to_bytes() + b"x")


class TestIndex:
    def test_it_finds_what_a_plain_count_finds(self) -> None:
        random = np.random.default_rng(1)
        keys = [random.bytes(256) for _ in range(3000)]
        index = SketchIndex()
        index.add(enumerate(keys))
        wanted = bytearray(keys[1234])
        for place in random.integers(0, 256, 60):
            wanted[place] ^= 0xFF
        found = index.near(bytes(wanted), least=0.5, most=5000)
        plain = {number: agreement(bytes(wanted), key) for number, key in enumerate(keys)}
        assert {near.number for near in found} == {number for number, share in plain.items() if share >= 0.5}
        assert found[0].number == 1234
        assert all(near.agreement == pytest.approx(plain[near.number]) for near in found)

    def test_keys_are_replaced_and_removed(self) -> None:
        index = SketchIndex()
        index.add([(7, b"\0" * 256), (8, b"\xff" * 256)])
        index.add([(7, b"\xff" * 256)])
        assert {near.number for near in index.near(b"\xff" * 256)} == {7, 8}
        index.remove(8)
        index.remove(99)
        assert [near.number for near in index.near(b"\xff" * 256)] == [7]
        assert len(index) == 1

    def test_many_at_once_are_the_same(self) -> None:
        random = np.random.default_rng(2)
        keys = random.integers(0, 256, (100, 256), dtype=np.uint8)
        one, many = SketchIndex(), SketchIndex()
        one.add((number, keys[number].tobytes()) for number in range(100))
        many.add_many(np.arange(100), keys)
        query = random.bytes(256)
        assert one.near(query, least=0.4) == many.near(query, least=0.4)

    def test_a_key_of_another_length_is_refused(self) -> None:
        with pytest.raises(ValueError, match="256 bytes"):
            SketchIndex().add([(1, b"short")])
