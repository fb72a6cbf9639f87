"""`allmende admin keys`: the keys that sign the log and the statements of a hub."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, say, say_json

if TYPE_CHECKING:
    from allmende.log import HubKey, Keyring

__all__ = ["drop_old", "export", "list_of_keys", "rotate"]


def list_of_keys(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """List the hub's keys, the current ones first."""
    with opened(place) as services:
        found = services.log.keys.read()
    _say(found, as_json=as_json)


def rotate(
    which: Annotated[
        Literal["log", "statement"], Parameter(help="The key of the log, or the one of statements.")
    ],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Make a new key, and have the old one say so in the log.

    A former key of the log signs along until `drop-old`: who knows only the old one can follow to the new.
    """
    from allmende.flows import run_log

    with opened(place) as services:
        keys = services.log.keys
        run_log(services)
        found = keys.add_log_key() if which == "log" else keys.rotate_statement_key()
        run_log(services)
    _say(found, as_json=as_json)


def drop_old(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """Let only the current key sign the log from now on; former ones stay listed."""
    from allmende.flows import run_log

    with opened(place) as services:
        found = services.log.keys.drop_old_log_keys()
        run_log(services)
    _say(found, as_json=as_json)


def export(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """Print the public keys that sign now, for people who want to trust this hub: no secret."""
    with opened(place) as services:
        found = services.log.keys.read()
    log = [key.public for key in found.log if key.signs]
    statement = [key.public for key in found.statement if key.signs]
    if as_json:
        public = {"log": log, "witness": found.witness.public, "statement": statement}
        say_json("allmende.admin-keys-export/1", {"origin": found.origin, **public})
        return
    for key in log:
        say(f"log {key}")
    say(f"witness {found.witness.public}")
    for pem in statement:
        say(pem.rstrip("\n"))


def _say(found: "Keyring", *, as_json: bool) -> None:
    if as_json:
        say_json(
            "allmende.admin-keys/1",
            {
                "origin": found.origin,
                "log": [_key(key) for key in found.log],
                "statement": [_key(key) for key in found.statement],
                "witness": _key(found.witness),
            },
        )
        return
    for use, keys in (("log", found.log), ("statement", found.statement), ("witness", (found.witness,))):
        for key in keys:
            how = "signs" if key.signs else f"until {key.until}"
            say(f"{use}: {key.file} since {key.since}, {how}")
            say(f"  {key.public.strip().replace(chr(10), chr(10) + '  ')}")


def _key(key: "HubKey") -> dict[str, Any]:
    return {
        "key": key.public,
        "file": key.file,
        "since": key.since,
        "until": key.until,
        "signs": key.signs,
    }
