"""The register of applications over HTTP: rights, versions, assessments and what moved, evidence of it."""

import hashlib
import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt
from sqlalchemy import text
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.applications import (
    TooManyApplications,
    TooManyVersions,
    newest_assessment,
    readable_application,
)
from allmende.flows import (
    Services,
    change_application,
    open_services,
    policy_text,
    register_application,
    run_log,
)
from allmende.law import markdown_text
from allmende.log import newest_entry
from allmende.proof import judge_evidence
from allmende.registry import (
    AddFile,
    Scope,
    Submission,
    authenticate,
    create_account,
    find_account,
    issue_token,
    prepare,
    readable_repo,
    receive,
    set_member,
)
from allmende.settings import Settings
from tests.databases import new_schema
from tests.integration.api.test_lineage import API, BASE, TUNED, Family
from tests.integration.flows.families import safetensors_of
from tests.scanners import scanner_in_process

CHAT = """schema: allmende.application/1
name: Help desk
operator: {roles: [deployer], established: union}
system: {infers: yes, on_union_market: yes, purposes: [], practices: []}
models:
  - name: alice/base
    role: integrates
  - name: elsewhere/model
    role: integrates
"""


@pytest.fixture
def services(tmp_path) -> Services:
    opened = open_services(Settings(data=tmp_path / "data", workers=0))
    services = replace(opened, scanner=scanner_in_process())
    new_schema(services.database)
    with services.database.write() as uow:
        users = {name: create_account(uow, name, "user") for name in ("alice", "bob", "rea")}
        for name, user in users.items():
            issue_token(uow, user, "t", "write", secret=f"token-of-{name}")
        lab = create_account(uow, "lab", "org")
        set_member(uow, lab, users["bob"], "write")
        set_member(uow, lab, users["rea"], "read")
    return services


@pytest.fixture
def hub(services: Services) -> Iterator[Family]:
    with TestClient(create_app(services), base_url="http://127.0.0.1", follow_redirects=False) as client:
        made = Family(client, services)
        made.publish("alice/base", "model.safetensors", safetensors_of(BASE), {})
        made.work()
        yield made


def send(
    hub: Family, method: str, path: str, by: str | None, body: str = "", **query: str | int | bool
) -> Any:
    headers = {} if by is None else {"Authorization": f"Bearer token-of-{by}"}
    return hub.client.request(
        method, f"{API}/applications/{path}", content=body.encode(), headers=headers, params=query
    )


def register(hub: Family, name: str = "lab/desk", by: str = "bob", **query: str | int | bool) -> Any:
    answer = send(hub, "POST", name, by, CHAT, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def licence_is(hub: Family, licence: str) -> None:
    """Give the model's card another licence."""
    card = f"---\nlicense: {licence}\n---\n".encode()
    submission = Submission("main", "licence", "", [AddFile("README.md", card)], None, create_pr=False)
    with hub.services.database.write() as uow:
        actor = authenticate(uow, "token-of-alice")
        repo = readable_repo(uow, actor, "model", "alice/base")
        receive(uow, hub.services.queue, actor, repo, prepare(submission, 10**6))


def all_logged(hub: Family) -> None:
    """Have everything in the log; the hub's own thread may be at it already."""
    behind = text("SELECT (SELECT max(id) FROM outbox) - (SELECT max(outbox_id) FROM log_entry)")
    deadline = time.monotonic() + 60
    while True:
        run_log(hub.services)
        with hub.services.database.read() as uow:
            if uow.execute(behind).scalar_one() == 0:
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def history(hub: Family, name: str = "lab/desk", by: str | None = "rea") -> list[dict[str, Any]]:
    answer = send(hub, "GET", f"{name}/assessments", by)
    assert answer.status_code == 200, answer.text
    return answer.json()["assessments"]


def test_a_private_application_is_there_for_its_namespace_alone(hub: Family) -> None:
    made = register(hub)
    assert (made["private"], made["version"], made["assessment"]) == (True, 1, 1)
    for method, path in (
        ("GET", ""),
        ("GET", "/assessment"),
        ("GET", "/description"),
        ("DELETE", ""),
        ("PUT", ""),
    ):
        for stranger in (None, "alice"):
            answer = send(hub, method, f"lab/desk{path}", stranger, CHAT)
            assert (answer.status_code, answer.json()["code"]) == (404, "application_not_found")
    assert hub(f"{API}/applications").json()["applications"] == []
    assert [one["application"] for one in hub(f"{API}/applications", "rea").json()["applications"]] == [
        "lab/desk"
    ]
    assert send(hub, "GET", "lab/desk/description", "rea").text == CHAT
    for method in ("DELETE", "PUT"):
        assert send(hub, method, "lab/desk", "rea", CHAT).status_code == 403
    assert send(hub, "POST", "lab/other", "rea", CHAT).status_code == 403
    assert send(hub, "POST", "alice/desk", "bob", CHAT).json()["code"] == "namespace_closed"
    assert send(hub, "POST", "lab/desk", "bob", CHAT).status_code == 409
    assert send(hub, "POST", "lab/x", None, CHAT).status_code == 401


def test_facts_of_the_hub_enter_with_their_source(hub: Family) -> None:
    made = register(hub)
    known = {one["name"]: one for one in made["models"]}
    assert known["alice/base"]["known"]["licence"] == "mit"
    assert known["elsewhere/model"]["on_this_hub"] is False
    facts = send(hub, "GET", "lab/desk/assessment", "bob").json()["facts"]
    model = facts["model:alice/base"]
    assert (model["model.licence"]["value"], model["model.licence"]["source"]) == ("mit", "declared")
    assert "transparency record" in model["model.licence"]["evidence"]
    assert model["model.parameters"]["source"] == "derived"
    assert model["model.licence_free"]["value"] == "free"
    assert model["model.role"]["source"] == "declared"
    assert set(facts["model:elsewhere/model"]) == {"model.role"}


def test_a_change_of_the_licence_is_told_with_the_fact_that_caused_it(hub: Family) -> None:
    register(hub)
    licence_is(hub, "cc-by-nc-4.0")
    hub.work()
    newest, first = history(hub)
    assert (newest["number"], first["number"], first["moved"]) == (2, 1, None)
    models = {(one["model"], one["what"]): one for one in newest["moved"]["models"]}
    assert models["alice/base", "licence"]["after"] == "cc-by-nc-4.0"
    assert ("alice/base", "commit") in models
    causes = {
        cause["name"] for change in newest["moved"]["assessment"]["changes"] for cause in change["causes"]
    }
    assert {"model.licence", "model.licence_free"} & causes
    changes = newest["moved"]["assessment"]["changes"]
    assert "unexplained" not in {cause["kind"] for change in changes for cause in change["causes"]}
    hub.work()
    assert len(history(hub)) == 2, "nothing moved, so nothing is kept"


def test_what_a_description_declares_goes_before_and_the_difference_is_told(hub: Family) -> None:
    send(
        hub,
        "POST",
        "lab/desk",
        "bob",
        CHAT.replace("    role: integrates\n", "    role: integrates\n    licence: apache-2.0\n", 1),
    )
    with hub.services.database.read() as uow:
        actor = authenticate(uow, "token-of-bob")
        kept = newest_assessment(uow, readable_application(uow, actor, "lab", "desk"))
    assert kept is not None
    assert kept.json["facts"]["model:alice/base"]["model.licence"]["value"] == "apache-2.0"
    assert kept.basis["differ"] == [
        {"model": "alice/base", "fact": "model.licence", "described": "apache-2.0", "known": "mit"}
    ]


def test_a_model_that_becomes_private_is_told_of_no_more(hub: Family) -> None:
    register(hub, private=False)
    assert hub(f"{API}/applications/lab/desk/assessment").status_code == 200
    settings = hub.client.put(
        "/api/models/alice/base/settings",
        json={"private": True},
        headers={"Authorization": "Bearer token-of-alice"},
    )
    assert settings.status_code == 200
    answer = hub(f"{API}/applications/lab/desk/assessment")
    assert (answer.status_code, answer.json()["code"]) == (404, "assessment_withheld")
    hub.work()
    again = hub(f"{API}/applications/lab/desk/assessment").json()
    assert set(again["facts"]["model:alice/base"]) == {"model.role"}
    newest, first = history(hub, by=None)
    assert newest["moved"] is None, "what moved would say that a model is here"
    assert (first["shown"], first["moved"]) == (False, None)
    assert "mit" not in json.dumps(newest)


def test_private_models_enter_private_applications_of_their_namespace_alone(hub: Family) -> None:
    hub.publish("bob/own", "model.safetensors", safetensors_of(TUNED), {}, private=True)
    hub.work()
    described = CHAT.replace("alice/base", "bob/own")
    for name, linked in (("lab/one", False), ("bob/two", True)):
        models = {one["name"]: one for one in send(hub, "POST", name, "bob", described).json()["models"]}
        assert models["bob/own"]["on_this_hub"] is linked
    shown = hub.client.put(
        f"{API}/applications/bob/two/visibility",
        json={"private": False},
        headers={"Authorization": "Bearer token-of-bob"},
    )
    assert shown.status_code == 200, shown.text
    assert hub(f"{API}/applications/bob/two/assessment").status_code == 404
    hub.work()
    facts = hub(f"{API}/applications/bob/two/assessment").json()["facts"]
    assert set(facts["model:bob/own"]) == {"model.role"}
    (only,) = history(hub, "bob/two", None)
    assert (only["number"], only["moved"]) == (2, None)
    details = {by: hub(f"{API}/applications/bob/two", by).json()["models"][0] for by in ("alice", "bob")}
    assert [details[by]["on_this_hub"] for by in ("alice", "bob")] == [False, True]


def told_to_strangers(hub: Family, name: str, model: str) -> dict[str, str]:
    """All that a stranger can get of an application, without its names, times and digests."""
    found = {}
    for path in ("", "/assessments", "/assessment", "/assessment?format=markdown", "/documents/annex-iv"):
        found[path] = hub(f"{API}/applications/{name}{path}", "alice").text
    found["page"] = hub(f"/applications/{name}", "alice").text
    pack = send(hub, "GET", f"{name}/evidence", "alice")
    assert pack.status_code == 200, pack.text
    with zipfile.ZipFile(io.BytesIO(pack.content)) as packed:
        names = sorted(packed.namelist())
        found["names"] = json.dumps(names)
        for one in names:
            if one.startswith("attached/"):
                found[one] = packed.read(one).decode()
    for word, put in (
        (markdown_text(model), "MODEL"),
        (model, "MODEL"),
        (name, "APPLICATION"),
        (f"<wbr>{name[4:]} ", "APPLICATION"),
    ):
        found = {path: text.replace(word, put) for path, text in found.items()}
    varying = r"[0-9a-f]{64}|\d{4}-\d\d-\d\dT[0-9:.]+Z?|\d\d:\d\d(:\d\d)?"
    return {path: re.sub(varying, "-", text) for path, text in found.items()}


def test_a_private_model_looks_to_strangers_like_one_that_never_was(hub: Family) -> None:
    hub.publish("bob/own", "model.safetensors", safetensors_of(TUNED), {}, private=True)
    hub.work()
    models = {"bob/one": "bob/own", "bob/two": "bob/xyz"}
    for name, model in models.items():
        assert send(hub, "POST", name, "bob", CHAT.replace("alice/base", model)).status_code == 200
        answer = hub.client.put(
            f"{API}/applications/{name}/visibility",
            json={"private": False},
            headers={"Authorization": "Bearer token-of-bob"},
        )
        assert answer.status_code == 200
        withheld = hub(f"{API}/applications/{name}/assessment", "alice")
        assert (withheld.status_code, withheld.json()["code"]) == (404, "assessment_withheld")
    hub.work()
    one, two = (told_to_strangers(hub, name, model) for name, model in models.items())
    for path, told in one.items():
        assert told == two[path], path
    assert "seen" not in one["attached/models.json"]


def test_a_model_is_followed_when_it_is_renamed(hub: Family) -> None:
    register(hub)
    all_logged(hub)
    renamed = hub.client.post(
        "/api/repos/move",
        json={"fromRepo": "alice/base", "toRepo": "alice/renamed", "type": "model"},
        headers={"Authorization": "Bearer token-of-alice"},
    )
    assert renamed.status_code == 200, renamed.text
    found = judge_evidence(
        io.BytesIO(send(hub, "GET", "lab/desk/evidence", "rea").content), policy_text(hub.services).encode()
    )
    assert [one.repo for one in found.revisions] == ["alice/renamed"], "before it is assessed again"
    described = send(hub, "PUT", "lab/desk", "bob", CHAT.replace("Help desk", "Desk")).json()
    known = {one["name"]: one["known"] for one in described["models"]}
    assert known["alice/base"]["repo"] == "alice/renamed"
    hub.publish("alice/base", "model.safetensors", safetensors_of(TUNED), {})
    hub.work()
    described = send(hub, "PUT", "lab/desk", "bob", CHAT.replace("Help desk", "The desk")).json()
    known = {one["name"]: one["known"] for one in described["models"]}
    assert known["alice/base"]["repo"] == "alice/base", "the name is another repo's now"


def test_a_hub_keeps_so_many_applications_and_versions(services: Services) -> None:
    few = services.settings.model_copy(update={"max_applications": 1, "max_application_versions": 2})
    services = replace(services, settings=few)
    with services.database.read() as uow:
        bob = authenticate(uow, "token-of-bob")
    register_application(services, bob, "lab", "desk", CHAT, private=True)
    with pytest.raises(TooManyApplications, match="lab has 1 applications"):
        register_application(services, bob, "lab", "other", CHAT, private=True)
    register_application(services, bob, "bob", "other", CHAT, private=True)
    change_application(services, bob, "lab", "desk", CHAT.replace("Help desk", "Desk"))
    with pytest.raises(TooManyVersions, match="described 2 times") as caught:
        change_application(services, bob, "lab", "desk", CHAT)
    assert "max_application_versions" in str(caught.value.hint)


def test_a_list_reads_no_document(hub: Family) -> None:
    register(hub)
    licence_is(hub, "cc-by-nc-4.0")
    hub.work()
    with hub.services.database.write() as uow:
        uow.execute(text("UPDATE application_assessment SET document = inputs"))
    newest, first = history(hub)
    assert (newest["number"], first["number"]) == (2, 1)
    page = send(hub, "GET", "lab/desk/assessments", "rea", limit=1).json()
    assert [one["number"] for one in page["assessments"]] == [2]
    assert page["assessments"][0]["moved"]["models"], "what moved is told on a page by itself"
    assert page["next"] == 2
    rest = send(hub, "GET", "lab/desk/assessments", "rea", limit=1, before=2).json()
    assert ([one["number"] for one in rest["assessments"]], rest["next"]) == ([1], None)


def test_a_model_that_is_not_described_any_more_leaves_no_trace_for_strangers(hub: Family) -> None:
    hub.publish("bob/secret", "model.safetensors", safetensors_of(TUNED), {}, private=True)
    hub.work()
    assert send(hub, "POST", "bob/app", "bob", CHAT.replace("alice/base", "bob/secret")).status_code < 300
    assert send(hub, "PUT", "bob/app", "bob", CHAT).status_code == 200
    assert "bob/secret" in json.dumps(history(hub, "bob/app", "bob")[0]["moved"])
    shown = hub.client.put(
        f"{API}/applications/bob/app/visibility",
        json={"private": False},
        headers={"Authorization": "Bearer token-of-bob"},
    )
    assert shown.status_code == 200
    hub.work()
    told = history(hub, "bob/app", None)
    assert "bob/secret" not in json.dumps(told)
    pack = send(hub, "GET", "bob/app/evidence", "alice")
    assert pack.status_code == 200
    with zipfile.ZipFile(io.BytesIO(pack.content)) as packed:
        (name,) = [one for one in packed.namelist() if one.endswith("history.json")]
        assert b"bob/secret" not in packed.read(name)


def test_the_place_of_a_list_names_nothing_that_a_token_does_not_see(hub: Family) -> None:
    for name in ("bob/aa-hidden", "bob/bb"):
        assert send(hub, "POST", name, "bob", CHAT).status_code < 300
    with hub.services.database.write() as uow:
        bob = find_account(uow, "bob")
        assert bob is not None
        scopes = (Scope("application/bob/bb", "read"),)
        issue_token(uow, bob, "narrow", "fine_grained", scopes=scopes, secret="token-of-narrow")
    listed = hub(f"{API}/applications?limit=1", "narrow").json()
    assert [one["application"] for one in listed["applications"]] == ["bob/bb"]
    assert listed["next"] is None


def test_versions_are_kept_and_nobody_overwrites_what_they_have_not_read(hub: Family) -> None:
    register(hub)
    second = CHAT.replace("purposes: []", "purposes: [creditworthiness]")
    assert send(hub, "PUT", "lab/desk", "bob", second, replaces=1).json()["version"] == 2
    stale = send(hub, "PUT", "lab/desk", "bob", CHAT, replaces=1)
    assert (stale.status_code, stale.json()["code"]) == (412, "application_changed")
    assert send(hub, "GET", "lab/desk/description", "bob", version=1).text == CHAT
    assert send(hub, "GET", "lab/desk/description", "bob").text == second
    moved = history(hub)[0]["moved"]["assessment"]["changes"]
    assert {cause["name"] for change in moved for cause in change["causes"]} >= {"system.purposes"}
    assert send(hub, "DELETE", "lab/desk", "bob").status_code == 200
    assert send(hub, "GET", "lab/desk", "bob").status_code == 404


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (CHAT + "colour: red\n", "colour"),
        (CHAT.replace("infers: yes", "infers: perhaps"), "system.infers"),
        ("", "were expected here"),
        ("a: &x [*x]", "Anchors"),
    ],
)
def test_what_cannot_be_assessed_is_a_list_of_questions(hub: Family, body: str, says: str) -> None:
    answer = send(hub, "POST", "lab/desk", "bob", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "application_impossible")
    assert says.lower() in answer.json()["message"].lower()
    assert send(hub, "GET", "lab/desk", "bob").status_code == 404
    tried = hub.client.post(f"{API}/assess", content=body.encode())
    assert (tried.status_code, tried.json()["code"]) == (400, "application_impossible")


def test_a_try_out_keeps_nothing_and_speaks_two_languages(hub: Family) -> None:
    english = hub.client.post(f"{API}/assess", content=CHAT.encode()).json()
    german = hub.client.post(f"{API}/assess?lang=de", content=CHAT.encode()).json()
    assert [line["answer"] for line in english["lines"]] == [line["answer"] for line in german["lines"]]
    assert english["footer"] != german["footer"]
    report = hub.client.post(f"{API}/assess?format=markdown", content=CHAT.encode())
    assert report.headers["content-type"].startswith("text/markdown")
    plain = hub.client.post(f"{API}/assess?format=text", content=CHAT.encode())
    assert plain.headers["content-type"].startswith("text/plain")
    assert "══ The application" in plain.text
    evil = CHAT.replace("Help desk", "'<b>x</b> [y](https://e.example) \u202e | z'")
    told = hub.client.post(f"{API}/assess?format=markdown", content=evil.encode()).text
    kinds = {child.type for token in MarkdownIt().parse(told) for child in token.children or []}
    assert kinds <= {"text", "text_special"}
    assert "\u202e" not in told
    assert hub.client.post(f"{API}/assess?lang=xx", content=CHAT.encode()).status_code == 400
    assert hub(f"{API}/applications", "bob").json()["applications"] == []


def test_the_list_comes_in_pages(hub: Family) -> None:
    for name in ("lab/c", "bob/B", "lab/a"):
        register(hub, name)
    found, after = [], ""
    while True:
        page = hub(f"{API}/applications?limit=1" + (f"&after={after}" if after else ""), "bob").json()
        found += [one["application"] for one in page["applications"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == ["bob/B", "lab/a", "lab/c"]
    listed = hub(f"{API}/applications?namespace=LAB", "bob").json()["applications"]
    assert [one["application"] for one in listed] == ["lab/a", "lab/c"]


def test_the_evidence_pack_verifies_without_the_hub_and_is_logged_on_request(hub: Family) -> None:
    register(hub)
    all_logged(hub)
    assert hub.client.get(f"{API}/applications/lab/desk/evidence").status_code == 401
    assert send(hub, "GET", "lab/desk/evidence", "alice").status_code == 404
    assert send(hub, "POST", "lab/desk/evidence", "rea").status_code == 403
    policy = policy_text(hub.services).encode()
    packed = b""
    for method, by in (("GET", "rea"), ("POST", "bob")):
        answer = send(hub, method, "lab/desk/evidence", by)
        assert answer.status_code == 200, answer.text
        packed = answer.content
        found = judge_evidence(io.BytesIO(packed), policy)
        assert (found.verdict.state, found.scope) == ("verified", "application lab/desk"), found.verdict
        assert [one.repo for one in found.revisions] == ["alice/base"]
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        names = set(opened.namelist())
        assert opened.read("attached/application.yaml") == CHAT.encode()
        assert b"not legal advice" in opened.read("attached/assessment.en.md")
        manifest = hashlib.sha256(opened.read("manifest.json")).hexdigest()
        parts = {name: opened.read(name) for name in names}
    assert {"attached/assessment.json", "attached/assessment.de.md", "attached/history.json"} <= names
    parts["attached/assessment.json"] += b" "
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as opened:
        for name, data in parts.items():
            opened.writestr(name, data)
    assert judge_evidence(forged, policy).verdict.state == "refused"
    all_logged(hub)
    with hub.services.database.read() as uow:
        entry = newest_entry(uow, "assessment")
    assert entry is not None
    assert entry.veiled, "what a private application does is veiled"
    assert entry.statement is not None
    assert manifest in entry.statement.decode()
    assert manifest not in entry.entry.decode()


def test_the_log_tells_of_public_applications_and_of_no_name(hub: Family) -> None:
    register(hub, private=False)
    assert send(hub, "DELETE", "lab/desk", "bob").status_code == 200
    all_logged(hub)
    with hub.services.database.read() as uow:
        shown = newest_entry(uow, "assessment")
        deleted = newest_entry(uow, "delete")
    assert shown is not None
    assert deleted is not None
    assert not shown.veiled
    told = json.loads(shown.entry)
    assert set(told) >= {"subject", "assessment", "pack"}
    assert told["subject"] == json.loads(deleted.entry)["subject"]
    for entry in (shown, deleted):
        assert entry.statement is not None
        assert b"desk" not in entry.statement
        assert b"lab" not in entry.statement


def test_a_token_for_single_things_sees_and_changes_no_other(hub: Family) -> None:
    register(hub)
    scopes = {"this": "application/lab/desk", "model": "model/lab/desk", "other": "application/lab/x"}
    with hub.services.database.write() as uow:
        bob = authenticate(uow, "token-of-bob").require_account()
        for name, entity in scopes.items():
            secret = f"token-of-{name}"
            scope = (Scope(entity, "write"),)
            issue_token(uow, bob, name, "fine_grained", secret=secret, scopes=scope)
        issue_token(uow, bob, "reads", "read", secret="token-of-reads")
    assert send(hub, "PUT", "lab/desk", "this", CHAT).status_code == 200
    for name in ("model", "other"):
        assert send(hub, "GET", "lab/desk", name).status_code == 404
        assert hub(f"{API}/applications", name).json()["applications"] == []
    assert send(hub, "GET", "lab/desk", "reads").status_code == 200
    for method, path in (("PUT", ""), ("DELETE", ""), ("POST", "/evidence")):
        assert send(hub, method, f"lab/desk{path}", "reads", CHAT).status_code == 403


@pytest.mark.parametrize("kind", ["annex-iv", "fria"])
def test_skeletons_of_documents_are_made_from_the_assessment(hub: Family, kind: str) -> None:
    register(hub)
    for language, form in (("en", "markdown"), ("de", "json")):
        answer = send(hub, "GET", f"lab/desk/documents/{kind}", "rea", lang=language, format=form)
        assert answer.status_code == 200, answer.text
        assert "Help desk" in answer.text
    assert send(hub, "GET", "lab/desk/documents/annex-xi", "rea").status_code == 400
    assert send(hub, "GET", f"lab/desk/documents/{kind}", None).status_code == 404
