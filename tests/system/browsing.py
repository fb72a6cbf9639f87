"""Chromium as the tests use it: started once, watched for everything that a page must not do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    sync_playwright,
)

from allmende.flows import Services, open_services
from allmende.settings import Settings
from tests.databases import new_schema
from tests.hubs import RunningHub
from tests.integration.web.filled import fill

__all__ = ["PATIENCE_MS", "Visitor", "chromium_at", "hindrances", "hub_with", "visiting"]

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 120_000
_AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
_WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}

_SENTINEL = """
window.__ran = [];
for (const name of ['alert', 'confirm', 'prompt']) {
    window[name] = said => { window.__ran.push(name + ' ' + said); };
}
document.addEventListener('securitypolicyviolation', event => {
    console.error('policy violated: ' + event.violatedDirective + ' ' + event.blockedURI);
});
"""
"""Runs before the page's own scripts: what was made to run by the page's texts is noted."""


@dataclass
class Visitor:
    """Somebody with a browser: pages in `context`, and what happened on them that should not have."""

    context: BrowserContext
    url: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.add_init_script(_SENTINEL)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.context.on("dialog", self._asked)
        self.context.on("request", self._requested)

    def open(self, path: str = "/") -> Page:
        """A new page at an address of the hub, which must answer well."""
        page = self.context.new_page()
        self.go(page, path)
        return page

    def go(self, page: Page, path: str) -> None:
        """Lead a page to an address of the hub, which must answer well."""
        answer = page.goto(self.url + path, wait_until="load")
        assert answer is not None
        assert answer.ok, f"{path} answers {answer.status}"

    @property
    def foreign(self) -> list[str]:
        """What was asked for elsewhere than of the hub."""
        own = (f"{self.url}/", "data:", "blob:")
        return [url for url in self.requests if not url.startswith(own)]

    def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _requested(self, request: Request) -> None:
        self.requests.append(request.url)


@contextmanager
def hub_with(data: Path, *fillings: Callable[[Services], None]) -> Iterator[RunningHub]:
    """A hub on these data, which are made first, with the examples and then by `fillings`."""
    services = open_services(Settings(data=data, workers=0))
    new_schema(services.database)
    for filling in (fill, *fillings):
        filling(services)
    services.database.close()
    with RunningHub(data, people=None) as running:
        yield running


@contextmanager
def chromium_at(place: str | Path) -> Iterator[Browser]:
    """Chromium, until the end of the block."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=place, args=_FLAGS)
        yield opened
        opened.close()


@contextmanager
def visiting(
    browser: Browser, url: str, *, scripts: bool = True, width: int = 1280, scheme: str = "light"
) -> Iterator[Visitor]:
    """A visitor who reads English; at the end of the block nothing may have been wrong on any page."""
    context = browser.new_context(
        java_script_enabled=scripts,
        locale="en-GB",
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    visitor = Visitor(context, url)
    try:
        yield visitor
        assert visitor.complaints == []
        assert visitor.foreign == []
    finally:
        context.close()


def hindrances(page: Page) -> dict[str, list[str]]:
    """What axe-core finds on a page that is serious by WCAG 2.2 AA: rules, and markup that breaks them.

    The page's context has to be one with `bypass_csp`: the checker is put into the page.
    """
    page.evaluate(_AXE)
    result = page.evaluate("options => axe.run(document, options)", _WCAG)
    return {
        violation["id"]: [node["html"][:200] for node in violation["nodes"][:3]]
        for violation in result["violations"]
        if violation["impact"] in ("serious", "critical")
    }
