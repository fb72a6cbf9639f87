"""What all pages of one repo share: which repo and revision is meant, its refs, and its routes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from allmende.http import Endpoint
from allmende.ids import RepoType
from allmende.registry import (
    Ref,
    Repo,
    RepoNotFound,
    Revision,
    branches_and_tags,
    readable_repo,
    resolve_revision,
)
from allmende.storage import UnitOfWork
from allmende.web.addresses import LISTS, PREFIX, ref_label
from allmende.web.visits import MAX_FORM_BYTES, MAX_FORM_FIELDS, Visit, form, page

__all__ = ["View", "endpoints_of", "forms_of", "repo_of", "routes_of", "view_of"]

_MAX_REFS = 200
_SHORT_OID_CHARS = 10


@dataclass(frozen=True, slots=True)
class View:
    """A revision of a repo, as a page is about it."""

    repo: Repo
    revision: Revision
    name: str
    """What the address calls the revision; links within the page stay with it."""
    branches: tuple[str, ...]
    tags: tuple[str, ...]
    more_refs: int

    @property
    def label(self) -> str:
        """The revision for people: ids are shortened."""
        return self.name[:_SHORT_OID_CHARS] if self.name == self.revision.oid else self.name


def repo_of(visit: Visit, uow: UnitOfWork) -> Repo:
    """The repo of the address, if the visitor may know of it; see `registry.readable_repo`."""
    parameters = visit.request.path_params
    namespace, name = str(parameters["namespace"]), str(parameters["name"])
    if "/" in namespace or "/" in name:
        raise RepoNotFound
    return readable_repo(uow, visit.actor, _type_of(visit), f"{namespace}/{name}")


def view_of(uow: UnitOfWork, repo: Repo, name: str) -> View:
    """The revision of that name; raises RevisionNotFound."""
    revision = resolve_revision(uow, repo, name)
    refs = branches_and_tags(uow, repo)
    branches = _labels(refs, "refs/heads/")
    tags = _labels(refs, "refs/tags/")
    shown_tags = tags[: max(0, _MAX_REFS - len(branches))]
    return View(
        repo,
        revision,
        name,
        tuple(branches[:_MAX_REFS]),
        tuple(shown_tags),
        len(branches) + len(tags) - len(branches[:_MAX_REFS]) - len(shown_tags),
    )


def routes_of(tail: str, handler: Callable[[Visit], Response]) -> list[Route]:
    """A page below each repo, whatever its type."""
    return endpoints_of(tail, page(handler), "GET")


def forms_of(
    tail: str,
    handler: Callable[[Visit, Mapping[str, str]], Response],
    max_bytes: int = MAX_FORM_BYTES,
    max_fields: int = MAX_FORM_FIELDS,
) -> list[Route]:
    """What the forms of such a page are sent to."""
    return endpoints_of(tail, form(handler, max_bytes, max_fields), "POST")


def endpoints_of(tail: str, endpoint: Endpoint, method: str) -> list[Route]:
    """What answers below each repo, whatever its type. The longer prefixes go first."""
    return [
        Route(f"{PREFIX[repo_type]}{{namespace:segment}}/{{name:segment}}{tail}", endpoint, methods=[method])
        for repo_type in sorted(PREFIX, key=lambda known: -len(PREFIX[known]))
    ]


def _type_of(visit: Visit) -> RepoType:
    first = visit.request.scope["path"].split("/")[1]
    return next((known for known, word in LISTS.items() if word == first), "model")


def _labels(refs: list[Ref], prefix: str) -> list[str]:
    return sorted(ref_label(ref) for ref in refs if ref.name.startswith(prefix))
