"""What pages cost a visitor with an empty cache and a slow processor, in Chromium: the way of Lighthouse."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from statistics import median

from playwright.sync_api import Browser, StorageState

from bench.findings import Finding, Skipped
from bench.place import Place
from tests.hubs import RunningHub
from tests.system.browsing import chromium_at, hub_with
from tests.system.page_costs import PageCost, cost_of
from tests.system.test_browser import OWN_PAGES, PAGES, furnish, sign_in

__all__ = ["measure_budget"]

_SLOWDOWN = 4
"""As Lighthouse does it for a middling telephone."""


def measure_budget(place: Place, rounds: int) -> list[Finding]:
    """Each page of the browser tests' hub, `rounds` times; of each page the median, of these the worst."""
    program = shutil.which("chromium")
    if program is None:
        raise Skipped("chromium is not installed (Debian: apt-get install chromium)")
    with hub_with(place.folder / "budget", furnish) as hub, chromium_at(program) as browser:
        signed_in = _signed_in(browser, hub)
        visits = [*((path, None) for path in PAGES), *((path, signed_in) for path in OWN_PAGES)]
        cost_of(browser, hub.url, "/")
        costs = [
            [cost_of(browser, hub.url, path, signed_in=state, slowdown=_SLOWDOWN) for _ in range(rounds)]
            for path, state in visits
        ]
    every = [asdict(one) for rounds in costs for one in rounds]
    bytes_of_pages = _worst(
        "page_bytes", "Largest page, uncached, with its parts", costs, "kB", 150.0, _kilobytes
    )
    return [
        replace(bytes_of_pages, details={**bytes_of_pages.details, "visits": every}),
        _worst("page_foreign", "Requests to elsewhere, of any page", costs, "requests", 0.0, _foreign),
        _worst(
            "page_blocking", "Longest blocking of a page, processor 4 x slower", costs, "ms", 200.0, _blocking
        ),
        _worst("page_paint", "Latest largest paint, processor 4 x slower", costs, "ms", 2500.0, _paint),
        _worst("page_nodes", "Most elements of a page", costs, "elements", 1400.0, _nodes),
    ]


def _worst(
    name: str,
    what: str,
    costs: list[list[PageCost]],
    unit: str,
    goal: float,
    figure: Callable[[PageCost], float],
) -> Finding:
    by_page = {rounds[0].path: median(map(figure, rounds)) for rounds in costs}
    return Finding(name, what, max(by_page.values()), unit, goal, details={"pages": by_page})


def _kilobytes(cost: PageCost) -> float:
    return cost.transfer_bytes / 1000


def _foreign(cost: PageCost) -> float:
    return len(cost.foreign)


def _blocking(cost: PageCost) -> float:
    return cost.blocking_ms


def _paint(cost: PageCost) -> float:
    return cost.paint_ms


def _nodes(cost: PageCost) -> float:
    return cost.nodes


def _signed_in(browser: Browser, hub: RunningHub) -> StorageState:
    """The cookies of Alice, who administers the hub."""
    context = browser.new_context(locale="en-GB")
    try:
        sign_in(context.new_page(), hub)
        return context.storage_state()
    finally:
        context.close()
