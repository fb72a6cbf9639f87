"""The keys of the hub and of those it works with, for administrators: `admin keys` and `admin log peers`."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.flows import forget_peer, log_status, name_peer, run_log
from allmende.log import list_evidence, list_peers, witnessed_logs
from allmende.web.admin_frame import admin_route, done, note, require_password, shown
from allmende.web.visits import Visit

__all__ = ["change_keys", "change_peers", "keys", "peers", "routes"]

_MAX_EVIDENCE = 100
_MAX_KEY_CHARS = 400


def routes() -> list[Route]:
    """Both pages and what their forms are sent to."""
    return [admin_route("/keys", keys, change_keys), admin_route("/peers", peers, change_peers)]


def keys(visit: Visit) -> Response:
    """Every key, those that sign now first; never a secret. Raises KeysDamaged."""
    found = visit.services.log.keys.read()
    key_set = visit.services.log.key_sets.newest()
    rows = [("log", key) for key in found.log] + [("statement", key) for key in found.statement]
    rows.append(("witness", found.witness))
    return shown(
        visit,
        "admin_keys.html",
        "keys",
        key_set=None if key_set is None else key_set.keys,
        keys=sorted(rows, key=lambda row: not row[1].signs),
        old_sign=sum(key.signs for key in found.log) > 1,
    )


def change_keys(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Make a new key, or let former ones of the log sign no more. Asks for the password.

    Raises KeysDamaged, and what `require_password` raises.
    """
    require_password(visit, fields)
    services, act = visit.services, fields.get("act", "")
    ring = services.log.keys
    run_log(services)
    match act:
        case "log":
            ring.add_log_key()
        case "statement":
            ring.rotate_statement_key()
        case "drop_old":
            ring.drop_old_log_keys()
        case _:
            raise BadRequest("Nothing is asked for.", code="form_invalid")
    with services.database.write() as uow:
        note(visit, uow, f"keys.{act}")
    run_log(services)
    return done("/keys", f"keys_{act}")


def peers(visit: Visit) -> Response:
    """How the log stands, whom it asks for cosignatures, which logs it witnesses, and evidence."""
    with visit.read() as uow:
        named = list_peers(uow)
        cosigned = {one.origin: one for one in witnessed_logs(uow)}
        evidence = list_evidence(uow)
    return shown(
        visit,
        "admin_peers.html",
        "peers",
        log=log_status(visit.services),
        witnesses=[one for one in named if one.role == "witness"],
        logs=[(one, cosigned.get(one.name)) for one in named if one.role == "log"],
        evidence=evidence[-_MAX_EVIDENCE:],
        evidence_count=len(evidence),
    )


def change_peers(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Name a log or a witness, name one no more, or sign again after a restore.

    Raises MalformedKey, PeerInvalid, PeerUnknown, LogContradicted; naming one asks for the password, since
    the hub will ask at its address.
    """
    services, act = visit.services, fields.get("act", "")
    key = fields.get("key", "").strip()
    if act == "resume":
        services.log.publisher.resume()
        run_log(services)
    elif act == "add":
        require_password(visit, fields)
    elif act != "remove":
        raise BadRequest("Nothing is asked for.", code="form_invalid")
    with services.database.write() as uow:
        if act == "add":
            name_peer(services, uow, key, fields.get("url", "").strip() or None)
        elif act == "remove":
            forget_peer(services, uow, key)
        note(visit, uow, f"peers.{act}", {} if act == "resume" else {"key": key[:_MAX_KEY_CHARS]})
    return done("/peers", f"peers_{act}")
