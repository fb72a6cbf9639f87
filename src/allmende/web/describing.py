"""What the pages say of a revision: everything that its statements and its card are made from, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allmende.documents import ADDITIONS_FILE
from allmende.facts import revision_facts
from allmende.flows import entry_verdicts, lineage_of, repo_figures
from allmende.formats import MalformedCard, parse_card
from allmende.http import door_of
from allmende.registry import CARD_PATH, FileEntry, Repo, folder_at, read_card
from allmende.storage import UnitOfWork
from allmende.web.origin import Origin, origin_of
from allmende.web.repo_views import View
from allmende.web.statements import Known
from allmende.web.visits import Visit
from allmende.web.vouching import Vouched, vouched_for

__all__ = ["Described", "describe"]


@dataclass(frozen=True, slots=True)
class Described:
    """A revision as a visitor may know it."""

    view: View
    known: Known
    body: str
    """The card without what it declares."""
    card_problem: str
    """What is wrong with what the card declares."""
    card_held_back: bool
    """Whether the scan stopped the card: then nothing of it counts."""
    has_files: bool
    origin: Origin | None
    """Where a model comes from."""
    vouched: Vouched
    """Who vouches for it."""


def describe(visit: Visit, uow: UnitOfWork, view: View, *, alike: int = 0) -> Described:
    """All of it, within one transaction; of a model with so many that are like it."""
    repo, oid = view.repo, view.revision.oid
    listing = folder_at(uow, view.revision, "", recursive=False)
    held_back = not _may_read_card(visit, uow, repo, listing)
    card, body, problem = _split(None if held_back else read_card(uow, repo.id, oid))
    origin = None
    if repo.type == "model":
        said = None if held_back else card
        origin = origin_of(view, lineage_of(uow, visit.actor, repo, oid, alike=alike, card=said), visit.t)
    known = Known(
        repo,
        revision_facts(uow, repo.id, oid),
        card,
        repo_figures(uow, repo),
        visit.t.moment(view.revision.commit.at),
        origin is not None and origin.contradicted,
    )
    has_files = any(entry.path != ".gitattributes" for entry in listing)
    added = any(entry.path == ADDITIONS_FILE for entry in listing)
    vouched = vouched_for(visit.services, uow, repo, oid, view.name, has_additions=added)
    return Described(view, known, body, problem, held_back, has_files, origin, vouched)


def _may_read_card(visit: Visit, uow: UnitOfWork, repo: Repo, listing: list[FileEntry]) -> bool:
    """A card is a file like others: what the scan stops or holds back is not shown."""
    cards = [entry for entry in listing if entry.path == CARD_PATH]
    verdicts = entry_verdicts(visit.services, uow, repo.id, cards)
    door = door_of(visit.request, visit.actor, repo)
    return all(door.shows(uow, verdict) for verdict in verdicts.values())


def _split(text: str | None) -> tuple[Mapping[str, Any], str, str]:
    """What the card declares, its body, and what is wrong with its front matter."""
    if text is None:
        return {}, "", ""
    try:
        card = parse_card(text)
    except MalformedCard as error:
        return {}, text, error.message
    return card.data, card.body, ""
