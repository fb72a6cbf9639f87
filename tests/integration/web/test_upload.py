"""Uploading files in the browser: what the script asks, the form without one, and what is refused."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.clock import system_clock
from allmende.flows import Services
from allmende.registry import find_entry, lookup_repo, read_blob, resolve_revision
from allmende.storage import LinkSigner, end_upload, load_secret
from allmende.web import upload_pages
from tests.integration.web.conftest import HTML, ORIGIN, Person
from tests.integration.web.filled import commit, new_repo
from tests.integration.web.reading import Reading, words

NAMES: list[str] = []
MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
LARGE = b"\0\xffweights" * 3


@pytest.fixture(scope="module")
def services(services: Services) -> Services:
    """Small parts, so that a few bytes make several of them."""
    return replace(services, settings=services.settings.model_copy(update={"multipart_part_bytes": MIB}))


@pytest.fixture
def name(services: Services) -> str:
    """A repo of this test alone."""
    made = f"alice/uploaded-{len(NAMES)}"
    NAMES.append(made)
    new_repo(services, "alice", made)
    files = {"README.md": b"# One\n", ".gitattributes": b"*.tok filter=lfs diff=lfs merge=lfs -text\n"}
    files |= {".gitignore": b"*.tmp\n", "docs/a.txt": b"a\n"}
    commit(services, "alice", "model", made, files, "files")
    return made


def person(services: Services, name: str) -> Person:
    found = Person(TestClient(create_app(services), raise_server_exceptions=False))
    assert found.sign_in(name).status_code == 303
    return found


def call(
    who: Person, path: str, body: Any, headers: Mapping[str, str] = ORIGIN, kind: Mapping[str, str] = JSON
) -> httpx2.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return who.client.post(path, content=data, headers={**kind, **headers})


def checked(who: Person, name: str, *files: tuple[str, bytes]) -> Any:
    asked = [
        {"path": path, "size": len(data), "sample": base64.b64encode(data[:512]).decode()}
        for path, data in files
    ]
    return call(who, f"/{name}/upload/main/check", {"files": asked}).json()


def begun(who: Person, name: str, data: bytes) -> Any:
    asked = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    answer = call(who, f"/{name}/upload/main/begin", asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def put(who: Person, told: Any, number: int, data: bytes) -> httpx2.Response:
    path, _, query = told["address"].partition("?")
    return who.client.put(f"{path}/parts/{number}?{query}", content=data)


def finish(who: Person, told: Any, data: bytes, etags: Mapping[int, str]) -> httpx2.Response:
    parts = [{"partNumber": number, "etag": etag} for number, etag in etags.items()]
    return call(who, told["address"], {"oid": hashlib.sha256(data).hexdigest(), "parts": parts})


def lines(parent: str, *values: tuple[str, dict[str, object]]) -> bytes:
    header = {"key": "header", "value": {"summary": "by hand", "parentCommit": parent}}
    every = [header, *({"key": key, "value": value} for key, value in values)]
    return b"".join(json.dumps(line).encode() + b"\n" for line in every)


def inline(path: str, data: bytes) -> tuple[str, dict[str, object]]:
    return "file", {"path": path, "encoding": "base64", "content": base64.b64encode(data).decode()}


def linked(path: str, data: bytes) -> tuple[str, dict[str, object]]:
    return "lfsFile", {
        "path": path,
        "algo": "sha256",
        "oid": hashlib.sha256(data).hexdigest(),
        "size": len(data),
    }


def entry_of(services: Services, name: str, path: str) -> Any:
    with services.database.read() as uow:
        repo = lookup_repo(uow, "model", name)
        assert repo is not None
        return find_entry(uow, resolve_revision(uow, repo, "main").commit.tree_oid, path)


def text_of(services: Services, name: str, path: str) -> bytes:
    entry = entry_of(services, name, path)
    with services.database.read() as uow:
        repo = lookup_repo(uow, "model", name)
        assert repo is not None
        return read_blob(uow, repo.id, entry.oid)


class TestScript:
    def test_each_file_is_judged_by_itself(self, alice: Person, name: str) -> None:
        told = checked(
            alice,
            name,
            ("new.txt", b"text"),
            ("README.md", b"# Two\n"),
            ("w.bin", LARGE),
            ("a.tok", b"text"),
            ("x.tmp", b"t"),
            ("../up", b"t"),
            (".git/config", b"t"),
            ("docs", b"t"),
            ("empty", b""),
        )
        said = told["files"]
        assert [file.get("large") for file in said[:5]] == [False, False, True, True, False]
        assert [file.get("replaces") for file in said[:2]] == [False, True]
        assert said[4]["ignored"] is True
        assert [file["error"]["code"] for file in said[5:8]] == [
            "path_invalid",
            "path_invalid",
            "path_conflict",
        ]
        assert said[8]["large"] is False

    def test_parts_in_any_order_become_one_commit(self, services: Services, alice: Person, name: str) -> None:
        data = bytes(range(256)) * 4096 * 2 + name.encode()
        told = begun(alice, name, data)
        assert (told["present"], told["parts"], told["part_bytes"], told["arrived"]) == (False, 3, MIB, {})
        etags = {}
        for number in (3, 1):
            answer = put(alice, told, number, data[(number - 1) * MIB : number * MIB])
            assert answer.status_code == 200, answer.text
            etags[number] = answer.headers["etag"].strip('"')
        # The line is lost here: another page asks again and hears what stands.
        again = begun(person(services, "alice"), name, data)
        assert again["arrived"] == {str(number): etag for number, etag in etags.items()}
        assert finish(alice, again, data, etags).json()["code"] == "part_missing"
        etags[2] = put(alice, again, 2, data[MIB : 2 * MIB]).headers["etag"].strip('"')
        assert finish(alice, again, data, etags).status_code == 200
        assert begun(alice, name, data) == {"present": True}
        head = checked(alice, name, ("w.bin", data))["head"]
        body = lines(head, linked("deep/w.bin", data), inline("note.txt", b"small"))
        answer = call(alice, f"/{name}/upload/main/commit", body, kind=LINES)
        assert answer.status_code == 200, answer.text
        assert alice.open(answer.json()["address"]).status_code == 200
        assert text_of(services, name, "note.txt") == b"small"
        assert alice.client.get(f"/{name}/resolve/main/deep/w.bin").content == data

    @pytest.mark.parametrize(
        ("number", "size", "status"),
        [
            (0, MIB, 400),
            (3, 5, 400),
            (1, MIB + 1, 400),
            (1, MIB - 1, 400),
            (2, MIB, 400),
            ("x", 5, 400),
        ],
    )
    def test_a_part_that_does_not_fit_is_refused(
        self, alice: Person, name: str, number: int, size: int, status: int
    ) -> None:
        told = begun(alice, name, b"\0" * (MIB + 7))
        answer = put(alice, told, number, b"\0" * size)
        assert answer.status_code == status, answer.text
        assert answer.json()["code"] in ("part_unknown", "size_mismatch")

    def test_other_bytes_than_were_announced_are_not_kept(self, alice: Person, name: str) -> None:
        data = LARGE + name.encode()
        told = begun(alice, name, data)
        etag = put(alice, told, 1, b"\1" * len(data)).headers["etag"].strip('"')
        answer = finish(alice, told, data, {1: etag})
        assert (answer.status_code, answer.json()["code"]) == (400, "hash_mismatch")
        assert begun(alice, name, data)["arrived"] == {}

    def test_a_link_opens_no_other_upload(self, services: Services, alice: Person, name: str) -> None:
        mine, other = begun(alice, name, LARGE + b"1"), begun(alice, name, LARGE + b"2")
        stolen = mine["address"].partition("?")[0] + "?" + other["address"].partition("?")[2]
        assert put(alice, {"address": stolen}, 1, LARGE + b"1").json()["code"] == "link_invalid"
        assert put(alice, {"address": mine["address"].partition("?")[0] + "?"}, 1, LARGE).status_code == 403

    def test_parts_of_others_are_nobody_elses(self, services: Services, alice: Person, name: str) -> None:
        data = LARGE + b"of alice"
        put(alice, begun(alice, name, data), 1, data)
        bob = person(services, "bob")
        assert call(bob, f"/{name}/upload/main/begin", {"sha256": "0" * 64, "size": 3}).status_code == 403
        new_repo(services, "bob", made := f"bob/{name.partition('/')[2]}")
        assert begun(bob, made, data)["arrived"] == {}
        head = checked(bob, made)["head"]
        refused = call(bob, f"/{made}/upload/main/commit", lines(head, linked("w", data)), kind=LINES)
        assert refused.json()["code"] == "content_not_uploaded"

    def test_a_link_ends(self, services: Services, alice: Person, name: str) -> None:
        ago = timedelta(seconds=services.settings.upload_ttl_s + 1)
        signer = LinkSigner(load_secret(services.settings.data / "secret.key"), lambda: system_clock() - ago)
        told = begun(person(replace(services, signer=signer), "alice"), name, LARGE)
        assert put(alice, told, 1, LARGE).json()["code"] == "link_expired"

    def test_an_upload_that_was_given_up_starts_anew(
        self, services: Services, alice: Person, name: str
    ) -> None:
        data = LARGE + name.encode()
        told = begun(alice, name, data)
        etag = put(alice, told, 1, data).headers["etag"].strip('"')
        with services.database.write() as uow:
            end_upload(uow, told["address"].partition("?")[0].rpartition("/")[2])
        assert put(alice, told, 1, data).json()["code"] == "upload_unknown"
        assert finish(alice, told, data, {1: etag}).json()["code"] == "upload_unknown"
        assert begun(alice, name, data)["arrived"] == {}

    def test_a_branch_that_moved_is_said_and_nothing_is_written(
        self, services: Services, alice: Person, name: str
    ) -> None:
        head = checked(alice, name)["head"]
        commit(services, "alice", "model", name, {"b.txt": b"theirs"}, "meanwhile")
        answer = call(alice, f"/{name}/upload/main/commit", lines(head, inline("b.txt", b"mine")), kind=LINES)
        assert (answer.status_code, answer.json()["code"]) == (412, "head_moved")
        head = checked(alice, name)["head"]
        answer = call(alice, f"/{name}/upload/main/commit", lines(head, inline("b.txt", b"mine")), kind=LINES)
        assert answer.status_code == 200
        assert text_of(services, name, "b.txt") == b"mine"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b'{"key":"header","value":{"summary":"s"}}', "parent_missing"),
            (b'{"key":"header","value":{"summary":"s","parentCommit":"abcdef0"}}', "parent_missing"),
            (lines("0" * 40), "nothing_chosen"),
            (lines("0" * 40, inline("../x", b"")), "path_invalid"),
            (lines("0" * 40, inline("a/.GIT/x", b"")), "path_invalid"),
            (b"[]", "commit_malformed"),
        ],
    )
    def test_a_commit_that_is_none_is_refused(self, alice: Person, name: str, body: bytes, code: str) -> None:
        answer = call(alice, f"/{name}/upload/main/commit", body, kind=LINES)
        assert (answer.status_code, answer.json()["code"]) == (400, code)

    @pytest.mark.parametrize(
        ("word", "body"),
        [
            ("check", []),
            ("check", {"files": 1}),
            ("check", {"files": [1]}),
            ("check", {"files": [{}]}),
            ("check", {"files": [{"path": "a", "size": -1}]}),
            ("check", {"files": [{"path": "a", "size": 2**70}]}),
            ("check", {"files": [{"path": "a", "size": 1, "sample": "?"}]}),
            ("check", {"files": [{"path": "\ud800", "size": 1, "sample": 3}]}),
            ("check", {"files": [{}] * 257}),
            ("begin", {"sha256": "A" * 64, "size": 3}),
            ("begin", {"sha256": 3, "size": 3}),
            ("begin", {"sha256": "0" * 64, "size": 0}),
            ("begin", {"sha256": "0" * 64, "size": True}),
            ("begin", {"sha256": "0" * 64, "size": 2**70}),
        ],
    )
    def test_what_is_no_question_is_refused(self, alice: Person, name: str, word: str, body: object) -> None:
        answer = call(alice, f"/{name}/upload/main/{word}", body)
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/json"

    def test_too_large_is_said_before_anything_is_sent(self, alice: Person, name: str) -> None:
        file = {"path": "a.bin", "size": 2**62, "sample": ""}
        told = call(alice, f"/{name}/upload/main/check", {"files": [file]}).json()
        assert told["files"][0]["error"]["code"] == "file_too_large"
        answer = call(alice, f"/{name}/upload/main/begin", {"sha256": "0" * 64, "size": 2**62})
        assert answer.status_code == 413

    def test_what_is_wrong_is_told_in_the_language_of_the_page(self, alice: Person, name: str) -> None:
        german = {**ORIGIN, "Accept-Language": "de"}
        file = {"path": "a.bin", "size": 2**62, "sample": ""}
        told = call(alice, f"/{name}/upload/main/check", {"files": [file]}, german).json()
        assert told["files"][0]["error"]["message"].startswith("Dieser Hub nimmt Dateien bis ")
        refused = call(alice, f"/{name}/upload/main/begin", {"sha256": "0" * 64, "size": 2**62}, german)
        assert refused.json()["message"].startswith("Dieser Hub nimmt Dateien bis ")
        assert refused.json()["error"].startswith("This hub accepts files of at most ")

    @pytest.mark.parametrize("word", ["check", "begin", "commit"])
    @pytest.mark.parametrize("origin", [{}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
    def test_another_site_can_ask_nothing(
        self, alice: Person, name: str, word: str, origin: dict[str, str]
    ) -> None:
        kind = LINES if word == "commit" else JSON
        answer = call(alice, f"/{name}/upload/main/{word}", {"files": []}, headers=origin, kind=kind)
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_foreign")

    @pytest.mark.parametrize("word", ["check", "begin", "commit"])
    def test_nobody_else_may(self, services: Services, stranger: Person, name: str, word: str) -> None:
        kind = LINES if word == "commit" else JSON
        asked = b"{}" if word == "commit" else {"files": [], "sha256": "0" * 64, "size": 3}
        for who, status in ((stranger, 401), (person(services, "bob"), 403)):
            assert call(who, f"/{name}/upload/main/{word}", asked, kind=kind).status_code == status
        secret = call(person(services, "bob"), f"/alice/secret-owl/upload/main/{word}", asked, kind=kind)
        none = call(person(services, "bob"), f"/alice/none-such/upload/main/{word}", asked, kind=kind)
        assert (secret.status_code, secret.json()) == (none.status_code, none.json())

    def test_only_branches_are_written_to(self, alice: Person, name: str) -> None:
        assert call(alice, f"/{name}/upload/nowhere/check", {"files": []}).status_code == 404
        assert alice.open(f"/{name}/upload/nowhere").status_code == 404


class TestPage:
    def test_it_brings_its_script_and_no_other(self, alice: Person, name: str) -> None:
        answer = alice.open(f"/{name}/upload/main?folder=docs/")
        policy = answer.headers["content-security-policy"]
        assert "worker-src 'self'; script-src 'self'; connect-src 'self'" in policy
        page = Reading(answer.text)
        assert len([tag for tag, _attributes in page.elements if tag == "script"]) == 1
        assert 'name="folder" value="docs"' in answer.text
        assert "/upload/main?folder=docs" in alice.open(f"/{name}/tree/main/docs").text

    def test_nobody_else_sees_it(self, services: Services, stranger: Person, name: str) -> None:
        assert stranger.open(f"/{name}/upload/main").status_code == 401
        assert person(services, "bob").open(f"/{name}/upload/main").status_code == 403
        assert "/upload/main" not in stranger.open(f"/{name}/tree/main").text


def sent(
    who: Person, name: str, files: list[tuple[str, bytes]], headers: Mapping[str, str] = ORIGIN, **fields: str
) -> httpx2.Response:
    (parent,) = [
        attributes["value"]
        for tag, attributes in Reading(who.open(f"/{name}/upload/main").text).elements
        if tag == "input" and attributes.get("name") == "parent"
    ]
    return who.client.post(
        f"/{name}/upload/main",
        data={"parent": parent, **fields},
        files=[("files", (file, data, "application/octet-stream")) for file, data in files],
        headers={**HTML, **headers},
        follow_redirects=False,
    )


def bare(about: bytes, data: bytes) -> bytes:
    """A form of one part, as no browser writes it."""
    return b"--x\r\nContent-Disposition: form-data" + about + b"\r\n\r\n" + data + b"\r\n--x--\r\n"


class TestForm:
    def test_files_small_and_large_become_one_commit(
        self, services: Services, alice: Person, name: str
    ) -> None:
        files = [("a.txt", b"text"), ("w.bin", LARGE), (r"C:\home\b.txt", b"b")]
        answer = sent(alice, name, files, folder="more", title="Three of them")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/{name}/tree/main/more")
        assert text_of(services, name, "more/a.txt") == b"text"
        assert text_of(services, name, "more/b.txt") == b"b"
        assert entry_of(services, name, "more/w.bin").pointer.oid == hashlib.sha256(LARGE).hexdigest()
        assert alice.client.get(f"/{name}/resolve/main/more/w.bin").content == LARGE
        assert "Three of them" in alice.open(f"/{name}/commits/main").text

    def test_a_file_is_replaced_only_when_it_is_said(
        self, services: Services, alice: Person, name: str
    ) -> None:
        answer = sent(alice, name, [("README.md", b"# Two\n")], title="kept <words>")
        assert answer.status_code == 409
        assert "There is README.md already." in words(answer.text)
        assert "kept &lt;words&gt;" in answer.text
        assert text_of(services, name, "README.md") == b"# One\n"
        assert sent(alice, name, [("README.md", b"# Two\n")], replace="yes").status_code == 303
        assert text_of(services, name, "README.md") == b"# Two\n"

    @pytest.mark.parametrize(
        ("files", "folder", "status"),
        [
            ([], "", 400),
            ([("a", b""), ("a", b"")], "", 400),
            ([("..", b"")], "", 400),
            ([("a", b"")], "../..", 400),
            ([(".git", b"")], "", 400),
            ([("a", b"")], "README.md", 400),
            ([("docs", b"")], "", 409),
        ],
    )
    def test_what_may_not_be_is_refused_in_the_form(
        self, alice: Person, name: str, files: list[tuple[str, bytes]], folder: str, status: int
    ) -> None:
        answer = sent(alice, name, files or [("", b"")], folder=folder)
        assert answer.status_code == status, answer.text
        assert 'role="alert"' in answer.text

    def test_it_is_bounded_by_what_is_declared_and_by_what_comes(
        self, alice: Person, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(upload_pages, "MAX_FORM_UPLOAD_BYTES", 2000)
        answer = sent(alice, name, [("a.bin", b"x" * 3000)])
        assert (answer.status_code, answer.headers["x-error-code"]) == (413, "form_too_large")

        def endless() -> Any:
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
            for _ in range(100):
                yield b"y" * 100

        headers = {**HTML, **ORIGIN, "Content-Type": "multipart/form-data; boundary=x"}
        answer = alice.client.post(f"/{name}/upload/main", content=endless(), headers=headers)
        assert (answer.status_code, answer.headers["x-error-code"]) == (413, "form_too_large")

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("application/x-www-form-urlencoded", b"act=x"),
            ("multipart/form-data", b"--x--"),
            ("multipart/form-data; boundary=x", b"nothing of the kind"),
            ("multipart/form-data; boundary=x", bare(b"", b"z")),
            ("multipart/form-data; boundary=x", bare(b'; name="files"; filename="\xff"', b"z")),
            ("multipart/form-data; charset=none; boundary=x", bare(b'; name="title"', b"\xff")),
        ],
    )
    def test_what_is_no_form_is_refused(self, alice: Person, name: str, kind: str, body: bytes) -> None:
        headers = {**HTML, **ORIGIN, "Content-Type": kind}
        answer = alice.client.post(f"/{name}/upload/main", content=body, headers=headers)
        assert answer.status_code == 400, answer.text

    def test_another_site_or_person_sends_nothing(
        self, services: Services, alice: Person, stranger: Person, name: str
    ) -> None:
        answer = sent(alice, name, [("a", b"")], headers={"Origin": "http://evil.example"})
        assert (answer.status_code, answer.headers["x-error-code"]) == (403, "origin_foreign")
        for who, status in ((stranger, 401), (person(services, "bob"), 403)):
            answer = who.client.post(
                f"/{name}/upload/main", files=[("files", ("a", b""))], headers={**HTML, **ORIGIN}
            )
            assert answer.status_code == status
        assert entry_of(services, name, "a") is None


def move(who: Person, name: str, path: str, **fields: str) -> httpx2.Response:
    page = who.open(f"/{name}/move/main/{path}")
    assert page.status_code == 200, page.text
    parent = next(
        attributes["value"]
        for tag, attributes in Reading(page.text).elements
        if tag == "input" and attributes.get("name") == "parent"
    )
    return who.send(f"/{name}/move/main/{path}", {"parent": parent, **fields})


class TestMoving:
    def test_a_file_and_a_folder_move_with_what_is_in_them(
        self, services: Services, alice: Person, name: str
    ) -> None:
        sent(alice, name, [("w.bin", LARGE)], folder="docs")
        answer = move(alice, name, "README.md", act="move", target="text/CARD.md", title="Another place")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/{name}/blob/main/text/CARD.md")
        assert text_of(services, name, "text/CARD.md") == b"# One\n"
        assert entry_of(services, name, "README.md") is None
        answer = move(alice, name, "docs", act="move", target="papers/old")
        assert answer.headers["location"] == f"/{name}/tree/main/papers/old"
        assert text_of(services, name, "papers/old/a.txt") == b"a\n"
        assert alice.client.get(f"/{name}/resolve/main/papers/old/w.bin").content == LARGE
        assert entry_of(services, name, "docs") is None
        history = alice.open(f"/{name}/commits/main").text
        assert "Another place" in history
        assert "Move docs to papers/old" in history

    def test_a_folder_is_deleted_and_history_keeps_it(
        self, services: Services, alice: Person, name: str
    ) -> None:
        answer = move(alice, name, "docs", act="remove")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/{name}/tree/main")
        assert entry_of(services, name, "docs") is None

    @pytest.mark.parametrize(
        ("path", "target"),
        [
            ("docs", "docs/in"),
            ("docs", "docs"),
            ("docs", "README.md"),
            ("README.md", "docs"),
            ("docs", "../x"),
            ("docs", ""),
            ("docs", ".git/x"),
            ("docs", "README.md/x"),
        ],
    )
    def test_where_it_may_not_go(
        self, services: Services, alice: Person, name: str, path: str, target: str
    ) -> None:
        answer = move(alice, name, path, act="move", target=target)
        assert answer.status_code == 409, answer.text
        assert 'role="alert"' in answer.text
        assert text_of(services, name, "docs/a.txt") == b"a\n"

    def test_what_moved_meanwhile_is_said(self, services: Services, alice: Person, name: str) -> None:
        old = {"parent": "0" * 40, "act": "remove"}
        answer = alice.send(f"/{name}/move/main/docs", old)
        assert answer.status_code == 409
        assert entry_of(services, name, "docs") is not None
        assert alice.open(f"/{name}/move/main/none").status_code == 404
        assert alice.open(f"/{name}/move/main/").status_code == 404


def test_a_preview_knows_the_folder_of_the_text(alice: Person, name: str) -> None:
    text = "![it](pic.png) [near](b.md)"
    fields = {"parent": "0" * 40, "path": "docs/c.md", "text": text, "act": "preview"}
    page = alice.send(f"/{name}/new/main", fields).text
    assert f"/{name}/resolve/main/docs/pic.png" in page
    assert f"/{name}/blob/main/docs/b.md" in page
