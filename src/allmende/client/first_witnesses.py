"""Asking witnesses before a hub's key is taken as it comes: what have they seen of its log?

The witnesses are the user's own choice, by the option `--witness` or a file of theirs; nothing that a hub
says names one or leads to an address. An answer is read up to a bound, no redirect is followed, and who does
not answer within seconds is passed over, which is said.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from allmende.client.connection import Connection
from allmende.client.errors import HubKeyChanged, LogForked
from allmende.client.files import read_bounded
from allmende.client.log_sources import HubLog
from allmende.errors import BadRequest
from allmende.merkle import (
    COSIGNING,
    MAX_NOTE_BYTES,
    MAX_POLICY_BYTES,
    Checkpoint,
    KeyRing,
    KnownLog,
    Malformed,
    ProofRefused,
    SignatureRefused,
    TiledLog,
    TileMissing,
    TileRefused,
    VerifierKey,
    monitoring_path,
    read_note,
    read_policy,
    read_verifier_key,
)

__all__ = ["AskedWitnesses", "NamedWitness", "WitnessInvalid", "ask_witnesses", "named_witnesses"]

_TIMEOUT = urllib3.Timeout(connect=3.0, read=5.0, total=8.0)
_MAX_WITNESSES = 16


class WitnessInvalid(BadRequest):
    """What is said of a witness that is to be asked makes no sense."""

    code = "witness_invalid"


@dataclass(frozen=True, slots=True)
class NamedWitness:
    """A witness by its key, and the address that it is asked at, without `/<hash>/checkpoint`."""

    key: VerifierKey
    url: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and not parts.query
        if self.key.kind not in COSIGNING or not is_address or parts.username is not None:
            raise WitnessInvalid(
                f"{self.key.name} at {self.url[:80]!r} is no witness with its address.",
                hint="Give the key of a witness and where it is asked: 'KEY https://hub.example/witness'.",
            )


@dataclass(frozen=True, slots=True)
class AskedWitnesses:
    """What came of it: the keys by which a witness knows the log, if one does, and sentences for people."""

    keys: tuple[VerifierKey, ...] | None
    told: tuple[str, ...]


def named_witnesses(given: Iterable[str] = ()) -> tuple[NamedWitness, ...]:
    """The witnesses that the user has chosen: `given`, each `KEY URL`, or else those of the user's file.

    The file is `~/.config/allmende/witnesses`, with lines of the form `witness <name> <vkey> <url>` (C2SP
    tlog-policy). Raises WitnessInvalid, MalformedKey, MalformedPolicy.
    """
    named = [_given(text) for text in given] or _of_file()
    if len(named) > _MAX_WITNESSES:
        raise WitnessInvalid(f"At most {_MAX_WITNESSES} witnesses are asked.")
    return tuple(named)


def ask_witnesses(
    hub: Connection, origin: str, keys: Sequence[VerifierKey], witnesses: Sequence[NamedWitness]
) -> AskedWitnesses:
    """Compare the log that a hub shows with what each witness has cosigned of it.

    `keys` are those that the hub says its log has, the current one first. Raises LogForked when the hub's log
    has not grown out of what a witness has seen, and HubKeyChanged when a witness knows it by other keys.
    """
    if not witnesses:
        return AskedWitnesses(None, ())
    confirmed: tuple[VerifierKey, ...] | None = None
    told = []
    pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)
    try:
        for witness in witnesses:
            try:
                found = _ask(pool, witness, origin, keys)
            except (HTTPError, Malformed) as error:
                told.append(f"The witness {witness.key.name} could not be asked: {_words(error)}")
                continue
            if found is None:
                told.append(f"The witness {witness.key.name} has seen nothing of this log.")
                continue
            checkpoint, signers = found
            _compare(hub, witness, KnownLog(origin, signers), checkpoint)
            confirmed = tuple(key for key in (confirmed or signers) if key in signers)
            told.append(
                f"The witness {witness.key.name} has seen this log with {checkpoint.size} entries, by the "
                "same key, and what the hub shows has grown out of that."
            )
    finally:
        pool.clear()
    if confirmed is None:
        told.append("No witness could confirm it.")
    return AskedWitnesses(confirmed, tuple(told))


def _ask(
    pool: urllib3.PoolManager, witness: NamedWitness, origin: str, keys: Sequence[VerifierKey]
) -> tuple[Checkpoint, tuple[VerifierKey, ...]] | None:
    """What a witness has cosigned last, and the log's keys that signed it; None where it has nothing."""
    url = f"{witness.url.rstrip('/')}/{monitoring_path(origin)}"
    answer = pool.request("GET", url, redirect=False, preload_content=False)
    try:
        data = answer.read(MAX_NOTE_BYTES + 1, decode_content=False)
    finally:
        answer.close()
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise HTTPError(f"status {answer.status}")
    note = read_note(data)
    try:
        KeyRing([witness.key]).check(note)
    except SignatureRefused as error:
        raise HTTPError("it did not sign what it shows") from error
    try:
        checkpoint = KnownLog(origin, tuple(keys)).check(note).checkpoint
    except SignatureRefused as error:
        raise _other_keys(witness, origin) from error
    signers = tuple(one.key for one in KeyRing(keys).check(note))
    if keys[0] not in signers:
        raise _other_keys(witness, origin)
    return checkpoint, signers


def _compare(hub: Connection, witness: NamedWitness, log: KnownLog, seen: Checkpoint) -> None:
    """Return when the log that the hub shows now begins with what the witness has seen."""
    try:
        shown = TiledLog.newest(HubLog(hub).fetch, log)
        if shown.checkpoint.size >= seen.size:
            shown.check_extends(seen)
            return
    except (ProofRefused, SignatureRefused, TileRefused, TileMissing) as error:
        raise LogForked(
            f"The witness {witness.key.name} has seen another history of the log {log.origin} than the one "
            f"that this hub shows. {error.message}",
            hint="Trust neither: ask the operators of the hub and of the witness.",
        ) from error
    raise LogForked(
        f"The witness {witness.key.name} has seen {seen.size} entries of the log {log.origin}, and this hub "
        f"shows only {shown.checkpoint.size}.",
        hint="Somebody between may show you an old copy, or the hub was set back: ask its operator.",
    )


def _words(error: HTTPError | Malformed) -> str:
    if isinstance(error, Malformed):
        return error.message
    # What the library says of a connection is longer than anybody wants to read.
    return f"{error}." if type(error) is HTTPError else f"{type(error).__name__}."


def _other_keys(witness: NamedWitness, origin: str) -> HubKeyChanged:
    return HubKeyChanged(
        f"The witness {witness.key.name} knows the log {origin} by another key than this hub shows.",
        hint="Ask the operators of both; after a change of keys a witness has to be told of the new one.",
    )


def _given(text: str) -> NamedWitness:
    parts = text.split()
    if len(parts) != 2:
        raise WitnessInvalid(
            f"{text[:80]!r} does not name a witness.", hint="Give 'KEY URL', its key and where it is asked."
        )
    return NamedWitness(read_verifier_key(parts[0]), parts[1])


def _of_file() -> list[NamedWitness]:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    path = home / "allmende" / "witnesses"
    try:
        data = read_bounded(path, MAX_POLICY_BYTES)
    except FileNotFoundError:
        return []
    policy = read_policy(data + b"quorum none\n")
    if policy.logs or policy.groups:
        raise WitnessInvalid(f"{path} names more than witnesses.")
    return [NamedWitness(one.key, one.url or "") for one in policy.witnesses]
