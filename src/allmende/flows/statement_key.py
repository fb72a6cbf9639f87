"""The key that the hub signs statements with."""

from allmende.flows.services import Services
from allmende.proof import Signer

__all__ = ["statement_signer"]


def statement_signer(services: Services) -> Signer:
    """The hub's current key for statements, made at first use; raises KeysDamaged."""
    return services.log.statement_signer()
