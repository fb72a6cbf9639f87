"""Hubs are met once; from then on their keys are those of the file."""

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from allmende.client import (
    Connection,
    HubKeyChanged,
    KnownPolicy,
    UnexpectedAnswer,
    known_policy,
    meet,
    policy_path,
)
from allmende.errors import NotFound
from allmende.merkle import MalformedPolicy, read_policy
from allmende.proof import new_root_key
from tests.unit.proof.made_bundles import LOG_KEY, ORIGIN, OTHER_KEY, policy_of
from tests.unit.proof.made_key_sets import KEYS, OTHER_ROOT, ROOT, of_log_key, signed


class Hub:
    """A hub that answers with these keys of its log, or that it has none; and with the sets of its root."""

    def __init__(self, *keys, text: str | None = None, sets: tuple[bytes, ...] = ()) -> None:
        self.text = "".join(f"{key.verifier.text}\n" for key in keys) if text is None else text
        self.sets = sets

    @contextmanager
    def open(self, method, path):
        assert method == "GET"
        served = {"/log/vkey": self.text.encode()}
        served |= {f"/log/keys/{number}": data for number, data in enumerate(self.sets, 1)}
        if self.sets:
            served["/log/keys"] = self.sets[-1]
        if not served.get(path):
            raise NotFound("no log")
        yield SimpleNamespace(read=lambda _size: served[path])


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def met(hub: Hub) -> KnownPolicy | None:
    return meet(cast(Connection, hub))


def test_the_first_contact_is_kept_and_told():
    first, second = met(Hub(LOG_KEY)), met(Hub(LOG_KEY))
    assert first is not None
    assert second is not None
    assert (first.is_new, second.is_new) == (True, False)
    assert first.data == second.data == first.path.read_bytes()
    assert [log.key for log in read_policy(first.data).logs] == [LOG_KEY.verifier]
    assert [path.name for path in first.path.parent.iterdir()] == [first.path.name]


def test_another_key_is_refused():
    met(Hub(LOG_KEY))
    with pytest.raises(HubKeyChanged):
        met(Hub(OTHER_KEY))
    with pytest.raises(HubKeyChanged):
        met(Hub(OTHER_KEY, LOG_KEY))


def test_a_hub_without_a_log():
    assert met(Hub()) is None
    assert known_policy(ORIGIN) is None


@pytest.mark.parametrize("text", ["nonsense\n", "\n", "ä\n", f"{LOG_KEY.verifier.text}\nx\n"])
def test_what_is_no_list_of_keys(text):
    with pytest.raises(UnexpectedAnswer):
        met(Hub(text=text))


def test_a_broken_file_is_not_passed_over():
    known = met(Hub(LOG_KEY))
    assert known is not None
    path = known.path
    path.write_text("log\n")
    with pytest.raises(MalformedPolicy):
        met(Hub(LOG_KEY))


@pytest.mark.parametrize("origin", ["../../x", "/etc/passwd", ".", "..", ".hidden", "a/b"])
def test_no_origin_leads_out_of_the_folder(origin, tmp_path):
    path = policy_path(origin)
    assert path.parent == tmp_path / "allmende" / "hubs"
    assert not path.name.startswith(".")


THIRD_ROOT = new_root_key("hub.example/root-3")
FIRST = signed(KEYS)
SECOND = signed(of_log_key(OTHER_KEY, number=2), log_key=OTHER_KEY)
ROTATED = replace(KEYS, number=2, root=OTHER_ROOT.verifier, former_root=ROOT.verifier)
TWICE = replace(ROTATED, number=3, root=THIRD_ROOT.verifier, former_root=OTHER_ROOT.verifier)
LAST = replace(TWICE, number=4, former_root=None)


def logs_of(known: KnownPolicy | None) -> list:
    assert known is not None
    assert known.path.read_bytes() == known.data
    return [log.key for log in read_policy(known.data).logs]


def test_a_root_is_kept_at_the_first_contact_and_vouches_for_a_new_key():
    first = met(Hub(LOG_KEY, sets=(FIRST,)))
    assert first is not None
    assert (first.is_new, first.root, logs_of(first)) == (True, ROOT.verifier, [LOG_KEY.verifier])
    then = met(Hub(OTHER_KEY, sets=(FIRST, SECOND)))
    assert then is not None
    assert (then.is_new, then.root, logs_of(then)) == (False, ROOT.verifier, [OTHER_KEY.verifier])
    assert "number 2" in then.told[0]


def test_a_set_from_before_is_refused_after_the_new_one():
    met(Hub(LOG_KEY, sets=(FIRST, SECOND)))
    for hub in (Hub(LOG_KEY, sets=(FIRST,)), Hub(OTHER_KEY), Hub(LOG_KEY)):
        with pytest.raises(HubKeyChanged):
            met(hub)
    assert logs_of(known_policy(ORIGIN)) == [OTHER_KEY.verifier]


def test_another_set_of_the_same_number_is_refused():
    met(Hub(LOG_KEY, sets=(FIRST,)))
    other = signed(of_log_key(OTHER_KEY), log_key=OTHER_KEY)
    with pytest.raises(HubKeyChanged):
        met(Hub(OTHER_KEY, sets=(other,)))


def test_another_root_is_refused_and_one_that_the_root_signed_is_followed():
    met(Hub(LOG_KEY, sets=(FIRST,)))
    usurped = signed(of_log_key(OTHER_KEY, number=2, root=OTHER_ROOT.verifier), OTHER_ROOT, log_key=OTHER_KEY)
    with pytest.raises(HubKeyChanged):
        met(Hub(OTHER_KEY, sets=(FIRST, usurped)))
    known = met(Hub(LOG_KEY, sets=(FIRST, signed(ROTATED, ROOT, OTHER_ROOT))))
    assert known is not None
    assert known.root == OTHER_ROOT.verifier


def test_roots_are_followed_through_every_set_between():
    met(Hub(LOG_KEY, sets=(FIRST,)))
    second = signed(ROTATED, ROOT, OTHER_ROOT)
    third, last = signed(TWICE, OTHER_ROOT, THIRD_ROOT), signed(LAST, THIRD_ROOT)
    for gap in ((FIRST, b"", third, last), (FIRST, second, b"", last), (FIRST, SECOND, third, last)):
        with pytest.raises((HubKeyChanged, UnexpectedAnswer)):
            met(Hub(LOG_KEY, sets=gap))
    known = met(Hub(LOG_KEY, sets=(FIRST, second, third, last)))
    assert known is not None
    assert known.root == THIRD_ROOT.verifier


def test_a_root_that_comes_later_is_believed_for_the_key_that_is_known():
    met(Hub(LOG_KEY))
    foreign = signed(of_log_key(OTHER_KEY), log_key=OTHER_KEY)
    unrooted = met(Hub(LOG_KEY, sets=(foreign,)))
    assert unrooted is not None
    assert unrooted.root is None
    known = met(Hub(LOG_KEY, sets=(FIRST,)))
    assert known is not None
    assert known.root == ROOT.verifier
    assert logs_of(known) == [LOG_KEY.verifier]


def test_witnesses_in_the_policy_stay_when_the_keys_change():
    first = met(Hub(LOG_KEY, sets=(FIRST,)))
    assert first is not None
    first.path.write_bytes(policy_of(LOG_KEY))
    then = met(Hub(OTHER_KEY, sets=(FIRST, SECOND)))
    assert then is not None
    assert read_policy(then.data).quorum == "G"
    assert logs_of(then) == [OTHER_KEY.verifier]


@pytest.mark.parametrize("data", [b"x", FIRST[:-1], FIRST.replace(b"number 1", b"number 2")])
def test_what_is_no_set_of_keys_pins_nothing(data: bytes):
    with pytest.raises(UnexpectedAnswer):
        met(Hub(LOG_KEY, sets=(data,)))
    assert known_policy(ORIGIN) is None
