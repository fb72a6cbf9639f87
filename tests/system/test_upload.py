"""Uploading in a real browser: a lost line, a reload, a branch that moved, and the form without scripts."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import (
    Browser,
    FilePayload,
    Page,
    Request,
    Route,
    ViewportSize,
    expect,
)

from tests.hubs import RunningHub
from tests.system.browsing import PATIENCE_MS, Visitor, chromium_at, hindrances

pytestmark = pytest.mark.browser

ALICE = {"Authorization": "Bearer token-of-alice"}
MIB = 1024 * 1024
MAX_GROWN_BYTES = 128 * MIB
"""How much memory the hub may take for a file that is larger than this."""
PARTS = "**/lfs/uploads/*/parts/*"
LENGTHS = (0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 4 * MIB - 1, 4 * MIB + 65)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    data: Path = tmp_path_factory.mktemp("uploaded") / "data"
    small = {"ALLMENDE_MULTIPART_PART_BYTES": str(MIB), "ALLMENDE_WORKERS": "0"}
    with RunningHub(data, environment=small) as running:
        yield running


@pytest.fixture(scope="module")
def browser(require_tool: Callable[[str], str]) -> Iterator[Browser]:
    with chromium_at(require_tool("chromium")) as opened:
        yield opened


def opened(browser: Browser, hub: RunningHub, name: str, *, scripts: bool = True) -> tuple[Visitor, Page]:
    """The upload page of a new repo, with alice before it, and what happens on her pages."""
    made = httpx2.post(f"{hub.url}/api/repos/create", json={"name": name}, headers=ALICE)
    made.raise_for_status()
    visitor = Visitor(browser.new_context(locale="en-GB", java_script_enabled=scripts), hub.url)
    page = visitor.context.new_page()
    page.goto(f"{hub.url}/login?next=/alice/{name}/upload/main")
    page.get_by_text("With an access token instead").click()
    page.get_by_label("Access token").fill("token-of-alice")
    page.get_by_role("button", name="Sign in").last.click()
    visitor.requests.clear()
    visitor.go(page, f"/alice/{name}/upload/main")
    return visitor, page


def random_file(path: Path, size_bytes: int) -> Path:
    source = random.Random(size_bytes)  # bytes that do not compress, the same each time
    with path.open("wb") as file:
        for start in range(0, size_bytes, MIB):
            file.write(source.randbytes(min(MIB, size_bytes - start)))
    return path


def choose(page: Page, *paths: Path) -> None:
    page.locator("[name=files]").set_input_files(list(paths))
    expect(page.locator("[data-go]")).to_be_enabled(timeout=PATIENCE_MS)


def go(page: Page) -> None:
    page.get_by_role("button", name="Upload and commit").click()


def digest_of(hub: RunningHub, name: str, path: str) -> str:
    found = hashlib.sha256()
    address = f"{hub.url}/alice/{name}/resolve/main/{path}"
    with httpx2.stream("GET", address, headers=ALICE, follow_redirects=True) as answer:
        answer.raise_for_status()
        for data in answer.iter_bytes():
            found.update(data)
    return found.hexdigest()


def sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def memory_of(pid: int) -> int:
    """What a process and those below it had at most so far, together."""
    place = Path(f"/proc/{pid}")
    peak_kib = int((place / "status").read_text("utf-8").partition("VmHWM:")[2].split()[0])
    below = (place / f"task/{pid}/children").read_text("utf-8").split()
    return peak_kib * 1024 + sum(memory_of(int(child)) for child in below)


@pytest.mark.parametrize(
    ("name", "size_bytes"),
    [("broken-off", 6 * MIB + 5), pytest.param("large", 200 * MIB + 5, marks=pytest.mark.campaign)],
)
@pytest.mark.timeout(600)
def test_what_broke_off_goes_on_after_a_reload(
    hub: RunningHub, browser: Browser, tmp_path: Path, name: str, size_bytes: int
) -> None:
    file, note = random_file(tmp_path / "weights.bin", size_bytes), tmp_path / "note.txt"
    note.write_text("small")
    parts = -(-size_bytes // MIB)
    _visitor, page = opened(browser, hub, name)
    before = memory_of(hub.pid)
    passed: list[str] = []

    def line(route: Route) -> None:
        if len(passed) >= parts // 2:
            route.abort()
            return
        passed.append(route.request.url)
        route.continue_()

    page.route(PARTS, line)
    choose(page, file, note)
    go(page)
    expect(page.locator(".chosen tbody")).to_contain_text("trying again", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("Paused")
    page.unroute(PARTS)
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("weights.bin")
    again: list[Request] = []
    page.on("request", lambda request: again.append(request) if request.method == "PUT" else None)
    choose(page, file, note)
    go(page)
    page.wait_for_url(f"{hub.url}/alice/{name}/tree/main")
    assert 0 < len(again) <= parts - len(passed) + 3, "three are on their way at once"
    assert digest_of(hub, name, "weights.bin") == sum_of(file)
    assert digest_of(hub, name, "note.txt") == sum_of(note)
    if size_bytes > MAX_GROWN_BYTES:
        grown = memory_of(hub.pid) - before
        print(f"{len(again)} of {parts} parts after the reload; the hub grew by {grown / 1e6:.0f} MB")
        assert grown < MAX_GROWN_BYTES
    assert page.evaluate("localStorage.getItem('allmende.uploads')") == "{}"
    page.context.close()


def test_an_upload_goes_on_after_the_hub_was_killed(
    hub: RunningHub, browser: Browser, tmp_path: Path
) -> None:
    size_bytes = 12 * MIB + 7
    file, parts, before_death = random_file(tmp_path / "w.bin", size_bytes), 13, 7
    _visitor, page = opened(browser, hub, "killed")
    answered: list[str] = []
    page.on("response", lambda answer: answered.append(answer.url) if "/parts/" in answer.url else None)

    def line(route: Route) -> None:
        route.continue_()
        if len(answered) >= before_death and hub.is_running:
            hub.kill()

    page.route(PARTS, line)
    choose(page, file)
    go(page)
    expect(page.locator(".chosen tbody")).to_contain_text("trying again", timeout=PATIENCE_MS)
    page.unroute(PARTS)
    hub.start()
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("w.bin")
    again: list[Request] = []
    page.on("request", lambda request: again.append(request) if request.method == "PUT" else None)
    choose(page, file)
    go(page)
    page.wait_for_url(f"{hub.url}/alice/killed/tree/main")
    assert 0 < len(again) <= parts - before_death, "what was acknowledged is not sent again"
    assert digest_of(hub, "killed", "w.bin") == sum_of(file)
    page.context.close()


def test_what_the_hub_has_is_not_sent_again_and_a_moved_branch_is_offered(
    hub: RunningHub, browser: Browser, tmp_path: Path
) -> None:
    file = random_file(tmp_path / "w.bin", MIB + 9)
    _visitor, page = opened(browser, hub, "moved")
    choose(page, file)
    lines = [{"key": "header", "value": {"summary": "meanwhile"}}]
    lines += [{"key": "file", "value": {"path": "w.bin", "content": "x"}}]
    body = "\n".join(json.dumps(line) for line in lines)
    commit = f"{hub.url}/api/models/alice/moved/commit/main"
    held: list[str] = []

    def meanwhile(route: Route) -> None:
        if not held:
            held.append("once")
            httpx2.post(commit, content=body, headers=ALICE).raise_for_status()
        route.continue_()

    page.route("**/upload/main/commit", meanwhile)
    go(page)
    expect(page.get_by_role("alert")).to_contain_text("Somebody has changed the branch")
    again: list[Request] = []
    page.on("request", lambda request: again.append(request) if request.method == "PUT" else None)
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_role("status")).to_contain_text("newest version")
    go(page)
    page.wait_for_url(f"{hub.url}/alice/moved/tree/main")
    assert again == []
    assert digest_of(hub, "moved", "w.bin") == sum_of(file)
    page.goto(f"{hub.url}/alice/moved/upload/main")
    choose(page, file)
    expect(page.locator(".chosen tbody")).to_contain_text("replaces the file there")
    page.context.close()


def test_hashes_of_any_length_are_right(hub: RunningHub, browser: Browser) -> None:
    _visitor, page = opened(browser, hub, "hashed")
    found = page.evaluate(
        """async (lengths) => {
            const worker = new Worker(document.getElementById("upload").dataset.worker);
            const sums = new Map();
            const done = new Promise((resolve) => worker.addEventListener("message", ({ data }) => {
                if (data.sha256) sums.set(data.id, data.sha256);
                if (sums.size === lengths.length) resolve();
            }));
            for (const [id, length] of lengths.entries()) {
                const bytes = new Uint8Array(length);
                if (length < 1e6) for (let at = 0; at < length; at++) bytes[at] = (at * 7) % 251;
                worker.postMessage({ id, file: new Blob([bytes]) });
            }
            await done;
            return lengths.map((_, id) => sums.get(id));
        }""",
        list(LENGTHS),
    )
    texts = [bytes(n) if n >= 1e6 else bytes(at * 7 % 251 for at in range(n)) for n in LENGTHS]
    assert found == [hashlib.sha256(text).hexdigest() for text in texts]
    page.context.close()


def test_dropped_files_can_be_taken_out_and_a_bad_name_is_said(hub: RunningHub, browser: Browser) -> None:
    visitor, page = opened(browser, hub, "dropped")
    dropped = page.evaluate_handle(
        """() => {
            const all = new DataTransfer();
            const names = ["a.txt", ".git", ".gitmodules", "b <i>.txt"];
            for (const name of names) all.items.add(new File(["x"], name));
            return all;
        }"""
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": dropped})
    expect(page.locator(".chosen tbody tr")).to_have_count(3)
    expect(page.get_by_role("status")).to_contain_text("left out")
    page.locator("[name=folder]").fill("../up")
    page.locator("[name=folder]").press("Tab")
    expect(page.locator(".chosen .problem")).to_have_count(3)
    expect(page.locator("[data-go]")).to_be_disabled()
    page.locator("[name=folder]").fill("in")
    page.locator("[name=folder]").press("Tab")
    expect(page.locator(".chosen .problem")).to_have_count(0)
    page.get_by_role("button", name="Take out in/.gitmodules").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".chosen tbody tr")).to_have_count(2)
    assert page.locator(".chosen i").count() == 0
    go(page)
    page.wait_for_url(f"{hub.url}/alice/dropped/tree/main")
    assert digest_of(hub, "dropped", "in/b%20%3Ci%3E.txt") == hashlib.sha256(b"x").hexdigest()
    assert visitor.complaints == []
    assert visitor.foreign == []
    page.context.close()


def test_the_pages_are_for_everybody_and_fit(hub: RunningHub, browser: Browser) -> None:
    _visitor, page = opened(browser, hub, "seen")
    state = page.context.storage_state()
    page.context.close()
    phone: ViewportSize = {"width": 390, "height": 800}
    context = browser.new_context(storage_state=state, bypass_csp=True, locale="de-DE", viewport=phone)
    page = context.new_page()
    files: list[FilePayload] = [
        {"name": "f" * 200 + ".txt", "mimeType": "", "buffer": b"x"},
        {"name": "b.bin", "mimeType": "", "buffer": b"\0"},
    ]
    for path in ("upload/main", "move/main/.gitattributes"):
        page.goto(f"{hub.url}/alice/seen/{path}")
        if path == "upload/main":
            page.locator("[name=files]").set_input_files(files)
            expect(page.locator(".chosen tbody")).to_contain_text("neu")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert hindrances(page) == {}, (path, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    context.close()


def test_without_scripts_a_plain_form_does_it(hub: RunningHub, browser: Browser, tmp_path: Path) -> None:
    file, card = random_file(tmp_path / "w.bin", 5000), tmp_path / "README.md"
    card.write_text("# One\n")
    _visitor, page = opened(browser, hub, "plain", scripts=False)
    assert page.get_by_text("at most 67.1 MB at a time").is_visible()
    assert not page.get_by_text("drop files").is_visible()
    page.locator("[name=files]").set_input_files([file, card])
    page.get_by_label("Into the folder").fill("some")
    page.get_by_role("button", name="Upload and commit").click()
    page.wait_for_url(f"{hub.url}/alice/plain/tree/main/some")
    assert digest_of(hub, "plain", "some/w.bin") == sum_of(file)
    page.get_by_role("link", name="README.md", exact=True).click()
    page.get_by_role("link", name="Move or delete").click()
    page.get_by_label("New path in the repo").fill("CARD.md")
    page.get_by_role("button", name="Move", exact=True).click()
    page.wait_for_url(f"{hub.url}/alice/plain/blob/main/CARD.md")
    page.context.close()


def test_markdown_is_previewed_while_it_is_written(hub: RunningHub, browser: Browser) -> None:
    visitor, page = opened(browser, hub, "written")
    page.goto(f"{hub.url}/alice/written/new/main")
    page.get_by_label("Path in the repo").fill("README.md")
    page.get_by_label("Text").fill("*one* <img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview em")).to_have_text("one")
    page.get_by_label("Text").fill("# Two\n\n*two*")
    expect(page.locator("#preview em")).to_have_text("two")
    assert page.url == f"{hub.url}/alice/written/new/main"
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"{hub.url}/alice/written/blob/main/README.md")
    # The picture that the repo does not have is asked for, and is not found; that is all.
    assert all(words.startswith("Failed to load resource") for words in visitor.complaints)
    page.context.close()
