"""The set of keys that a hub's root has signed, as this machine keeps it: pinned, and followed to newer ones.

The first set is kept as it comes, or when a key of the log that is believed already has signed it. From then
on only a set that the same root has signed, or a root that the former one has signed for, with a number that
has grown, takes its place.
"""

from pathlib import Path

from allmende.client.connection import Connection
from allmende.client.errors import HubKeyChanged, UnexpectedAnswer
from allmende.client.files import read_bounded
from allmende.errors import AllmendeError, NotFound
from allmende.proof import (
    MAX_KEY_SET_BYTES,
    KeySetRefused,
    MalformedKeySet,
    SignedKeySet,
    check_succession,
    read_key_set,
)

__all__ = ["follow_key_set", "pinned_key_set", "served_key_set"]

_MAX_STEPS = 1000
"""Sets between the one that is known and the newest, where the root has changed."""


def pinned_key_set(path: Path) -> SignedKeySet | None:
    """The set that this machine keeps in a file; None where there is none. Raises HubKeyChanged if broken."""
    try:
        return read_key_set(read_bounded(path, MAX_KEY_SET_BYTES))
    except FileNotFoundError:
        return None
    except (MalformedKeySet, KeySetRefused) as error:
        raise HubKeyChanged(
            f"The set of keys in {path} is not one any more: {error.message}",
            hint="Remove it only if you know why it is broken: the hub is then met as for the first time.",
        ) from error


def served_key_set(hub: Connection, origin: str, number: int | None = None) -> SignedKeySet | None:
    """The newest set that a hub serves, or the one with a number; None for a hub without a root.

    Raises UnexpectedAnswer for what is no set of this log's keys.
    """
    path = "/log/keys" if number is None else f"/log/keys/{number}"
    try:
        with hub.open("GET", path) as answer:
            data = bytes(answer.read(MAX_KEY_SET_BYTES + 1))
    except NotFound:
        return None
    try:
        found = read_key_set(data)
    except AllmendeError as error:
        raise UnexpectedAnswer(
            f"The set of keys that the hub shows cannot be believed: {error.message}"
        ) from error
    if found.keys.origin != origin or (number is not None and found.keys.number != number):
        raise UnexpectedAnswer("The set of keys that the hub shows is another one than was asked for.")
    return found


def follow_key_set(hub: Connection, known: SignedKeySet, served: SignedKeySet | None) -> SignedKeySet:
    """The set to believe from now on: the one that is served, if it follows from the one that is known.

    Where the root has changed more than once, every set between is asked for. Raises HubKeyChanged.
    """
    if served is None:
        raise HubKeyChanged(
            f"The hub {known.keys.origin} does not show the keys that its root has signed.",
            hint="It did before. Ask its operator in some other way what has happened.",
        )
    try:
        if known.keys.root in (served.keys.root, served.keys.former_root):
            check_succession(known.keys, served.keys)
            return served
        return _stepped(hub, known, served)
    except KeySetRefused as error:
        raise HubKeyChanged(
            f"The hub {known.keys.origin} shows keys that are not believed. {error.message}",
            hint=f"The root that is known is {known.keys.root.text}: ask its operator.",
        ) from error


def _stepped(hub: Connection, known: SignedKeySet, served: SignedKeySet) -> SignedKeySet:
    if served.keys.number - known.keys.number > _MAX_STEPS:
        raise KeySetRefused("There are too many sets of keys since the one that is known.")
    at = known
    for number in range(known.keys.number + 1, served.keys.number):
        step = served_key_set(hub, known.keys.origin, number)
        if step is None:
            raise KeySetRefused(f"The hub does not show its set of keys number {number}.")
        check_succession(at.keys, step.keys)
        at = step
    check_succession(at.keys, served.keys)
    return served
