"""Whom a namespace trusts to sign for it: who may say so, and what follows."""

from allmende.facts import HUB, SetTrustPolicy, put_trust_policy, trust_policy_of
from allmende.flows.services import Services
from allmende.ids import AccountId
from allmende.proof import MalformedTrustPolicy, read_trust_policy
from allmende.registry import AccessDenied, Account, Actor
from allmende.storage import UnitOfWork

__all__ = ["set_hub_trust", "set_trust", "trust_policy_of"]


def set_trust(
    services: Services, uow: UnitOfWork, actor: Actor, namespace: Account, document: bytes
) -> SetTrustPolicy:
    """Set whom a namespace trusts; its admins may. Signatures are then verified again.

    Raises SignInRequired, AccessDenied, and what `read_trust_policy` raises.
    """
    known = actor.require_account()
    if actor.role_in(namespace.id) != "admin" or not actor.may_propose:
        raise AccessDenied(
            f"Whom {namespace.name} trusts is for its admins to say.",
            hint="Ask one of them, and use a token with the role write or admin.",
        )
    return _set(services, uow, namespace.id, document, known.id)


def set_hub_trust(services: Services, uow: UnitOfWork, actor: Actor, document: bytes) -> SetTrustPolicy:
    """Set whom this hub trusts in every namespace, and what is revoked for all; its administrators may.

    Raises SignInRequired, AccessDenied, and what `read_trust_policy` raises.
    """
    known = actor.require_account()
    if not actor.administers_hub:
        raise AccessDenied("Whom the hub trusts is for its administrator to say.")
    return _set(services, uow, HUB, document, known.id)


def _set(
    services: Services, uow: UnitOfWork, account_id: AccountId, document: bytes, actor_id: AccountId
) -> SetTrustPolicy:
    read_trust_policy(document)
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedTrustPolicy("The trust policy is not UTF-8.") from error
    made = put_trust_policy(uow, account_id, text, actor_id)
    services.queue.enqueue(
        uow, "signatures", {"account_id": account_id}, key=f"signatures:{account_id}", priority=0
    )
    return made
