"""Believing a root key alone: which keys of a hub follow from it, by the newest set that it has signed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from allmende.client import Connection, known_key_set, read_bounded, served_key_set
from allmende.errors import BadRequest, Untrusted
from allmende.merkle import VerifierKey, read_verifier_key
from allmende.proof import (
    MAX_KEY_SET_BYTES,
    KeySetRefused,
    MalformedKeySet,
    SignedKeySet,
    check_succession,
    policy_of_keys,
    read_key_set,
)

__all__ = ["RootRefused", "RootTrust", "RootUnknown", "root_key_of"]

_MAX_KEY_FILE_BYTES = 4096


class RootUnknown(BadRequest):
    """There is no set of keys for the root key that is to be believed."""

    code = "key_set_absent"


class RootRefused(Untrusted):
    """The set of keys is not what the root key that is believed has signed, or is an old one."""

    code = "key_set_refused"


@dataclass(frozen=True, slots=True)
class RootTrust:
    """A root key, and where sets of keys may come from: a file, this machine, the hub if it may be asked."""

    root: VerifierKey
    file: Path | None
    connection: Callable[[], Connection] | None

    @classmethod
    def of(cls, text: str, file: Path | None, connection: Callable[[], Connection] | None) -> "RootTrust":
        """The root that a text or a file says, as `root_key_of` reads it."""
        return cls(root_key_of(text), file, connection)

    def policy(self, origin: str, policy: bytes | None) -> bytes:
        """The policy that believes exactly the keys of this log that the root vouches for.

        Witnesses, groups and quorum are those of `policy`. Raises RootRefused for a set of another root, or
        of another log, or one that is older than what this machine knows of the root; RootUnknown.
        """
        known = known_key_set(origin)
        try:
            found = self._found(origin, known)
            if found.keys.root != self.root:
                raise KeySetRefused(
                    f"The set of keys is signed by the root {found.keys.root.text}, and not by the given one."
                )
            if found.keys.origin != origin:
                raise KeySetRefused(
                    f"The set of keys is of the log {found.keys.origin[:80]!r}, not {origin!r}."
                )
            if known is not None and known.keys.root == self.root:
                check_succession(known.keys, found.keys)
        except (KeySetRefused, MalformedKeySet) as error:
            raise RootRefused(error.message) from error
        return policy_of_keys(found.keys, policy)

    def _found(self, origin: str, known: SignedKeySet | None) -> SignedKeySet:
        if self.file is not None:
            return read_key_set(read_bounded(self.file, MAX_KEY_SET_BYTES))
        if self.connection is not None:
            with self.connection() as hub:
                served = served_key_set(hub, origin)
            if served is not None:
                return served
        if known is None:
            raise RootUnknown(
                f"There is no set of keys of {origin} that a root has signed.",
                hint="Give it with --keys FILE: the hub serves it under /log/keys.",
            )
        return known


def root_key_of(text: str) -> VerifierKey:
    """A root's public key: the text itself, or the first line of the file that it names.

    Raises MalformedKey, OSError.
    """
    path = Path(text)
    if "+" not in path.name and path.is_file():
        text = read_bounded(path, _MAX_KEY_FILE_BYTES).decode("utf-8", "replace").split("\n")[0]
    return read_verifier_key(text.strip().removeprefix("root "))
