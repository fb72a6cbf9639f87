"""The hub's keys: which sign its log and its statements now, which did before, and which cosigns for others.

They lie in one folder that its owner alone may read: a file for each secret, and `keyring.json`, which names
them with the times from and until which they hold. That file is replaced whole, so that a change of keys is
there or not. A former key of the log signs along with the new one until it is dropped: who knows only the old
one can still check checkpoints, and finds the new one in the log, in an entry that the old one signed.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from allmende.clock import Clock, iso, parse_iso, system_clock
from allmende.log.errors import KeysDamaged
from allmende.merkle import KeyKind, Malformed, SigningKey, generate_key, read_signing_key, read_verifier_key
from allmende.proof import JsonObject, Signer, generate_signer, read_public_key, read_signer
from allmende.proof import MalformedKey as MalformedPem
from allmende.storage import make_durable_directory, replace_durably

__all__ = ["HubKey", "Keyring", "KeyringFolder"]

_SCHEMA = "allmende.keyring/1"
_NAME = "keyring.json"
_LOCK = "keyring.lock"
_STATEMENT_ALGORITHM = "ecdsa-p256"


@dataclass(frozen=True, slots=True)
class HubKey:
    """A key of the hub, without its secret: a verifier key of the log, or the PEM of a statement key."""

    public: str
    file: str
    """The name of the file of its secret."""
    since: str
    until: str | None = None
    signs: bool = True
    """Whether it signs still; of several that do, the first is the current one."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every key of the hub, the current ones first."""

    origin: str
    log: tuple[HubKey, ...]
    statement: tuple[HubKey, ...]
    witness: HubKey

    @property
    def log_keys(self) -> list[str]:
        """The verifier keys of the log, current first, then former ones."""
        return [key.public for key in self.log]

    @property
    def announced(self) -> JsonObject:
        """The keys that are valid from now on, as an entry of the log says them."""
        return {
            "log": [key.public for key in self.log if key.signs],
            "statement": [key.public for key in self.statement if key.signs],
            "witness": [self.witness.public],
        }


class KeyringFolder:
    """The folder of the keys, read anew for each question: another process may have changed it."""

    def __init__(self, folder: Path, origin: str, clock: Clock = system_clock) -> None:
        self.folder = folder
        self._origin = origin
        self._clock = clock

    def read(self) -> Keyring:
        """The keys; they are made if there are none yet. Raises KeysDamaged."""
        path = self.folder / _NAME
        if not path.exists():
            with self.locked():
                if not path.exists():
                    self._make(self._origin)
        try:
            return _keyring(path.read_text("utf-8"))
        except (ValueError, KeyError, TypeError, Malformed, MalformedPem) as error:
            raise self._damaged(_NAME) from error

    def log_signers(self) -> list[SigningKey]:
        """The keys that sign checkpoints, current first. Raises KeysDamaged."""
        return [self._signing_key(key) for key in self.read().log if key.signs]

    def witness_key(self) -> SigningKey:
        """The key that cosigns checkpoints of other logs. Raises KeysDamaged."""
        return self._signing_key(self.read().witness)

    def statement_signer(self) -> Signer:
        """The key that signs statements. Raises KeysDamaged."""
        key = self.read().statement[0]
        try:
            signer = read_signer((self.folder / key.file).read_bytes())
        except (OSError, MalformedPem) as error:
            raise self._damaged(key.file) from error
        if signer.public.pem != key.public:
            raise self._damaged(key.file)
        return signer

    def add_log_key(self) -> Keyring:
        """Make a new key for the log; the ones before sign along. Raises KeysDamaged."""
        self.read()
        with self.locked():
            old = self.read()
            new = self._new_log_key(old.origin)
            return self._write(replace(old, log=(new, *old.log)))

    def drop_old_log_keys(self) -> Keyring:
        """From now on only the current key of the log signs. Raises KeysDamaged."""
        self.read()
        with self.locked():
            old = self.read()
            current, *rest = old.log
            return self._write(replace(old, log=(current, *map(self._ended, rest))))

    def rotate_statement_key(self) -> Keyring:
        """Make a new key for statements; the one before signs no more. Raises KeysDamaged."""
        self.read()
        with self.locked():
            old = self.read()
            new = self._new_statement_key()
            return self._write(replace(old, statement=(new, *map(self._ended, old.statement))))

    def start_over(self, origin: str) -> Keyring:
        """New keys for a new log with another origin; the statement keys stay. Raises KeysDamaged."""
        self.read()
        with self.locked():
            old = self.read()
            fresh = Keyring(
                origin, (self._new_log_key(origin),), old.statement, self._new_witness_key(origin)
            )
            return self._write(fresh)

    def _make(self, origin: str) -> Keyring:
        log = self._new_log_key(origin)
        return self._write(
            Keyring(origin, (log,), (self._new_statement_key(),), self._new_witness_key(origin))
        )

    def _new_log_key(self, origin: str) -> HubKey:
        return self._kept(generate_key(origin, KeyKind.ED25519), "log")

    def _new_witness_key(self, origin: str) -> HubKey:
        name = origin.removesuffix("/log") + "/witness"
        return self._kept(generate_key(name, KeyKind.ED25519_COSIGNATURE), "witness")

    def _new_statement_key(self) -> HubKey:
        signer = generate_signer(_STATEMENT_ALGORITHM)
        file = f"statement-{signer.public.id[:8]}.pem"
        replace_durably(self.folder / file, signer.pem().encode("ascii"))
        return HubKey(signer.public.pem, file, self._time())

    def _kept(self, key: SigningKey, use: str) -> HubKey:
        file = f"{use}-{key.verifier.id.hex()}.key"
        replace_durably(self.folder / file, f"{key.secret_text}\n".encode())
        return HubKey(key.verifier.text, file, self._time())

    def _signing_key(self, key: HubKey) -> SigningKey:
        try:
            found = read_signing_key((self.folder / key.file).read_text("utf-8").removesuffix("\n"))
        except (OSError, ValueError, Malformed) as error:
            raise self._damaged(key.file) from error
        if found.verifier.text != key.public:
            raise self._damaged(key.file)
        return found

    def _ended(self, key: HubKey) -> HubKey:
        return replace(key, until=key.until or self._time(), signs=False)

    def _time(self) -> str:
        return iso(self._clock())

    def _write(self, keyring: Keyring) -> Keyring:
        document = {"schema": _SCHEMA, **asdict(keyring)}
        replace_durably(self.folder / _NAME, (json.dumps(document, indent=1) + "\n").encode())
        return keyring

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the keys, among all processes, as long as it lasts."""
        make_durable_directory(self.folder)
        descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _damaged(self, name: str) -> KeysDamaged:
        return KeysDamaged(
            f"{self.folder / name} does not hold a key of this hub.",
            hint="Restore the folder `keys` from the newest backup.",
        )


def _keyring(text: str) -> Keyring:
    found = json.loads(text)
    if found["schema"] != _SCHEMA:
        raise ValueError(found["schema"])
    keyring = Keyring(
        str(found["origin"]),
        tuple(HubKey(**key) for key in found["log"]),
        tuple(HubKey(**key) for key in found["statement"]),
        HubKey(**found["witness"]),
    )
    for key in (*keyring.log, keyring.witness):
        read_verifier_key(key.public)
    for key in keyring.statement:
        read_public_key(key.public)
    for key in (*keyring.log, *keyring.statement, keyring.witness):
        parse_iso(key.since)
        if "/" in key.file:
            raise ValueError(key.file)
    if not keyring.log[0].signs or not keyring.statement[0].signs:
        raise ValueError("no current key")
    return keyring
