"""`allmende admin repo`: every repo of the hub, private ones too."""

import sys
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, say, say_json, say_table
from allmende.clock import iso
from allmende.errors import BadRequest

__all__ = ["delete", "list_of_repos", "xet_reads"]

_Type = Literal["model", "dataset", "space"]


def list_of_repos(
    *,
    type_: Annotated[_Type | None, Parameter(name="--type", help="Only repos of this type.")] = None,
    namespace: Annotated[str | None, Parameter(help="Only repos of this user or organisation.")] = None,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """List the repos."""
    from allmende.registry import find_repo_by_id, repo_ids

    with opened(place) as services, services.database.read() as uow:
        found = [repo for repo_id in repo_ids(uow) if (repo := find_repo_by_id(uow, repo_id)) is not None]
    repos = [
        repo
        for repo in found
        if type_ in (None, repo.type) and (namespace is None or namespace.lower() == repo.namespace.lower())
    ]
    repos.sort(key=lambda repo: (repo.full_name.lower(), repo.type))
    if as_json:
        listed: list[dict[str, Any]] = [
            {
                "type": repo.type,
                "name": repo.full_name,
                "private": repo.private,
                "gated": repo.gated or False,
                "disabled": repo.disabled,
                "xet_reads": repo.xet_reads,
                "created_at": iso(repo.created_at),
                "updated_at": iso(repo.updated_at),
            }
            for repo in repos
        ]
        say_json("allmende.admin-repos/1", {"repos": listed})
        return
    rows = [
        (repo.type, repo.full_name, "private" if repo.private else "public", iso(repo.updated_at))
        for repo in repos
    ]
    say_table(("TYPE", "NAME", "VISIBILITY", "UPDATED"), rows)


def delete(
    type_: Annotated[_Type, Parameter(name="TYPE", help="model, dataset or space.")],
    name: Annotated[str, Parameter(help="NAMESPACE/NAME.")],
    /,
    *,
    yes: Annotated[bool, Parameter(help="Do not ask.")] = False,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Delete a repo with its history; bytes that no other repo holds go with a later `admin gc`."""
    from allmende.flows import remove_repo
    from allmende.registry import RepoNotFound, account_by_id, local_operator, lookup_repo

    if not yes:
        _ask(f"{type_} {name}")
    with opened(place) as services, services.database.write() as uow:
        repo = lookup_repo(uow, type_, name)
        if repo is None:
            raise RepoNotFound
        owner = account_by_id(uow, repo.namespace_id)
        remove_repo(services, uow, local_operator(owner, uow), repo)
    if as_json:
        say_json("allmende.admin-repo-deleted/1", {"type": repo.type, "name": repo.full_name})
    else:
        say(f"deleted {repo.type} {repo.full_name}")


def xet_reads(
    type_: Annotated[_Type, Parameter(name="TYPE", help="model, dataset or space.")],
    name: Annotated[str, Parameter(help="NAMESPACE/NAME.")],
    switch: Annotated[Literal["on", "off"], Parameter(help="Whether to offer its files over Xet.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Offer a repo's files over Xet beside plain HTTP, or by plain HTTP alone."""
    from allmende.registry import RepoNotFound, account_by_id, local_operator, lookup_repo, update_repo

    wanted = switch == "on"
    with opened(place) as services, services.database.write() as uow:
        repo = lookup_repo(uow, type_, name)
        if repo is None:
            raise RepoNotFound
        owner = account_by_id(uow, repo.namespace_id)
        update_repo(uow, local_operator(owner, uow), repo, xet_reads=wanted)
    if as_json:
        say_json(
            "allmende.admin-repo-xet-reads/1",
            {"type": repo.type, "name": repo.full_name, "xet_reads": wanted},
        )
    else:
        say(f"{repo.type} {repo.full_name}: Xet reads {switch}")


def _ask(what: str) -> None:
    """Raises BadRequest unless somebody at a terminal says yes."""
    if not sys.stdin.isatty():
        raise BadRequest(
            f"Deleting {what} cannot be undone.", hint="Say --yes if you mean it.", code="not_confirmed"
        )
    if input(f"Delete {what} with its history? This cannot be undone. Type yes: ") != "yes":
        raise BadRequest("Nothing was deleted.", code="not_confirmed")
