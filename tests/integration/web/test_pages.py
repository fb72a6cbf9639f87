"""Every page, for everybody: what it shows, what it must not show, and what it tells the browser."""

import re
import sys
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services
from allmende.web.messages import catalogue
from tests.integration.web.conftest import Person
from tests.integration.web.filled import CARD, as_user, commit, new_repo, repo
from tests.integration.web.reading import Reading, shows, words

HERON = "/alice/heron-small"
PUBLIC = (
    "/", "/models", "/datasets", "/spaces", "/models?search=heron&sort=created&tag=birds&author=alice",
    "/models?pipeline_tag=text-classification&library=transformers", "/alice", "/lab", "/bob", "/login",
    HERON, f"{HERON}/tree/main", f"{HERON}/tree/v1/docs", f"{HERON}/tree/try%2Fwider",
    f"{HERON}/blob/main/README.md", f"{HERON}/blob/main/model.safetensors",
    f"{HERON}/blob/main/docs/matrix.png", f"{HERON}/blob/main/notes.bin", f"{HERON}/commits/main",
    f"{HERON}/commit/v1", f"{HERON}/commit/main", "/alice/gated-crane", "/bob/empty",
    "/datasets/lab/marsh-notes", "/datasets/lab/marsh-notes/tree/main", "/spaces/lab/marsh-map",
    f"{HERON}/lineage", f"{HERON}/lineage/v1", "/bob/empty/lineage", "/glance", "/log/entries",
    f"{HERON}/record/main", f"{HERON}/record/v1", f"{HERON}/signatures/main", f"{HERON}/log/main",
    f"{HERON}/documents/main",
    "/datasets/lab/marsh-notes/record/main", "/spaces/lab/marsh-map/record/main",
)  # fmt: skip
MISSING = (
    "/nobody",
    "/no/repo",
    "/datasets/no/repo",
    "/a/b/c/d",
    f"{HERON}/tree/nope",
    f"{HERON}/blob/main/no",
    f"{HERON}/lineage/nope",
    "/datasets/lab/marsh-notes/lineage",
    "/spaces/lab/lineage",
)
SECRET_TAILS = (
    "", "/tree/main", "/blob/main/README.md", "/commits/main", "/commit/main", "/tree/0123456789",
    "/lineage", "/lineage/main", "/record/main", "/signatures/main", "/log/main",
    "/documents/main",
)  # fmt: skip
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("path", PUBLIC)
def test_every_page_in_every_language(stranger: Person, path: str, language: str) -> None:
    answer = stranger.open(path, **{"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-language"] == language
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-cache" in answer.headers["cache-control"]
    page = Reading(answer.text)
    assert ("html", {"lang": language}) in page.elements
    assert catalogue(language)("frame.motto") in page.text
    assert not page.tags() & {"script", "style", "iframe", "object", "embed", "base"}
    assert "style" not in page.attribute_names()
    assert not [name for name in page.attribute_names() if name.startswith("on")]
    assert [tag for tag, _ in page.elements].count("h1") == 1


@pytest.mark.parametrize("path", [*PUBLIC, *MISSING])
def test_nothing_comes_from_elsewhere(stranger: Person, path: str) -> None:
    for tag, address, attributes in Reading(stranger.open(path).text).addresses():
        if urlsplit(address).netloc or urlsplit(address).scheme:
            assert (tag, attributes["rel"]) == ("a", "nofollow noopener"), address
            assert address in CARD, address


def test_the_links_of_a_page_lead_somewhere(stranger: Person) -> None:
    for page in (
        "/",
        "/alice",
        HERON,
        f"{HERON}/tree/main",
        f"{HERON}/blob/main/README.md",
        f"{HERON}/commit/v1",
        f"{HERON}/record/main",
        f"{HERON}/documents/main",
        f"{HERON}/log/main",
        "/glance",
        "/log",
    ):
        for tag, address, _attributes in Reading(stranger.open(page).text).addresses():
            if address.startswith("/") and tag != "form":
                assert stranger.open(address).status_code in (200, 302, 303, 307), address


@pytest.mark.parametrize("path", MISSING)
def test_what_is_missing_has_a_page_that_says_so(stranger: Person, path: str) -> None:
    answer = stranger.open(path)
    assert answer.status_code == 404
    assert shows(answer.text, "error.404.title")
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-error-code"] in answer.text


def test_programs_get_errors_as_json(stranger: Person) -> None:
    for path in ("/no/repo", "/api/models/no/repo", "/a/b/c/d"):
        answer = stranger.client.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.status_code == 404
    assert stranger.open("/api/models/no/repo").headers["content-type"] == "application/json"


@pytest.mark.parametrize("tail", SECRET_TAILS)
def test_a_private_repo_looks_missing(stranger: Person, alice: Person, tail: str) -> None:
    secret = stranger.open(f"/alice/secret-owl{tail}")
    missing = stranger.open(f"/alice/absent-owl{tail}")

    def plain(text: str) -> str:
        return re.sub(
            r"[0-9a-f]{16}", "ID", text.replace("secret-owl", "X-owl").replace("absent-owl", "X-owl")
        )

    assert secret.status_code == missing.status_code == 404
    assert plain(secret.text) == plain(missing.text)
    assert secret.headers["x-error-code"] == missing.headers["x-error-code"]
    if "0123456789" not in tail:
        assert alice.open(f"/alice/secret-owl{tail}").status_code == 200


@pytest.mark.parametrize("path", ["/", "/models", "/models?search=owl", "/models?author=alice", "/alice"])
def test_lists_and_counts_know_nothing_of_private_repos(stranger: Person, alice: Person, path: str) -> None:
    assert "secret-owl" not in stranger.open(path).text.replace("search=owl", "")
    assert "secret-owl" in alice.open(path).text
    if path == "/":
        assert "4 models" in stranger.open(path).text
        assert "5 models" in alice.open(path).text


def test_a_private_repo_is_not_for_other_people(services: Services, stranger: Person) -> None:
    assert stranger.sign_in("bob").status_code == 303
    assert stranger.open("/alice/secret-owl").status_code == 404
    assert stranger.open("/bob").status_code == 200


def test_pages_of_people_who_are_signed_in_are_not_kept(alice: Person) -> None:
    answer = alice.open("/alice/secret-owl")
    assert answer.headers["cache-control"] == "no-store"
    assert "Cookie" in answer.headers["vary"]
    assert '<meta name="robots" content="noindex">' in answer.text


def test_a_gated_repo_shows_its_card_and_keeps_its_files(stranger: Person, alice: Person) -> None:
    assert "Crane" in stranger.open("/alice/gated-crane").text
    answer = stranger.open("/alice/gated-crane/blob/main/a.txt")
    assert (answer.status_code, answer.headers["x-error-code"]) == (401, "GatedRepo")
    assert shows(answer.text, "error.401.title")
    commit_page = stranger.open("/alice/gated-crane/commit/main")
    assert "a.txt" in commit_page.text
    assert 'class="diff"' not in commit_page.text
    assert alice.open("/alice/gated-crane/blob/main/a.txt").status_code == 200
    assert 'class="diff"' in alice.open("/alice/gated-crane/commit/main").text


def test_a_renamed_repo_is_found_under_its_old_name(stranger: Person) -> None:
    answer = stranger.open("/alice/old-stork/tree/main")
    assert (answer.status_code, answer.headers["location"]) == (307, "/alice/new-stork/tree/main")


def test_a_model_page_says_what_is_known_and_whence(stranger: Person) -> None:
    text = words(stranger.open(HERON).text)
    for said in (
        "196,099 (F32) derived",
        "apache-2.0 declared",
        "transformers declared",
        "text-classification declared",
        "safetensors (785 kB)",
        "Storage used 785 kB measured",
        "hf download alice/heron-small",
        "export HF_ENDPOINT=http://testserver",
        "AutoModel.from_pretrained",
    ):
        assert said in text, said


def test_what_is_not_known_is_said(stranger: Person) -> None:
    text = words(stranger.open("/bob/empty").text)
    assert "Parameters not known" in text
    assert "Licence none declared" in text
    assert "This repo is empty so far" in text


def test_a_revision_that_was_not_examined_says_so(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/fresh")
    commit(services, "bob", "model", "bob/fresh", {"new.txt": b"never seen before"}, "t")
    page = stranger.open("/bob/fresh")
    assert "not yet" in page.text
    assert "not examined" in stranger.open("/bob/fresh/tree/main").text


def test_a_broken_front_matter_is_reported_and_the_card_shown(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/broken")
    card = b"---\nlicense: [unclosed\n---\n# The body\n"
    commit(services, "bob", "model", "bob/broken", {"README.md": card}, "card")
    page = stranger.open("/bob/broken").text
    assert shows(page, "repo.card_problem")
    assert "The body" in page


def test_a_card_too_long_to_render_has_a_link_to_its_source(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/long")
    commit(services, "bob", "model", "bob/long", {"README.md": b"word " * 40_000}, "card")
    page = stranger.open("/bob/long").text
    assert shows(page, "repo.card_too_long")
    assert '"/bob/long/blob/main/README.md"' in page


def test_hostile_words_in_every_place_are_only_words(services: Services, stranger: Person) -> None:
    hostile = '"><script>alert(1)</script>'
    new_repo(services, "bob", "bob/hostile")
    card = f"---\nlicense: '{hostile}'\ntags: ['{hostile}']\nlibrary_name: '{hostile}'\n---\n{hostile}\n"
    path = "<img src=x onerror=alert(1)>.txt"
    commit(
        services, "bob", "model", "bob/hostile", {"README.md": card.encode(), path: hostile.encode()}, hostile
    )
    for address in (
        "/bob/hostile", "/bob/hostile/tree/main", "/bob/hostile/commits/main", "/bob/hostile/commit/main",
        "/bob/hostile/blob/main/%3Cimg%20src=x%20onerror=alert(1)%3E.txt", f"/models?search={hostile}",
        f"/models?tag={hostile}&author={hostile}&sort={hostile}&pipeline_tag={hostile}", f"/{hostile[:9]}",
        f"/login?next={hostile}", f"/bob/hostile/tree/{hostile[:9]}", f"/?lang={hostile}&x={hostile}",
    ):  # fmt: skip
        page = Reading(stranger.open(address).text)
        assert "script" not in page.tags(), address
        assert not [name for name in page.attribute_names() if name.startswith("on")], address


def test_lists_go_on_where_they_ended(services: Services, stranger: Person) -> None:
    for number in range(35):
        new_repo(services, "bob", f"bob/many-{number:02}", "space")
    first = stranger.open("/spaces?author=bob&sort=created")
    following = next(a for t, a, at in Reading(first.text).addresses() if at.get("rel") == "next")
    second = stranger.open(following)
    names = (
        set(re.findall(r'href="[^"?]*/(many-\d\d)"', first.text)),
        set(re.findall(r'href="[^"?]*/(many-\d\d)"', second.text)),
    )
    assert (len(names[0]), len(names[1]), len(names[0] | names[1])) == (30, 5, 35)
    assert "Previous page" in second.text


@pytest.mark.parametrize("query", ["after=x", "after=1", "after=-1-2", "after=999999999999999999-1"])
def test_a_cursor_that_nobody_gave_out_is_refused_or_harmless(stranger: Person, query: str) -> None:
    assert stranger.open(f"/models?{query}").status_code in (200, 400)
    assert stranger.open(f"{HERON}/tree/main?page=-1").status_code == 400
    assert stranger.open(f"{HERON}/commits/main?page=99999").status_code == 200


def test_the_language_chosen_in_the_footer_stays(stranger: Person) -> None:
    answer = stranger.open("/models?search=heron&lang=de")
    assert "allmende_lang=de" in answer.headers["set-cookie"]
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert stranger.open("/").headers["content-language"] == "de"
    links = [address for _tag, address, _ in Reading(answer.text).addresses() if "lang=" in address]
    assert links == ["/models?search=heron&lang=en", "/models?search=heron&lang=de"]


def test_a_failure_of_the_hub_has_a_page_that_gives_nothing_away(
    services: Services, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allmende.web.finding.count_repos", lambda *_: 1 / 0)
    answer = stranger.open("/")
    assert (answer.status_code, answer.headers["x-error-code"]) == (500, "internal")
    assert shows(answer.text, "error.500.title")
    assert answer.headers["x-request-id"] in answer.text
    assert "ZeroDivision" not in answer.text


def test_head_answers_as_get_without_a_body(stranger: Person) -> None:
    answer = stranger.client.head(HERON)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/html")


def test_a_disabled_look_up_of_a_user_finds_whatever_case(services: Services, stranger: Person) -> None:
    assert "heron-small" in stranger.open("/ALICE").text
    with services.database.read() as uow:
        assert (
            repo(uow, "model", "alice/heron-small").namespace == as_user(uow, "alice").require_account().name
        )


def test_threads_of_a_running_hub_take_turns_often(services: Services) -> None:
    """A page waits for its turn at each statement where something computes beside it."""
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)
        with TestClient(create_app(services)):
            assert sys.getswitchinterval() <= 0.001
    finally:
        sys.setswitchinterval(before)
