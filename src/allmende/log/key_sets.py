"""The sets of the hub's keys that its root has signed, in their order: making the next one, publishing it.

The root key lies offline and never here. A set that it has signed is published only if it says exactly what
the keyring of this hub says, follows the one before, and has the next number; then the current key of the log
signs it too. The sets lie beside the keys, one a file, numbered for each name that the log has had. The next
round of the log tells the digest of the newest in an entry of the kind `key`.
"""

import re
from datetime import timedelta
from hashlib import sha256

from allmende.clock import Clock, iso, parse_iso, system_clock
from allmende.errors import BadRequest
from allmende.log.errors import KeysDamaged
from allmende.log.keyring import HubKey, Keyring, KeyringFolder
from allmende.merkle import MAX_NOTE_BYTES, Note, VerifierKey, read_note, sign
from allmende.proof import (
    DatedKey,
    JsonObject,
    KeySet,
    KeySetRefused,
    MalformedKeySet,
    SignedKeySet,
    check_signers,
    check_succession,
    read_key_set,
    read_key_set_text,
)
from allmende.storage import make_durable_directory, replace_durably

__all__ = ["KeySetUnfit", "KeySets"]

_FOLDER = "sets"
_NAME = re.compile(r"([0-9a-f]{16})-([1-9][0-9]{0,8})\.note")
_MAX_AHEAD = timedelta(days=1)
"""Later sets may not be older: one from the far future would be the last."""


class KeySetUnfit(BadRequest):
    """A set of keys that is to be published is not the one that this hub waits for."""

    code = "key_set_unfit"


class KeySets:
    """The sets of one hub, read anew for each question."""

    def __init__(self, keys: KeyringFolder, clock: Clock = system_clock) -> None:
        self._keys = keys
        self._folder = keys.folder / _FOLDER
        self._clock = clock

    def newest(self) -> SignedKeySet | None:
        """The newest set of the log; None for a hub without a root. Raises KeysDamaged."""
        number = max(self._numbers(self._keys.read().origin), default=None)
        return None if number is None else self.numbered(number)

    def numbered(self, number: int) -> SignedKeySet | None:
        """A set by its number; None where there is none. Raises KeysDamaged."""
        path = self._folder / _file_name(self._keys.read().origin, number)
        try:
            return read_key_set(path.read_bytes())
        except FileNotFoundError:
            return None
        except (MalformedKeySet, KeySetRefused) as error:
            raise KeysDamaged(
                f"{path} is no set of keys any more: {error.message}",
                hint="Restore the folder `keys` from the newest backup.",
            ) from error

    def told(self) -> JsonObject:
        """What the log says of the newest set, beside the keys: nothing where there is none."""
        newest = self.newest()
        if newest is None:
            return {}
        keys = newest.keys
        return {"set": {"number": keys.number, "digest": keys.digest, "root": keys.root.text}}

    def next(self, root: VerifierKey | None = None) -> KeySet:
        """The set that the root is to sign next, of the keys as they are now.

        `root` is needed for the first set, and for one that changes the root. Raises KeySetUnfit and
        KeysDamaged.
        """
        newest = self.newest()
        root = root or (None if newest is None else newest.keys.root)
        if root is None:
            raise KeySetUnfit(
                "This hub has no root key yet.",
                hint="Make one on a machine that is offline with `allmende admin keys root new`, and give "
                "its public key with --root.",
            )
        return _set_of(self._keys.read(), newest, _second(iso(self._clock())), root)

    def is_current(self, keys: KeySet) -> bool:
        """Whether a set is of the keys that the hub has now. Raises KeysDamaged."""
        ring = self._keys.read()
        now = tuple(map(_dated, ring.log)), tuple(map(_dated, ring.statement)), _dated(ring.witness)
        return (keys.log, keys.statement, keys.witness) == now

    def publish(self, data: bytes) -> SignedKeySet:
        """Take a set that the root has signed; one that is the newest already changes nothing.

        Raises MalformedKeySet; KeySetRefused for signatures and what may not follow; KeySetUnfit for a set
        that is not of the keys that this hub has now; KeysDamaged.
        """
        if len(data) > MAX_NOTE_BYTES:
            raise MalformedKeySet("This is more than a set of keys.")
        note = read_note(data)
        keys = read_key_set_text(note.text)
        check_signers(note, keys.signers[:-1])
        with self._keys.locked():
            newest = self.newest()
            if newest is not None and newest.keys == keys:
                return newest
            self._check_fits(keys, newest)
            signature = sign(note.text, self._keys.log_signers()[0])
            signed = read_key_set(bytes(Note(note.text, (*note.signatures, signature))))
            make_durable_directory(self._folder)
            replace_durably(self._folder / _file_name(keys.origin, keys.number), bytes(signed.note))
        return signed

    def _check_fits(self, keys: KeySet, newest: SignedKeySet | None) -> None:
        if newest is not None:
            check_succession(newest.keys, keys)
        expected = _set_of(self._keys.read(), newest, keys.time, keys.root)
        if keys != expected:
            wrong = [
                what
                for what, is_wrong in (
                    ("the name of the log", keys.origin != expected.origin),
                    ("the number", keys.number != expected.number),
                    ("the former root", keys.former_root != expected.former_root),
                    ("the keys of the log", keys.log != expected.log),
                    ("the keys of statements", keys.statement != expected.statement),
                    ("the key of the witness", keys.witness != expected.witness),
                )
                if is_wrong
            ]
            raise KeySetUnfit(
                f"The set is not of the keys that this hub has now: {', '.join(wrong)}.",
                hint="Export it anew with `allmende admin keys export -o FILE`, and have that signed.",
            )
        if parse_iso(keys.time) > self._clock() + _MAX_AHEAD:
            raise KeySetUnfit("The set of keys is from the future.")

    def _numbers(self, origin: str) -> list[int]:
        if not self._folder.is_dir():
            return []
        found = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return [int(name[2]) for name in found if name is not None and name[1] == _digits(origin)]


def _set_of(keyring: Keyring, newest: SignedKeySet | None, time: str, root: VerifierKey) -> KeySet:
    former = None if newest is None or newest.keys.root == root else newest.keys.root
    return KeySet(
        origin=keyring.origin,
        number=1 if newest is None else newest.keys.number + 1,
        time=time,
        root=root,
        former_root=former,
        log=tuple(map(_dated, keyring.log)),
        statement=tuple(map(_dated, keyring.statement)),
        witness=_dated(keyring.witness),
    )


def _dated(key: HubKey) -> DatedKey:
    return DatedKey(key.public, _second(key.since), None if key.until is None else _second(key.until))


def _second(text: str) -> str:
    return f"{parse_iso(text):%Y-%m-%dT%H:%M:%SZ}"


def _file_name(origin: str, number: int) -> str:
    return f"{_digits(origin)}-{number}.note"


def _digits(origin: str) -> str:
    return sha256(origin.encode()).hexdigest()[:16]
