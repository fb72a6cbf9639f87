"""The page of what a revision's licence rests on: which words, in which file and line, and what follows."""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from allmende.flows import entry_verdicts
from allmende.formats import JsonValue
from allmende.http import door_of
from allmende.law import law_pack, wording_in
from allmende.record import licence_class, spdx_id
from allmende.registry import FileEntry, RepoGated, card_data, check_gate, find_entry, folder_at, read_blob
from allmende.storage import UnitOfWork
from allmende.web.addresses import blob_path, list_path
from allmende.web.licence_evidence import CardLine, Recognised, card_lines, is_licence_file, recognised
from allmende.web.repo_views import View, repo_of, routes_of, view_of
from allmende.web.visits import Visit

__all__ = ["licence", "routes"]

_CARD = "README.md"
_MAX_FILES = 8
_MAX_TEXT_BYTES = 256 * 1024
_MAX_WORDS = 8
_MAX_WORD_CHARS = 96


@dataclass(frozen=True, slots=True)
class Named:
    """A licence that the card names, and what is known of it.

    `open` is the reading of the law pack (`free`, `not_free`, `disputed`), empty where it has none.
    """

    word: str
    spdx: str
    kind: str
    open: str
    reason: str
    confidence: str
    link: str


@dataclass(frozen=True, slots=True)
class LicenceText:
    """A file that is called as texts of licences are. `why` says why it was not read, if so."""

    path: str
    link: str
    size_bytes: int
    found: Recognised | None
    why: str


def routes() -> list[Route]:
    """The page, for each type."""
    return routes_of("/licence/{revision:revision}", licence)


def licence(visit: Visit) -> Response:
    """What is declared, where it stands, which texts lie beside it, and how the law reads it."""
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        view = view_of(uow, repo, str(visit.request.path_params["revision"]))
        data = card_data(uow, repo.id, view.revision.oid) or {}
        lines = _card_lines(visit, uow, view)
        texts = _texts(visit, uow, view)
    declared = [_named(visit, view, word) for word in _words(data.get("license"))]
    words = {one.word.lower() for one in declared}
    other = [one for one in texts if one.found is not None and one.found.word not in words]
    return visit.render(
        "licence.html",
        view=view,
        tab="licence",
        declared=declared,
        name=_one(data.get("license_name")),
        address=_one(data.get("license_link")),
        lines=lines,
        card=blob_path(repo, view.name, _CARD),
        texts=texts,
        differs=bool(declared and other and "other" not in words),
        agrees=bool(declared and texts and not other and any(one.found for one in texts)),
        pack=law_pack().version,
    )


def _named(visit: Visit, view: View, word: str) -> Named:
    row = law_pack().licences.get(word.lower())
    return Named(
        word,
        spdx_id(word) or "",
        licence_class(word) or "",
        "" if row is None else row.free,
        "" if row is None else wording_in(visit.t.language, law_pack()).licence(row),
        "" if row is None else row.confidence,
        list_path(view.repo.type, tag=f"license:{word}"),
    )


def _card_lines(visit: Visit, uow: UnitOfWork, view: View) -> list[CardLine]:
    entry = find_entry(uow, view.revision.commit.tree_oid, _CARD)
    text = "" if entry is None else _read(visit, uow, view, entry)[0]
    return card_lines(text)


def _texts(visit: Visit, uow: UnitOfWork, view: View) -> list[LicenceText]:
    listed = folder_at(uow, view.revision, "", recursive=False)
    files = [entry for entry in listed if not entry.is_directory and is_licence_file(entry.path)]
    found = []
    for entry in files[:_MAX_FILES]:
        text, why = _read(visit, uow, view, entry)
        link = blob_path(view.repo, view.name, entry.path)
        found.append(LicenceText(entry.path, link, entry.size_bytes, recognised(text), why))
    return found


def _read(visit: Visit, uow: UnitOfWork, view: View, entry: FileEntry) -> tuple[str, str]:
    """The text of a small file that the visitor may have, or why it is not read."""
    try:
        check_gate(uow, visit.actor, view.repo)
    except RepoGated:
        return "", "gated"
    door = door_of(visit.request, visit.actor, view.repo)
    verdicts = entry_verdicts(visit.services, uow, view.repo.id, [entry])
    if not all(door.shows(uow, verdict) for verdict in verdicts.values()):
        return "", "stopped"
    if entry.pointer is not None or entry.is_directory or entry.size_bytes > _MAX_TEXT_BYTES:
        return "", "large"
    return read_blob(uow, view.repo.id, entry.oid).decode("utf-8", "replace"), ""


def _words(value: JsonValue) -> list[str]:
    items = value if isinstance(value, list) else [value]
    words = [item[:_MAX_WORD_CHARS] for item in items if isinstance(item, str) and item.strip()]
    return list(dict.fromkeys(words))[:_MAX_WORDS]


def _one(value: JsonValue) -> str:
    return value[:500] if isinstance(value, str) else ""
