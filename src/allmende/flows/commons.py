"""The commons at a glance: what everybody may see of this hub, in figures, each with where it comes from.

Only what a stranger may see is counted, whoever asks: one answer for all, which can be kept for a while.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from allmende.flows.pack_figures import ContentsFigures, contents_figures
from allmende.flows.services import Services
from allmende.ids import RepoId, RepoType, Sha256
from allmende.log import LogEntry, entries_below, times_of_entries
from allmende.proof import read_json
from allmende.registry import (
    ANONYMOUS,
    Repo,
    contents_seen,
    count_repos,
    log_subjects,
    visible_among,
)
from allmende.search import SearchQuery, base_links, find_repos
from allmende.storage import PUBLIC_SCOPE, UnitOfWork

__all__ = ["Commons", "FamilyLink", "ScanDay", "commons_of", "public_counts"]

_TYPES: tuple[RepoType, ...] = ("model", "dataset", "space")
_PAGE = 1000
_MAX_CONTENTS = 20_000
_MAX_SCANS = 20_000
_MAX_LINKS = 3000
_POINTS = 32


@dataclass(frozen=True, slots=True)
class ScanDay:
    """How many verdicts of each status the log has of a day."""

    day: date
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FamilyLink:
    """A public model and a base that was measured of it."""

    child: Repo
    base: str


@dataclass(frozen=True, slots=True)
class Commons:
    """What everybody may see. `is_cut`: there are more contents than `storage` counts."""

    at: datetime
    counts: Mapping[RepoType, int]
    statuses: Mapping[str, int]
    """Of the heads of public models, how many have which verdict of the scan."""
    storage: ContentsFigures
    is_cut: bool
    scans: tuple[ScanDay, ...]
    growth: tuple[tuple[date, int], ...]
    """How many entries the log had at the end of some days."""
    links: tuple[FamilyLink, ...]


def public_counts(uow: UnitOfWork) -> Mapping[RepoType, int]:
    """How many repos of each type everybody may see."""
    return {repo_type: count_repos(uow, ANONYMOUS, repo_type) for repo_type in _TYPES}


def commons_of(services: Services) -> Commons:
    """All of it; takes a while on a large hub, so keep it."""
    signed = services.log.signed()
    with services.database.read() as uow:
        counts = public_counts(uow)
        models = find_repos(uow, services.loaded, ANONYMOUS, SearchQuery(type="model", size=1))
        hashes = _hashes(uow)
        return Commons(
            uow.now,
            counts,
            {one.value: one.count for one in models.facets["status"]},
            contents_figures(uow, PUBLIC_SCOPE, hashes[:_MAX_CONTENTS]),
            len(hashes) > _MAX_CONTENTS,
            _scans(uow),
            _growth(uow, 0 if signed is None else signed.size),
            _links(uow),
        )


def _hashes(uow: UnitOfWork) -> list[Sha256]:
    found: list[Sha256] = []
    while len(found) <= _MAX_CONTENTS:
        page = contents_seen(uow, ANONYMOUS, found[-1] if found else None, _PAGE)
        found += page
        if len(page) < _PAGE:
            break
    return found


def _scans(uow: UnitOfWork) -> tuple[ScanDay, ...]:
    """The verdicts that the log tells of repos that are public still, by the day, oldest first."""
    days: dict[date, Counter[str]] = {}
    for page in _scan_entries(uow):
        subjects = log_subjects(uow, {one.repo_id for one in page if one.repo_id is not None})
        for one in page:
            subject = None if one.repo_id is None else subjects.get(one.repo_id)
            said = read_json(one.statement) if one.statement is not None else None
            status = said.get("status") if isinstance(said, dict) else None
            if subject is not None and not subject.hidden and isinstance(status, str):
                days.setdefault(one.at.date(), Counter())[status] += 1
    return tuple(ScanDay(day, days[day]) for day in sorted(days))


def _scan_entries(uow: UnitOfWork) -> Iterator[list[LogEntry]]:
    below: int | None = None
    for _ in range(_MAX_SCANS // _PAGE):
        page = entries_below(uow, below, _PAGE, "scan", told=True)
        if page:
            yield page
            below = page[-1].number
        if len(page) < _PAGE:
            return


def _growth(uow: UnitOfWork, size: int) -> tuple[tuple[date, int], ...]:
    """Sizes of the log by the day: of private acts no more is told than their entries tell."""
    wanted = sorted({round(point * (size - 1) / (_POINTS - 1)) for point in range(_POINTS)}) if size else []
    times = times_of_entries(uow, wanted)
    by_day = {times[number].date(): number + 1 for number in wanted if number in times}
    return tuple(sorted(by_day.items()))


def _links(uow: UnitOfWork) -> tuple[FamilyLink, ...]:
    links = base_links(uow, ANONYMOUS, _MAX_LINKS)
    repos: Mapping[RepoId, Repo] = visible_among(uow, ANONYMOUS, {child for child, _ in links})
    return tuple(FamilyLink(repos[child], base) for child, base in links if child in repos)
