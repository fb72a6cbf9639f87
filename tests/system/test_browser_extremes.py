"""Pages with the longest, the most and the most foreign: nothing runs over, and all is read, on paper too."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from allmende.web.messages import catalogue
from tests.hubs import RunningHub
from tests.system.browsing import chromium_at, hindrances, hub_with
from tests.system.extremes import EXTREME_OWN_PAGES, EXTREME_PAGES, OWNER, PASSWORD, furnish_extremes

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PHONE, DESK = 390, 1440
MOST_ELEMENTS = 1400
"""What Lighthouse takes for the most that a browser lays out quickly."""
PRINTED = (
    "/bob/root",
    "/bob/root/record/main",
    "/bob/root/documents/main",
    "/bob/root/lineage",
    "/log",
    "/log/entries/0",
    "/bob/findings/scan/main",
    "/datasets/bob/wide-table/blob/main/wide.csv",
)
UNSEEN_ON_PAPER = """() => [...document.querySelectorAll('main *')].filter(element =>
    !element.closest('form, title, script, [hidden], .unseen, .tabs, .chooser, .filters, .onward, .fetch, '
        + '.pages, .button, button, .diff-ways, .compared a.plain')
    && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
    && !element.checkVisibility({contentVisibilityAuto: true})
).map(element => element.outerHTML.slice(0, 200))"""
CUT_ON_PAPER = """() => [...document.querySelectorAll('main :is(td, th, pre, dd, p)')].filter(element =>
    getComputedStyle(element).overflowX !== 'visible' && element.scrollWidth > element.clientWidth + 1
).map(element => element.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    data = tmp_path_factory.mktemp("extremes") / "data"
    with hub_with(
        data, lambda services: furnish_extremes(services, kin=5, files=300, columns=150)
    ) as running:
        yield running


@pytest.fixture(scope="module")
def browser(require_tool: Callable[[str], str]) -> Iterator[Browser]:
    with chromium_at(require_tool("chromium")) as opened:
        yield opened


def every_page(hub: RunningHub, context: BrowserContext) -> Iterator[tuple[str, Page]]:
    """Each page open, those that need a sign-in last."""
    page = context.new_page()
    for path in (*EXTREME_PAGES, "", *EXTREME_OWN_PAGES):
        if not path:
            page.goto(f"{hub.url}/login")
            page.locator("input[name=name]").fill(OWNER)
            page.locator("input[name=password]").fill(PASSWORD)
            page.locator("main form button").first.click()
            assert page.url == f"{hub.url}/"
            continue
        answer = page.goto(hub.url + path)
        assert answer is not None
        assert answer.ok, f"{path} answers {answer.status}"
        yield path, page


@pytest.mark.parametrize(("width", "locale"), [(PHONE, "de-DE"), (DESK, "en-GB")])
def test_nothing_runs_over_or_is_too_much_and_no_key_is_shown(
    hub: RunningHub, browser: Browser, width: int, locale: str
) -> None:
    keys = {key for key in catalogue("en").messages if "." in key}
    assert len(keys) > 100
    context = browser.new_context(viewport={"width": width, "height": 800}, locale=locale)
    found: dict[str, object] = {}
    for path, page in every_page(hub, context):
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found[path] = wide
        elements = page.evaluate("document.getElementsByTagName('*').length")
        if elements > MOST_ELEMENTS:
            found[f"{path}: elements"] = elements
        # What is done is called by words of the log there, some of which are keys as well.
        if path != "/settings/hub/audit":
            words = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)+", page.inner_text("body")))
            if words & keys:
                found[f"{path}: keys"] = words & keys
    context.close()
    assert found == {}


def test_extremes_are_for_everybody(hub: RunningHub, browser: Browser) -> None:
    context = browser.new_context(bypass_csp=True, locale="en-GB", viewport={"width": PHONE, "height": 800})
    found: dict[str, list[str]] = {}
    for path, page in every_page(hub, context):
        found |= {f"{path}: {rule}": places for rule, places in hindrances(page).items()}
    context.close()
    assert found == {}


def test_a_card_keeps_the_direction_of_each_of_its_paragraphs(hub: RunningHub, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": DESK, "height": 800})
    page.goto(f"{hub.url}/bob/right-to-left")
    place = """element => {
        const range = document.createRange();
        range.selectNodeContents(element);
        const [text, box] = [range.getBoundingClientRect(), element.getBoundingClientRect()];
        return [text.left - box.left, box.right - text.right];
    }"""
    left, right = page.locator(".prose h2").first.evaluate(place)
    assert right < 1 < left, "Arabic begins at the right"
    left, right = page.get_by_text("An English paragraph between.").evaluate(place)
    assert left < 1 < right, "English begins at the left"
    left, right = page.locator(".prose pre code").evaluate(place)
    assert left < 1, "code begins at the left"
    page.close()


def test_on_a_phone_the_listing_says_what_is_blocked(hub: RunningHub, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": PHONE, "height": 800}, locale="en-GB")
    page.goto(f"{hub.url}/bob/findings/tree/main/a-folder")
    badge = page.locator(".files .badge.bad").first
    box = badge.bounding_box()
    assert badge.inner_text() == "blocked"
    assert box is not None
    assert box["x"] + box["width"] <= PHONE
    page.close()


@pytest.mark.parametrize("path", PRINTED)
def test_paper_has_all_text_and_no_navigation(hub: RunningHub, browser: Browser, path: str) -> None:
    page = browser.new_page(viewport={"width": 700, "height": 1000}, color_scheme="dark")
    page.goto(hub.url + path)
    page.emulate_media(media="print")
    for gone in (".top", ".bottom", ".tabs", ".skip", "button"):
        assert not any(each.is_visible() for each in page.locator(gone).all()), gone
    assert page.evaluate(UNSEEN_ON_PAPER) == []
    assert page.evaluate(CUT_ON_PAPER) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    page.close()
