"""Forgetting a person: their repos, their account, and what the log's statements could tell of them.

The entries of the log stay, and every proof of them; what they commit to is gone, with the random bytes
without which nobody can try out guesses.
"""

from allmende.facts import forget_trust_policy
from allmende.flows.removal import remove_repo
from allmende.flows.services import Services
from allmende.log import erase_acts, erase_acts_of
from allmende.registry import (
    Account,
    erase_account,
    find_repo_by_id,
    local_operator,
    names_somebody,
    repos_in,
)

__all__ = ["erase_person"]


def erase_person(services: Services, owner: Account) -> int:
    """Delete an account, its repos and every trace of its name; returns how many repos went."""
    with services.database.write() as uow:
        repo_ids = repos_in(uow, owner)
    for repo_id in repo_ids:
        with services.database.write() as uow:
            found = find_repo_by_id(uow, repo_id)
            if found is not None:
                remove_repo(services, uow, local_operator(owner, uow), found)
    with services.database.write() as uow:
        erase_acts(uow, names_somebody(uow, owner))
        erase_acts_of(uow, owner.id)
        forget_trust_policy(uow, owner.id)
        erase_account(uow, owner)
    services.database.compact()
    return len(repo_ids)
