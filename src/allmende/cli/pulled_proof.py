"""The proof that `allmende pull` leaves beside what it fetched, checked by what is known of the hub."""

from collections.abc import Sequence
from pathlib import Path

from allmende.cli.first_contact import tell_first_contact
from allmende.cli.output import note
from allmende.client import Connection, NamedWitness, Snapshot, fetch_proof, keep_proof, meet
from allmende.errors import NotFound, Unavailable, Untrusted
from allmende.proof import judge_bundle

__all__ = ["ProofRefused", "keep_checked_proof"]


class ProofRefused(Untrusted):
    """The hub's proof of what was pulled does not hold."""

    code = "proof_refused"


def keep_checked_proof(
    hub: Connection, snapshot: Snapshot, folder: Path, witnesses: Sequence[NamedWitness] | None = None
) -> Path | None:
    """Fetch, check and keep the proof; None, and a word about it, where the hub has none.

    Raises HubKeyChanged, LogForked, and ProofRefused: then none is kept, and the files should not be used.
    """
    try:
        known = meet(hub, witnesses)
    except OSError as error:
        note(f"No proof was fetched: the key of this hub cannot be kept on this machine ({error}).")
        return None
    if known is None:
        return None
    tell_first_contact(known)
    try:
        data = fetch_proof(hub, snapshot.repo, snapshot.commit)
    except (NotFound, Unavailable) as error:
        note(f"There is no proof of this revision: {error.message}")
        return None
    verdict = judge_bundle(data, known.data)
    if verdict.checked is None or verdict.checked.bundle.commit != snapshot.commit:
        raise ProofRefused(
            f"The hub's proof of what was pulled does not hold: {verdict.reason}",
            hint="Do not use the files; tell the operator of the hub. --no-proof pulls without.",
        )
    return keep_proof(folder, data)
