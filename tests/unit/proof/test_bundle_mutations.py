"""Whatever is changed in a proof or in the files, one bit or one field, none of it is believed."""

import base64
import copy
import json
import random

import pytest

from allmende.proof import canonical_json, judge_bundle, judge_files
from allmende.proof.verifier import verify_folder
from tests.unit.proof.made_bundles import FILES, POLICY, files_of, good_bundle, write_folder

CASES = 250
"""For each of two bundles, bits and fields."""

LONG_CASES = 10_000
BUNDLES = [good_bundle().data, good_bundle(private=True).data]


FOUND = {one.path: one for one in files_of()}
"""The files as they were published: what a folder of them gives."""


def believed(data: bytes, policy: bytes = POLICY) -> bool:
    return judge_files(judge_bundle(data, policy), FOUND).state == "verified"


def turned(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def leaves(value, path=()):
    """Every place of a JSON value that holds no others."""
    if isinstance(value, dict):
        for name in value:
            yield from leaves(value[name], (*path, name))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from leaves(each, (*path, at))
    else:
        yield path


def changed(value, chance: random.Random):
    """Another value in the same spelling, which no reader of JSON can tell from a right one."""
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(8))
    if chance.random() < 0.5 and len(value) % 4 == 0:
        try:
            data = base64.b64decode(value, validate=True)
        except ValueError:
            data = b""
        if data:
            return base64.b64encode(turned(data, chance)).decode()
    at = chance.randrange(len(value))
    other = chance.choice("0123456789abcdef" if value[at] in "0123456789abcdef" else "ABCdef123+/=.\n")
    return value[:at] + other + value[at + 1 :]


def mutant(document, chance: random.Random) -> bytes:
    """One field with another value, left out, given twice, or changed for one like it."""
    made = copy.deepcopy(document)
    *path, last = chance.choice(list(leaves(made)))
    place = made
    for step in path:
        place = place[step]
    kind = chance.randrange(8)
    if kind == 0 and isinstance(place, dict):
        del place[last]
    elif kind == 1 and isinstance(place, list):
        place.insert(last, place[last])
    elif kind == 2 and isinstance(place, dict) and path and isinstance(path[-1], int):
        other = made
        for step in path[:-1]:
            other = other[step]
        place[last] = chance.choice(other)[last] if isinstance(other, list) else place[last]
    else:
        place[last] = changed(place[last], chance)
    return canonical_json(made)


def count_of_believed(original: bytes, change, cases: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    made = (change(chance) for _ in range(cases))
    return [data for data in made if data != original and believed(data)]


@pytest.mark.parametrize("data", BUNDLES, ids=["public", "private"])
class TestFew:
    def test_the_truth_is_believed(self, data):
        assert believed(data)

    def test_a_bit(self, data):
        assert count_of_believed(data, lambda chance: turned(data, chance), CASES, 1) == []

    def test_a_field(self, data):
        document = json.loads(data)
        assert count_of_believed(data, lambda chance: mutant(document, chance), CASES, 2) == []

    def test_every_field_once(self, data):
        document = json.loads(data)
        chance = random.Random(3)
        for *path, last in leaves(document):
            made = copy.deepcopy(document)
            place = made
            for step in path:
                place = place[step]
            while place[last] == (other := changed(place[last], chance)):
                pass
            place[last] = other
            assert not believed(canonical_json(made)), (path, last)


def test_a_bit_of_the_policy():
    chance = random.Random(4)
    assert not any(believed(BUNDLES[0], turned(POLICY, chance)) for _ in range(CASES))


def test_a_bit_of_a_file_or_of_its_name(tmp_path):
    chance = random.Random(5)
    folder = write_folder(tmp_path / "model")
    for _ in range(50):
        path = chance.choice([name for name, data in FILES.items() if data])
        (folder / path).write_bytes(turned(FILES[path], chance))
        assert verify_folder(BUNDLES[0], folder, POLICY).code == "files_changed"
        (folder / path).write_bytes(FILES[path])
    for path in FILES:
        other = (folder / path).with_name("x" + (folder / path).name)
        (folder / path).rename(other)
        assert verify_folder(BUNDLES[0], folder, POLICY).state == "refused"
        other.rename(folder / path)
    assert verify_folder(BUNDLES[0], folder, POLICY).state == "verified"


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("data", BUNDLES, ids=["public", "private"])
def test_many(data):
    document = json.loads(data)
    half = LONG_CASES // 2
    assert count_of_believed(data, lambda chance: turned(data, chance), half, 6) == []
    assert count_of_believed(data, lambda chance: mutant(document, chance), half, 7) == []
