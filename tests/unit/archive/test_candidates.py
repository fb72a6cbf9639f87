"""Which contents are tried as bases: few, however many there are, and the right ones."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest

from allmende.archive import (
    MAX_CANDIDATES,
    Archive,
    EntryMissing,
    candidates_for,
    entry_name,
    kin_key,
    list_entries,
)
from allmende.codecs import ObjectId
from allmende.weights import KEY_BYTES
from allmende.weights.places import BytesPlace
from tests.integration.archive.training import safetensors_file
from tests.unit.archive.stores import drifted, put


def names(archive: Archive, name: str, key: bytes | None = None, asked: tuple[str, ...] = ()) -> list[str]:
    """The candidates by the names of their entries."""
    by_content = {entry.sha256: str(entry.name) for entry in list_entries(archive)}
    place = BytesPlace("new", b"no weights that could be compared")
    found = candidates_for(archive, place, entry_name(name), key, [entry_name(each) for each in asked])
    return [by_content[sha256] for sha256 in found]


def test_an_empty_store_has_none(archive: Archive) -> None:
    assert names(archive, "a") == []


def test_of_a_run_one_is_tried_and_no_level_grows_old(archive: Archive, random: Random) -> None:
    data = random.randbytes(4000)
    kept: dict[str, ObjectId] = {}
    depths = []
    for step in range(45):
        name = f"run/step-{step}/model.st"
        tried = names(archive, name)
        assert len(tried) == (step > 0)
        data = drifted(data, random, 3)
        kept[name] = put(archive, name, [data], base=kept[tried[0]] if tried else None).objects[0]
        depths.append(archive.shelf.find([kept[name]])[kept[name]].depth)
    assert depths[:4] == [0, 1, 2, 3]
    for level in (1, 2):
        renewed = [step for step, depth in enumerate(depths) if depth <= level]
        gaps = [later - earlier for earlier, later in pairwise(renewed)]
        assert max(gaps) <= 5 ** (3 - level), (level, depths)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("run/100/optimizer.pt", "run/200/optimizer.pt"),
        ("run/checkpoint_100.pt", "run/checkpoint_200.pt"),
        ("run/100/model-00001-of-00002.st", "run/200/model-00001-of-00002.st"),
    ],
)
def test_a_run_is_told_by_its_numbers(archive: Archive, random: Random, earlier: str, later: str) -> None:
    put(archive, earlier, [random.randbytes(500)])
    put(archive, "run/100/other.bin", [random.randbytes(500)])
    put(archive, "run/100/model-00002-of-00002.st", [random.randbytes(500)])
    assert names(archive, later) == [earlier]
    assert names(archive, "run/300/unheard.of") == []


def test_in_other_folders_the_last_and_the_first_of_the_same_name(archive: Archive, random: Random) -> None:
    for name in ("base/model.st", "one/model.st", "two/model.st", "two/config.json"):
        put(archive, name, [random.randbytes(500)])
    assert names(archive, "three/model.st") == ["two/model.st", "base/model.st"]


def test_kin_are_found_by_their_weights_whatever_they_are_called(archive: Archive, random: Random) -> None:
    key = random.randbytes(KEY_BYTES)
    put(archive, "base.st", [random.randbytes(500)], key=drifted(key, random, 20))
    put(archive, "stranger.st", [random.randbytes(500)], key=random.randbytes(KEY_BYTES))
    assert names(archive, "child.st", key) == ["base.st"]


def test_weights_of_strangers_are_not_tried_for_their_name(archive: Archive, random: Random) -> None:
    key = random.randbytes(KEY_BYTES)
    put(archive, "a/model.st", [random.randbytes(500)], key=random.randbytes(KEY_BYTES))
    put(archive, "b/model.st", [random.randbytes(500)], key=drifted(key, random, 20))
    assert names(archive, "c/model.st", key) == ["b/model.st"]


def test_what_was_asked_for_goes_first(archive: Archive, random: Random) -> None:
    for name in ("x/config.json", "x/model.st", "y/model.st", "z/model.st"):
        put(archive, name, [random.randbytes(500)])
    assert names(archive, "new/model.st", asked=("x", "y/model.st"))[:3] == [
        "x/model.st", "x/config.json", "y/model.st",
    ]  # fmt: skip
    with pytest.raises(EntryMissing):
        names(archive, "new/model.st", asked=("nowhere",))


def test_there_are_never_many(archive: Archive, random: Random) -> None:
    key = random.randbytes(KEY_BYTES)
    for number in range(20):
        put(archive, f"all/{number}", [random.randbytes(100)], key=drifted(key, random, 5))
    assert len(names(archive, "all/x", key, asked=("all",))) == MAX_CANDIDATES


def test_only_weights_have_a_key(random: Random) -> None:
    generator = np.random.default_rng(3)
    tensors = {f"layers.{n}.weight": generator.normal(size=(64, 64)).astype("<f4") for n in range(4)}
    assert kin_key(BytesPlace("a.txt", b"text" * 1000)) is None
    assert kin_key(BytesPlace("a.safetensors", b"\xff" * 100)) is None
    key = kin_key(BytesPlace("a.safetensors", safetensors_file(tensors, "float32")))
    assert key is not None
    assert len(key) == KEY_BYTES
