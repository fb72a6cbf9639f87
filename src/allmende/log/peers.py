"""Who the operator has named: logs that this hub witnesses, and witnesses that it asks for cosignatures.

The key says which: one that signs notes is of a log, one that cosigns is of a witness, which needs an
address. Nothing that a stranger sends adds a peer or an address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from sqlalchemy import Row, delete, select, update

from allmende.log.errors import PeerInvalid, PeerUnknown
from allmende.log.tables import log_peer
from allmende.merkle import COSIGNING, KnownLog, VerifierKey, read_verifier_key
from allmende.storage import UnitOfWork

__all__ = [
    "Peer",
    "add_peer",
    "known_logs",
    "list_peers",
    "note_answer",
    "put_peers",
    "read_peers",
    "remove_peer",
]

Role = Literal["log", "witness"]

_MAX_NAME_CHARS = 255
_MAX_URL_CHARS = 1000
_MAX_PEERS = 100
_MAX_FAILED_CHARS = 500


@dataclass(frozen=True, slots=True)
class Peer:
    """A log or a witness. `size` is what the witness cosigned last, `failed` what went wrong last, if
    anything.
    """

    role: Role
    name: str
    key: VerifierKey
    url: str | None
    added_at: datetime
    size: int | None
    answered_at: datetime | None
    failed: str | None


def add_peer(uow: UnitOfWork, text: str, url: str | None) -> Peer:
    """Name a peer by its verifier key; one that is named already gets the new address.

    `url` is where a witness takes `add-checkpoint`, without that word. Raises MalformedKey, PeerInvalid.
    """
    key = read_verifier_key(text)
    role: Role = "witness" if key.kind in COSIGNING else "log"
    url = _url_of(key, url)
    at_key = (log_peer.c.role == role) & (log_peer.c.key == key.text)
    if uow.one_or_none(select(log_peer.c.id).where(at_key)) is not None:
        uow.execute(update(log_peer).where(at_key).values(url=url))
    elif len(list_peers(uow)) >= _MAX_PEERS:
        raise PeerInvalid(f"There are {_MAX_PEERS} peers already, which is as many as there may be.")
    else:
        uow.execute(
            log_peer.insert().values(role=role, name=key.name, key=key.text, url=url, added_at=uow.now)
        )
    return next(peer for peer in list_peers(uow, role) if peer.key == key)


def read_peers(text: str) -> list[tuple[VerifierKey, str | None]]:
    """The peers in the text of a setting: `KEY` of a log, `KEY URL` of a witness, with commas between them.

    A new line is as good as a comma. Raises MalformedKey, PeerInvalid, as naming each of them would.
    """
    found: list[tuple[VerifierKey, str | None]] = []
    for part in text.replace("\n", ",").split(","):
        words = part.split()
        if len(words) > 2:
            raise PeerInvalid(f"{part.strip()[:80]!r} is neither a key nor a key and an address.")
        if words:
            key = read_verifier_key(words[0])
            found.append((key, _url_of(key, words[1] if len(words) > 1 else None)))
    if len({key for key, _ in found}) != len(found):
        raise PeerInvalid("A peer is named twice.")
    return found


def put_peers(uow: UnitOfWork, peers: Sequence[tuple[VerifierKey, str | None]]) -> None:
    """Make the peers exactly these; what is known of one that stays is kept. Raises PeerInvalid."""
    named = {key.text for key, _ in peers}
    for peer in list_peers(uow):
        if peer.key.text not in named:
            remove_peer(uow, peer.key.text)
    for key, url in peers:
        add_peer(uow, key.text, url)


def remove_peer(uow: UnitOfWork, text: str) -> None:
    """Name a peer no more, by its key or by its name. Raises PeerUnknown."""
    gone = uow.execute(delete(log_peer).where((log_peer.c.key == text) | (log_peer.c.name == text)))
    if gone.rowcount == 0:
        raise PeerUnknown(
            f"No peer has the name or key {text[:80]!r}.", hint="See `allmende admin log peers list`."
        )


def list_peers(uow: UnitOfWork, role: Role | None = None) -> list[Peer]:
    """Every peer, or those of one role, in the order in which they were named."""
    query = select(log_peer).order_by(log_peer.c.id)
    if role is not None:
        query = query.where(log_peer.c.role == role)
    return [_peer(row) for row in uow.all(query)]


def known_logs(uow: UnitOfWork) -> list[KnownLog]:
    """The logs that this hub witnesses, each with all the keys that were named for it."""
    keys: dict[str, list[VerifierKey]] = {}
    for peer in list_peers(uow, "log"):
        keys.setdefault(peer.name, []).append(peer.key)
    return [KnownLog(origin, tuple(named)) for origin, named in keys.items()]


def note_answer(uow: UnitOfWork, peer: Peer, *, size: int | None = None, failed: str | None = None) -> None:
    """Keep how a witness answered: which size it cosigned, or what went wrong."""
    values: dict[str, Any] = {"failed": None if failed is None else failed[:_MAX_FAILED_CHARS]}
    if size is not None:
        values |= {"size": size, "answered_at": uow.now}
    uow.execute(
        update(log_peer).where(log_peer.c.role == peer.role, log_peer.c.key == peer.key.text).values(**values)
    )


def _url_of(key: VerifierKey, url: str | None) -> str | None:
    """The address of a witness, or none of a log; raises PeerInvalid."""
    if len(key.name) > _MAX_NAME_CHARS:
        raise PeerInvalid("The name of the key is too long.")
    if key.kind in COSIGNING:
        return _address(url)
    if url is not None:
        raise PeerInvalid(
            "A log that is witnessed comes by itself and has no address here.",
            hint="To ask a hub for cosignatures, give the key of its witness: `<name>/witness+…`.",
        )
    return None


def _address(url: str | None) -> str:
    if url is None:
        raise PeerInvalid(
            "A witness is asked at an address.", hint="Give --url, such as https://hub.example/witness"
        )
    parts = urlsplit(url)
    sound = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    if not sound or parts.username is not None or len(url) > _MAX_URL_CHARS or not url.isprintable():
        raise PeerInvalid(
            f"{url[:80]!r} is no address of a witness.",
            hint="Give scheme, host and path: https://hub.example/witness",
        )
    return url.rstrip("/")


def _peer(row: Row[Any]) -> Peer:
    return Peer(
        row.role,
        row.name,
        read_verifier_key(row.key),
        row.url,
        row.added_at,
        row.size,
        row.answered_at,
        row.failed,
    )
