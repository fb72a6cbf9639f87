"""The page of a transparency record: every fact with its source and evidence, its versions, what changed."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from allmende.bom import BOM_FORMATS
from allmende.clock import parse_iso
from allmende.errors import BadRequest
from allmende.flows import ShownVersion, record_envelope, record_of, shown_versions
from allmende.ids import GitOid
from allmende.log import entries_of_repo
from allmende.proof import Envelope, JsonObject, JsonValue, read_json
from allmende.record import FACTS, Record, difference
from allmende.registry import Repo
from allmende.storage import UnitOfWork
from allmende.web.addresses import program_path
from allmende.web.messages import Catalogue
from allmende.web.record_words import evidence_pairs, fact_line, pretty
from allmende.web.repo_views import View, repo_of, routes_of, view_of
from allmende.web.visits import Visit

__all__ = ["FactRow", "record", "routes"]

_SOURCES = ("measured", "derived", "attested", "declared")
_MAX_VERSIONS = 50
_MAX_DIGITS = 6
_MAX_ENTRIES = 200
_DATASETS_ONLY = "croissant"


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact as the page shows it."""

    name: str
    says: str
    json: str
    is_cut: bool
    evidence: list[tuple[str, str]]
    tool: str
    at: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A fact that says otherwise than before; `before` or `after` is empty where there was or is none."""

    name: str
    before: str
    after: str
    paths: tuple[tuple[str, int], ...]


def routes() -> list[Route]:
    """The page, for each type."""
    return routes_of("/record/{revision:revision}", record)


def record(visit: Visit) -> Response:
    """The newest version of a revision's record, or the one that `version` names.

    Raises RecordWithheld, and RecordNotReady for a version that is not there; before the first there is a
    page that says so.
    """
    number = _number(visit.parameter("version"))
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        view = view_of(uow, repo, str(visit.request.path_params["revision"]))
        oid = view.revision.oid
        versions = shown_versions(uow, repo, oid, _MAX_VERSIONS)
        if not versions and number is None:
            return visit.render("record.html", view=view, tab="record", found=None, versions=[])
        kept = record_envelope(uow, repo, oid, number)
        found = record_of(kept)
        before = _before(uow, repo, oid, versions, found)
        entry = _entry_of(uow, repo, oid, kept)
    return visit.render(
        "record.html",
        view=view,
        tab="record",
        found=found,
        digest=kept.digest,
        entry=entry,
        versions=versions,
        groups=_groups(found, visit.t),
        unknown=_unknown(found),
        changes=None if before is None else _changes(difference(before, found), visit.t),
        documents=_documents(view),
        program=program_path(repo, "record", view.name),
        this=_version(found),
        made=_moment(found.document.get("made_at"), visit.t),
    )


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS and int(text)):
        raise BadRequest("The number of the version is not valid.", code="version_invalid")
    return int(text)


def _version(found: Record) -> int:
    version = found.document.get("version")
    return version if isinstance(version, int) else 0


def _before(
    uow: UnitOfWork, repo: Repo, oid: GitOid, versions: list[ShownVersion], found: Record
) -> Record | None:
    """The version before, if it may be told still."""
    wanted = _version(found) - 1
    for one in versions:
        if one.version.version == wanted and one.shown:
            return record_of(record_envelope(uow, repo, oid, wanted))
    return None


def _entry_of(uow: UnitOfWork, repo: Repo, oid: GitOid, kept: Envelope) -> int | None:
    """The entry of the log that names this version by its digest."""
    for one in entries_of_repo(uow, repo.id, oid, limit=_MAX_ENTRIES):
        value = read_json(one.statement) if one.statement is not None and one.kind == "record" else None
        if isinstance(value, dict) and value.get("envelope") == kept.digest:
            return one.number
    return None


def _groups(found: Record, t: Catalogue) -> list[tuple[str, list[FactRow]]]:
    """The facts that are known, by their sources."""
    groups = []
    for source in _SOURCES:
        rows = [
            _row(name, fact, t)
            for name in FACTS
            if (fact := found.facts.get(name)) is not None and fact.get("source") == source
        ]
        if rows:
            groups.append((source, rows))
    return groups


def _row(name: str, fact: JsonObject, t: Catalogue) -> FactRow:
    value = fact.get("value")
    text, is_cut = pretty(value)
    return FactRow(
        name,
        fact_line(name, value, t),
        text,
        is_cut,
        evidence_pairs(fact.get("evidence")),
        f"{fact.get('tool')} {fact.get('tool_version')}",
        _moment(fact.get("at"), t),
    )


def _moment(value: JsonValue, t: Catalogue) -> str:
    return t.moment(parse_iso(value)) if isinstance(value, str) else ""


def _unknown(found: Record) -> list[tuple[str, str]]:
    """The other facts, with the reason why nothing is known."""
    return [
        (name, str(fact.get("reason")))
        for name in FACTS
        if (fact := found.facts.get(name)) is not None and fact.get("source") == "unknown"
    ]


def _changes(compared: JsonObject, t: Catalogue) -> list[ChangeRow]:
    rows = []
    for kind in ("added", "removed", "changed"):
        listed = compared.get(kind)
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict):
                name = str(one.get("name"))
                before, after = (_said(name, one.get(side), t) for side in ("before", "after"))
                rows.append(ChangeRow(name, before, after, _counts(one.get("paths"))))
    return rows


def _said(name: str, fact: JsonValue, t: Catalogue) -> str:
    return fact_line(name, fact.get("value"), t) if isinstance(fact, dict) else ""


def _counts(paths: JsonValue) -> tuple[tuple[str, int], ...]:
    counts = paths.get("counts") if isinstance(paths, dict) else None
    found: Mapping[str, JsonValue] = counts if isinstance(counts, dict) else {}
    return tuple((kind, count) for kind, count in found.items() if isinstance(count, int) and count)


def _documents(view: View) -> list[tuple[str, str]]:
    """The bills of materials and other documents that follow from the record: their names, and addresses."""
    address = program_path(view.repo, "bom", view.name)
    return [
        (form, f"{address}?format={form}")
        for form in BOM_FORMATS
        if view.repo.type == "dataset" or not form.startswith(_DATASETS_ONLY)
    ]
