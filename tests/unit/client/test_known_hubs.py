"""Hubs are met once; from then on their keys are those of the file."""

from contextlib import contextmanager
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
from tests.unit.proof.made_bundles import LOG_KEY, ORIGIN, OTHER_KEY


class Hub:
    """A hub that answers with these keys of its log, or that it has none."""

    def __init__(self, *keys, text: str | None = None) -> None:
        self.text = "".join(f"{key.verifier.text}\n" for key in keys) if text is None else text

    @contextmanager
    def open(self, method, path):
        assert (method, path) == ("GET", "/log/vkey")
        if not self.text:
            raise NotFound("no log")
        yield SimpleNamespace(read=lambda _size: self.text.encode())


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
