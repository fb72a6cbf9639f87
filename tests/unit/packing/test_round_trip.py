"""Whatever a file holds, it comes back byte for byte: sound containers, hostile ones, and what is none."""

import hashlib
import io
import json
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allmende.codecs import DamagedObject
from allmende.ids import Sha256
from allmende.packing import MAX_DEPTH, build, open_recipe, reencode
from tests.unit.formats.gguf_files import STRING, GgufFile
from tests.unit.formats.torch_files import Saved, torch_zip
from tests.unit.packing.memory_shelf import MemoryShelf
from tests.unit.packing.stored_files import file_of, place_of, safetensors, stored, weights

CASES = 300
CAMPAIGN_CASES = 5000
WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1, "F8_E4M3": 1, "BOOL": 1}


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, tuple[str, list[int], bytes]]:
    """A few tensors of odd types and sizes: bits of any kind, so NaNs with payloads and denormals too."""
    found = {}
    for number in range(draw(st.integers(0, 4))):
        dtype = draw(st.sampled_from(sorted(WIDTHS)))
        shape = draw(st.lists(st.sampled_from([0, 1, 3, 8, 64, 130]), max_size=3))
        count = int(np.prod(shape, dtype=np.int64))
        count = count if count * WIDTHS[dtype] < 300_000 else 0
        shape = shape if count or 0 in shape else [0]
        seed = draw(st.integers(0, 2**16))
        kind = draw(st.sampled_from(["bits", "zeros", "small", "nan"]))
        found[f"layers.{number}.weight"] = (dtype, shape, words(dtype, count, seed, kind))
    return found


def words(dtype: str, count: int, seed: int, kind: str) -> bytes:
    size = count * WIDTHS[dtype]
    if kind == "zeros":
        return bytes(size)
    random = np.random.default_rng(seed)
    if kind == "nan" and dtype == "F32":
        return (random.integers(0, 2**22, count, np.uint32) | 0x7FC00000).astype("<u4").tobytes()
    if kind == "small" and dtype == "F32":
        return (random.standard_normal(count) * 1e-40).astype("<f4").tobytes()
    return random.bytes(size)


PAIRS = {
    "first": tensors(),
    "second": tensors(),
    "gap": st.binary(max_size=40),
    "cut": st.integers(0, 400),
}


def pair_comes_back(
    first: dict[str, tuple[str, list[int], bytes]],
    second: dict[str, tuple[str, list[int], bytes]],
    gap: bytes,
    cut: int,
) -> None:
    """The second file shares names with the first, which is its base, and is cut short or not."""
    shelf = MemoryShelf()
    base = stored(shelf, safetensors(first))
    data = safetensors({**first, **second} if cut % 2 else second, gap)
    stored(shelf, data[: len(data) - cut] if cut % 3 == 0 else data, [[base]])


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(**PAIRS)
def test_a_file_and_one_like_it_come_back(**case: Any) -> None:
    pair_comes_back(**case)


def test_a_scale_is_not_made_of_values_that_are_no_numbers() -> None:
    """Found by the test above: the largest of a base with a NaN is a NaN, and so was the scale made of it."""
    base = bytes.fromhex(
        "5f82c2d9cfeb0fa321d7d982f8bd1045b8e8cd4ea93d7d0a1df04213b6273b043b51de2c787a32d04e1c40a67959aae9"
        "7fb2ed80717b4c9b459a82f85f49c0ba"
    )
    data = bytes.fromhex(
        "18000b1e58c27af5edf4f3d593c383c3ce63ce3e911a99f3651abb1ca127801acd8e97a789de1d74da36808ea231ff90"
        "494c3bfc2e4abbf7c6570be17a1d877d"
    )
    first, second = ({"a": ("F8_E4M3", [64], values)} for values in (base, data))
    pair_comes_back(first, second, b"", 0)


@pytest.mark.campaign
@settings(max_examples=CAMPAIGN_CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(**PAIRS)
def test_many_files_and_others_like_them_come_back(**case: Any) -> None:
    pair_comes_back(**case)


@settings(max_examples=CASES // 3, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=3000), times=st.integers(1, 40))
def test_bytes_of_no_format_come_back(data: bytes, times: int) -> None:
    shelf = MemoryShelf()
    stored(shelf, data * times)
    stored(shelf, b"before" + data * times)


@settings(max_examples=CASES // 3, deadline=None, suppress_health_check=list(HealthCheck))
@given(offsets=st.lists(st.tuples(st.integers(-5, 90), st.integers(-5, 90)), min_size=1, max_size=4))
def test_headers_that_lie_come_back(offsets: list[tuple[int, int]]) -> None:
    header = {
        f"t{number}": {"dtype": "U8", "shape": [max(0, end - start)], "data_offsets": [start, end]}
        for number, (start, end) in enumerate(offsets)
    }
    head = json.dumps(header).encode()
    stored(MemoryShelf(), struct.pack("<Q", len(head)) + head + bytes(range(80)))


# --- other formats -----------------------------------------------------------------------------------------


def in_gguf(arrays: dict[str, np.ndarray]) -> bytes:
    """As float32; rows of 256 values, which blocks need, but no blocks."""
    file = GgufFile(pairs=[("general.architecture", STRING, "none")])
    for name, values in arrays.items():
        file.tensors.append((name, list(reversed(values.shape)), 0, len(file.data)))
        file.data += values.tobytes()
    return file.to_bytes()


def in_npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **dict[str, Any](arrays))
    return buffer.getvalue()


def in_deflated_npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict[str, Any](arrays))
    return buffer.getvalue()


def in_torch_zip(arrays: dict[str, np.ndarray]) -> bytes:
    return torch_zip({name: Saved(values) for name, values in arrays.items()})


FORMATS = [in_gguf, in_npz, in_torch_zip]


@pytest.mark.parametrize("form", FORMATS)
def test_a_tensor_is_the_same_in_every_format(form: Callable[[dict[str, np.ndarray]], bytes]) -> None:
    shelf, arrays = MemoryShelf(), weights(1)
    stored(shelf, file_of(arrays))
    before = shelf.stored_bytes
    stored(shelf, form(arrays))
    assert shelf.stored_bytes == before


@pytest.mark.parametrize("form", [*FORMATS, in_deflated_npz])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    places=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=3), cut=st.integers(0, 99)
)
def test_files_with_some_bytes_changed_come_back(
    form: Callable[[dict[str, np.ndarray]], bytes], places: list[tuple[int, int]], cut: int
) -> None:
    """Most of the changes fall on a header or a directory, which then lies."""
    data = bytearray(
        form({"a": np.arange(8192, dtype=np.float32).reshape(32, 256), "s": np.ones(3, np.float32)})
    )
    edge = min(1500, len(data) // 2)
    for place, byte in places:
        data[place % edge if place % 2 else -1 - place % edge] = byte
    stored(MemoryShelf(), bytes(data[: len(data) - cut if cut % 3 == 0 else None]))


# --- what is spared ----------------------------------------------------------------------------------------


def test_a_tensor_is_stored_once_wherever_it_is() -> None:
    shelf, base = MemoryShelf(), weights(1)
    stored(shelf, file_of(base))
    before = shelf.stored_bytes
    stored(shelf, file_of({"other": base["a"], **weights(2, ["c"])}))
    assert shelf.stored_bytes - before < 1.05 * base["a"].nbytes
    assert len(shelf.stored) == 3


@pytest.mark.parametrize(
    "made",
    [
        lambda a, b: np.float32(0.5) * a + np.float32(0.5) * b,
        lambda a, b: a.astype(np.float16),
        lambda a, b: np.where(np.abs(a) < 0.5, np.float32(0), a),
    ],
    ids=["merged", "cast", "pruned"],
)
def test_what_follows_from_stored_parents_takes_next_to_nothing(made: Any) -> None:
    shelf, one, two = MemoryShelf(), weights(1), weights(2)
    parents = [[stored(shelf, file_of(one))], [stored(shelf, file_of(two))]]
    before = shelf.stored_bytes
    child = file_of({name: made(one[name], two[name]) for name in one})
    stored(shelf, child, parents)
    assert shelf.stored_bytes - before < len(child) / 50


def test_chains_end_at_the_depth_that_may_be() -> None:
    shelf = MemoryShelf()
    arrays = weights(1, ["a"])
    recipe = stored(shelf, file_of(arrays))
    for seed in range(6):
        step = np.random.default_rng(seed).standard_normal(arrays["a"].shape) * 1e-4
        arrays = {"a": (arrays["a"] + step).astype(np.float32)}
        recipe = stored(shelf, file_of(arrays), [[recipe]])
    depths = [shelf.depth(one) for one in shelf.stored]
    assert max(depths) == MAX_DEPTH


def test_an_object_can_be_stored_without_its_bases() -> None:
    shelf, one = MemoryShelf(), weights(1, ["a"])
    base = stored(shelf, file_of(one))
    child = stored(shelf, file_of({"a": (one["a"] * np.float32(1.0001)).astype(np.float32)}), [[base]])
    (object_id,) = child.objects
    assert shelf.parents[object_id]
    encoded = reencode(shelf, object_id)
    assert encoded.parents == frozenset()
    assert encoded.object_id == object_id


def test_a_damaged_encoding_is_told_of_and_another_takes_its_place() -> None:
    shelf, data = MemoryShelf(), file_of(weights(1, ["a"]))
    recipe = stored(shelf, data)
    (object_id,) = recipe.objects
    sound = bytes(shelf.stored[object_id][0])
    broken = bytearray()
    for place in (5, len(sound) // 2, len(sound) - 1):
        broken = bytearray(sound)
        broken[place] ^= 1
        shelf.stored[object_id] = [broken, bytearray(sound)]
        shelf.reports.clear()
        with open_recipe(recipe, shelf) as reader:
            assert reader.read() == data
        assert shelf.reports == [(object_id, 0)]
    shelf.stored[object_id] = [broken]
    with open_recipe(recipe, shelf) as reader, pytest.raises(DamagedObject):
        reader.read()


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_damage_is_told_of_the_object_that_has_it_however_deep(level: int, ahead: bool) -> None:
    shelf, arrays = MemoryShelf(), weights(1, ["a"])
    recipes = [stored(shelf, file_of(arrays))]
    for seed in range(2):
        step = np.random.default_rng(seed).standard_normal(arrays["a"].shape) * 1e-4
        arrays = {"a": (arrays["a"] + step).astype(np.float32)}
        recipes.append(stored(shelf, file_of(arrays), [[recipes[-1]]]))
    data = file_of(arrays)
    (object_id,) = recipes[level].objects
    sound = bytes(shelf.stored[object_id][0])
    with ThreadPoolExecutor(2) as executor:
        for place in range(len(sound) - 1, len(sound) // 10, -len(sound) // 9):
            broken = bytearray(sound)
            broken[place] ^= 1
            shelf.stored[object_id] = [broken, bytearray(sound)]
            shelf.reports.clear()
            with open_recipe(recipes[-1], shelf, executor if ahead else None, verify=False) as reader:
                assert reader.read() == data
            assert set(shelf.reports) == {(object_id, 0)}
            shelf.stored[object_id] = [broken]
            with (
                open_recipe(recipes[-1], shelf, executor if ahead else None) as reader,
                pytest.raises(DamagedObject),
            ):
                reader.read()
            assert set(shelf.reports) == {(object_id, 0)}


def test_bytes_are_given_as_they_are_at_hand() -> None:
    shelf, data = MemoryShelf(), file_of(weights(1))
    recipe = stored(shelf, data)
    with ThreadPoolExecutor(1) as ahead:
        for executor in (None, ahead):
            with open_recipe(recipe, shelf, executor) as reader:
                found = b""
                while part := reader.read1(3000):
                    found += part
                assert (found, reader.tell()) == (data, len(data))
                assert (reader.seek(7), reader.read1(5)) == (7, data[7:12])


def test_the_whole_is_held_against_its_name_unless_the_caller_does_that() -> None:
    shelf, data = MemoryShelf(), file_of(weights(1, ["a"]))
    recipe = replace(stored(shelf, data), sha256=Sha256("0" * 64))
    with ThreadPoolExecutor(1) as ahead:
        for executor in (None, ahead):
            with open_recipe(recipe, shelf, executor) as reader, pytest.raises(DamagedObject):
                reader.read()
            with open_recipe(recipe, shelf, executor, verify=False) as reader:
                assert reader.read() == data


def test_ranges_are_read_where_they_lie() -> None:
    shelf, data = MemoryShelf(), file_of({**weights(1), "small": np.ones((3,), np.float32)})
    recipe = stored(shelf, data)
    random = np.random.default_rng(3)
    with open_recipe(recipe, shelf) as reader:
        for _ in range(200):
            start, count = int(random.integers(0, len(data))), int(random.integers(0, 5000))
            reader.seek(start)
            assert reader.read(count) == data[start : start + count]
        assert reader.seek(0, io.SEEK_END) == len(data)
        assert reader.read(1) == b""


def test_other_bytes_than_were_named_leave_nothing() -> None:
    shelf = MemoryShelf()
    with pytest.raises(DamagedObject):
        build(place_of(file_of(weights(1))), shelf, Sha256("0" * 64))
    assert not shelf.stored
    assert not shelf.recipes


def test_what_a_checkpoint_raises_leaves_nothing() -> None:
    shelf, data = MemoryShelf(), file_of(weights(1))

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        build(place_of(data), shelf, Sha256(hashlib.sha256(data).hexdigest()), checkpoint=stop)
    assert not shelf.stored
