"""`allmende verify --root`: only keys in a set that the root has signed are believed, and no older set."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from allmende.client import policy_path
from allmende.merkle import read_verifier_key
from allmende.proof import verifier
from tests.integration.cli.conftest import Command
from tests.unit.proof.made_bundles import LOG_KEY, ORIGIN, OTHER_KEY, POLICY, good_bundle, write_folder
from tests.unit.proof.made_key_sets import KEYS, OTHER_ROOT, ROOT, of_log_key, signed

FIRST = signed(KEYS)
SECOND = signed(replace(KEYS, number=2))
FOREIGN = signed(of_log_key(OTHER_KEY), log_key=OTHER_KEY)
USURPED = signed(replace(KEYS, root=OTHER_ROOT.verifier), OTHER_ROOT)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with its proof and some sets of keys beside it; this machine knows nothing yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = write_folder(tmp_path / "model")
    (made / ".allmende").mkdir()
    (made / ".allmende" / "proof.json").write_bytes(good_bundle().data)
    (tmp_path / "root.pub").write_text(f"{ROOT.verifier.text}\n")
    for name, data in (("first", FIRST), ("second", SECOND), ("foreign", FOREIGN), ("usurped", USURPED)):
        (tmp_path / name).write_bytes(data)
    return made


def ask(command: Command, folder: Path, keys: str, *more: str, code: int) -> str:
    given = ("--root", str(folder.parent / "root.pub"), "--keys", str(folder.parent / keys))
    return command("verify", str(folder), "--offline", *given, *more, code=code)


def test_keys_that_the_root_signed_are_believed(folder: Path, command: Command) -> None:
    assert ask(command, folder, "first", code=0).startswith("verified: ")
    policy = folder.parent / "policy"
    policy.write_bytes(POLICY)
    assert "witness" in ask(command, folder, "first", "--policy", str(policy), code=0)


def test_keys_that_another_root_signed_are_not(folder: Path, command: Command) -> None:
    ask(command, folder, "usurped", code=1)
    # The root has signed for another key than the proof's: whatever else is known of that key.
    policy = folder.parent / "policy"
    policy.write_bytes(POLICY)
    assert ask(command, folder, "foreign", "--policy", str(policy), code=1).startswith("refused: ")


def test_a_set_from_before_is_refused_where_a_newer_one_is_known(folder: Path, command: Command) -> None:
    kept = policy_path(ORIGIN).with_suffix(".keys")
    kept.parent.mkdir(parents=True)
    shutil.copy(folder.parent / "second", kept)
    ask(command, folder, "first", code=1)
    assert ask(command, folder, "second", code=0).startswith("verified: ")
    given = ("--root", ROOT.verifier.text)
    assert command("verify", str(folder), "--offline", *given, code=0).startswith("verified: ")


def test_without_a_set_there_is_nothing_to_believe(folder: Path, command: Command) -> None:
    assert "no set of keys" in command(
        "verify", str(folder), "--offline", "--root", ROOT.verifier.text, code=2
    )
    assert "--root" in command("verify", str(folder), "--keys", str(folder.parent / "first"), code=2)


def test_the_verifier_for_auditors_says_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = str(folder / ".allmende" / "proof.json")
    for keys, code in (("first", 0), ("usurped", 1), ("foreign", 1)):
        given = ["--root", ROOT.verifier.text, "--keys", str(folder.parent / keys)]
        assert verifier.main([bundle, str(folder), *given]) == code
        assert capsys.readouterr().out.startswith("verified: " if code == 0 else "refused: ")
    assert read_verifier_key(LOG_KEY.verifier.text).name == ORIGIN
