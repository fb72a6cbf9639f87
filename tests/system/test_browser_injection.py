"""Whatever people may write, put where they may write it, and every page that shows it: nothing runs.

Each page is loaded once with the whole collection in it. That something ran would be seen by a note of the
page's own, a dialog, a breach of the policy (the console says so), a request to elsewhere, or markup that is
none of ours.
"""

from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from tests.hubs import RunningHub
from tests.system.browsing import Visitor, chromium_at, hub_with, visiting
from tests.system.injected import (
    ALL,
    APPLICATION,
    LOOKALIKES,
    MODEL,
    PASSWORD,
    TABLE,
    TEXTS,
    TUNED,
    fill_with_injections,
    paths,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

MARKUP = """() => [...document.querySelectorAll('*')].filter(element =>
    ['IFRAME', 'OBJECT', 'EMBED', 'BASE'].includes(element.tagName)
    || (element.tagName === 'META' && element.httpEquiv)
    || (element.tagName === 'SCRIPT'
        && (element.text || !element.src.startsWith(location.origin + '/static/')))
    || [...element.attributes].some(({name, value}) => name.startsWith('on')
        || (['href', 'src', 'action', 'formaction', 'xlink:href'].includes(name)
            && /^[\\s\\u0000-\\u001f]*(javascript|vbscript|data:text)/i.test(value)))
).map(element => element.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with hub_with(tmp_path_factory.mktemp("injected") / "data", fill_with_injections) as running:
        yield running


@pytest.fixture(scope="module")
def browser(require_tool: Callable[[str], str]) -> Iterator[Browser]:
    with chromium_at(require_tool("chromium")) as opened:
        yield opened


def assert_quiet(visitor: Visitor, page: Page, path: str) -> None:
    """Nothing ran so far, and nothing does when every element is pointed at, clicked and focused."""
    page.evaluate(
        """() => { for (const element of document.querySelectorAll('main *')) {
            for (const kind of ['mouseover', 'focus', 'error', 'load', 'toggle']) {
                element.dispatchEvent(new Event(kind));
            }
        } }"""
    )
    assert page.evaluate("window.__ran") == [], path
    assert page.evaluate(MARKUP) == [], path
    # Pictures that a card names and the repo does not have are asked for here and not found; that is all.
    complaints = [words for words in visitor.complaints if not words.startswith("Failed to load resource")]
    assert complaints == [], path
    assert visitor.foreign == [], path
    assert page.url.startswith(visitor.url), path


SHOWN = (
    "/", "/models", f"/models?tag={quote(TEXTS[0])}&sort=created",
    f"/models?author={quote(TEXTS[1])}&licence={quote(TEXTS[2])}", "/bob", "/marked", MODEL,
    f"{MODEL}/tree/main", f"{MODEL}/tree/main/names", f"{MODEL}/blob/main/README.md",
    f"{MODEL}/blob/main/config.json", f"{MODEL}/blob/main/model.safetensors",
    f"{MODEL}/blob/main/drawing.svg", f"{MODEL}/blob/main/bad.pkl", f"{MODEL}/blob/main/page2.html",
    f"{MODEL}/blob/main/html-as.md", f"{MODEL}/blob/main/html-as.png", f"{MODEL}/blob/main/paper.pdf",
    f"{MODEL}/blob/main/bom.cdx.json", f"{MODEL}/blob/main/{quote(next(iter(paths())))}",
    f"{MODEL}/commits/main", f"{MODEL}/commit/main", f"{MODEL}/scan/main", f"{MODEL}/lineage",
    f"{MODEL}/record/main", f"{MODEL}/signatures/main", f"{MODEL}/documents/main", f"{MODEL}/licence/main",
    f"{MODEL}/log/main", f"/compare?model={MODEL[1:]}&model=alice/heron-small",
    TUNED, f"{TUNED}/lineage",
    f"{TUNED}/layers/main", f"{TUNED}/blob/main/model.safetensors", TABLE, f"{TABLE}/blob/main/cells.csv",
    f"{TABLE}/blob/main/cells.tsv", f"{TABLE}/blob/main/cells.jsonl", f"{TABLE}/blob/main/cells.parquet",
    f"{TABLE}/record/main", f"{TABLE}/licence/main", "/glance", "/log", "/log/entries", "/applications",
    "/applications/bob/described", f"/login?next={quote(ALL[:100])}", f"/join?next={quote(ALL[:100])}",
)  # fmt: skip
OWN = (
    "/settings", f"{MODEL}/settings", f"{MODEL}/edit/main/README.md", f"{MODEL}/edit/main/config.json",
    f"{MODEL}/move/main/names", f"{MODEL}/upload/main?folder={quote(ALL[:190])}",
    "/organizations/marked/settings", f"/new?type={quote(TEXTS[0])}&owner={quote(TEXTS[1])}",
    "/new/organisation", "/applications/bob/described/edit", "/settings/hub", "/settings/hub/users",
    f"/settings/hub/users?search={quote(TEXTS[1])}", "/settings/hub/users/bob", "/settings/hub/policy",
    "/settings/hub/overrides", "/settings/hub/jobs", "/settings/hub/storage", "/settings/hub/audit",
    f"/settings/hub/audit?kind=hub.administered&done={quote(TEXTS[0])}", "/settings/hub/keys",
    "/settings/hub/peers",
)  # fmt: skip
"""What the owner sees, who administers the hub too."""


REFUSED = (
    f"/compare?model={quote(TEXTS[0])}&model={quote(TEXTS[1])}", f"/{quote(TEXTS[0], safe='')}",
    f"{MODEL}/tree/{quote(TEXTS[1], safe='')}", f"{MODEL}/blob/main/{quote(TEXTS[2])}",
    f"{MODEL}/compare/{quote(TEXTS[3], safe='')}", f"/models?page={quote(TEXTS[0])}",
    f"/settings/hub/audit?kind={quote(TEXTS[1])}", f"/settings/hub/users/{quote(TEXTS[2], safe='')}",
)  # fmt: skip
"""Addresses that are answered with the page of an error."""


def sign_in(visitor: Visitor) -> Page:
    page = visitor.open("/login")
    page.get_by_label("Name").fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").first.click()
    assert page.url == f"{visitor.url}/"
    return page


def test_nothing_that_people_write_runs_on_any_page(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub.url) as visitor:
        page = sign_in(visitor)
        visitor.go(page, "/assess")
        page.locator("main [name=name]").fill(ALL[:200])
        page.locator("[name=models]").fill("\n".join(TEXTS[:8]))
        page.locator("form.stacked button").click()
        assert_quiet(visitor, page, "the guide")
        page.locator("[name=short]").fill("injected")
        page.locator("button[value=save]").click()
        for path in (*SHOWN, *OWN, APPLICATION, *histories(visitor, page)):
            visitor.go(page, path)
            assert_quiet(visitor, page, path)
        for path in REFUSED:
            page.goto(visitor.url + path)
            assert_quiet(visitor, page, path)
        visitor.complaints[:] = []


def histories(visitor: Visitor, page: Page) -> list[str]:
    """Commits of the model, what changed between them, its papers, and refs whose names are markup."""
    visitor.go(page, f"{MODEL}/commits/main")
    links = "links => [...new Set(links.map(link => link.getAttribute('href')))]"
    commits = page.locator("main a[href*='/commit/']").evaluate_all(links)
    first, last = commits[-1].rpartition("/")[2], commits[0].rpartition("/")[2]
    visitor.go(page, f"{MODEL}/tree/main")
    refs = page.locator(".chooser a").evaluate_all(links)
    assert len(refs) > 40
    compared = [f"{MODEL}/compare/{first}...{last}", f"{MODEL}/compare/{first}...{last}?view=columns"]
    visitor.go(page, f"{TUNED}/documents/main")
    papers = page.locator(".documents-table a").evaluate_all(links)
    assert len(papers) > 3
    named = [
        ref.replace("/tree/", f"/{view}/") for view in ("tree", "commits", "record") for ref in refs[1:40:7]
    ]
    return [*commits, *compared, *named, *papers]


def test_a_form_that_comes_back_runs_nothing(hub: RunningHub, browser: Browser) -> None:
    """What was typed stands in the form again, with what is wrong."""
    typed = {
        "/new": ("[name=name]", "[name=licence]", "[name=base]", "[name=about]", "[name=limits]"),
        "/new/organisation": ("[name=name]", "main [name=fullname]"),
        f"{MODEL}/edit/main/README.md": ("[name=text]", "[name=title]"),
        f"{MODEL}/move/main/README.md": ("[name=target]",),
        f"{MODEL}/new/main": ("[name=path]", "[name=text]"),
    }
    with visiting(browser, hub.url, scripts=True) as visitor:
        page = sign_in(visitor)
        for path, fields in typed.items():
            visitor.go(page, path)
            page.evaluate("document.querySelectorAll('form').forEach(form => { form.noValidate = true; })")
            for field in fields:
                page.locator(field).first.fill(ALL[:150].replace("\u2028", ""))
            page.evaluate("document.querySelectorAll('[name=visibility]').forEach(one => one.click())")
            page.locator("main form button").first.click()
            page.wait_for_load_state()
            assert_quiet(visitor, page, path)
        visitor.complaints[:] = []


@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_file_opened_by_its_address_runs_nothing(hub: RunningHub, browser: Browser, name: str) -> None:
    """Led straight to the bytes, in a tab, a frame or as a picture, with the session of its owner."""
    with visiting(browser, hub.url) as visitor:
        page = sign_in(visitor)
        raw = f"{hub.url}{MODEL}/resolve/main/{name}"
        for address in (raw, f"{raw}?download=true", raw.replace("/resolve/", "/raw/")):
            answer = page.request.get(address)
            if answer.status == 404 and "/raw/" in address:
                continue
            told = answer.headers
            assert told["x-content-type-options"] == "nosniff"
            shut = "sandbox" in told.get("content-security-policy", "")
            assert shut or "attachment" in told.get("content-disposition", ""), told
            opened = visitor.context.new_page()
            try:
                opened.goto(address, wait_until="load")
            except PlaywrightError as error:
                if "Download is starting" not in str(error) and "ERR_ABORTED" not in str(error):
                    raise
            else:
                assert opened.evaluate("window.__ran ?? []") == []
                opened.wait_for_timeout(200)
                assert opened.url == address
            opened.close()
        assert visitor.foreign == []
        assert page.evaluate("window.__ran") == []
        visitor.complaints[:] = []
