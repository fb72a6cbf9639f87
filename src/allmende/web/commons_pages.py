"""The page of the commons at a glance: families, bytes saved, verdicts of the scan, the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock

from starlette.responses import Response
from starlette.routing import Route

from allmende.flows import Commons, ScanDay, commons_of, public_counts
from allmende.log import list_evidence, list_peers, witnessed_logs
from allmende.registry import ANONYMOUS, visible_among
from allmende.web.addresses import list_path, model_path
from allmende.web.families_map import families
from allmende.web.messages import Catalogue
from allmende.web.visits import Visit, page

__all__ = ["Bar", "CommonsBoard", "Part", "routes"]

_KEPT = timedelta(seconds=60)
_WIDTH, _HEIGHT = 640, 160
_STATUSES = ("clean", "noted", "warned", "not_scanned", "quarantined", "blocked")
_MEANS = ("sharing", "prediction", "compression")
_MOST_BARS = 40


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar, from `start` on, in units of the drawing."""

    kind: str
    start: float
    length: float
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A time and what it is made of; `x` and `width` in units of the drawing."""

    label: str
    x: float
    width: float
    parts: tuple[Part, ...]


class CommonsBoard:
    """Keeps the figures for a minute, so that looking at them costs a large hub little."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: Commons | None = None

    def show(self, visit: Visit) -> Response:
        """The page; the same for everybody, since only public things count."""
        figures = self._figures(visit)
        services, t = visit.services, visit.t
        with visit.read() as uow:
            # What is public is asked anew: a repo may have turned private since the figures were made.
            seen = visible_among(uow, ANONYMOUS, {link.child.id for link in figures.links})
            witnesses = list_peers(uow, "witness")
            witnessed = witnessed_logs(uow)
            evidence = list_evidence(uow)
        links = [link for link in figures.links if link.child.id in seen]
        pictures, more = families(links)
        signed = services.log.signed()
        return visit.render(
            "commons.html",
            figures=figures,
            pictures=pictures,
            more_families=more,
            address=model_path,
            models_from=lambda base: list_path("model", base=base),
            saved=_saved(figures, t),
            statuses=[(word, figures.statuses[word]) for word in _STATUSES if figures.statuses.get(word)],
            with_status=lambda word: list_path("model", status=word),
            bars=_bars(figures.scans, t),
            line=_line(figures.growth),
            width=_WIDTH,
            height=_HEIGHT,
            log_size=0 if signed is None else signed.size,
            witnesses=witnesses,
            cosigned=sum(1 for one in witnesses if one.size is not None),
            witnessed=len(witnessed),
            evidence=len(evidence),
        )

    def _figures(self, visit: Visit) -> Commons:
        with visit.read() as uow:
            counts, now = public_counts(uow), uow.now
        with self._lock:
            kept = self._kept
            if kept is None or kept.counts != counts or not _is_fresh(kept, now):
                kept = self._kept = commons_of(visit.services)
            return kept


def routes() -> list[Route]:
    """The page, with figures of its own to keep."""
    return [Route("/glance", page(CommonsBoard().show))]


def _is_fresh(kept: Commons, now: datetime) -> bool:
    return kept.at <= now < kept.at + _KEPT


def _saved(figures: Commons, t: Catalogue) -> list[Part]:
    """What is kept and what is saved by each means, as parts of one bar."""
    storage = figures.storage
    sizes = [
        ("kept", storage.stored_bytes),
        *zip(
            _MEANS,
            (
                storage.saved_by_sharing_bytes,
                storage.saved_by_prediction_bytes,
                storage.saved_by_compression_bytes,
            ),
            strict=True,
        ),
    ]
    whole = max(1, sum(max(0, size) for _, size in sizes))
    parts, at = [], 0.0
    for kind, size in sizes:
        length = round(_WIDTH * max(0, size) / whole, 1)
        if size > 0:
            parts.append(Part(kind, at, length, t.size(size)))
        at += length
    return parts


def _bars(days: Sequence[ScanDay], t: Catalogue) -> list[Bar]:
    """The verdicts by the day, or by the week where there are many days."""
    by_label: dict[str, dict[str, int]] = {}
    weekly = bool(days) and (days[-1].day - days[0].day).days >= _MOST_BARS
    for one in days:
        label = _start(one.day, weekly=weekly).isoformat()
        counts = by_label.setdefault(label, {})
        for status, count in one.counts.items():
            counts[status] = counts.get(status, 0) + count
    shown = list(by_label.items())[-_MOST_BARS:]
    most = max((sum(counts.values()) for _, counts in shown), default=1)
    step = _WIDTH / max(len(shown), 8)
    return [
        Bar(label, round(place * step, 1), round(step * 0.8, 1), _stack(counts, most, t))
        for place, (label, counts) in enumerate(shown)
    ]


def _start(day: date, *, weekly: bool) -> date:
    return day - timedelta(days=day.weekday()) if weekly else day


def _stack(counts: dict[str, int], most: int, t: Catalogue) -> tuple[Part, ...]:
    parts, at = [], float(_HEIGHT)
    for status in _STATUSES:
        if count := counts.get(status, 0):
            length = round(_HEIGHT * count / most, 1)
            at -= length
            parts.append(
                Part(status, round(at, 1), length, f"{t.number(count)} {t(f'scan.status.{status}')}")
            )
    return tuple(parts)


def _line(growth: Sequence[tuple[date, int]]) -> list[tuple[float, float, str, int]]:
    """Points of the log's growth: place, day and size; none where there is but one day."""
    if len(growth) < 2:
        return []
    first, last = growth[0][0], growth[-1][0]
    span, most = max(1, (last - first).days), growth[-1][1]
    return [
        (
            round(_WIDTH * (day - first).days / span, 1),
            round(_HEIGHT * (1 - size / most), 1),
            day.isoformat(),
            size,
        )
        for day, size in growth
    ]
