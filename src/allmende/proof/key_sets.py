"""The set of a hub's keys, signed by a root key that lies offline: `allmende.key-set/1`, a signed note.

    allmende.key-set/1
    origin hub.example.org/log
    number 3
    time 2026-11-28T16:00:00Z
    root <verifier key>
    former-root <verifier key>              only where this set changes the root
    log <verifier key> <since>              signs now; the first is the current one
    former-log <verifier key> <since> <until>
    statement <base64 of the public key, DER> <since>
    former-statement <base64> <since> <until>
    witness <verifier key> <since>

Signed by the root, by the former root where there is one, and by the current key of the log: the roots say
that these keys are the hub's, and the log's key says that its hub knows of it. There is one way to write a
set, and no line or signature in it is idle, so that any changed bit is refused.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from allmende.merkle import (
    KeyKind,
    KeyRing,
    Note,
    SignatureRefused,
    VerifierKey,
    read_base64,
    read_note,
    read_policy,
    read_verifier_key,
)
from allmende.merkle import Malformed as MalformedInLog
from allmende.merkle import MalformedKey as MalformedVerifierKey
from allmende.proof.errors import Malformed, MalformedKey, Oversized, Refused
from allmende.proof.keys import read_public_key
from allmende.proof.strict import read_time

__all__ = [
    "MAX_KEY_SET_BYTES",
    "DatedKey",
    "KeySet",
    "KeySetRefused",
    "MalformedKeySet",
    "SignedKeySet",
    "check_signers",
    "check_succession",
    "policy_of_keys",
    "read_key_set",
    "read_key_set_text",
    "root_policy",
]

SCHEMA = "allmende.key-set/1"
MAX_KEY_SET_BYTES = 256 * 1024
_MAX_KEYS = 500
"""Of one kind."""

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_PEM_LINE_CHARS = 64


class MalformedKeySet(Malformed):
    """The text is no set of keys, or is not written in the one way."""

    code = "key_set_malformed"


class KeySetRefused(Refused):
    """A set of keys is not signed by whom it has to be, or may not follow the one before."""

    code = "key_set_refused"


@dataclass(frozen=True, slots=True)
class DatedKey:
    """A key of a hub, a verifier key or the PEM of a statement key; `until` is None while it signs."""

    public: str
    since: str
    until: str | None = None


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of a hub as its root vouches for them. `log` and `statement` have the current ones first.

    Raises MalformedKeySet for what no set may say.
    """

    origin: str
    number: int
    time: str
    root: VerifierKey
    former_root: VerifierKey | None
    log: tuple[DatedKey, ...]
    statement: tuple[DatedKey, ...]
    witness: DatedKey

    def __post_init__(self) -> None:
        if not 1 <= len(self.log) <= _MAX_KEYS or not 1 <= len(self.statement) <= _MAX_KEYS:
            raise MalformedKeySet(f"A set has 1 to {_MAX_KEYS} keys of each kind.")
        if self.log[0].until is not None or self.statement[0].until is not None:
            raise MalformedKeySet("The first key of the log, and of statements, has to be one that signs.")
        roots = [self.root, *([] if self.former_root is None else [self.former_root])]
        if any(root.kind is not KeyKind.ED25519 for root in roots):
            raise MalformedKeySet("A root key is an Ed25519 key that signs notes.")
        own = [read_verifier_key(key.public) for key in self.log]
        if any(key.name != self.origin or key.kind is not KeyKind.ED25519 for key in own):
            raise MalformedKeySet("A key of the log signs notes, and bears the log's name.")
        named = [key.public_key for key in (*roots, *own, read_verifier_key(self.witness.public))]
        if len(set(named)) != len(named) or len({key.public for key in self.statement}) != len(
            self.statement
        ):
            raise MalformedKeySet("A key stands in the set twice.")

    @property
    def text(self) -> str:
        """What is signed: the one way to write the set."""
        return "".join(f"{line}\n" for line in self._lines())

    @property
    def digest(self) -> str:
        """SHA-256 of the text, hexadecimal: what the log says of the set."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        """The keys that sign the log now, the current one first."""
        return tuple(read_verifier_key(key.public) for key in self.log if key.until is None)

    @property
    def signers(self) -> tuple[VerifierKey, ...]:
        """Who has to sign it, and nobody else: the root, the former root, the log's current key."""
        former = () if self.former_root is None else (self.former_root,)
        return (self.root, *former, read_verifier_key(self.log[0].public))

    def _lines(self) -> Iterator[str]:
        yield SCHEMA
        yield f"origin {self.origin}"
        yield f"number {self.number}"
        yield f"time {self.time}"
        yield f"root {self.root.text}"
        if self.former_root is not None:
            yield f"former-root {self.former_root.text}"
        for key in self.log:
            yield _key_line("log", key.public, key)
        for key in self.statement:
            yield _key_line("statement", _der_of_pem(key.public), key)
        yield _key_line("witness", self.witness.public, self.witness)


@dataclass(frozen=True, slots=True)
class SignedKeySet:
    """A set that is signed by all who have to, and the note as it came."""

    keys: KeySet
    note: Note


def read_key_set_text(text: str) -> KeySet:
    """The set that a text says, signed or not yet; raises MalformedKeySet."""
    if len(text.encode()) > MAX_KEY_SET_BYTES:
        raise MalformedKeySet(f"A set of keys has at most {MAX_KEY_SET_BYTES} bytes.")
    try:
        found = _parsed(text.split("\n"))
    except (MalformedVerifierKey, MalformedKey, Oversized) as error:
        raise MalformedKeySet(error.message) from error
    if found.text != text:
        raise MalformedKeySet("The set of keys is not written in the one way in which sets are.")
    return found


def read_key_set(data: bytes) -> SignedKeySet:
    """A set with its signatures: exactly those that it has to have.

    Raises MalformedKeySet, and KeySetRefused. Whether one believes its root is another question.
    """
    if len(data) > MAX_KEY_SET_BYTES:
        raise MalformedKeySet(f"A set of keys has at most {MAX_KEY_SET_BYTES} bytes.")
    try:
        note = read_note(data)
    except MalformedInLog as error:
        raise MalformedKeySet(error.message) from error
    keys = read_key_set_text(note.text)
    check_signers(note, keys.signers)
    return SignedKeySet(keys, note)


def check_signers(note: Note, signers: Sequence[VerifierKey]) -> None:
    """Return when exactly these keys have signed a note, each once, in this order; raises KeySetRefused."""
    try:
        signed = KeyRing(signers).check(note)
    except SignatureRefused as error:
        raise KeySetRefused(f"The set of keys is not signed by whom it names: {error.message}") from error
    if len(note.signatures) != len(signed) or [one.key for one in signed] != list(signers):
        names = ", ".join(key.name for key in signers)
        raise KeySetRefused(f"The set of keys has to be signed by {names}, in this order, and nobody else.")


def check_succession(old: KeySet, new: KeySet) -> None:
    """Return when a set may take the place of an older one; raises KeySetRefused.

    It is of the same log, its number has grown, its time has not gone back, and its root is the same or was
    vouched for by the old one. A set of the same number has to be the same set.
    """
    if new.origin != old.origin:
        raise KeySetRefused(f"The set of keys is of the log {new.origin[:80]!r}, not of {old.origin!r}.")
    if new.number < old.number or (new.number == old.number and new != old):
        raise KeySetRefused(
            f"The set of keys has the number {new.number}, and another one with {old.number} is known."
        )
    if new == old:
        return
    if new.time < old.time:
        raise KeySetRefused("The set of keys is older than the one that is known.")
    if old.root not in (new.root, new.former_root):
        raise KeySetRefused("The set of keys has another root, and the known root has not signed that.")


def policy_of_keys(keys: KeySet, policy: bytes | None = None) -> bytes:
    """A policy that believes exactly the keys of the log that sign now.

    Of another policy its witnesses, groups and quorum are kept, and its logs are not. Raises MalformedPolicy.
    """
    lines = [f"log {key.text}" for key in keys.log_keys]
    if policy is None:
        kept = ["quorum none"]
    else:
        read_policy(policy)
        text = policy.decode("utf-8", "surrogateescape")
        kept = [line for line in text.split("\n")[:-1] if line.split()[:1] != ["log"]]
    made = "".join(f"{line}\n" for line in (*lines, *kept)).encode("utf-8", "surrogateescape")
    read_policy(made)
    return made


def root_policy(root: VerifierKey, data: bytes, policy: bytes | None = None) -> bytes:
    """The policy that follows from a root key and a set that it signed; raises as its parts do."""
    signed = read_key_set(data)
    if signed.keys.root != root:
        raise KeySetRefused(
            f"The set of keys is signed by the root {signed.keys.root.text}, and not by {root.text}."
        )
    return policy_of_keys(signed.keys, policy)


def _parsed(lines: list[str]) -> KeySet:
    """The set in the lines, up to what writing it again will show."""
    if lines[0] != SCHEMA:
        raise MalformedKeySet(f"A set of keys begins with {SCHEMA}.")
    words = [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines[1:] if line]
    number = _one(words, "number")
    if _NUMBER.fullmatch(number) is None:
        raise MalformedKeySet(f"{number[:20]!r} is no number of a set of keys.")
    time = _one(words, "time")
    _check_time(time)
    former = [rest for word, rest in words if word == "former-root"]
    witness = _dated("witness", _one(words, "witness"))
    read_verifier_key(witness.public)
    return KeySet(
        origin=_one(words, "origin"),
        number=int(number),
        time=time,
        root=read_verifier_key(_one(words, "root")),
        former_root=read_verifier_key(former[0]) if former else None,
        log=tuple(_dated(word, rest) for word, rest in words if word in ("log", "former-log")),
        statement=tuple(_statement_keys(words)),
        witness=witness,
    )


def _one(words: Iterable[tuple[str, str]], name: str) -> str:
    found = next((rest for word, rest in words if word == name), None)
    if not found:
        raise MalformedKeySet(f"The set of keys has no line {name}.")
    return found


def _dated(word: str, rest: str) -> DatedKey:
    parts = rest.split(" ")
    if len(parts) != (3 if word.startswith("former-") else 2):
        raise MalformedKeySet(f"A line {word} has a key and its times.")
    for time in parts[1:]:
        _check_time(time)
    return DatedKey(*parts)


def _statement_keys(words: Iterable[tuple[str, str]]) -> Iterator[DatedKey]:
    for word, rest in words:
        if word in ("statement", "former-statement"):
            key = _dated(word, rest)
            der = read_base64(key.public, MalformedKeySet)
            yield DatedKey(read_public_key(_pem_of_der(der)).pem, key.since, key.until)


def _check_time(text: str) -> None:
    if len(text) != len("2026-11-28T16:00:00Z"):
        raise MalformedKeySet(f"{text[:40]!r} is no time to the second.")
    read_time(text, MalformedKeySet)


def _key_line(word: str, public: str, key: DatedKey) -> str:
    if key.until is None:
        return f"{word} {public} {key.since}"
    return f"former-{word} {public} {key.since} {key.until}"


def _der_of_pem(pem: str) -> str:
    return "".join(line for line in pem.split("\n") if line and not line.startswith("-"))


def _pem_of_der(der: bytes) -> str:
    body = base64.b64encode(der).decode("ascii")
    lines = [body[at : at + _PEM_LINE_CHARS] for at in range(0, len(body), _PEM_LINE_CHARS)]
    return "".join(f"{line}\n" for line in ("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----"))
