"""The check of the log in a browser that trusts a root key: it follows to new keys where the root says so."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, Route

from allmende.proof import RootKey, new_root_key, sign_key_set
from tests.hubs import RunningHub
from tests.system.browsing import Visitor, chromium_at, hub_with, visiting

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

ROOT, NEXT_ROOT, STRANGER = (new_root_key(f"hub.example/{name}") for name in ("root", "root-2", "stranger"))


@dataclass
class Desk:
    """A hub, and where its sets of keys are signed."""

    hub: RunningHub
    folder: Path

    def publish(self, *roots: RootKey, named: RootKey | None = None) -> bytes:
        """Have the hub's present keys vouched for; the set as the hub shows it then."""
        target = self.folder / "keys.set"
        target.unlink(missing_ok=True)
        export = ["admin", "keys", "export", "-o", str(target)]
        if named is not None:
            public = self.folder / "root.pub"
            public.write_text(f"{named.verifier.text}\n")
            export += ["--root", str(public)]
        self.hub.command(*export)
        data = target.read_bytes()
        for root in roots:
            data = sign_key_set(data, root)
        target.write_bytes(data)
        self.hub.command("admin", "keys", "publish", str(target))
        with urlopen(f"{self.hub.url}/log/keys", timeout=60) as answer:
            return bytes(answer.read())

    def rotate(self) -> None:
        """A new key of the log, the only one that signs from then on."""
        self.hub.command("admin", "keys", "rotate", "log")
        self.hub.command("admin", "keys", "drop-old")


@pytest.fixture(scope="module")
def browser(require_tool: Callable[[str], str]) -> Iterator[Browser]:
    with chromium_at(require_tool("chromium")) as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with hub_with(tmp_path / "data") as hub:
        yield Desk(hub, tmp_path)


def check(visitor: Visitor, page: Page, keys: str | None = None) -> str:
    """Look at the log and have it checked, with new keys if there are any; the verdict."""
    visitor.go(page, "/log")
    if keys is not None:
        page.locator("#log-check textarea").fill(keys)
        page.locator("#log-check button").click()
    page.wait_for_selector("#log-check[data-verdict]")
    return str(page.locator("#log-check").get_attribute("data-verdict"))


def trusted(page: Page) -> str:
    return page.locator("#log-check textarea").input_value()


def test_a_browser_that_trusts_a_root_follows_to_new_keys(desk: Desk, browser: Browser) -> None:
    desk.publish(ROOT, named=ROOT)
    with visiting(browser, desk.hub.url) as visitor:
        page = visitor.open("/log")
        assert check(visitor, page, f"root {ROOT.verifier.text}") == "partly"
        assert page.get_by_text("has signed these keys of the log").is_visible()
        assert page.locator(".check-bad").count() == 0
        desk.rotate()
        desk.publish(ROOT)
        assert check(visitor, page) == "good"
        # The root changes twice before the browser comes back: it goes by the set between.
        desk.publish(ROOT, NEXT_ROOT, named=NEXT_ROOT)
        desk.rotate()
        desk.publish(NEXT_ROOT, STRANGER, named=STRANGER)
        desk.publish(STRANGER)
        assert check(visitor, page) == "good"
        assert trusted(page) == f"root {STRANGER.verifier.text}"


def test_a_root_that_has_not_signed_is_not_believed(desk: Desk, browser: Browser) -> None:
    desk.publish(ROOT, named=ROOT)
    with visiting(browser, desk.hub.url) as visitor:
        page = visitor.open("/log")
        assert check(visitor, page, f"root {STRANGER.verifier.text}") == "bad"
        assert page.get_by_text("has not signed the set of keys").is_visible()


def test_sets_that_may_not_follow_are_found_out(desk: Desk, browser: Browser) -> None:
    first = desk.publish(ROOT, named=ROOT)
    desk.rotate()
    second = desk.publish(ROOT)
    text, _, signatures = second.rpartition(b"\n\n")
    lies = {
        "older": first,
        "turned": second.replace(b"number 2", b"number 3"),
        "unsigned": second.rstrip(b"\n").rpartition(b"\n")[0] + b"\n",
        "foreign": text.replace(ROOT.verifier.text.encode(), STRANGER.verifier.text.encode())
        + b"\n\n"
        + signatures,
    }
    with visiting(browser, desk.hub.url) as visitor:
        page = visitor.open("/log")
        assert check(visitor, page, f"root {ROOT.verifier.text}") == "partly"
        for lie, shown in lies.items():
            page.route("**/log/keys", _showing(shown))
            assert check(visitor, page) == "bad", lie
            assert page.locator(".checks .check-bad").count() == 1
            page.unroute("**/log/keys")
            assert check(visitor, page) == "good", "what was refused is not kept"


def _showing(body: bytes) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=200, body=body, content_type="text/plain; charset=utf-8")
