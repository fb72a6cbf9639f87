"""Signing up: a stranger makes an account of their own. Only where the operator lets them; see the settings.

That a name is taken is said: the page of an account is there for everybody anyway. How often one may try is
bounded, by address and for the hub as a whole.
"""

from allmende.registry.accounts import Account, create_account, find_account
from allmende.registry.errors import AccountExists
from allmende.registry.names import check_account_name
from allmende.registry.passwords import check_new_password, set_password
from allmende.registry.patience import Limit, count_try, require_patience, tries_key
from allmende.storage import Database

__all__ = ["sign_up"]

_OF_ADDRESS = Limit(5, 300)
"""Behind a proxy all have one address: the longest wait must be bearable for all."""
_OF_HUB = Limit(50, 60)
_ANYWHERE = "sign-up"
_TOO_MANY = "Too many accounts were asked for."


def sign_up(database: Database, name: str, fullname: str | None, text: str, address: str) -> Account:
    """A new user with that password, made by themselves; `address` is where they come from.

    Raises NameInvalid, AccountExists, BadRequest for a password that will not do, TooManyRequests. Not
    within a transaction: it takes a tenth of a second.
    """
    # No account has a name with a blank in it, so that no failure to sign in counts here.
    keys = {tries_key("sign up", address): _OF_ADDRESS, tries_key("sign up", _ANYWHERE): _OF_HUB}
    check_account_name(name)
    check_new_password(name, text)
    with database.read() as uow:
        for key, limit in keys.items():
            require_patience(uow, key, limit, _TOO_MANY)
        taken = find_account(uow, name) is not None
    with database.write() as uow:
        for key in keys:
            count_try(uow, key)
    if taken:
        raise AccountExists(f"The name {name!r} is taken.", hint="Choose another name.")
    with database.write() as uow:
        made = create_account(uow, name, "user", fullname=fullname, by_themselves=True)
        set_password(uow, made, text)
    return made
