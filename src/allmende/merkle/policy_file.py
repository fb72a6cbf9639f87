"""Reading the file of a trust policy (C2SP tlog-policy), strictly and within bounds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from allmende.merkle.errors import MalformedKey, MalformedPolicy
from allmende.merkle.keys import COSIGNING, VerifierKey, read_verifier_key
from allmende.merkle.policy import Group, Policy, PolicyLog, PolicyWitness
from allmende.merkle.strict import read_decimal

__all__ = ["MAX_POLICY_BYTES", "read_policy"]

MAX_POLICY_BYTES = 1024 * 1024
_MAX_OF_A_KIND = 256
"""Logs, witnesses and groups each. The norm asks for 32."""

_NONE = "none"
_BLANK = re.compile(r"[ \t]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_WRITTEN = {
    "log": (1, 2, "log <vkey> [<url>]"),
    "witness": (2, 3, "witness <name> <vkey> [<url>]"),
    "group": (3, 2 + 2 * _MAX_OF_A_KIND, "group <name> <k|any|all> <member>..."),
    "quorum": (1, 1, "quorum <name|none>"),
}


def read_policy(data: bytes) -> Policy:
    """A policy from its file; raises MalformedPolicy, which names the line.

    Beyond the norm, a log and a witness may not share a key, since a log that is its own witness has none;
    and a file has at most 1 MiB, with 256 logs, 256 witnesses and 256 groups.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise MalformedPolicy(f"A policy has at most {MAX_POLICY_BYTES} bytes.")
    if _CONTROL.search(data):
        raise MalformedPolicy("A policy has no control characters but tabs and newlines.")
    if not data.endswith(b"\n"):
        raise MalformedPolicy("The last line of the policy does not end: it may have been cut off.")
    draft = _Draft()
    # The norm takes other bytes than ASCII as they are; so does this way of decoding them.
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), start=1):
        words = _BLANK.split(line.strip(" \t"))
        if words[0].startswith("#") or not words[0]:
            continue
        try:
            draft.add(words[0], words[1:])
        except (MalformedPolicy, MalformedKey) as wrong:
            raise MalformedPolicy(f"Line {number} of the policy: {wrong.message}") from wrong
    if draft.quorum is None:
        raise MalformedPolicy("The policy has no line quorum.")
    quorum = None if draft.quorum == _NONE else draft.quorum
    return Policy(tuple(draft.logs), tuple(draft.witnesses), tuple(draft.groups), quorum)


@dataclass(slots=True)
class _Draft:
    """The lines so far."""

    logs: list[PolicyLog] = field(default_factory=list)
    witnesses: list[PolicyWitness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    quorum: str | None = None
    names: set[str] = field(default_factory=set)
    placed: set[str] = field(default_factory=set)
    public_keys: set[bytes] = field(default_factory=set)
    key_ids: set[tuple[str, bytes]] = field(default_factory=set)

    def add(self, word: str, rest: Sequence[str]) -> None:
        """One line; raises MalformedPolicy, MalformedKey."""
        if word not in _WRITTEN:
            raise MalformedPolicy(f"{word[:80]!r} is none of {', '.join(_WRITTEN)}.")
        least, most, written = _WRITTEN[word]
        if not least <= len(rest) <= most:
            raise MalformedPolicy(f"it is written {written}.")
        if word == "log":
            self._room(self.logs)
            self.logs.append(PolicyLog(self._key(rest[0]), *rest[1:]))
        elif word == "witness":
            self._room(self.witnesses)
            self.witnesses.append(self._witness(*rest))
        elif word == "group":
            self._room(self.groups)
            self.groups.append(self._group(rest[0], rest[1], tuple(rest[2:])))
        else:
            self._close(rest[0])

    def _witness(self, name: str, text: str, url: str | None = None) -> PolicyWitness:
        key = self._key(text)
        if key.kind not in COSIGNING:
            raise MalformedPolicy(f"a witness signs with a time, and a key {key.kind.name} does not.")
        self._define(name)
        return PolicyWitness(name, key, url)

    def _group(self, name: str, needed: str, members: tuple[str, ...]) -> Group:
        for member in members:
            self._defined(member)
            if member in self.placed:
                raise MalformedPolicy(f"{member!r} is a member already, and would count twice.")
            self.placed.add(member)
        words = {"any": 1, "all": len(members)}
        least = words[needed] if needed in words else read_decimal(needed, MalformedPolicy)
        if not 1 <= least <= len(members):
            raise MalformedPolicy(f"{least} of {len(members)} members cannot be asked for.")
        self._define(name)
        return Group(name, least, members)

    def _close(self, name: str) -> None:
        if self.quorum is not None:
            raise MalformedPolicy("there is a quorum already.")
        if name != _NONE:
            self._defined(name)
        self.quorum = name

    def _key(self, text: str) -> VerifierKey:
        key = read_verifier_key(text)
        if key.public_key in self.public_keys or (key.name, key.id) in self.key_ids:
            raise MalformedPolicy(f"the key of {key.name} stands there twice.")
        self.public_keys.add(key.public_key)
        self.key_ids.add((key.name, key.id))
        return key

    def _define(self, name: str) -> None:
        if name == _NONE or name in self.names:
            raise MalformedPolicy(f"the name {name!r} is taken.")
        self.names.add(name)

    def _defined(self, name: str) -> None:
        if name not in self.names:
            raise MalformedPolicy(f"nothing before it is named {name!r}.")

    def _room(self, rows: Sequence[object]) -> None:
        if len(rows) == _MAX_OF_A_KIND:
            raise MalformedPolicy(f"there are more than {_MAX_OF_A_KIND} of its kind.")
