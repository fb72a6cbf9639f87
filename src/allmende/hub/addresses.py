"""Addresses of the Hugging Face protocol: which repo a request means, and the URLs that answers carry."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.routing import Route

from allmende.http import API_TYPES, Endpoint, base_url
from allmende.ids import RepoType
from allmende.registry import Actor, Repo, RepoNotFound, changeable_repo, check_gate, readable_repo
from allmende.storage import UnitOfWork

__all__ = [
    "PREFIX",
    "changeable",
    "readable",
    "readable_files",
    "repo_address",
    "repo_name",
    "repo_routes",
    "repo_type",
    "repo_url",
]


PREFIX: dict[RepoType, str] = {"model": "", "dataset": "datasets/", "space": "spaces/"}
"""What stands before a repo's name in addresses outside the API."""


def repo_routes(tail: str, endpoint: Endpoint, methods: list[str]) -> list[Route]:
    """The routes of an address outside the API: `tail` below the name of a model, a dataset or a space."""
    repo = "/{namespace:segment}/{name:segment}"
    # The prefixes are tried first; as names of accounts they are reserved.
    return [
        Route("/{types:typeprefix}" + repo + tail, endpoint, methods=methods),
        Route(repo + tail, endpoint, methods=methods),
    ]


def repo_type(request: Request) -> RepoType:
    """The type in the address: `types` of an API route, or the prefix of any other; models have none."""
    return API_TYPES[request.path_params.get("types", "models")]


def repo_name(request: Request) -> str:
    """`namespace/name` of the address; git's `.git` at the end does not count."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    if "/" in namespace or "/" in name:
        raise RepoNotFound
    return f"{namespace}/{name.removesuffix('.git')}"


def readable(request: Request, uow: UnitOfWork, actor: Actor) -> Repo:
    """The repo of the address, if the caller may know of it; see `registry.readable_repo`."""
    return readable_repo(uow, actor, repo_type(request), repo_name(request))


def readable_files(request: Request, uow: UnitOfWork, actor: Actor) -> Repo:
    """The same, if the caller may read its files too: raises RepoGated."""
    repo = readable(request, uow, actor)
    check_gate(uow, actor, repo)
    return repo


def changeable(request: Request, uow: UnitOfWork, actor: Actor) -> Repo:
    """The repo of the address, if the caller may change it; see `registry.changeable_repo`."""
    return changeable_repo(uow, actor, repo_type(request), repo_name(request))


def repo_address(repo: Repo) -> str:
    """The repo's address below the hub's."""
    return f"{PREFIX[repo.type]}{quote(repo.full_name)}"


def repo_url(request: Request, repo: Repo) -> str:
    """The repo's page, absolute."""
    return f"{base_url(request)}/{repo_address(repo)}"
