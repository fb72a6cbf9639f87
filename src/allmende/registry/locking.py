"""Locking an account: nobody acts as its user until it is unlocked, and all that is theirs stays.

Every token and every session is refused where it is read, so that there is no door to forget. A link that was
signed before works until it ends, an hour for a download.
"""

from allmende.errors import BadRequest
from allmende.registry.accounts import Account, update_account
from allmende.registry.tokens import end_other_sessions
from allmende.storage import UnitOfWork

__all__ = ["lock_account", "unlock_account"]


def lock_account(uow: UnitOfWork, owner: Account) -> None:
    """Let nobody sign in as a user, by password or token; their browsers are signed out.

    Harmless when it is locked already. Raises BadRequest for an organisation.
    """
    if owner.kind != "user":
        raise BadRequest(
            "Users are locked, not organisations.",
            hint="End memberships to keep people out of an organisation.",
            code="lock_owner",
        )
    if owner.locked_at is None:
        update_account(uow, owner, {"locked_at": uow.now})
        end_other_sessions(uow, owner, None)


def unlock_account(uow: UnitOfWork, owner: Account) -> None:
    """Let a user sign in again; their tokens are what they were. Harmless when it is not locked."""
    if owner.locked_at is not None:
        update_account(uow, owner, {"locked_at": None})
