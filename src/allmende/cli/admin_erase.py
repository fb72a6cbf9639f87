"""`allmende admin user erase`: forgetting a person."""

from typing import Annotated

from cyclopts import Parameter

from allmende.cli.exits import FOUND, OK
from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, say, say_json

__all__ = ["erase_user"]


def erase_user(
    name: Annotated[str, Parameter(help="Name of the user.")],
    /,
    *,
    yes: Annotated[bool, Parameter(help="Do it; without this, only what would happen is said.")] = False,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> int:
    """Forget a user for good: account, tokens, repos, and what the log's statements say of them.

    The log's entries stay and tell nothing any more. Commits in repos of others keep the names in them.
    """
    from allmende.flows import erase_person
    from allmende.registry import AccountNotFound, find_account, repos_in

    with opened(place) as services:
        with services.database.read() as uow:
            owner = find_account(uow, name)
            if owner is None or owner.kind != "user":
                raise AccountNotFound(name)
            count = len(repos_in(uow, owner))
        if not yes:
            say(f"{owner.name} and {count} repos would be gone for good. Say --yes to do it.")
            return FOUND
        erase_person(services, owner)
    if as_json:
        say_json("allmende.admin-user-erased/1", {"repos": count})
    else:
        say(f"erased the user and {count} repos")
    return OK
