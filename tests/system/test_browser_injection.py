"""Whatever people may write, put where they may write it, and every page that shows it: nothing runs.

Each page is loaded once with the whole collection in it. That something ran would be seen by a note of the
page's own, a dialog, a breach of the policy (the console says so), a request to elsewhere, or markup that is
none of ours.
"""

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page

from allmende.flows import Services
from allmende.registry import find_account, issue_token, set_password, update_account
from tests.hubs import RunningHub
from tests.integration.web.filled import commit, examine_all, new_repo
from tests.integration.web.test_markdown import HOSTILE
from tests.system.browsing import Visitor, chromium_at, hub_with, visiting

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PASSWORD = "herons eat at dusk"
TEXTS = (
    "<script>alert(1)</script>",
    '"><script>alert(2)</script>',
    "'><img src=x onerror=alert(3)>",
    "<svg onload=alert(4)>",
    "javascript:alert(5)",
    "</title><script>alert(6)</script>",
    "</textarea><img src=x onerror=alert(7)>",
    "</code></pre><script>alert(8)</script>",
    "</script><script>alert(9)</script>",
    '" autofocus onfocus="alert(10)',
    "' onmouseover='alert(11)",
    "--><script>alert(12)</script>",
    "]]><script>alert(13)</script>",
    "&lt;script&gt;alert(14)&lt;/script&gt;",
    "{{ 7*7 }}{% raw %}",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/>",
    "<a href=javascript:alert(15)>x</a>",
    "<iframe srcdoc='<script>alert(16)</script>'>",
    "\u2028\u202e<script>alert(17)</script>",
)
ALL = " ".join(TEXTS)
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(18)"><script>alert(19)</script>'
    '<image href="https://evil.example/x.png"/><a href="javascript:alert(20)"><text y="9">x</text></a></svg>'
)
MODEL = "/bob/injected"
TABLE = "/datasets/bob/injected"
APPLICATION = "/applications/bob/injected"

MARKUP = """() => [...document.querySelectorAll('*')].filter(element =>
    ['IFRAME', 'OBJECT', 'EMBED', 'BASE'].includes(element.tagName)
    || (element.tagName === 'META' && element.httpEquiv)
    || (element.tagName === 'SCRIPT'
        && (element.text || !element.src.startsWith(location.origin + '/static/')))
    || [...element.attributes].some(({name, value}) => name.startsWith('on')
        || (['href', 'src', 'action', 'formaction', 'xlink:href'].includes(name)
            && /^[\\s\\u0000-\\u001f]*(javascript|vbscript|data:text)/i.test(value)))
).map(element => element.outerHTML.slice(0, 200))"""


def safetensors_named(names: Mapping[str, str]) -> bytes:
    """Tensors of one element with these names, and the same as metadata."""
    header: dict[str, object] = {"__metadata__": dict(names)}
    header |= {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [place * 4, place * 4 + 4]}
        for place, name in enumerate(names)
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(4 * len(names))


def card() -> str:
    front = {
        "license": "other",
        "license_name": TEXTS[1],
        "license_link": TEXTS[4],
        "library_name": TEXTS[0],
        "pipeline_tag": TEXTS[2],
        "base_model": TEXTS[9],
        "datasets": list(TEXTS[:4]),
        "tags": list(TEXTS),
        "language": [TEXTS[3], "en"],
        "model-index": [{"name": TEXTS[0], "results": [{"task": {"type": TEXTS[1], "name": TEXTS[2]}}]}],
    }
    lines = "\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items())
    return f"---\n{lines}\n---\n# {ALL}\n\n" + "\n\n".join((*HOSTILE.values(), *TEXTS)) + "\n"


def paths() -> dict[str, bytes]:
    """Files whose names are the texts, as far as a name may be so."""
    names = [text.replace("/", "\u2215").replace("\\", "") for text in TEXTS]
    return {f"names/{name}.txt": name.encode() for name in names if "\u2028" not in name}


def fill_with_injections(services: Services) -> None:
    new_repo(services, "bob", MODEL[1:])
    pickled = f"c{TEXTS[0].replace(' ', '')}\n{TEXTS[3].replace(' ', '')}\n(tR.".encode()
    template = {
        "chat_template": "{{ ''.__class__.__mro__ }}" + ALL,
        "model_type": ALL,
        "architectures": list(TEXTS),
    }
    files = {
        "README.md": card().encode(),
        "config.json": json.dumps(template).encode(),
        "tokenizer_config.json": json.dumps(template).encode(),
        "drawing.svg": DRAWING.encode(),
        "page.html": f"<html><body>{ALL}</body></html>".encode(),
        "bad.pkl": pickled,
        "bom.cdx.json": json.dumps(
            {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library", "name": ALL}]}
        ).encode(),
        "model-documents.yaml": (
            "schema: allmende.model-documents/1\n"
            f"declared_by: {json.dumps(ALL)}\ndeclared_on: 2026-01-05\n"
            f"provider:\n  name: {json.dumps(ALL)}\n"
        ).encode(),
        **paths(),
    }
    tensors = safetensors_named({text: text for text in TEXTS})
    commit(services, "bob", "model", MODEL[1:], files, ALL, large={"model.safetensors": tensors})
    commit(services, "bob", "model", MODEL[1:], {"config.json": b"{}"}, ALL, remove=("page.html",))
    new_repo(services, "bob", "bob/injected", "dataset")
    rows = [dict.fromkeys(TEXTS, text) for text in TEXTS]
    cells = ",".join('"' + text.replace('"', '""') + '"' for text in TEXTS)
    tables = {
        "README.md": card().encode(),
        "cells.csv": f"{cells}\n{cells}\n{cells}\n".encode(),
        "cells.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
    }
    commit(services, "bob", "dataset", "bob/injected", tables, ALL)
    examine_all(services)
    with services.database.write() as uow:
        bob = find_account(uow, "bob")
        assert bob is not None
        set_password(uow, bob, PASSWORD)
        update_account(uow, bob, {"fullname": ALL[:200]})
        issue_token(uow, bob, "<img src=x onerror=alert(21)>", "read")


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


def test_nothing_that_people_write_runs_on_any_page(hub: RunningHub, browser: Browser) -> None:
    asked = quote(ALL[:190])
    shown = (
        "/", "/models", f"/models?search={asked}", f"/models?tag={quote(TEXTS[0])}&sort=created",
        f"/models?author={quote(TEXTS[1])}&licence={quote(TEXTS[2])}", "/bob", MODEL, f"{MODEL}/tree/main",
        f"{MODEL}/tree/main/names", f"{MODEL}/blob/main/README.md", f"{MODEL}/blob/main/config.json",
        f"{MODEL}/blob/main/model.safetensors", f"{MODEL}/blob/main/drawing.svg",
        f"{MODEL}/blob/main/bad.pkl",
        f"{MODEL}/blob/main/{quote(next(iter(paths())))}", f"{MODEL}/commits/main", f"{MODEL}/commit/main",
        f"{MODEL}/scan/main", f"{MODEL}/lineage", f"{MODEL}/record/main", f"{MODEL}/signatures/main",
        f"{MODEL}/documents/main", f"{MODEL}/log/main", f"/compare?model={MODEL[1:]}&model=alice/heron-small",
        TABLE, f"{TABLE}/blob/main/cells.csv", f"{TABLE}/blob/main/cells.jsonl", "/glance", "/log",
        "/log/entries", "/applications",
    )  # fmt: skip
    own = (
        "/settings",
        f"{MODEL}/settings",
        f"{MODEL}/edit/main/README.md",
        f"{MODEL}/upload/main?folder={asked}",
    )
    with visiting(browser, hub.url) as visitor:
        page = visitor.open("/login")
        page.get_by_label("Name").fill("bob")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").first.click()
        visitor.go(page, "/assess")
        page.locator("main [name=name]").fill(ALL[:200])
        page.locator("[name=models]").fill("\n".join(TEXTS[:8]))
        page.locator("form.stacked button").click()
        assert_quiet(visitor, page, "the guide")
        page.locator("[name=short]").fill("injected")
        page.locator("button[value=save]").click()
        for path in (*shown, *own, APPLICATION):
            visitor.go(page, path)
            assert_quiet(visitor, page, path)
        visitor.complaints[:] = []


@pytest.mark.parametrize("name", ["drawing.svg"])
def test_a_file_opened_by_its_address_does_not_run_either(
    hub: RunningHub, browser: Browser, name: str
) -> None:
    with visiting(browser, hub.url) as visitor:
        page = visitor.context.new_page()
        page.on("download", lambda download: download.cancel())
        page.goto(f"{hub.url}{MODEL}")
        page.evaluate(
            "address => { const frame = new Image(); frame.src = address; }", f"{MODEL}/resolve/main/{name}"
        )
        answer = page.request.get(f"{hub.url}{MODEL}/resolve/main/{name}")
        told = answer.headers
        assert "attachment" in told.get("content-disposition", "") or "sandbox" in told.get(
            "content-security-policy", ""
        )
        assert told["x-content-type-options"] == "nosniff"
        visitor.complaints[:] = []
