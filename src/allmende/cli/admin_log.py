"""`allmende admin log`: how the transparency log stands, checking it, going on after a restore, its peers."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from allmende.cli.exits import FOUND, OK
from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, say, say_json
from allmende.clock import iso

if TYPE_CHECKING:
    from allmende.log import Peer

__all__ = ["add", "check", "list_of_peers", "new_log", "remove", "resume", "status"]


def status(*, place: HubPlace | None = None, as_json: AsJson = False) -> int:
    """Say how far the log is, whether it signs, who witnesses it, and evidence against other logs.

    The exit code is 1 while nothing is signed, or when there is evidence.
    """
    from allmende.flows import log_status
    from allmende.log import list_evidence, list_peers

    with opened(place) as services:
        found = log_status(services)
        with services.database.read() as uow:
            peers, evidence = list_peers(uow), list_evidence(uow)
    refused = None if found.refused is None else found.refused.message
    if as_json:
        say_json(
            "allmende.admin-log/1",
            {
                "origin": found.origin,
                "entries": found.entries,
                "waiting": found.waiting,
                "lag_s": round(found.lag_s, 3),
                "signed": found.signed_size,
                "refused": refused,
                "peers": [_peer(peer) for peer in peers],
                "evidence": [
                    {"origin": one.origin, "digest": one.digest, "at": iso(one.at)} for one in evidence
                ],
            },
        )
        return FOUND if refused or evidence else OK
    say(f"log {found.origin}: {found.entries} entries, {found.signed_size} of them signed")
    say(f"{found.waiting} acts wait, the oldest for {found.lag_s:.1f} s")
    if found.refused is not None:
        say(f"nothing is signed: {found.refused.message}")
        if found.refused.hint:
            say(f"  {found.refused.hint}")
    for peer in peers:
        say(_peer_line(peer))
    for one in evidence:
        say(f"the log {one.origin} has signed two histories: evidence {one.digest}")
    return FOUND if refused or evidence else OK


def check(*, place: HubPlace | None = None, as_json: AsJson = False) -> int:
    """Read every entry, statement and tile of the log; the exit code is 1 when something is wrong."""
    from allmende.log import check_log

    with opened(place) as services:
        found = check_log(services.database, services.log)
    if as_json:
        say_json(
            "allmende.admin-log-check/1",
            {"entries": found.entries, "statements": found.statements, "problems": found.problems},
        )
    else:
        say(f"{found.entries} entries, {found.statements} of them with their statements")
        for problem in found.problems:
            say(problem)
    return FOUND if found.problems else OK


def resume(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """Sign again after a restore, if the database has all that was signed; else it says what is missing."""
    from allmende.flows import log_status, run_log

    with opened(place) as services:
        services.log.publisher.resume()
        run_log(services)
        found = log_status(services)
    if as_json:
        say_json("allmende.admin-log-resume/1", {"origin": found.origin, "signed": found.signed_size})
    else:
        say(f"the log {found.origin} goes on with {found.signed_size} entries")


def new_log(
    *,
    yes: Annotated[bool, Parameter(help="Do it; without this, only what would happen is said.")] = False,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> int:
    """Begin a new log with another name and other keys, where the old one cannot go on.

    Everybody who follows the old log has to be told: for them it ends.
    """
    from allmende.flows import run_log
    from allmende.log import start_new_log

    with opened(place) as services:
        old = services.log.origin
        if not yes:
            say(f"The log {old} would end, and a new one begin with every act that the hub remembers.")
            say("Say --yes to do it.")
            return FOUND
        origin = start_new_log(services.database, services.log)
        run_log(services)
        keys = services.log.log_keys
    if as_json:
        say_json("allmende.admin-new-log/1", {"former": old, "origin": origin, "keys": keys})
    else:
        say(f"the log {old} has ended; the new one is {origin}, with the key")
        say(f"  {keys[0]}")
    return OK


def add(
    key: Annotated[str, Parameter(help="Its verifier key: /log/vkey of a log, /witness/vkey of a witness.")],
    /,
    *,
    url: Annotated[
        str | None, Parameter(help="Of a witness: where it is asked, such as https://hub.example/witness")
    ] = None,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Name a log that this hub shall witness, or with --url a witness that it asks for cosignatures."""
    from allmende.flows import name_peer

    with opened(place) as services, services.database.write() as uow:
        peer = name_peer(services, uow, key, url)
    if as_json:
        say_json("allmende.admin-log-peer/1", _peer(peer))
    else:
        say(_peer_line(peer))


def list_of_peers(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """List the logs that this hub witnesses, and the witnesses that it asks."""
    from allmende.log import list_peers

    with opened(place) as services, services.database.read() as uow:
        peers = list_peers(uow)
    if as_json:
        say_json("allmende.admin-log-peers/1", {"peers": [_peer(peer) for peer in peers]})
        return
    for peer in peers:
        say(_peer_line(peer))


def remove(
    key: Annotated[str, Parameter(help="Its verifier key, or its name.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Name a log or a witness no more."""
    from allmende.flows import forget_peer

    with opened(place) as services, services.database.write() as uow:
        forget_peer(services, uow, key)
    if as_json:
        say_json("allmende.admin-log-peer-removed/1", {"removed": key})
    else:
        say(f"removed {key}")


def _peer(peer: "Peer") -> dict[str, Any]:
    return {
        "role": peer.role,
        "name": peer.name,
        "key": peer.key.text,
        "url": peer.url,
        "size": peer.size,
        "answered_at": None if peer.answered_at is None else iso(peer.answered_at),
        "failed": peer.failed,
    }


def _peer_line(peer: "Peer") -> str:
    if peer.role == "log":
        return f"witnesses the log {peer.name}"
    seen = "has cosigned nothing yet" if peer.size is None else f"cosigned {peer.size} entries"
    return f"asks the witness {peer.name} at {peer.url}: {peer.failed or seen}"
