"""Signed links: only what we signed, only for what we signed it, only for as long."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.storage import LinkExpired, LinkInvalid, LinkSigner


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_link_opens_until_it_expires() -> None:
    clock = Clock()
    signer = LinkSigner(b"k" * 32, clock)
    token = signer.sign("up", {"repo": 1}, 60)
    assert signer.open("up", token) == {"repo": 1}
    clock.now += timedelta(seconds=59)
    assert signer.open("up", token) == {"repo": 1}
    clock.now += timedelta(seconds=1)
    with pytest.raises(LinkExpired):
        signer.open("up", token)


def test_a_link_is_for_one_purpose_and_one_hub() -> None:
    token = LinkSigner(b"k" * 32).sign("up", {"repo": 1}, 60)
    with pytest.raises(LinkInvalid):
        LinkSigner(b"k" * 32).open("down", token)
    with pytest.raises(LinkInvalid):
        LinkSigner(b"x" * 32).open("up", token)


@given(position=st.integers(0, 10_000), character=st.characters(min_codepoint=33, max_codepoint=126))
def test_no_changed_character_stays_valid(position: int, character: str) -> None:
    signer = LinkSigner(b"k" * 32)
    token = signer.sign("up", {"repo": 1, "sha256": "ab" * 32}, 60)
    position %= len(token)
    changed = token[:position] + character + token[position + 1 :]
    if changed == token:
        assert signer.open("up", changed)
    else:
        with pytest.raises(LinkInvalid):
            signer.open("up", changed)


@given(st.text(max_size=300))
def test_nonsense_is_refused(token: str) -> None:
    with pytest.raises(LinkInvalid):
        LinkSigner(b"k" * 32).open("up", token)
