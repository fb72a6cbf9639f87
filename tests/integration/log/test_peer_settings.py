"""Peers by the setting: exactly those that it names, at each start, and nothing else names one beside it."""

from dataclasses import replace

import pytest

from allmende.flows import Services, apply_peer_settings, forget_peer, name_peer
from allmende.log import list_peers
from allmende.merkle import KeyKind, SigningKey
from allmende.settings import SettingsInvalid

LOG = SigningKey("other.example/log", KeyKind.ED25519, b"\1" * 32).verifier
WITNESS = SigningKey("other.example/witness", KeyKind.ED25519_COSIGNATURE, b"\2" * 32).verifier
THIRD = SigningKey("third.example/log", KeyKind.ED25519, b"\3" * 32).verifier
URL = "https://other.example/witness"


def with_setting(services: Services, text: str | None) -> Services:
    return replace(services, settings=services.settings.model_copy(update={"log_peers": text}))


def named(services: Services) -> list[tuple[str, str | None]]:
    with services.database.read() as uow:
        return sorted((peer.key.text, peer.url) for peer in list_peers(uow))


def test_the_setting_alone_names_the_peers(services: Services) -> None:
    with services.database.write() as uow:
        name_peer(services, uow, THIRD.text, None)
    settled = with_setting(services, f"{LOG.text}, {WITNESS.text} {URL},\n")
    apply_peer_settings(settled)
    assert named(services) == sorted([(LOG.text, None), (WITNESS.text, URL)])
    apply_peer_settings(with_setting(services, f"{WITNESS.text} {URL}/"))
    assert named(services) == [(WITNESS.text, URL)]
    apply_peer_settings(with_setting(services, None))
    assert named(services) == [(WITNESS.text, URL)]
    apply_peer_settings(with_setting(services, ""))
    assert named(services) == []


def test_a_command_does_not_contradict_the_setting(services: Services) -> None:
    settled = with_setting(services, LOG.text)
    apply_peer_settings(settled)
    with services.database.write() as uow:
        with pytest.raises(Exception, match="setting log_peers"):
            name_peer(settled, uow, THIRD.text, None)
        with pytest.raises(Exception, match="setting log_peers"):
            forget_peer(settled, uow, LOG.text)
    assert named(services) == [(LOG.text, None)]
    with services.database.write() as uow:
        forget_peer(services, uow, LOG.text)
    assert named(services) == []


@pytest.mark.parametrize(
    "text",
    [
        "x",
        WITNESS.text,
        f"{LOG.text} {URL}",
        f"{WITNESS.text} ftp://x",
        f"{WITNESS.text} https://name:word@x",
        f"{LOG.text}, {LOG.text}",
        f"{WITNESS.text} {URL} more",
    ],
)
def test_an_impossible_setting_is_refused_and_changes_nothing(services: Services, text: str) -> None:
    with services.database.write() as uow:
        name_peer(services, uow, THIRD.text, None)
    with pytest.raises(SettingsInvalid, match="log_peers"):
        apply_peer_settings(with_setting(services, text))
    assert named(services) == [(THIRD.text, None)]
