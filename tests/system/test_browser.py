"""The pages in a real browser: they work without scripts, run nothing, and ask nobody else for anything."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Route,
)

from allmende.flows import Services
from allmende.merkle import KeyKind, generate_key
from allmende.registry import find_account, set_password, update_account
from tests.hubs import RunningHub
from tests.integration.flows.families import finetuned, fresh, gguf_of
from tests.integration.web.filled import commit, new_repo, png_file
from tests.integration.web.test_lineage_pages import publish
from tests.integration.web.test_markdown import HOSTILE
from tests.system.browsing import Visitor, chromium_at, hindrances, hub_with
from tests.system.page_costs import cost_of

pytestmark = pytest.mark.browser

HERON = "/alice/heron-small"
BASE = "/alice/heron-base"
LONG = "n" * 96
WIDE = "W" * 96
PAGES = (
    "/", "/models", "/models?tag=birds", "/lab", "/alice", HERON, f"{HERON}/tree/main",
    f"{HERON}/tree/v1/docs", f"{HERON}/blob/main/README.md", f"{HERON}/blob/main/model.safetensors",
    f"{HERON}/blob/main/docs/matrix.png", f"{HERON}/commits/main", f"{HERON}/commit/main",
    "/datasets/lab/marsh-notes", "/bob/empty", "/login", f"/bob/{LONG}", f"/bob/{LONG}/tree/main",
    f"/bob/{LONG}/commits/main", f"{HERON}/lineage", BASE, f"{BASE}/lineage",
    "/bob/liar", "/bob/liar/lineage", f"/bob/{LONG}/lineage", "/models?search=heron&licence=mit", "/compare",
    f"/compare?model={BASE[1:]}&model=bob/liar&model=bob/{LONG}", "/log", "/log/entries", "/log/entries/0",
    "/glance", f"{HERON}/record/main", f"{HERON}/signatures/main", f"{HERON}/log/main",
    f"/bob/{LONG}/record/main", f"/bob/{LONG}/log/main", "/bob/liar/signatures/main",
    f"{HERON}/compare/v1...main?view=columns", f"{HERON}/licence/main", "/alice/heron-tuned/layers/main",
    "/join",
)  # fmt: skip
OWN_PAGES = (
    "/new", "/new?type=space", "/new/organisation", "/organizations/lab/settings", "/settings",
    f"{HERON}/settings", f"{HERON}/edit/main/README.md", f"{HERON}/new/main",
    f"{HERON}/upload/main", f"{HERON}/move/main/README.md", "/settings/hub", "/settings/hub/users",
    "/settings/hub/users/bob", "/settings/hub/policy", "/settings/hub/overrides", "/settings/hub/jobs",
    "/settings/hub/storage", "/settings/hub/audit", "/settings/hub/keys", "/settings/hub/peers",
)  # fmt: skip
"""What somebody sees who is signed in, may change the repo and administers the hub."""
PASSWORD = "herons eat at dusk"
MAX_PAGE_BYTES = 150_000


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with hub_with(tmp_path_factory.mktemp("browsed") / "data", furnish) as running:
        yield running


def furnish(services: Services) -> None:
    """What is odd or long, a family, and an administrator with a password."""
    owl = {"README.md": b"# Owl\n\n![Its face](face.png)\n", "face.png": png_file()}
    commit(services, "alice", "model", "alice/secret-owl", owl, "a face")
    new_repo(services, "bob", f"bob/{LONG}")
    right_to_left = (
        "# \u0646\u0645\u0648\u0630\u062c\n\n" + "\u0643\u0644\u0645\u0629 " * 80 + f"\n\n{'x' * 400}\n"
    )
    extreme = {"README.md": right_to_left.encode(), f"{'f' * 200}.txt": b"y" * 3000}
    commit(services, "bob", "model", f"bob/{LONG}", extreme, "t" * 300)
    new_repo(services, "bob", "bob/hostile")
    hostile = "\n\n".join(HOSTILE.values())
    commit(services, "bob", "model", "bob/hostile", {"README.md": hostile.encode()}, "hostile")
    publish_family(services)
    with services.database.write() as uow:
        alice = find_account(uow, "alice")
        assert alice is not None
        set_password(uow, alice, PASSWORD)
        update_account(uow, alice, {"is_admin": True})


def publish_family(services: Services) -> None:
    """A base, what comes from it, and a model whose card names another base."""
    base = fresh(1)
    publish(services, "alice/heron-base", base)
    publish(services, "alice/heron-tuned", finetuned(base, 2), base="base_model: alice/heron-base")
    publish(services, f"bob/{LONG}", finetuned(base, 3))
    publish(services, f"bob/{WIDE}", finetuned(base, 4))
    publish(services, "bob/stranger", fresh(9))
    lie = "base_model: bob/stranger\nbase_model_relation: finetune"
    publish(services, "bob/liar", gguf_of(base), base=lie, file="liar.Q8_0.gguf")


@pytest.fixture(scope="module")
def browser(require_tool: Callable[[str], str]) -> Iterator[Browser]:
    with chromium_at(require_tool("chromium")) as opened:
        yield opened


@pytest.fixture
def plain(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that runs no scripts."""
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    yield context
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.timeout(600)
def test_every_page_is_quiet_and_stays_at_home(hub: RunningHub, browser: Browser, scheme: str) -> None:
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    visitor = Visitor(context, hub.url)
    for path in PAGES:
        page = visitor.open(path)
        assert not visitor.complaints, path
        assert not visitor.foreign, path
        page.close()
    context.close()


def sign_in(page: Page, hub: RunningHub) -> None:
    page.goto(f"{hub.url}/login")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").first.click()
    assert page.url == f"{hub.url}/"


@pytest.mark.timeout(600)
def test_a_first_visit_takes_few_bytes_and_all_of_them_from_the_hub(
    hub: RunningHub, browser: Browser
) -> None:
    """`make bench ARGS="--only budget"` has the times too, which are no business of a test."""
    costs = [cost_of(browser, hub.url, path) for path in PAGES]
    assert [(cost.path, cost.foreign) for cost in costs if cost.foreign] == []
    assert [(cost.path, cost.transfer_bytes) for cost in costs if cost.transfer_bytes > MAX_PAGE_BYTES] == []
    assert min(cost.transfer_bytes for cost in costs) > 10_000, "the style sheet was not fetched"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.timeout(600)
def test_every_page_is_for_everybody(hub: RunningHub, browser: Browser, scheme: str) -> None:
    """By the rules of WCAG 2.2 AA that a program can check."""
    # The checker is put into the page, which the page's own policy forbids.
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", bypass_csp=True, locale="en-GB"
    )
    page = context.new_page()
    found: dict[str, list[str]] = {}
    for path in (*PAGES, "", *OWN_PAGES):
        if not path:
            sign_in(page, hub)
            continue
        page.goto(hub.url + path)
        found |= {f"{path}: {rule}": places for rule, places in hindrances(page).items()}
    context.close()
    assert found == {}


def test_nothing_in_a_hostile_card_runs(hub: RunningHub, browser: Browser) -> None:
    context = browser.new_context()
    visitor = Visitor(context, hub.url)
    page = visitor.open("/bob/hostile")
    for element in page.locator(".prose :not(a)").all():
        element.dispatch_event("click")
        element.dispatch_event("mouseover")
    # Pictures that the repo does not have are asked for here, and are not found; that is all.
    complaints = [words for words in visitor.complaints if not words.startswith("Failed to load resource")]
    assert not complaints
    assert not visitor.foreign
    assert page.evaluate("window.__ran") == []
    assert page.url == f"{hub.url}/bob/hostile"
    context.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_is_wider_than_its_window(hub: RunningHub, browser: Browser, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    for path in (*PAGES, "", *OWN_PAGES):
        if not path:
            sign_in(page, hub)
            continue
        page.goto(hub.url + path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} is {wide} pixels wide"
    context.close()


def test_from_the_home_page_to_a_file_without_scripts(hub: RunningHub, plain: BrowserContext) -> None:
    page = plain.new_page()
    page.goto(hub.url)
    page.get_by_role("searchbox").fill("heron")
    page.get_by_role("button", name="Search").click()
    assert page.url == f"{hub.url}/models?search=heron"
    page.get_by_role("link", name="alice/heron-small").click()
    assert page.get_by_role("heading", level=1).inner_text().replace("\n", "") == "alice/heron-small"
    page.get_by_role("link", name="Files").click()
    page.get_by_text("Revision").click()
    page.get_by_role("link", name="v1").click()
    page.get_by_role("link", name="old.txt", exact=True).click()
    assert "to be removed" in page.locator("pre").inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    assert download.value.path().read_bytes() == b"to be removed\n"


def test_a_private_repo_in_the_browser(hub: RunningHub, plain: BrowserContext) -> None:
    page = plain.new_page()
    page.goto(f"{hub.url}/alice/secret-owl")
    assert "There is nothing here" in page.inner_text("h1")
    page.locator("main").get_by_role("link", name="Sign in").click()
    page.get_by_text("With an access token instead").click()
    page.get_by_label("Access token").fill("token-of-bob-which-is-wrong")
    page.get_by_role("button", name="Sign in").last.click()
    assert page.get_by_role("alert").is_visible()
    page.get_by_label("Access token").fill("token-of-alice")
    page.get_by_role("button", name="Sign in").last.click()
    assert page.url == f"{hub.url}/alice/secret-owl"
    assert page.inner_text("article h2") == "Owl"
    picture = page.get_by_alt_text("Its face").bounding_box()
    assert picture is not None
    assert picture["width"] == 24, "the picture of a private repo is loaded with the session"
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{hub.url}/alice/secret-owl")
    assert "There is nothing here" in page.inner_text("h1")


def test_the_language_of_the_browser_and_the_one_chosen(hub: RunningHub, browser: Browser) -> None:
    context = browser.new_context(locale="de-DE", java_script_enabled=False)
    page = context.new_page()
    page.goto(hub.url)
    assert "Die Allmende der offenen Modelle" in page.inner_text("h1")
    page.get_by_role("link", name="English").click()
    page.goto(f"{hub.url}/models")
    assert page.inner_text("h1") == "Models"
    context.close()


def test_the_keyboard_reaches_the_content_first(hub: RunningHub, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(hub.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.url.endswith("#content")
    page.close()


def test_the_family_is_drawn_and_its_links_work_by_keyboard(hub: RunningHub, plain: BrowserContext) -> None:
    page = plain.new_page()
    page.goto(f"{hub.url}{BASE}/lineage")
    child = page.get_by_role("link", name="descendant: alice/heron-tuned")
    child.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    focused = "getComputedStyle(document.activeElement.querySelector('rect')).strokeWidth"
    assert page.evaluate(focused) == "3px"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{hub.url}/alice/heron-tuned")
    assert page.locator("#lineage").get_by_role("link", name="alice/heron-base").count() == 2


@pytest.mark.parametrize("path", [f"{BASE}/lineage", "/bob/liar/lineage", f"/bob/{LONG}/lineage"])
def test_no_words_of_the_drawing_leave_their_box(hub: RunningHub, browser: Browser, path: str) -> None:
    for language in ("en", "de"):
        page = browser.new_page(locale=language)
        page.goto(hub.url + path)
        too_wide = """[...document.querySelectorAll('.family .kin, .family .label')].filter(group =>
            [...group.querySelectorAll('text')].some(text =>
                text.getBBox().width > group.querySelector('rect').getBBox().width - 6)
        ).map(group => group.textContent)"""
        assert page.locator(".family .kin").count() >= 2
        assert page.evaluate(too_wide) == []
        page.close()


def test_a_lie_is_seen_without_opening_anything(hub: RunningHub, plain: BrowserContext) -> None:
    page = plain.new_page()
    page.goto(f"{hub.url}/bob/liar")
    claim = page.locator(".claim-contradicted")
    assert claim.is_visible()
    assert "bob/stranger" in claim.inner_text()
    assert page.locator(".descended").get_by_role("link", name="alice/heron-base").is_visible()
    assert not page.locator(".figures").first.is_visible()
    page.locator(".descended summary", has_text="Evidence").click()
    assert page.get_by_text("Equal once rounded").is_visible()


def test_on_a_phone_the_model_is_in_sight_and_the_tables_say_the_same(
    hub: RunningHub, browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(f"{hub.url}{BASE}/lineage")
    me = page.locator(".kin.self rect").bounding_box()
    assert me is not None
    assert me["x"] >= 0
    assert me["x"] + me["width"] <= 390
    row = page.locator("#descendants tr", has_text="bob/liar")
    assert row.is_visible()
    assert "proven" in row.inner_text()
    page.close()


def test_a_publisher_writes_a_card_without_scripts(hub: RunningHub, plain: BrowserContext) -> None:
    page = plain.new_page()
    sign_in(page, hub)
    page.goto(f"{hub.url}{HERON}")
    page.get_by_role("link", name="Files").click()
    page.get_by_role("link", name="README.md").first.click()
    page.get_by_role("link", name="Edit").click()
    text = page.get_by_label("Text")
    text.fill("---\nlicense: mit\nbase_model: alice/heron-base\n---\n# Tuned\n\nIt *listens*.\n")
    page.get_by_role("button", name="Preview").click()
    assert page.locator("#preview em").inner_text() == "listens"
    page.get_by_label("What changed, in a line").fill("Say that it listens")
    page.get_by_role("button", name="Save").click()
    assert page.url == f"{hub.url}{HERON}/blob/main/README.md"
    page.get_by_role("link", name="History").click()
    assert page.get_by_role("link", name="Say that it listens").is_visible()


def test_a_user_makes_a_token_and_changes_a_repo_without_scripts(
    hub: RunningHub, plain: BrowserContext
) -> None:
    page = plain.new_page()
    sign_in(page, hub)
    page.get_by_role("link", name="Settings").click()
    page.locator("form", has_text="Make a token").get_by_label("Name").fill("in a browser")
    page.get_by_role("button", name="Make a token").click()
    assert page.locator(".secret").inner_text().startswith("hf_")
    page.get_by_role("button", name="Revoke in a browser").click()
    assert page.get_by_text("in a browser").count() == 0
    page.goto(f"{hub.url}{HERON}/settings")
    page.get_by_label("Only its owner").check()
    page.get_by_role("button", name="Save").click()
    stranger = plain.browser.new_page() if plain.browser else page
    answer = stranger.goto(f"{hub.url}{HERON}")
    assert answer is not None
    assert answer.status == 404
    stranger.close()
    page.get_by_role("radio", name="Everybody").check()
    page.get_by_role("button", name="Save").click()


def test_an_adopter_narrows_down_and_compares_without_scripts(hub: RunningHub, plain: BrowserContext) -> None:
    page = plain.new_page()
    page.goto(hub.url)
    page.get_by_role("searchbox").fill("heron")
    page.keyboard.press("Enter")
    page.locator(".facets").get_by_role("link", name="alice/heron-base").click()
    names = [name.replace("\n", "") for name in page.locator(".repo-name").all_inner_texts()]
    assert "alice/heron-tuned" in names
    page.get_by_role("link", name="alice/heron-tuned").click()
    page.get_by_role("link", name="Compare with another").click()
    page.get_by_label("Another model").fill("bob/liar")
    page.get_by_role("button", name="Add").click()
    assert page.locator(".compared thead th").count() == 2
    assert "alice/heron-tuned comes" in page.inner_text("main").replace("\n", " ")


def checked(page: Page) -> str:
    """The verdict of the script, once it is there."""
    page.wait_for_selector("#log-check[data-verdict]", timeout=60_000)
    return str(page.locator("#log-check").get_attribute("data-verdict"))


def test_a_reader_checks_the_log_in_the_browser(hub: RunningHub, browser: Browser) -> None:
    context = browser.new_context(locale="en-GB")
    visitor = Visitor(context, hub.url)
    page = visitor.open("/log")
    assert page.locator("#log-check[data-verdict]").count() == 0, "nothing is trusted by itself"
    page.get_by_role("button", name="Trust these keys").click()
    assert checked(page) == "partly"
    assert page.locator(".check-bad").count() == 0
    page.reload()
    assert checked(page) == "good", "the keys and what was seen are remembered"
    page.goto(f"{hub.url}/log/entries?kind=publish")
    page.locator(".entries-table a").first.click()
    assert checked(page) == "good"
    assert page.get_by_text("The entry is under the signed root").is_visible()
    assert page.get_by_text("the one that the entry commits to").is_visible()
    assert visitor.complaints == []
    assert visitor.foreign == []
    context.close()


@pytest.mark.parametrize("lie", ["root", "tile", "entry", "history", "key"])
def test_a_log_that_lies_is_found_out_in_the_browser(hub: RunningHub, browser: Browser, lie: str) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{hub.url}/log")
    page.get_by_role("button", name="Trust these keys").click()
    assert checked(page) == "partly"
    if lie == "history":
        page.evaluate(
            "Object.keys(localStorage).filter(key => key.includes('seen')).forEach(key => "
            "localStorage.setItem(key, JSON.stringify({size: 3, root: '00'.repeat(32)})))"
        )
    elif lie == "key":
        other = generate_key(page.locator("aside code").first.inner_text(), KeyKind.ED25519).verifier.text
        page.evaluate("key => localStorage.setItem('allmende.log.keys', key)", other)
    else:
        page.route(f"**/log/{LIES[lie]}", lambda route: _falsified(route, lie))
    page.goto(f"{hub.url}/log/entries/0")
    assert checked(page) == "bad"
    assert page.locator(".check-verdict").inner_text().startswith("It does not hold")
    context.close()


LIES = {"root": "checkpoint", "tile": "tile/0/**", "entry": "tile/entries/**"}


def _falsified(route: Route, lie: str) -> None:
    """What the hub answers, but for one byte."""
    body = bytearray(route.fetch().body())
    if lie == "root":
        lines = bytes(body).split(b"\n")
        lines[2] = (b"B" if lines[2][:1] != b"B" else b"C") + lines[2][1:]
        body = bytearray(b"\n".join(lines))
    else:
        body[60] ^= 1
    route.fulfill(status=200, body=bytes(body))


def test_without_scripts_the_log_says_that_nothing_was_checked(
    hub: RunningHub, plain: BrowserContext
) -> None:
    page = plain.new_page()
    page.goto(f"{hub.url}/log")
    assert page.get_by_text("Only that script checks").is_visible()
    assert not page.locator("#log-check form").is_visible()
    page.get_by_role("link", name="All entries").click()
    page.locator(".entries-table a").first.click()
    assert page.get_by_role("heading", name="Proof that it is in the log").is_visible()


def test_a_statement_leads_to_its_evidence_without_scripts(hub: RunningHub, plain: BrowserContext) -> None:
    page = plain.new_page()
    page.goto(f"{hub.url}{HERON}")
    page.get_by_role("link", name="version 1 of").click()
    page.locator("#fact-licence summary").click()
    assert '"spdx"' in page.locator("#fact-licence pre").inner_text()
    page.get_by_role("link", name="entry").first.click()
    assert page.get_by_text("record.signed").count() == 1
