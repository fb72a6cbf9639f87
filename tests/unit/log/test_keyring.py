"""The folder of the keys, without a hub."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from allmende.log import KeyringFolder, KeysDamaged
from allmende.log.upkeep import _next_origin
from allmende.merkle import read_verifier_key

ORIGIN = "hub.example/log"


def folder(tmp_path: Path) -> KeyringFolder:
    return KeyringFolder(tmp_path / "keys", ORIGIN, lambda: datetime(2026, 11, 28, tzinfo=UTC))


def test_keys_are_made_once_and_bear_the_logs_name(tmp_path: Path) -> None:
    made = folder(tmp_path).read()
    assert folder(tmp_path).read() == made
    assert read_verifier_key(made.log[0].public).name == ORIGIN
    assert read_verifier_key(made.witness.public).name == "hub.example/witness"
    assert [key.verifier.text for key in folder(tmp_path).log_signers()] == made.log_keys


def test_a_former_log_key_signs_until_it_is_dropped(tmp_path: Path) -> None:
    old = folder(tmp_path).read().log[0]
    both = folder(tmp_path).add_log_key()
    assert [key.signs for key in both.log] == [True, True]
    assert both.announced["log"] == both.log_keys
    dropped = folder(tmp_path).drop_old_log_keys()
    assert dropped.log[1].public == old.public
    assert dropped.log[1].until == "2026-11-28T00:00:00.000Z"
    assert dropped.announced["log"] == [dropped.log[0].public]


def test_a_secret_of_another_key_is_damage(tmp_path: Path) -> None:
    keys = folder(tmp_path)
    first = keys.read().log[0]
    second = keys.add_log_key().log[0]
    (keys.folder / second.file).write_text((keys.folder / first.file).read_text())
    with pytest.raises(KeysDamaged, match="does not hold a key"):
        keys.log_signers()


def test_a_file_outside_of_the_folder_is_not_read(tmp_path: Path) -> None:
    keys = folder(tmp_path)
    keys.read()
    path = keys.folder / "keyring.json"
    told = json.loads(path.read_text())
    told["log"][0]["file"] = "../secret.key"
    path.write_text(json.dumps(told))
    with pytest.raises(KeysDamaged):
        keys.read()


@pytest.mark.parametrize(
    ("old", "new"), [("hub/log", "hub/log/2"), ("hub/log/2", "hub/log/3"), ("hub/log/9", "hub/log/10")]
)
def test_a_new_log_has_the_next_name(old: str, new: str) -> None:
    assert _next_origin(old) == new
