"""`allmende admin keys`: the keys that sign the log and the statements of a hub."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, say, say_json

if TYPE_CHECKING:
    from allmende.log import HubKey, HubLog
    from allmende.proof import KeySet

__all__ = ["drop_old", "export", "list_of_keys", "publish", "rotate"]


def list_of_keys(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """List the hub's keys, the current ones first."""
    with opened(place) as services:
        _say(services.log, as_json=as_json)


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
        if which == "log":
            keys.add_log_key()
        else:
            keys.rotate_statement_key()
        run_log(services)
        _say(services.log, as_json=as_json)


def drop_old(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """Let only the current key sign the log from now on; former ones stay listed."""
    from allmende.flows import run_log

    with opened(place) as services:
        services.log.keys.drop_old_log_keys()
        run_log(services)
        _say(services.log, as_json=as_json)


def export(
    *,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="Write the set of keys that the root is to sign."),
    ] = None,
    root: Annotated[
        str | None, Parameter(help="The root's public key, or its file: for the first set, and to change it.")
    ] = None,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Print the public keys that sign now, or write the set of them for the root; never a secret."""
    from allmende.cli.admin_root import write_whole
    from allmende.cli.root_trust import root_key_of
    from allmende.errors import BadRequest

    if output is not None:
        with opened(place) as services:
            next_set = services.log.key_sets.next(None if root is None else root_key_of(root))
        write_whole(output, next_set.text.encode())
        if as_json:
            say_json("allmende.admin-key-set/1", {"file": str(output), **_set(next_set)})
        else:
            say(next_set.text.rstrip("\n"))
        return
    if root is not None:
        raise BadRequest("--root is for the set of keys.", hint="Give -o FILE too.")
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


def publish(
    signed: Annotated[Path, Parameter(help="The set that the root has signed.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Publish a set of keys that the root has signed, if it is the next one and of the keys of this hub."""
    from allmende.client import read_bounded
    from allmende.flows import run_log
    from allmende.proof import MAX_KEY_SET_BYTES

    data = read_bounded(signed, MAX_KEY_SET_BYTES)
    with opened(place) as services:
        published = services.log.key_sets.publish(data).keys
        run_log(services)
    if as_json:
        say_json("allmende.admin-keys-published/1", _set(published))
    else:
        say(f"set {published.number} of the keys of {published.origin} is published")
        say(f"  by the root {published.root.text}")


def _set(keys: "KeySet") -> dict[str, Any]:
    return {
        "origin": keys.origin,
        "number": keys.number,
        "time": keys.time,
        "root": keys.root.text,
        "digest": keys.digest,
    }


def _say(log: "HubLog", *, as_json: bool) -> None:
    found, newest = log.keys.read(), log.key_sets.newest()
    key_set = None if newest is None else newest.keys
    is_stale = key_set is not None and not log.key_sets.is_current(key_set)
    if as_json:
        say_json(
            "allmende.admin-keys/1",
            {
                "origin": found.origin,
                "log": [_key(key) for key in found.log],
                "statement": [_key(key) for key in found.statement],
                "witness": _key(found.witness),
                "key_set": None if key_set is None else {**_set(key_set), "current": not is_stale},
            },
        )
        return
    _say_root(key_set, is_stale=is_stale)
    for use, keys in (("log", found.log), ("statement", found.statement), ("witness", (found.witness,))):
        for key in keys:
            how = "signs" if key.signs else f"until {key.until}"
            say(f"{use}: {key.file} since {key.since}, {how}")
            say(f"  {key.public.strip().replace(chr(10), chr(10) + '  ')}")


def _say_root(key_set: "KeySet | None", *, is_stale: bool) -> None:
    if key_set is None:
        say("root: none; see docs/log.md")
        return
    say(f"root: {key_set.root.text}")
    say(f"  has signed set {key_set.number} of {key_set.time}")
    if is_stale:
        say("  which is not of these keys: export the next set, have it signed, and publish it")


def _key(key: "HubKey") -> dict[str, Any]:
    return {
        "key": key.public,
        "file": key.file,
        "since": key.since,
        "until": key.until,
        "signs": key.signs,
    }
