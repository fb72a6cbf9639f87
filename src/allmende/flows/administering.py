"""What administrators do on the hub's pages goes on record as their act, beside what the act itself emits.

The command line is the operator's and names nobody. On the pages somebody is signed in, so that it can be
said who it was. The event names accounts by their ids alone: whoever is erased later is named nowhere.
"""

from collections.abc import Mapping

from allmende.flows.log_statements import KINDS
from allmende.ids import AccountId
from allmende.registry import Account
from allmende.storage import UnitOfWork

__all__ = ["KINDS_OF_ACTS", "note_administration"]

KINDS_OF_ACTS: tuple[str, ...] = tuple(sorted(KINDS))
"""Every kind of act that the hub puts on record."""


def note_administration(
    uow: UnitOfWork,
    administrator: Account,
    act: str,
    details: Mapping[str, str | int] | None = None,
    *,
    about: AccountId | None = None,
) -> None:
    """Put on record that an administrator did `act`; `details` hold no names of people."""
    said = {} if about is None else {"account": about}
    uow.emit("hub.administered", {"act": act, **said, **(details or {})}, actor_id=administrator.id)
