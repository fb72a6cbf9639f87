"""The most usual journeys through the pages, end to end, with scripts and, where promised, without.

On every journey nothing may be said on the console, no policy violated, and nobody else asked for anything:
the `visitor` sees to it.
"""

import hashlib
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page

from allmende.flows import Services
from allmende.registry import create_account, find_account, set_password, update_account
from tests.hubs import RunningHub
from tests.integration.flows.families import finetuned, fresh
from tests.integration.web.filled import commit, examine_all, new_repo
from tests.integration.web.test_lineage_pages import publish
from tests.scan_samples import BLOCKED
from tests.system.browsing import PATIENCE_MS, Visitor, chromium_at, hub_with, visiting

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PASSWORD = "herons eat at dusk"
HERON = "/alice/heron-small"
STOPPED = "/alice/stopped-rail"
NOTES = b"bird,seen,weight\n" + b"".join(b"heron-%d,%d,%d.5\n" % (n, n % 7, n) for n in range(300))

with_and_without_scripts = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with hub_with(tmp_path_factory.mktemp("travelled") / "data", furnish) as running:
        yield running


def furnish(services: Services) -> None:
    """A family, a model with a file that is stopped, a table, and people with passwords."""
    base = fresh(1)
    publish(services, "alice/heron-base", base, examine=False)
    publish(
        services, "alice/heron-tuned", finetuned(base, 2), base="base_model: alice/heron-base", examine=False
    )
    publish(services, "bob/other-tuned", finetuned(base, 3), examine=False)
    new_repo(services, "alice", STOPPED[1:])
    commit(
        services, "alice", "model", STOPPED[1:], {"README.md": b"# Rail\n", "odd.pkl": BLOCKED}, "a pickle"
    )
    new_repo(services, "alice", "alice/sightings", "dataset")
    commit(services, "alice", "dataset", "alice/sightings", {"sightings.csv": NOTES}, "what was seen")
    examine_all(services)
    with services.database.write() as uow:
        update_account(uow, create_account(uow, "root", "user"), {"is_admin": True})
        for name in ("alice", "bob", "root"):
            account = find_account(uow, name)
            assert account is not None
            set_password(uow, account, PASSWORD)


@pytest.fixture(scope="module")
def browser(require_tool: Callable[[str], str]) -> Iterator[Browser]:
    with chromium_at(require_tool("chromium")) as opened:
        yield opened


@pytest.fixture
def visitor(hub: RunningHub, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Somebody who has scripts, unless the test says otherwise."""
    called = getattr(request.node, "callspec", None)
    scripts = called is None or bool(called.params.get("scripts", True))
    with visiting(browser, hub.url, scripts=scripts) as somebody:
        yield somebody


def signed_in(visitor: Visitor, name: str = "alice") -> Page:
    page = visitor.open("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").first.click()
    assert page.url == f"{visitor.url}/"
    return page


def weights_file(path: Path, seed: int) -> Path:
    values = b"".join(struct.pack("<f", (n * 37 + seed) % 101 / 101) for n in range(4096))
    header = json.dumps(
        {"dense.weight": {"dtype": "F32", "shape": [64, 64], "data_offsets": [0, len(values)]}}
    )
    text = header.encode() + b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + values)
    return path


def seen_after_reloads(page: Page, selector: str, words: str) -> None:
    """Look again until a part of the page has these words: what the hub examines takes its time."""
    deadline = PATIENCE_MS / 1000
    waited = 0.0
    while words not in " ".join(page.locator(selector).all_inner_texts()):
        assert waited < deadline, f"{words!r} is never seen in {selector}"
        page.wait_for_timeout(300)
        waited += 0.3
        page.reload()


@with_and_without_scripts
def test_a_publisher_makes_a_token_and_with_it_a_repo_and_fills_it_on_a_page(
    visitor: Visitor, tmp_path: Path, scripts: bool
) -> None:
    page = signed_in(visitor)
    page.get_by_role("link", name="Settings").click()
    page.locator("form", has_text="Make a token").get_by_label("Name").fill(f"laptop {scripts}")
    page.locator("form [name=role]").select_option("write")
    page.get_by_role("button", name="Make a token").click()
    secret = page.locator(".secret").inner_text()
    name = f"published-{'scripted' if scripts else 'plain'}"
    call = {"url": f"{visitor.url}/api/repos/create", "json": {"name": name, "private": True}}
    told = {"Authorization": f"Bearer {secret}"}
    assert httpx2.post(**call, headers=told).status_code == 200  # type: ignore[arg-type]

    visitor.go(page, f"/alice/{name}/upload/main")
    card = tmp_path / "README.md"
    card.write_text("---\nlicense: mit\nlibrary_name: transformers\n---\n# Rail\n\nIt *listens*.\n")
    weights = weights_file(tmp_path / "model.safetensors", len(name))
    page.locator("[name=files]").set_input_files([card, weights])
    page.get_by_label("What changed, in a line").fill("The first weights")
    page.get_by_role("button", name="Upload and commit").click()
    page.wait_for_url(f"{visitor.url}/alice/{name}/tree/main*")
    visitor.go(page, f"/alice/{name}")
    assert page.locator("article.prose em").inner_text() == "listens"
    seen_after_reloads(page, ".statements", "no findings")
    page.get_by_role("link", name="Family", exact=True).click()
    assert page.url == f"{visitor.url}/alice/{name}/lineage/main"
    visitor.go(page, f"/alice/{name}/record/main")

    visitor.go(page, "/settings")
    page.get_by_role("button", name=f"Revoke laptop {scripts}").click()
    assert page.get_by_text(f"laptop {scripts}").count() == 0
    assert httpx2.get(f"{visitor.url}/api/whoami-v2", headers=told).status_code == 401


@with_and_without_scripts
def test_an_adopter_finds_narrows_compares_and_takes(visitor: Visitor, scripts: bool) -> None:
    page = visitor.open()
    page.get_by_role("searchbox").fill("heron")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{visitor.url}/models?search=heron")
    page.locator(".facets").get_by_role("link", name="alice/heron-base").click()
    page.get_by_role("link", name="alice/heron-tuned").click()
    page.get_by_role("link", name="Compare with another").click()
    page.get_by_label("Another model").fill("alice/heron-base")
    page.get_by_role("button", name="Add").click()
    assert page.locator(".compared thead th").count() == 2
    page.locator(".compared thead").get_by_role("link", name="alice/heron-tuned", exact=True).click()
    snippets = page.locator("aside pre").all_inner_texts()
    assert f"export HF_ENDPOINT={visitor.url}\nhf download alice/heron-tuned" in [
        one.strip() for one in snippets
    ]
    assert any("allmende pull alice/heron-tuned --into heron-tuned" in one for one in snippets)
    page.get_by_role("link", name="Files").click()
    page.get_by_role("link", name="model.safetensors").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    digest = hashlib.sha256(download.value.path().read_bytes()).hexdigest()
    assert page.get_by_text(digest).first.is_visible()


def test_an_adopter_follows_a_model_into_the_log_and_checks_it_there(visitor: Visitor) -> None:
    page = visitor.open("/log")
    page.get_by_role("button", name="Trust these keys").click()
    page.wait_for_selector("#log-check[data-verdict]")
    visitor.go(page, f"{HERON}/log/main")
    page.locator(".entries-table .number a").first.click()
    page.wait_for_selector("#log-check[data-verdict]")
    assert page.locator("#log-check").get_attribute("data-verdict") == "good"
    assert page.get_by_text("The entry is under the signed root").is_visible()


def test_without_scripts_a_model_is_followed_into_the_log_and_the_proof_can_be_taken(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub.url, scripts=False) as visitor:
        page = visitor.open(f"{HERON}/log/main")
        page.locator(".entries-table .number a").first.click()
        assert page.get_by_text("Only that script checks").is_visible()
        proof = page.locator("a[href^='/log/proof/']").get_attribute("href")
        assert httpx2.get(f"{hub.url}{proof}").text.startswith("c2sp.org/tlog-proof")


@with_and_without_scripts
def test_a_scrutineer_reads_what_stopped_a_file_and_an_auditor_lifts_it_and_takes_that_back(
    hub: RunningHub, browser: Browser, visitor: Visitor, scripts: bool
) -> None:
    page = visitor.open(STOPPED)
    page.locator(".statements").get_by_role("link", name="blocked").click()
    page.get_by_role("link", name="odd.pkl").first.click()
    assert "pickle-refused-global" in page.inner_text("main")
    assert page.get_by_role("link", name="Download", exact=True).count() == 0
    with visiting(browser, hub.url, scripts=scripts) as auditor:
        desk = signed_in(auditor, "root")
        auditor.go(desk, f"{STOPPED}/scan/main")
        desk.locator("section", has_text="odd.pkl").locator(
            "summary", has_text="The finding is wrong"
        ).click()
        desk.get_by_label("Reason").first.fill("Read byte by byte: it is a joke")
        desk.locator("form.override button").first.click()
        assert "it is a joke" in desk.inner_text("main")
        page.reload()
        assert page.get_by_role("link", name="Download", exact=True).count() == 1
        desk.locator("form", has=desk.locator("[name=revoke]")).get_by_role("button").click()
    page.reload()
    assert page.get_by_role("link", name="Download", exact=True).count() == 0


@with_and_without_scripts
def test_a_scrutineer_follows_a_descent_to_its_evidence(visitor: Visitor, scripts: bool) -> None:
    page = visitor.open("/alice/heron-tuned")
    page.locator("#lineage").get_by_role("link", name="alice/heron-base").first.click()
    page.get_by_role("link", name="Family", exact=True).click()
    page.locator("#descendants").get_by_role("link", name="bob/other-tuned").first.click()
    assert page.url == f"{visitor.url}/bob/other-tuned"
    assert not page.locator(".descended .figures").first.is_visible()
    page.locator(".descended summary", has_text="Evidence").first.click()
    assert page.locator(".descended .figures").first.is_visible()


@with_and_without_scripts
def test_a_scrutineer_reads_the_history_and_an_earlier_state(visitor: Visitor, scripts: bool) -> None:
    page = visitor.open(HERON)
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="Correct a figure in the table").first.click()
    assert "0.93" in page.locator("main ins, main .added").first.inner_text()
    visitor.go(page, f"{HERON}/tree/v1")
    page.get_by_role("link", name="old.txt", exact=True).click()
    assert "to be removed" in page.locator("pre").inner_text()


@with_and_without_scripts
def test_a_reader_looks_into_a_table_of_a_dataset(visitor: Visitor, scripts: bool) -> None:
    page = visitor.open("/datasets")
    page.get_by_role("link", name="alice/sightings").click()
    page.get_by_role("link", name="sightings.csv").first.click()
    assert "heron-0" in page.locator("table.rows").inner_text()
    assert page.locator("table.rows thead th").all_inner_texts() == ["bird", "seen", "weight"]
    weight = page.locator("tr", has=page.get_by_role("rowheader", name="weight"))
    assert "0.5" in weight.inner_text()


@with_and_without_scripts
def test_a_deployer_assesses_a_use_keeps_it_and_takes_the_evidence(visitor: Visitor, scripts: bool) -> None:
    page = signed_in(visitor, "bob")
    name = f"counter-{'scripted' if scripts else 'plain'}"
    page.get_by_role("link", name="Applications").click()
    page.get_by_role("link", name="Describe").first.click()
    page.locator("main [name=name]").fill("Counting birds")
    page.locator("[name=models]").fill(HERON[1:])
    page.locator("form.stacked button").click()
    page.locator(".questions fieldset").first.locator("input[value=yes], input[type=checkbox]").first.check()
    page.locator(".questions button").click()
    assert page.locator(".answers-given li").count() >= 1
    page.locator("[name=short]").fill(name)
    page.locator("button[value=save]").click()
    assert page.url == f"{visitor.url}/applications/bob/{name}"
    seen_after_reloads(page, "main", "not legal advice")
    with page.expect_download() as pack:
        page.get_by_role("link", name="Evidence").first.click()
    assert "manifest.json" in "\n".join(zipfile.ZipFile(pack.value.path()).namelist())


@with_and_without_scripts
def test_a_deployer_reads_the_papers_of_a_model_and_its_record(visitor: Visitor, scripts: bool) -> None:
    page = visitor.open(HERON)
    page.locator(".statements").get_by_role("link", name="made from the record").click()
    assert page.locator(".documents-table tbody tr").count() >= 2
    page.locator(".documents-table").get_by_role("link").nth(1).click()
    assert page.locator(".document h3").count() > 1
    visitor.go(page, HERON)
    page.get_by_role("link", name="version 1 of").click()
    page.locator("#fact-licence summary").click()
    assert '"spdx"' in page.locator("#fact-licence pre").inner_text()


@with_and_without_scripts
def test_anybody_sees_what_the_commons_hold(visitor: Visitor, scripts: bool) -> None:
    page = visitor.open()
    page.get_by_role("contentinfo").get_by_role("link", name="commons").click()
    assert page.locator(".families svg").count() >= 1
    page.locator(".families").get_by_role("link").first.click()
    assert page.locator("main h1").is_visible()
