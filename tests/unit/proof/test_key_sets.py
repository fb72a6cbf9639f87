"""Sets of keys: one way to write them, and nothing changed is ever believed."""

import random
from dataclasses import replace

import pytest

from allmende.errors import AllmendeError
from allmende.merkle import KeyKind, MalformedKey, SigningKey, read_policy, sign
from allmende.proof import (
    DatedKey,
    KeySetRefused,
    MalformedKeySet,
    WrongPassword,
    check_succession,
    new_root_key,
    policy_of_keys,
    read_key_set,
    read_key_set_text,
    read_root_key,
    root_policy,
    sign_key_set,
)
from allmende.proof import MalformedKey as MalformedRootKey
from tests.unit.proof.made_bundles import LOG_KEY, OTHER_KEY, POLICY, WITNESSES
from tests.unit.proof.made_key_sets import KEYS, LATER, OTHER_ROOT, ROOT, SINCE, of_log_key, signed

NEXT = replace(KEYS, number=2)
ROTATED = replace(KEYS, number=2, root=OTHER_ROOT.verifier, former_root=ROOT.verifier)


def test_a_set_is_read_as_it_was_written():
    data = signed(KEYS)
    found = read_key_set(data)
    assert found.keys == KEYS
    assert bytes(found.note) == data
    assert read_key_set_text(KEYS.text) == KEYS
    assert found.keys.log_keys == (LOG_KEY.verifier,)


def test_no_changed_bit_is_believed():
    """Each byte of a signed set with each of its bits, here one of eight by chance; none is read."""
    data, chance = signed(ROTATED, ROOT, OTHER_ROOT), random.Random(7)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << chance.randrange(8)
        with pytest.raises(AllmendeError):
            read_key_set(bytes(changed))


@pytest.mark.parametrize("line", range(len(ROTATED.text.splitlines())))
def test_no_line_more_or_less_or_elsewhere_is_believed(line: int):
    lines = ROTATED.text.splitlines(keepends=True)
    rest = signed(ROTATED, ROOT, OTHER_ROOT).decode()[len(ROTATED.text) :]
    without, twice = lines[:line] + lines[line + 1 :], lines[: line + 1] + lines[line:]
    swapped = list(lines)
    swapped[line - 1], swapped[line] = swapped[line], swapped[line - 1]
    for changed in (without, twice, swapped):
        with pytest.raises((MalformedKeySet, KeySetRefused)):
            read_key_set(("".join(changed) + rest).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 3},
        {"time": "2026-11-21T12:00:00Z"},
        {"root": OTHER_ROOT.verifier},
        {"former_root": OTHER_ROOT.verifier},
        {"log": (DatedKey(OTHER_KEY.verifier.text, LATER),)},
        {"log": (*KEYS.log[:1], replace(KEYS.log[1], until=None))},
        {"log": (replace(KEYS.log[0], since=SINCE), *KEYS.log[1:])},
        {"statement": KEYS.statement[1:] and (replace(KEYS.statement[1], until=None),)},
        {"statement": KEYS.statement[:1]},
        {"witness": DatedKey(WITNESSES[0].verifier.text, SINCE)},
    ],
)
def test_signatures_are_of_one_set_alone(changes: dict):
    """Each field of a set is changed, and the signatures of the true one are put under it."""
    text = replace(KEYS, **changes).text
    rest = signed(KEYS).decode()[len(KEYS.text) :]
    with pytest.raises(KeySetRefused):
        read_key_set((text + rest).encode())


def test_exactly_those_sign_who_have_to():
    text, data = KEYS.text, signed(KEYS)
    root, log = data.decode()[len(text) + 1 :].splitlines(keepends=True)
    stranger = str(sign(text, OTHER_KEY))
    for lines in ((root,), (log,), (log, root), (root, log, log), (root, log, stranger), (root, stranger)):
        with pytest.raises(KeySetRefused):
            read_key_set(f"{text}\n{''.join(lines)}".encode())
    assert read_key_set(f"{text}\n{root}{log}".encode()).keys == KEYS


def test_a_set_with_a_key_of_another_log_is_refused_even_if_its_root_signed_it():
    """The root alone cannot name a foreign key: the holder of that key has to sign too."""
    foreign = of_log_key(OTHER_KEY)
    with pytest.raises(KeySetRefused):
        read_key_set(signed(foreign, log_key=LOG_KEY))
    elsewhere = SigningKey("other.example/log", KeyKind.ED25519, b"\6" * 32)
    with pytest.raises(MalformedKeySet):
        of_log_key(elsewhere)


def test_a_new_root_is_signed_by_the_old_one_in_any_order():
    assert signed(ROTATED, ROOT, OTHER_ROOT) == signed(ROTATED, OTHER_ROOT, ROOT)
    check_succession(KEYS, read_key_set(signed(ROTATED, ROOT, OTHER_ROOT)).keys)
    with pytest.raises(KeySetRefused):
        read_key_set(signed(ROTATED, OTHER_ROOT))
    with pytest.raises(KeySetRefused):
        read_key_set(signed(ROTATED, ROOT))
    with pytest.raises(KeySetRefused):
        sign_key_set(KEYS.text.encode(), OTHER_ROOT)


@pytest.mark.parametrize(
    "later",
    [
        replace(KEYS, number=1, time="2026-11-21T12:00:00Z"),
        replace(NEXT, time=SINCE),
        replace(NEXT, root=OTHER_ROOT.verifier),
        replace(NEXT, root=OTHER_ROOT.verifier, former_root=new_root_key("x").verifier),
    ],
)
def test_what_may_not_follow(later):
    with pytest.raises(KeySetRefused):
        check_succession(KEYS, later)


def test_what_may_follow():
    for later in (KEYS, NEXT, replace(KEYS, number=9), ROTATED):
        check_succession(KEYS, later)
    with pytest.raises(KeySetRefused):
        check_succession(NEXT, KEYS)


def test_the_policy_of_a_root_has_its_keys_and_the_readers_witnesses():
    policy = read_policy(root_policy(ROOT.verifier, signed(KEYS), POLICY))
    assert [log.key for log in policy.logs] == [LOG_KEY.verifier]
    assert [one.key for one in policy.witnesses] == [key.verifier for key in WITNESSES]
    assert policy.quorum == read_policy(POLICY).quorum
    assert read_policy(policy_of_keys(KEYS)).quorum is None
    with pytest.raises(KeySetRefused):
        root_policy(OTHER_ROOT.verifier, signed(KEYS), POLICY)
    # Whoever knows only the former root has to be led to the new one; a policy of it there is none.
    with pytest.raises(KeySetRefused):
        root_policy(ROOT.verifier, signed(ROTATED, ROOT, OTHER_ROOT))


def test_the_file_of_a_root_key_opens_by_its_passphrase_alone():
    data = ROOT.file("four words are enough")
    assert read_root_key(data, "four words are enough").verifier == ROOT.verifier
    assert data.startswith(f"root {ROOT.verifier.text}\n-----BEGIN ENCRYPTED".encode())
    for passphrase in (None, "", "another"):
        with pytest.raises(WrongPassword):
            read_root_key(data, passphrase)
    assert read_root_key(ROOT.file(None)).verifier == ROOT.verifier
    mixed = OTHER_ROOT.file(None).partition(b"\n")[0] + b"\n" + ROOT.file(None).partition(b"\n")[2]
    for wrong in (b"", b"root x\n", mixed, ROOT.file(None).partition(b"\n")[2]):
        with pytest.raises((MalformedRootKey, MalformedKey)):
            read_root_key(wrong)
    assert "PRIVATE" not in repr(ROOT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "allmende.key-set/2\n",
        KEYS.text[:-1],
        KEYS.text + "\n",
        KEYS.text.replace("\n", "\r\n"),
        "\0" * 99,
    ],
)
def test_what_is_no_set(text: str):
    with pytest.raises(MalformedKeySet):
        read_key_set_text(text)
