"""Hubs that this machine has met: for each the policy by which its log is believed, as a file of the user.

At the first contact the log's keys are taken as they come, and that is said aloud; from then on another key
is refused. Who wants more than that puts a policy with witnesses in the place of the file, or names one.
"""

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from allmende.client.connection import Connection
from allmende.client.errors import HubKeyChanged, UnexpectedAnswer
from allmende.errors import NotFound
from allmende.merkle import MAX_POLICY_BYTES, Malformed, VerifierKey, read_policy, read_verifier_key

__all__ = [
    "KnownPolicy",
    "first_policy",
    "known_policy",
    "meet",
    "policy_path",
    "read_bounded",
    "served_keys",
]

_MAX_KEYS_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class KnownPolicy:
    """The policy for a log, where it lies, and whether it was made right now."""

    data: bytes
    path: Path
    is_new: bool = False


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


def meet(hub: Connection) -> KnownPolicy | None:
    """The policy for the hub's log, made from its keys if this is the first contact.

    None for a hub without a log. Raises HubKeyChanged when its current key is none that the policy has, and
    OSError where the policy cannot be kept.
    """
    try:
        keys = served_keys(hub)
    except NotFound:
        return None
    known = known_policy(keys[0].name)
    if known is None:
        data = first_policy(keys)
        path = policy_path(keys[0].name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return KnownPolicy(data, path, is_new=True)
    if not {log.key for log in read_policy(known.data).logs} & set(keys[:1]):
        raise HubKeyChanged(
            f"The log {keys[0].name} has another key than when it was first met.",
            hint=f"If its operator confirms the change, replace the key in {known.path}.",
        )
    return known


def read_bounded(path: Path, at_most_bytes: int) -> bytes:
    """A file; of a longer one one byte more than so many, which whoever reads it refuses."""
    with path.open("rb") as file:
        return file.read(at_most_bytes + 1)
