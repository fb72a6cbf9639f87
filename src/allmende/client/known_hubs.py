"""Hubs that this machine has met: for each the policy by which its log is believed, as a file of the user.

At the first contact the log's keys are taken as they come, after asking the user's witnesses, and that is
said aloud; from then on another key is refused. Of a hub with a root key the root is kept, beside the policy,
and its log may change keys when the root has signed that: then the policy's keys of the log change with it.
Who wants more puts a policy with witnesses in the place of the file, or names one.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from allmende.client.connection import Connection
from allmende.client.errors import HubKeyChanged, UnexpectedAnswer
from allmende.client.files import put_whole, read_bounded
from allmende.client.first_witnesses import NamedWitness, ask_witnesses, named_witnesses
from allmende.client.key_sets import follow_key_set, pinned_key_set, served_key_set
from allmende.errors import NotFound
from allmende.merkle import MAX_POLICY_BYTES, Malformed, VerifierKey, read_policy, read_verifier_key
from allmende.proof import SignedKeySet, policy_of_keys

__all__ = [
    "KnownPolicy",
    "first_policy",
    "known_key_set",
    "known_policy",
    "meet",
    "policy_path",
    "served_keys",
]

_MAX_KEYS_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class KnownPolicy:
    """The policy for a log, where it lies, and whether it was made right now."""

    data: bytes
    path: Path
    is_new: bool = False
    root: VerifierKey | None = None
    """The root key that vouches for the keys, where the hub has one."""
    told: tuple[str, ...] = ()
    """What was found on the way, for people: what witnesses said, what has changed."""


def policy_path(origin: str) -> Path:
    """Where the policy for a log of this origin lies, whether or not there is one."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    name = quote(origin, safe="")
    # A dot at the front would hide the file, or lead out of the folder.
    name = f"%2E{name[1:]}" if name.startswith(".") else name
    return Path(home).expanduser() / "allmende" / "hubs" / f"{name}.policy"


def known_policy(origin: str) -> KnownPolicy | None:
    """The policy for a log that was met before; raises MalformedPolicy where the file is broken."""
    path = policy_path(origin)
    try:
        data = read_bounded(path, MAX_POLICY_BYTES)
    except FileNotFoundError:
        return None
    read_policy(data)
    return KnownPolicy(data, path)


def served_keys(hub: Connection) -> tuple[VerifierKey, ...]:
    """The keys that a hub says its log has, the current one first. Raises NotFound where it keeps none."""
    with hub.open("GET", "/log/vkey") as answer:
        data = answer.read(_MAX_KEYS_BYTES + 1)
    try:
        lines = data.decode("ascii").split()
        keys = tuple(read_verifier_key(line) for line in lines)
    except (UnicodeDecodeError, Malformed) as error:
        raise UnexpectedAnswer("The hub's list of the keys of its log cannot be read.") from error
    if len(data) > _MAX_KEYS_BYTES or not keys or len({key.name for key in keys}) != 1:
        raise UnexpectedAnswer("The hub does not name the keys of one log.")
    return keys


def first_policy(keys: Iterable[VerifierKey]) -> bytes:
    """A policy that believes these keys and asks for no witness."""
    return "".join([*(f"log {key.text}\n" for key in dict.fromkeys(keys)), "quorum none\n"]).encode()


def meet(hub: Connection, witnesses: Sequence[NamedWitness] | None = None) -> KnownPolicy | None:
    """The policy for the hub's log, made from its keys if this is the first contact.

    Before that `witnesses` are asked, or those of the user's file. None for a hub without a log. Raises
    HubKeyChanged when its keys are none that may follow the known ones, LogForked when a witness has seen
    another history, and OSError where the policy cannot be kept.
    """
    try:
        keys = served_keys(hub)
    except NotFound:
        return None
    origin = keys[0].name
    pinned = pinned_key_set(_set_path(origin))
    served = served_key_set(hub, origin)
    known = known_policy(origin)
    if pinned is not None:
        return _follow(hub, known, pinned, served)
    if known is None:
        return _first_contact(hub, keys, served, named_witnesses() if witnesses is None else witnesses)
    logs = {log.key for log in read_policy(known.data).logs}
    if keys[0] not in logs:
        raise HubKeyChanged(
            f"The log {origin} has another key than when it was first met.",
            hint=f"If its operator confirms the change, replace the key in {known.path}.",
        )
    if served is not None and served.keys.log_keys[0] in logs:
        # The key that is believed has signed the set too: from now on its root decides.
        put_whole(_set_path(origin), bytes(served.note))
        told = (f"The hub has a root key now, and its log has signed that: {served.keys.root.text}",)
        return _kept(known.path, known.data, served, told=told)
    return known


def _first_contact(
    hub: Connection,
    keys: tuple[VerifierKey, ...],
    served: SignedKeySet | None,
    witnesses: Sequence[NamedWitness],
) -> KnownPolicy:
    """Keep the keys of a hub that was never met, after asking witnesses where there are any."""
    origin = keys[0].name
    if served is not None:
        keys = served.keys.log_keys
    asked = ask_witnesses(hub, origin, keys, witnesses)
    path = policy_path(origin)
    if served is None:
        data = first_policy(asked.keys or keys)
        put_whole(path, data)
        return KnownPolicy(data, path, is_new=True, told=asked.told)
    put_whole(_set_path(origin), bytes(served.note))
    return replace(_kept(path, None, served, told=asked.told), is_new=True)


def _follow(
    hub: Connection, known: KnownPolicy | None, pinned: SignedKeySet, served: SignedKeySet | None
) -> KnownPolicy:
    """The policy of a hub whose root is known, with the keys that the root vouches for by now."""
    newest = follow_key_set(hub, pinned, served)
    origin = newest.keys.origin
    told: tuple[str, ...] = ()
    if newest.keys.number != pinned.keys.number:
        put_whole(_set_path(origin), bytes(newest.note))
        told = (f"The hub's root has signed a new set of its keys, number {newest.keys.number}.",)
    return _kept(policy_path(origin), None if known is None else known.data, newest, told=told)


def _kept(path: Path, data: bytes | None, signed: SignedKeySet, *, told: tuple[str, ...]) -> KnownPolicy:
    """The policy with exactly the keys of a set, and what else stood in it; it is kept."""
    logs = () if data is None else tuple(log.key for log in read_policy(data).logs)
    if data is None or logs != signed.keys.log_keys:
        data = policy_of_keys(signed.keys, data)
        put_whole(path, data)
    return KnownPolicy(data, path, root=signed.keys.root, told=told)


def known_key_set(origin: str) -> SignedKeySet | None:
    """The set of keys that this machine keeps of a log's root. Raises HubKeyChanged where it is broken."""
    return pinned_key_set(_set_path(origin))


def _set_path(origin: str) -> Path:
    return policy_path(origin).with_suffix(".keys")
