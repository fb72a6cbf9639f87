"""Ids of accounts as clients see them: stable, and without meaning to anybody.

They come from names, which everybody knows, and not from row numbers, which would tell how many there are.
"""

import hashlib

from allmende.registry import Account, name_key

__all__ = ["opaque_account_id"]

_DIGITS = 24
"""As many as the clients' own examples have; some keep them in columns of that width."""


def opaque_account_id(account: Account) -> str:
    """What `_id` says of a user or an organisation."""
    return hashlib.sha256(f"allmende account {name_key(account.name)}".encode()).hexdigest()[:_DIGITS]
