"""From nothing to a published model in a browser without scripts: account, organisation, repo, files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.hubs import RunningHub
from tests.system.browsing import Visitor, chromium_at, visiting

pytestmark = pytest.mark.browser

PASSWORD = "herons eat at dusk"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    data = tmp_path_factory.mktemp("made") / "data"
    with RunningHub(data, environment={"ALLMENDE_SIGN_UP": "true", "ALLMENDE_WORKERS": "0"}) as running:
        yield running


@pytest.fixture(scope="module")
def browser(require_tool: Callable[[str], str]) -> Iterator[Browser]:
    with chromium_at(require_tool("chromium")) as opened:
        yield opened


def joined(visitor: Visitor, name: str) -> Page:
    page = visitor.open("/login")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    assert page.url == f"{visitor.url}/settings"
    return page


@pytest.mark.timeout(600)
def test_somebody_who_was_never_here_publishes_a_model(
    hub: RunningHub, browser: Browser, tmp_path: Path
) -> None:
    weights, notes = tmp_path / "weights.bin", tmp_path / "notes.txt"
    weights.write_bytes(bytes(range(256)) * 40)
    notes.write_text("soon gone\n")
    with visiting(browser, hub.url, scripts=False) as visitor:
        page = joined(visitor, "nina")
        page.get_by_role("link", name="New", exact=True).click()
        page.get_by_role("link", name="New organisation").click()
        page.get_by_label("Name", exact=True).fill("fen")
        page.get_by_label("Everybody").check()
        page.get_by_role("button", name="Make it").click()
        page.get_by_role("link", name="New model").click()
        assert page.locator("[name=owner]").input_value() == "fen"
        page.get_by_label("Name", exact=True).fill("wren-small")
        page.get_by_label("Everybody").check()
        page.get_by_label("Licence").fill("apache-2.0")
        page.get_by_label("What it is, and what it is for").fill("It tells *wrens* from mice.")
        page.get_by_role("button", name="Make it").click()
        page.wait_for_url(f"{hub.url}/fen/wren-small/upload/main")
        page.locator("[name=files]").set_input_files([weights, notes])
        page.get_by_role("button", name="Upload and commit").click()
        page.wait_for_url(f"{hub.url}/fen/wren-small/tree/main")
        page.get_by_label("Choose notes.txt").check()
        page.get_by_label("Choose weights.bin").check()
        page.get_by_label("Choose weights.bin").uncheck()
        page.get_by_role("button", name="Delete the chosen").click()
        assert page.locator("main li").count() == 1
        page.get_by_role("button", name="Delete them").click()
        page.wait_for_url(f"{hub.url}/fen/wren-small/tree/main")
        listed = page.locator(".files tbody").inner_text()
        assert "weights.bin" in listed
        assert "notes.txt" not in listed
        page.get_by_role("link", name="Card").click()
        assert page.locator("article em").inner_text() == "wrens"
        page.get_by_role("button", name="Sign out").click()
        visitor.go(page, "/fen/wren-small")
        assert page.locator("article em").inner_text() == "wrens"


def test_on_a_phone_the_names_are_in_sight_beside_their_boxes(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub.url, scripts=False, width=390) as visitor:
        page = joined(visitor, "olga")
        visitor.go(page, "/new")
        page.get_by_label("Name", exact=True).fill("tern")
        page.get_by_label("Everybody").check()
        page.get_by_role("button", name="Make it").click()
        visitor.go(page, "/olga/tern/tree/main")
        box = page.get_by_label("Choose .gitattributes")
        name = page.get_by_role("link", name=".gitattributes", exact=True)
        assert box.is_visible()
        assert name.is_visible()
        target = page.locator(".choose").bounding_box()
        assert target is not None
        assert min(target["width"], target["height"]) >= 24
