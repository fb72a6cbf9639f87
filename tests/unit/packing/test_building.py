"""Building beside what is there already: better forms of it, and what of it is damaged."""

import hashlib
import io
import secrets
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from allmende.codecs import BytesPlain, DamagedObject, EncodedObject, Literal, ObjectId
from allmende.codecs import object_id as name_of
from allmende.ids import Sha256
from allmende.packing import MAX_DEPTH
from allmende.packing.building import build
from allmende.packing.choosing import Chooser
from allmende.packing.cutting import SMALL_BYTES, can_be_cut
from allmende.weights import StreamPlace
from tests.unit.packing.memory_shelf import MemoryIntake, MemoryShelf
from tests.unit.packing.stored_files import file_of, near, place_of, safetensors, stored, weights


def damage(shelf: MemoryShelf, object_id: ObjectId) -> None:
    """Turn a bit of an encoding's last block."""
    shelf.stored[object_id][0][-1] ^= 1


def rests_on_itself(shelf: MemoryShelf, object_id: ObjectId) -> bool:
    found, waiting = set[ObjectId](), [object_id]
    while waiting:
        fresh = shelf.parents[waiting.pop()] - found
        found |= fresh
        waiting += fresh
    return object_id in found


def test_better_bases_make_what_is_there_smaller() -> None:
    shelf, one = MemoryShelf(), weights(1, ["a"])
    child = file_of({"a": near(one["a"])})
    (object_id,) = stored(shelf, child).objects
    before = len(shelf.stored[object_id][0])
    base = stored(shelf, file_of(one))
    stored(shelf, child, [[base]], improve=True)
    assert len(shelf.stored[object_id][0]) < 0.7 * before
    assert shelf.parents[object_id] == frozenset(base.objects)


def test_layers_in_another_order_do_not_come_to_rest_on_each_other() -> None:
    shelf, one = MemoryShelf(), weights(1, ["a"])["a"]
    here = file_of({"a": one, "b": near(one)})
    stored(shelf, here)
    swapped = stored(shelf, file_of({"a": near(one), "b": one}))
    stored(shelf, here, [[swapped]], improve=True)
    assert any(shelf.parents.values())
    assert not any(rests_on_itself(shelf, object_id) for object_id in shelf.stored)


def test_what_has_just_come_to_lie_deeper_is_no_base_in_the_same_file() -> None:
    shelf, values = MemoryShelf(), weights(1, ["a"])["a"]
    recipe = stored(shelf, file_of({"a": values}))
    for seed in range(MAX_DEPTH - 1):
        values = near(values, seed)
        recipe = stored(shelf, file_of({"a": values}), [[recipe]])
    leaf, other = near(values, 20), near(values, 21)
    stored(shelf, file_of({"a": leaf}))
    shifted = stored(shelf, file_of({"a": values, "b": leaf}))
    stored(shelf, file_of({"a": leaf, "b": other}), [[shifted]], improve=True)
    assert max(shelf.depth(object_id) for object_id in shelf.stored) == MAX_DEPTH


def test_a_damaged_base_is_passed_over_for_a_sound_one() -> None:
    shelf, one = MemoryShelf(), weights(1, [f"t{number:02}" for number in range(24)])
    broken = stored(shelf, file_of(one))
    sound = stored(shelf, file_of({name: near(values, 5, 1e-3) for name, values in one.items()}))
    damage(shelf, broken.objects[-1])
    child = stored(shelf, file_of({name: near(values) for name, values in one.items()}), [[broken], [sound]])
    assert [shelf.parents[object_id] for object_id in child.objects] == [
        *(frozenset([base]) for base in broken.objects[:-1]),
        frozenset(sound.objects[-1:]),
    ]
    assert (broken.objects[-1], 0) in shelf.reports


def test_what_is_there_and_cannot_be_read_is_stored_anew() -> None:
    shelf, one = MemoryShelf(), weights(1, ["a"])
    base = stored(shelf, file_of(one))
    child = file_of({"a": near(one["a"])})
    (object_id,) = stored(shelf, child, [[base]]).objects
    damage(shelf, base.objects[0])
    stored(shelf, child, [[base]])
    assert shelf.parents[object_id] == frozenset()


def test_chunks_that_cannot_be_read_are_stored_anew() -> None:
    shelf, data = MemoryShelf(), np.random.default_rng(1).bytes(400_000)
    for object_id in stored(shelf, data).objects:
        damage(shelf, object_id)
    stored(shelf, b"something before" + data)


def test_what_comes_twice_in_a_file_is_stored_once() -> None:
    shelf, data = MemoryShelf(), np.random.default_rng(1).bytes(9_000_000)
    recipe = stored(shelf, data + b"something between" + data)
    assert shelf.stored_bytes < 1.1 * len(data)
    assert len(recipe.segments) < 12


class Changing(StreamPlace):
    """A file of which every byte but the first ones is another each time."""

    def read_at(self, start: int, count: int) -> memoryview:
        found = bytearray(super().read_at(start, count))
        for place in range(max(0, 1000 - start), count, 1000):
            found[place] = secrets.randbelow(256)
        return memoryview(found)


@pytest.mark.parametrize("data", [file_of(weights(1)), bytes(100_000)], ids=["tensors", "other"])
def test_a_file_that_changes_while_it_is_read_is_not_stored(data: bytes) -> None:
    shelf = MemoryShelf()
    place = Changing("content", io.BytesIO(data), len(data))
    with pytest.raises(DamagedObject):
        build(place, shelf, Sha256(hashlib.sha256(data).hexdigest()))
    assert not shelf.stored


def test_small_tensors_one_after_another_are_one_segment() -> None:
    tensors = {f"t{number:03}": ("F32", [8], bytes([number]) * 32) for number in range(200)}
    recipe = stored(MemoryShelf(), safetensors(tensors))
    assert len(recipe.segments) == 2
    assert isinstance(recipe.segments[0], Literal)


def test_a_file_with_too_much_between_its_tensors_is_not_cut() -> None:
    assert can_be_cut([(0, SMALL_BYTES - 1)] * 1000)
    assert can_be_cut([(0, 2**40)])
    assert not can_be_cut([(0, SMALL_BYTES - 1)] * 2000)


def by_rows(arrays: Mapping[str, NDArray[np.float32]]) -> bytes:
    """int8 by rows: codes, and scales that stand for as many values as a row has."""
    tensors: dict[str, tuple[str, list[int], bytes]] = {"norm.weight": ("F32", [64], bytes(256))}
    for name, values in arrays.items():
        scales = (np.abs(values).max(axis=1, keepdims=True) / np.float32(127)).astype(np.float32)
        codes = np.rint(values / scales).astype(np.int8)
        tensors[f"{name}.weight_scale"] = ("F32", list(scales.shape), scales.tobytes())
        tensors[f"{name}.weight"] = ("I8", list(codes.shape), codes.tobytes())
    return safetensors(tensors)


def test_small_scales_are_reckoned_from_what_was_quantised() -> None:
    shelf, random = MemoryShelf(), np.random.default_rng(3)
    shapes = {"a": (500, 64), "b": (1000, 64), "c": (64, 500), "d": (64, 1000)}
    arrays = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    parent = stored(shelf, file_of({f"{name}.weight": values for name, values in arrays.items()}))
    before = shelf.stored_bytes
    child = stored(shelf, by_rows(arrays), [[parent]])
    # Codes of each matrix, one bundle of scales for each length of a row, and one of what is no scale.
    assert len(child.objects) == len(shapes) + 3 + 1
    assert shelf.stored_bytes - before < 700 * len(child.objects)
    # A fine-tune of the quantised model has its scales where that one has them.
    moved = {name: near(values) for name, values in arrays.items()}
    stored(shelf, by_rows(moved), [[child]])


def test_scales_of_which_a_base_has_but_some_come_back() -> None:
    shelf, random = MemoryShelf(), np.random.default_rng(4)
    arrays = {name: random.standard_normal((300, 64)).astype(np.float32) for name in "abc"}
    parent = stored(shelf, file_of({f"{name}.weight": arrays[name] for name in "ac"}))
    stored(shelf, by_rows(arrays), [[parent]])


class ForgetfulIntake(MemoryIntake):
    """Keeps other bytes than it was given."""

    def add(self, encoded: EncodedObject) -> None:
        whole = bytearray(b"".join(encoded.parts))
        whole[-1] ^= 1
        super().add(EncodedObject(encoded.object_id, encoded.plain_bytes, [bytes(whole)], encoded.parents))


class ForgetfulShelf(MemoryShelf):
    """A disk that does not give back what was written."""

    def intake(self) -> MemoryIntake:
        return ForgetfulIntake(self)


def test_what_does_not_come_back_as_it_was_written_is_not_stored() -> None:
    shelf, one = MemoryShelf(), weights(1)
    base = stored(shelf, file_of(one))
    forgetful = ForgetfulShelf(shelf.stored, shelf.sizes, shelf.parents)
    before = dict(shelf.stored)
    for data in (file_of(weights(2)), file_of({name: near(values) for name, values in one.items()})):
        with pytest.raises(DamagedObject):
            build(place_of(data), forgetful, Sha256(hashlib.sha256(data).hexdigest()), [[base]])
    assert forgetful.stored == before


def test_a_base_that_changes_while_it_is_held_is_found_out() -> None:
    held = Chooser(MemoryShelf(), [], lambda _: BytesPlain(b"another")).held
    held.whole(name_of(b"another"))
    held.check([name_of(b"another")])
    held.whole(name_of(b"the one"))
    with pytest.raises(DamagedObject):
        held.check([name_of(b"the one")])


def test_the_last_tensors_may_come_from_another_model_than_all_before() -> None:
    names = [f"t{number:02}" for number in range(24)]
    shelf, one, other = MemoryShelf(), weights(1, names), weights(2, names)
    bases = [[stored(shelf, file_of(one))], [stored(shelf, file_of(other))]]
    made = {name: near(one[name] if name < "t14" else other[name]) for name in names}
    child = stored(shelf, file_of(made), bases)
    assert [shelf.parents[made_of] for made_of in child.objects] == [
        frozenset([bases[0 if number < 14 else 1][0].objects[number]]) for number in range(len(names))
    ]


def test_progress_is_told_up_to_the_last_byte() -> None:
    data, told = file_of(weights(1)) + bytes(SMALL_BYTES), list[int]()
    build(place_of(data), MemoryShelf(), Sha256(hashlib.sha256(data).hexdigest()), progress=told.append)
    assert told == sorted(set(told))
    assert told[-1] == len(data)
