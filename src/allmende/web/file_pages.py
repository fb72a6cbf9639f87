"""The files of a revision: folders, and views of single files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, BinaryIO, Literal

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import AllmendeError, BadRequest
from allmende.facts import content_facts
from allmende.flows import (
    Door,
    FileVerdict,
    format_fact,
    offers_xet,
    open_content,
    scan_report,
    table_preview,
)
from allmende.formats import Malformed
from allmende.http import door_of
from allmende.registry import (
    EntryNotFound,
    FileEntry,
    Repo,
    check_gate,
    find_entry,
    folder_at,
    held_content,
    read_blob,
)
from allmende.storage import Content, UnitOfWork, xet_hashes_of
from allmende.tables import TableNotRead, TableReaderAbsent, table_kind
from allmende.web.addresses import tree_path
from allmende.web.repo_views import View, repo_of, routes_of, view_of
from allmende.web.visits import Visit
from allmende.web.weight_headers import HEADER_SUFFIXES, WeightHeader, read_weight_header

__all__ = ["blob", "routes", "tree"]

_ON_PAGE = 100
_MAX_WANTED_CHARS = 255
"""As long as a name in a folder may be."""
_COLUMNS_ON_PAGE = 40
_MAX_CELLS = 800
_LEAST_ROWS = 10
_MAX_TEXT_BYTES = 512 * 1024
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".svg")

Kind = Literal["text", "picture", "header", "table", "binary", "large", "absent", "stopped", "held_back"]


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of a folder."""

    entry: FileEntry
    name: str
    format: str
    status: str
    """What the scan says, in its own word; empty where it says nothing."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A file as its page shows it."""

    kind: Kind
    lines: tuple[str, ...] = ()
    header: WeightHeader | None = None
    problem: str = ""
    """What is wrong with the file, in English: as many things as there are ways to be no such file."""
    refused: AllmendeError | None = None
    """Why the hub does not show it, though nothing may be wrong with it."""
    table: Mapping[str, Any] | None = None
    parts: int = 1
    """On how many pages its tensors or columns are shown."""


def routes() -> list[Route]:
    """Folders and files, for each type."""
    return [
        *routes_of("/tree/{revision:revision}", tree),
        *routes_of("/tree/{revision:revision}/{path:tail}", tree),
        *routes_of("/blob/{revision:revision}/{path:tail}", blob),
    ]


def tree(visit: Visit) -> Response:
    """What lies in a folder; with `name` only those entries whose names contain it."""
    path, wanted = _path(visit), visit.parameter("name")[:_MAX_WANTED_CHARS]
    page_number = visit.page_number()
    with visit.read() as uow:
        view = view_of(uow, repo_of(visit, uow), str(visit.request.path_params["revision"]))
        listing = sorted(
            folder_at(uow, view.revision, path, recursive=False),
            key=lambda entry: (not entry.is_directory, entry.path),
        )
        found = [entry for entry in listing if _is_named(entry, wanted)] if wanted else listing
        part = found[page_number * _ON_PAGE : (page_number + 1) * _ON_PAGE]
        report = scan_report(visit.services, uow, view.repo, view.revision, part)
        told = {found: report.verdicts.files[found].word for found in report.paths}
        lines = _lines(uow, part, path, told)
    return visit.render(
        "tree.html",
        view=view,
        tab="files",
        path=path,
        crumbs=_crumbs(view.repo, view.name, path),
        lines=lines,
        count=len(listing),
        size_bytes=sum(entry.size_bytes for entry in listing),
        wanted=wanted,
        most_chars=_MAX_WANTED_CHARS,
        found=len(found),
        page_number=page_number,
        last_page=max(0, (len(found) - 1) // _ON_PAGE),
        may_write=_may_write(visit, view),
    )


def blob(visit: Visit) -> Response:
    """One file: its text, its picture, its table or its header; and where to download it."""
    path = _path(visit)
    page_number = visit.page_number()
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        view = view_of(uow, repo, str(visit.request.path_params["revision"]))
        entry = find_entry(uow, view.revision.commit.tree_oid, path)
        if entry is None:
            raise EntryNotFound(commit_oid=view.revision.oid)
        if entry.is_directory:
            return RedirectResponse(tree_path(repo, view.name, path), 303)
        check_gate(uow, visit.actor, repo)
        content = None if entry.pointer is None else held_content(uow, repo.id, entry.pointer.oid)
        wanted = _wanted_kind(entry, content)
        door = door_of(visit.request, visit.actor, repo)
        report = scan_report(visit.services, uow, repo, view.revision, [entry])
        found = report.files(uow, report.paths)
        scan = found[0] if found else None
        may_have = scan is not None and door.may_have(uow, scan.verdict)
        wanted = _if_shown(uow, door, report.verdicts.files.get(path), wanted)
        inline = b""
        if entry.pointer is None and wanted in ("text", "header", "table"):
            inline = read_blob(uow, repo.id, entry.oid)
        told = {path: report.word} if scan is not None else {}
        (line,) = _lines(uow, [entry], path.rpartition("/")[0], told)
        xet_hash = None
        if content is not None and offers_xet(visit.services, repo):
            xet_hash = xet_hashes_of(uow, [content.sha256]).get(content.sha256)
    shown = _show(visit, entry, wanted, content, inline, page_number)
    if page_number >= shown.parts:
        raise BadRequest("The file has no such page.", code="page_invalid")
    return visit.render(
        "blob.html",
        view=view,
        tab="files",
        path=path,
        crumbs=_crumbs(repo, view.name, path),
        line=line,
        xet_hash=xet_hash,
        shown=shown,
        page_number=page_number,
        scan=scan,
        may_have_unsafe=may_have,
        may_edit=_is_text(shown, path) and entry.pointer is None,
        may_write=_may_write(visit, view),
    )


def _is_named(entry: FileEntry, wanted: str) -> bool:
    return wanted.casefold() in entry.path.rpartition("/")[2].casefold()


def _is_text(shown: Shown, path: str) -> bool:
    return shown.kind == "text" or (shown.kind == "table" and table_kind(path) != "parquet")


def _may_write(visit: Visit, view: View) -> bool:
    """Whether the visitor may write to what the page shows: the head of a branch."""
    repo = view.repo
    return view.name in view.branches and visit.actor.may_change(repo.namespace_id, repo.type, repo.full_name)


def _path(visit: Visit) -> str:
    return str(visit.request.path_params.get("path", "")).strip("/")


def _lines(uow: UnitOfWork, entries: Iterable[FileEntry], folder: str, told: Mapping[str, str]) -> list[Line]:
    """The entries with what is known of their bytes."""
    listed = list(entries)
    keys = {entry.path: entry.oid if entry.pointer is None else entry.pointer.oid for entry in listed}
    names = {entry.path: format_fact(entry.path) for entry in listed if not entry.is_directory}
    facts = content_facts(uow, (keys[path] for path in names), set(names.values())) if names else {}
    lines = []
    for entry in listed:
        fact = facts.get(keys[entry.path], {}).get(names.get(entry.path, ""))
        value = fact.value if fact is not None and isinstance(fact.value, dict) else {}
        name = entry.path[len(folder) :].lstrip("/")
        lines.append(Line(entry, name, str(value.get("name", "")), told.get(entry.path, "")))
    return lines


def _crumbs(repo: Repo, revision: str, path: str) -> list[tuple[str, str]]:
    """Each folder above a path with its address, outermost first; the path's own end last."""
    parts = path.split("/") if path else []
    return [
        (part, tree_path(repo, revision, "/".join(parts[: index + 1]))) for index, part in enumerate(parts)
    ]


def _wanted_kind(entry: FileEntry, content: Content | None) -> Kind:
    """What is worth trying, judged by name and size before any byte is read."""
    name = entry.path.lower()
    if entry.pointer is not None and content is None:
        return "absent"
    if name.endswith(_PICTURES):
        return "picture"
    if name.endswith(HEADER_SUFFIXES):
        return "header"
    if table_kind(name) is not None:
        return "table"
    return "text" if entry.size_bytes <= _MAX_TEXT_BYTES else "large"


def _if_shown(uow: UnitOfWork, door: Door, verdict: FileVerdict | None, wanted: Kind) -> Kind:
    """What the scan stops or holds back is not read for those who may not have it."""
    if verdict is None or door.shows(uow, verdict):
        return wanted
    return "stopped" if verdict.is_stopped else "held_back"


def _show(
    visit: Visit, entry: FileEntry, wanted: Kind, content: Content | None, inline: bytes, part: int
) -> Shown:
    """Read what is shown of the file; no unit of work is open meanwhile."""
    if wanted not in ("text", "header", "table"):
        return Shown(wanted)
    reader: BinaryIO = BytesIO(inline) if content is None else open_content(visit.services, content)
    with reader:
        if wanted == "text":
            return _text(reader.read(_MAX_TEXT_BYTES))
        if wanted == "table":
            return _table(visit, entry, reader, part)
        try:
            header = read_weight_header(reader, entry.size_bytes, entry.path, part)
            return Shown("header", header=header, parts=header.parts)
        except Malformed as error:
            return Shown("header", problem=error.message)


def _table(visit: Visit, entry: FileEntry, reader: BinaryIO, part: int) -> Shown:
    kind = table_kind(entry.path)
    if kind is None:
        raise ValueError("a file is shown as a table though it is none")
    key = entry.oid if entry.pointer is None else entry.pointer.oid
    try:
        found = table_preview(visit.services, key, reader, entry.size_bytes, kind)
    except (TableNotRead, TableReaderAbsent) as problem:
        return Shown("table", refused=problem)
    if "error" in found:
        reason = str(found["error"])
        if kind == "parquet" or entry.size_bytes > _MAX_TEXT_BYTES:
            return Shown("table", problem=reason)
        reader.seek(0)
        return replace(_text(reader.read(_MAX_TEXT_BYTES)), problem=reason)
    return _part_of_table(found, part)


def _part_of_table(found: Mapping[str, Any], part: int) -> Shown:
    """So many of the columns and rows as somebody looks at, and a browser lays out at once."""
    kept = slice(part * _COLUMNS_ON_PAGE, (part + 1) * _COLUMNS_ON_PAGE)
    columns = found["columns"][kept]
    rows = found["rows"][: max(_LEAST_ROWS, _MAX_CELLS // max(1, len(columns)))]
    told = {**found, "columns": columns, "rows": [row[kept] for row in rows], "first": kept.start + 1}
    parts = max(1, -(-len(found["columns"]) // _COLUMNS_ON_PAGE))
    return Shown("table", table=told, parts=parts)


def _text(data: bytes) -> Shown:
    if b"\0" in data:
        return Shown("binary")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return Shown("binary")
    return Shown("text", lines=tuple(text.replace("\r\n", "\n").removesuffix("\n").split("\n")))
