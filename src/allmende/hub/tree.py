"""`tree` and `paths-info`: what lies where in a revision.

A client keeps the listing of a commit for ever, so it must never change: pages after the first are those of
the commit that the first one showed, whatever became of the branch.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote

from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.clock import iso
from allmende.errors import BadRequest
from allmende.facts import examined_value
from allmende.flows import FileVerdict, entry_verdicts, offers_xet, repository_rules
from allmende.http import acting, reading, reading_unit, services_of
from allmende.hub.addresses import readable
from allmende.hub.bodies import Body, parsed, switch
from allmende.hub.pages import CursorInvalid, cursor_of, page_size, paged, position_at
from allmende.hub.security_status import file_status
from allmende.ids import GitOid, Sha256, XetHash
from allmende.registry import (
    CommitInfo,
    FileEntry,
    Repo,
    Revision,
    find_entry,
    folder_at,
    held_contents,
    last_commits,
    list_tree,
    resolve_revision,
)
from allmende.storage import UnitOfWork, xet_hashes_of

__all__ = ["routes"]

_EXPANDED_PAGE = 100
"""Entries in a page that tells the last commit of each: that takes looking into history."""
_MAX_PATHS = 10_000
_PATHS_ONE_BY_ONE = 20
_FORM = "application/x-www-form-urlencoded"


class _Paths(Body):
    model_config = ConfigDict(frozen=True, extra="ignore")
    paths: list[str] | str
    expand: bool = False


def routes() -> list[Route]:
    """Routes that list files."""
    repo = "/api/{types:repotypes}/{namespace:segment}/{name:segment}"
    return [
        Route(f"{repo}/tree/{{revision:revision}}", reading(tree)),
        Route(f"{repo}/tree/{{revision:revision}}/{{path:tail}}", reading(tree)),
        Route(f"{repo}/paths-info/{{revision:revision}}", acting(paths_info), methods=["POST"]),
    ]


def tree(request: Request) -> Response:
    """`GET …/tree/{revision}[/{path}]`, in pages. Raises RepoNotFound, RevisionNotFound, EntryNotFound."""
    recursive, expand = switch(request, "recursive"), switch(request, "expand")
    path = request.path_params.get("path", "").strip("/")
    most = services_of(request).settings.page_size
    size = page_size(request, min(most, _EXPANDED_PAGE) if expand else most)
    (start,) = position_at(request, int) or (0,)
    if start < 0:
        raise CursorInvalid
    with reading_unit(request) as (uow, actor):
        repo = readable(request, uow, actor)
        revision = resolve_revision(uow, repo, request.path_params["revision"])
        entries = folder_at(uow, revision, path, recursive=recursive)
        page = entries[start : start + size]
        listing = _Listing(request, uow, repo, revision.oid, page, expand=expand)
    items = listing.items()
    if len(entries) <= start + size:
        return paged(request, items, None)
    return paged(request, items, {"cursor": cursor_of(start + size)}, _address(repo, revision, path))


def paths_info(request: Request, body: bytes) -> Response:
    """`POST …/paths-info/{revision}`: the same of some paths; those that are not there are left out."""
    asked = _asked_paths(request, body)
    listed = [asked.paths] if isinstance(asked.paths, str) else asked.paths
    paths = list(dict.fromkeys(path.strip("/") for path in listed))
    if len(paths) > _MAX_PATHS:
        raise BadRequest(f"At most {_MAX_PATHS} paths can be asked for at once.", code="paths_too_many")
    with reading_unit(request) as (uow, actor):
        repo = readable(request, uow, actor)
        revision = resolve_revision(uow, repo, request.path_params["revision"])
        entries = _find(uow, revision, [path for path in paths if path])
        listing = _Listing(request, uow, repo, revision.oid, entries, expand=asked.expand)
    return JSONResponse(listing.items())


def _asked_paths(request: Request, body: bytes) -> _Paths:
    """The body in either form: stock clients send a form, others JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        return parsed(_Paths, body)
    try:
        fields = parse_qs(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_PATHS + 10, errors="strict"
        )
    except ValueError as error:
        raise BadRequest("The form cannot be read, or has too many fields.", code="form_invalid") from error
    expand = fields.get("expand", ["false"])[-1].lower() in {"true", "1", "on"}
    return _Paths(paths=fields.get("paths", []), expand=expand)


def _find(uow: UnitOfWork, revision: Revision, paths: list[str]) -> list[FileEntry]:
    if len(paths) <= _PATHS_ONE_BY_ONE:
        found = (find_entry(uow, revision.commit.tree_oid, path) for path in paths)
        return [entry for entry in found if entry is not None]
    everything = {entry.path: entry for entry in list_tree(uow, revision.commit.tree_oid, recursive=True)}
    return [everything[path] for path in paths if path in everything]


class _Listing:
    """Entries of a revision with what is told of each; read at once, so that no transaction stays open."""

    def __init__(
        self,
        request: Request,
        uow: UnitOfWork,
        repo: Repo,
        commit_oid: GitOid,
        entries: Sequence[FileEntry],
        *,
        expand: bool,
    ) -> None:
        self._entries = entries
        self._expand = expand
        paths = [entry.path for entry in entries]
        self._last: Mapping[str, CommitInfo] = last_commits(uow, commit_oid, paths) if expand else {}
        self._xet = _xet_hashes(request, uow, repo, entries)
        examined = examined_value(uow, repo.id, commit_oid) if expand or self._xet else None
        self._is_examined = examined is not None
        asked = [entry for entry in entries if expand or _xet_hash(entry, self._xet) is not None]
        self._verdicts: Mapping[str, FileVerdict] = entry_verdicts(
            services_of(request), uow, repo.id, asked, repository_rules(examined)
        )

    def items(self) -> list[dict[str, Any]]:
        """What clients are told."""
        return [self._item(entry) for entry in self._entries]

    def _item(self, entry: FileEntry) -> dict[str, Any]:
        item: dict[str, Any] = {
            "type": "directory" if entry.is_directory else "file",
            "oid": entry.oid,
            "size": entry.size_bytes,
            "path": entry.path,
        }
        verdict = self._verdicts.get(entry.path)
        if entry.pointer is not None:
            item["lfs"] = {
                "oid": entry.pointer.oid,
                "size": entry.pointer.size_bytes,
                "pointerSize": entry.pointer_bytes,
            }
        xet_hash = _xet_hash(entry, self._xet)
        # Without a Xet hash clients ask by the file's address, where they hear why it is stopped.
        if xet_hash is not None and (verdict is None or not (verdict.is_stopped or verdict.holds_secret)):
            item["xetHash"] = xet_hash
        if entry.path in self._last:
            commit = self._last[entry.path]
            item["lastCommit"] = {"id": commit.oid, "title": commit.title, "date": iso(commit.at)}
        if self._expand and verdict is not None:
            item["securityFileStatus"] = file_status(verdict, examined=self._is_examined)
        return item


def _xet_hashes(
    request: Request, uow: UnitOfWork, repo: Repo, entries: Iterable[FileEntry]
) -> Mapping[Sha256, XetHash]:
    """The Xet hashes of those files whose bytes the repo holds: a pointer alone tells nothing."""
    if not offers_xet(services_of(request), repo):
        return {}
    pointers = [entry.pointer.oid for entry in entries if entry.pointer is not None]
    return xet_hashes_of(uow, held_contents(uow, repo.id, pointers))


def _xet_hash(entry: FileEntry, xet: Mapping[Sha256, XetHash]) -> XetHash | None:
    return None if entry.pointer is None else xet.get(entry.pointer.oid)


def _address(repo: Repo, revision: Revision, path: str) -> str:
    parts: Iterable[str] = (f"{repo.type}s", repo.namespace, repo.name, "tree", revision.oid)
    below = f"/{quote(path, safe='')}" if path else ""
    return "/api/" + "/".join(parts) + below
