"""Naming the logs that a hub witnesses and the witnesses that it asks: by the setting, or else by command.

Where the setting `log_peers` is there it alone says who they are: each start makes the list exactly that, and
what a command or a page would change is refused. So what is written down and what is done never differ.
"""

from allmende.errors import AllmendeError, Conflict
from allmende.flows.services import Services
from allmende.log import Peer, add_peer, put_peers, read_peers, remove_peer
from allmende.settings import SettingsInvalid
from allmende.storage import UnitOfWork

__all__ = ["apply_peer_settings", "forget_peer", "name_peer"]


class PeersSettled(Conflict):
    """The settings say who the peers are, and a command or a page would say something else."""

    code = "log_peers_settled"


def name_peer(services: Services, uow: UnitOfWork, key: str, url: str | None) -> Peer:
    """Name a peer; raises PeersSettled, and what `log.add_peer` raises."""
    _refuse_if_settled(services)
    return add_peer(uow, key, url)


def forget_peer(services: Services, uow: UnitOfWork, key: str) -> None:
    """Name a peer no more; raises PeersSettled, PeerUnknown."""
    _refuse_if_settled(services)
    remove_peer(uow, key)


def apply_peer_settings(services: Services) -> None:
    """At a start: make the peers those of the setting, if it is there. Raises SettingsInvalid."""
    text = services.settings.log_peers
    if text is None:
        return
    try:
        peers = read_peers(text)
        with services.database.write() as uow:
            put_peers(uow, peers)
    except AllmendeError as error:
        raise SettingsInvalid(f"Setting 'log_peers': {error.message}", hint=error.hint) from error


def _refuse_if_settled(services: Services) -> None:
    if services.settings.log_peers is not None:
        raise PeersSettled(
            "The setting log_peers says whom this hub works with.",
            hint="Change the setting and start the hub again, or remove it to name peers by command.",
        )
