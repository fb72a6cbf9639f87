"""The root key from its making to a new root, by the commands that people say."""

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allmende.flows import open_services
from allmende.log import newest_entry
from allmende.merkle import KeyKind, generate_key
from allmende.proof import new_root_key, read_key_set_text, read_root_key, sign_key_set
from allmende.settings import Settings
from tests.integration.cli.conftest import Command

Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def hub(data: Path, command: Command) -> Path:
    command("admin", "user", "create", "ada")
    return data


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Where the root key is: not on the hub."""
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / "words").write_text("four words are enough\n")
    return folder


def make_root(command: Command, desk: Path, name: str = "root") -> Path:
    file = desk / name
    words = ("--name", f"hub.example.org/{name}", "--passphrase-file", str(desk / "words"))
    command("admin", "keys", "root", "new", str(file), *words)
    return file


def publish(
    command: Command, desk: Path, name: str, *export: str, keys: tuple[str, ...] = ("root",), code: int = 0
) -> Path:
    """Export a set, sign it with these roots, publish it; the signed set."""
    target = desk / name
    command("admin", "keys", "export", "-o", str(target), *export)
    words = [word for key in keys for word in ("--key", str(desk / key))]
    passphrase = ("--passphrase-file", str(desk / "words"))
    command("admin", "keys", "root", "sign", str(target), *words, *passphrase)
    signed = target.with_name(f"{name}.signed")
    command("admin", "keys", "publish", str(signed), code=code)
    return signed


def test_a_root_vouches_for_keys_through_rotations(
    hub: Path, desk: Path, command: Command, answer: Answer
) -> None:
    root = make_root(command, desk)
    assert stat.S_IMODE(root.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in root.read_bytes()
    assert answer("admin", "keys", "list")["key_set"] is None
    publish(command, desk, "first", "--root", f"{root}.pub")
    told = answer("admin", "keys", "list")["key_set"]
    assert (told["number"], told["current"]) == (1, True)
    assert told["root"] == (desk / "root.pub").read_text().strip()
    command("admin", "keys", "rotate", "log")
    assert answer("admin", "keys", "list")["key_set"]["current"] is False
    publish(command, desk, "second")
    make_root(command, desk, "root-2")
    publish(command, desk, "third", "--root", str(desk / "root-2.pub"), keys=("root-2", "root"))
    services = open_services(Settings(data=hub))
    try:
        newest, former = services.log.key_sets.newest(), services.log.key_sets.numbered(2)
        with services.database.read() as uow:
            entry = newest_entry(uow, "key")
    finally:
        services.close()
    assert newest is not None
    assert former is not None
    assert newest.keys.number == 3
    assert newest.keys.former_root == former.keys.root
    assert [key.text for key in newest.keys.log_keys] == [key["key"] for key in told_log(answer)]
    assert entry is not None
    assert entry.statement is not None
    assert newest.keys.digest.encode() in entry.statement


def told_log(answer: Answer) -> list[dict[str, Any]]:
    return [key for key in answer("admin", "keys", "list")["log"] if key["signs"]]


def test_what_is_not_the_next_set_of_these_keys_is_refused(hub: Path, desk: Path, command: Command) -> None:
    root = make_root(command, desk)
    first = publish(command, desk, "first", "--root", f"{root}.pub")
    command("admin", "keys", "publish", str(first))  # the same again changes nothing
    second = publish(command, desk, "second")
    assert "number 1" in command("admin", "keys", "publish", str(first), code=5)
    signer = read_root_key(root.read_bytes(), "four words are enough")
    keys = replace(read_key_set_text(second.read_text().partition("\n\n")[0] + "\n"), number=3)
    own, witness = keys.log[0], keys.witness
    foreign = generate_key(keys.origin, KeyKind.ED25519).verifier.text
    for number, changed in enumerate(
        (
            replace(keys, number=4),
            replace(keys, log=(replace(own, public=foreign),)),
            replace(keys, log=(replace(own, since="2026-01-01T00:00:00Z"),)),
            replace(keys, witness=replace(witness, since="2026-01-01T00:00:00Z")),
            replace(keys, time="2999-01-01T00:00:00Z"),
        )
    ):
        file = desk / f"wrong-{number}"
        file.write_bytes(sign_key_set(changed.text.encode(), signer))
        command("admin", "keys", "publish", str(file), code=2)
    stranger = new_root_key("hub.example.org/stranger")
    usurped = desk / "usurped"
    usurped.write_bytes(sign_key_set(replace(keys, root=stranger.verifier).text.encode(), stranger))
    assert "another root" in command("admin", "keys", "publish", str(usurped), code=5)
    unsigned = desk / "unsigned"
    command("admin", "keys", "export", "-o", str(unsigned))
    command("admin", "keys", "publish", str(unsigned), code=2)


def test_the_root_key_is_never_made_on_the_hub(hub: Path, desk: Path, command: Command) -> None:
    for place in (hub / "root", hub / "keys" / "root", hub / "contents" / "root"):
        words = ("--name", "hub/root", "--no-passphrase")
        assert "kept away" in command("admin", "keys", "root", "new", str(place), *words, code=2)
        assert not place.exists()
    make_root(command, desk)
    again = ("--name", "hub/root", "--no-passphrase")
    assert "there already" in command("admin", "keys", "root", "new", str(desk / "root"), *again, code=4)
    (desk / "words").write_text("short\n")
    short = ("--name", "hub/root", "--passphrase-file", str(desk / "words"))
    assert "12 characters" in command("admin", "keys", "root", "new", str(desk / "other"), *short, code=2)
    assert not (desk / "other").exists()


def test_without_a_root_there_is_no_set(hub: Path, desk: Path, command: Command) -> None:
    assert "no root key" in command("admin", "keys", "export", "-o", str(desk / "set"), code=2)
    assert "-o FILE" in command("admin", "keys", "export", "--root", "x", code=2)
