"""Asking witnesses to cosign the newest checkpoint, and believing one that has seen more than this log has.

Only addresses that the operator has named are called; no redirect is followed, an answer is read up to a
bound, and a slow witness is given up. A witness that says it has seen a larger tree has to show it, signed
by this log: then this machine was set back as a whole, and the log signs nothing more until somebody has
looked.
"""

import logging

import urllib3
from urllib3.exceptions import HTTPError

from allmende.errors import AllmendeError
from allmende.log.hub_log import HubLog
from allmende.log.peers import Peer, list_peers, note_answer
from allmende.merkle import (
    MAX_NOTE_BYTES,
    Checkpoint,
    KnownLog,
    Note,
    ProofRefused,
    SignedCheckpoint,
    WitnessAhead,
    WitnessAnswer,
    WitnessRefused,
    monitoring_path,
    obtain_cosignatures,
    read_checkpoint,
    read_verifier_key,
    verify_consistency,
)
from allmende.storage import Database

__all__ = ["collect_cosignatures", "compare_with_witnesses"]

_logger = logging.getLogger(__name__)

_TIMEOUT = urllib3.Timeout(connect=3.0, read=7.0, total=10.0)
_SHORT_TIMEOUT = urllib3.Timeout(connect=1.0, read=2.0, total=3.0)
_TEXT = "text/plain; charset=utf-8"


def collect_cosignatures(database: Database, log: HubLog) -> int:
    """Ask every witness that has not cosigned the newest checkpoint; returns how many did now.

    What goes wrong with one is kept beside it. Raises KeysDamaged.
    """
    note = log.checkpoint()
    if note is None:
        return 0
    with database.read() as uow:
        witnesses = list_peers(uow, "witness")
    missing = [peer for peer in witnesses if not _has_cosigned(peer, note)]
    pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)
    try:
        return sum(_ask(database, log, peer, note, pool) for peer in missing)
    finally:
        pool.clear()


def compare_with_witnesses(database: Database, log: HubLog) -> None:
    """At a start, before anything is signed: whether witnesses have seen what this machine does not have.

    One that does not answer is passed over. Raises KeysDamaged.
    """
    if log.checkpoint() is None:
        return
    with database.read() as uow:
        witnesses = list_peers(uow, "witness")
    pool = urllib3.PoolManager(timeout=_SHORT_TIMEOUT, retries=False)
    try:
        for peer in witnesses:
            try:
                shown = _shown(log, peer, pool)
            except (AllmendeError, HTTPError) as error:
                _logger.warning("the witness %s does not show what it has seen: %s", peer.name, error)
                continue
            if shown is not None and not _is_ours(log, shown.checkpoint):
                log.publisher.hold(shown.note)
                _logger.error("the witness %s has seen what this machine does not have", peer.name)
    finally:
        pool.clear()


def _has_cosigned(peer: Peer, note: Note) -> bool:
    return any((one.name, one.key_id) == (peer.key.name, peer.key.id) for one in note.signatures)


def _ask(database: Database, log: HubLog, peer: Peer, note: Note, pool: urllib3.PoolManager) -> bool:
    size = read_checkpoint(note.text).size

    def post(body: bytes, /) -> WitnessAnswer:
        return _call(pool, "POST", f"{peer.url}/add-checkpoint", body)

    try:
        signatures = obtain_cosignatures(
            post, note, [peer.key], lambda old: log.prove_growth(old, size), min(peer.size or 0, size)
        )
    except (WitnessAhead, WitnessRefused) as refused:
        _look_at_shown(database, log, peer, pool, refused)
        return False
    except (AllmendeError, HTTPError) as error:
        _note_failure(database, peer, error)
        return False
    log.publisher.add_cosigned(note.with_signatures(signatures))
    with database.write() as uow:
        note_answer(uow, peer, size=size)
    return True


def _look_at_shown(
    database: Database, log: HubLog, peer: Peer, pool: urllib3.PoolManager, refused: AllmendeError
) -> None:
    """A witness refuses: let it show the checkpoint that this log is said to have signed, and compare."""
    try:
        shown = _shown(log, peer, pool)
    except (AllmendeError, HTTPError) as error:
        _note_failure(database, peer, WitnessRefused(f"{refused.message} It does not show why: {error}"))
        return
    if shown is not None and not _is_ours(log, shown.checkpoint):
        log.publisher.hold(shown.note)
        _logger.error("the witness %s shows a tree that this log has signed and does not have", peer.name)
    _note_failure(database, peer, refused)


def _shown(log: HubLog, peer: Peer, pool: urllib3.PoolManager) -> SignedCheckpoint | None:
    """The last checkpoint of this log that a witness shows; None when it has none."""
    answer = _call(pool, "GET", f"{peer.url}/{monitoring_path(log.origin)}", None)
    if answer.status == 404:
        return None
    known = KnownLog(log.origin, tuple(map(read_verifier_key, log.log_keys)))
    return known.open(answer.body)


def _is_ours(log: HubLog, shown: Checkpoint) -> bool:
    """Whether the newest tree of this log begins with one that somebody shows."""
    newest = log.signed()
    if newest is None or shown.size > newest.size:
        return False
    try:
        proof = log.prove_growth(shown.size, newest.size)
        verify_consistency(shown.size, shown.root, newest.size, newest.root, proof)
    except ProofRefused:
        return False
    return True


def _note_failure(database: Database, peer: Peer, error: Exception) -> None:
    said = error.message if isinstance(error, AllmendeError) else f"{type(error).__name__}: {error}"
    if said != peer.failed:
        _logger.warning("the witness %s did not cosign: %s", peer.name, said)
        with database.write() as uow:
            note_answer(uow, peer, failed=said)


def _call(pool: urllib3.PoolManager, method: str, url: str, body: bytes | None) -> WitnessAnswer:
    answer = pool.request(
        method, url, body=body, headers={"Content-Type": _TEXT}, redirect=False, preload_content=False
    )
    try:
        data = answer.read(MAX_NOTE_BYTES, decode_content=False)
        return WitnessAnswer(answer.status, data, answer.headers.get("Content-Type", ""))
    finally:
        answer.close()
