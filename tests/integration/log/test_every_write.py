"""Every write is done once, as its callers do it, and looked for in the log: what it changed has its entry.

The tables of `test_completeness` say which addresses and commands there are. Here is a call for each that
writes; one without a call fails, and one whose event does not become an entry fails too. What is said to
leave none is called as well, and must leave none.
"""

import html
import json
import re
from collections.abc import Callable

import pytest
from starlette.routing import Route

from allmende import api, hub, web
from allmende.http import register_convertors
from allmende.merkle import KeyKind, generate_key
from allmende.proof import (
    Resource,
    Statement,
    Subject,
    TestResultPredicate,
    generate_signer,
    sign_statement,
)
from tests import scan_samples as samples
from tests.attack.route_table import paths_of
from tests.integration.log.acting import API, PASSWORD, Hub, filled
from tests.integration.log.test_completeness import WITHOUT_ACT, WRITING, bare, changing_routes

__all__ = ["filled"]


def change_by_form(hub: Hub, way: str) -> None:
    """A file written in the browser: `edit` of one that is there, `new`."""
    name = hub.repo()
    target = f"/{name}/edit/main/README.md" if way == "edit" else f"/{name}/new/main"
    (parent,) = set(re.findall(r'name="parent" value="([0-9a-f]{40})"', hub.client.get(target).text))
    hub.form(target, parent=parent, text="other", title="t", act="save", path="other.txt")


def head(hub: Hub, name: str) -> str:
    return str(hub.send("GET", f"/api/models/{name}/revision/main").json()["sha"])


def move_by_form(hub: Hub) -> None:
    name = hub.repo({"a.txt": "a"})
    target = f"/{name}/move/main/a.txt"
    hub.form(target, parent=head(hub, name), target="b.txt", title="", act="move")
    hub.form(f"/{name}/move/main/b.txt", parent=head(hub, name), title="", act="remove")


def delete_by_form(hub: Hub, folder: str) -> None:
    name = hub.repo({f"{folder}a.txt": "a", f"{folder}b.txt": "b"})
    chosen = {"choose a.txt": "yes", "choose b.txt": "yes"}
    target = f"/{name}/delete/main/{folder}".rstrip("/")
    hub.form(target, parent=head(hub, name), act="remove", **chosen)


def upload_by_form(hub: Hub) -> None:
    name = hub.repo()
    fields = {"parent": head(hub, name), "folder": "", "title": "", "message": ""}
    hub.browse(f"/{name}/upload/main", data=fields, files={"files": ("a.txt", b"a")})


def upload_by_script(hub: Hub) -> None:
    name = hub.repo()
    lines = [
        {"key": "header", "value": {"summary": "upload", "parentCommit": head(hub, name)}},
        {"key": "file", "value": {"path": "a.txt", "content": "YQ==", "encoding": "base64"}},
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    hub.browse(f"/{name}/upload/main/commit", content=body)


def change_users(hub: Hub) -> None:
    """A user made, and all that an administrator does to one."""
    hub.form("/settings/hub/users", name="gina", fullname="", email="")
    secret = "another rather long word"
    mine = {"password": PASSWORD}
    for fields in (
        {"act": "password", "new": secret, "again": secret},
        {"act": "admin"},
        {"act": "plain"},
        {"act": "lock"},
        {"act": "unlock"},
        {"act": "erase", "name": "gina"},
    ):
        hub.form("/settings/hub/users/gina", **mine, **fields)


def lift_as_administrator(hub: Hub) -> None:
    name = hub.repo({"broken.pkl": samples.QUARANTINED})
    hub.work("examine")
    repo = {"type": "model", "repo": name}
    lifting = {"act": "lift", "revision": "main", "path": "broken.pkl", "rule": "", "reason": "I made it"}
    hub.form("/settings/hub/overrides", **repo, **lifting)
    hub.form("/settings/hub/overrides", **repo, act="revoke", number=str(hub.lifted(name)))


def scan_again(hub: Hub) -> None:
    hub.repo({"good.pkl": samples.CLEAN})
    hub.form("/settings/hub/policy", act="scan")
    hub.work("examine", "rescan")


def change_peers(hub: Hub) -> None:
    key = generate_key("peer.example/log", KeyKind.ED25519).verifier.text
    hub.form("/settings/hub/peers", act="add", key=key, url="", password=PASSWORD)
    hub.form("/settings/hub/peers", act="remove", key=key)


def copy_large(hub: Hub) -> None:
    source, target = hub.repo(), hub.repo()
    hub.large(source, b"large" * 5000)
    hub.work("chunk", "chunk_missing", "examine")
    listed = hub.send("GET", f"/api/models/{source}/tree/main?expand=true").json()
    (found,) = [one for one in listed if one["path"] == "large.bin"]
    files = [{"xetHash": found["xetHash"], "sha256": found["lfs"]["oid"], "filename": "large.bin"}]
    hub.send(
        "POST",
        f"/api/models/{source}/lfs-files/duplicate",
        {"target": {"type": "model", "name": target}, "files": files},
    )


def delete_large(hub: Hub) -> None:
    name = hub.repo()
    doomed = {"sha": [hub.large(name, b"doomed" * 2000)], "rewriteHistory": True}
    hub.send("POST", f"/api/models/{name}/lfs-files/batch", {"deletions": doomed})


def attest(hub: Hub) -> None:
    name, signer = hub.repo(), generate_signer("ecdsa-p256")
    commit = hub.commit(name, {"good.pkl": samples.CLEAN})
    named = {"name": "key", "key": signer.public.pem}
    hub.send("PUT", f"{API}/trust/alice", {"version": 1, "signers": [named]})
    predicate = TestResultPredicate("PASSED", (Resource(name="suite"),))
    statement = Statement((Subject({"gitCommit": commit}),), predicate.type, predicate.json)
    hub.send("POST", f"{API}/models/{name}/attestations/main", sign_statement(statement, signer).data)


def lift(hub: Hub) -> str:
    """A finding that is lifted over the API; the repo."""
    name = hub.repo({"broken.pkl": samples.QUARANTINED})
    hub.work("examine")
    body = {"path": "broken.pkl", "reason": "I made it"}
    hub.send("POST", f"{API}/models/{name}/scan/overrides", body)
    return name


def end_lift(hub: Hub) -> None:
    name = lift(hub)
    hub.send("DELETE", f"{API}/models/{name}/scan/overrides/{hub.lifted(name)}")


def lift_by_form(hub: Hub) -> None:
    name = hub.repo({"broken.pkl": samples.QUARANTINED})
    hub.work("examine")
    hub.form(f"/{name}/scan/main", path="broken.pkl", reason="I made it")


def change_account(hub: Hub) -> None:
    hub.form("/settings", act="profile", fullname="Alice A.")
    hub.form("/settings", act="token", name="new", role="read", days="")
    hub.form("/settings", act="revoke", name="new")
    for old, new in ((PASSWORD, PASSWORD + "!"), (PASSWORD + "!", PASSWORD)):
        hub.form("/settings", act="password", old=old, new=new, again=new)


def change_repo_by_form(hub: Hub) -> None:
    name = hub.repo()
    hub.form(f"/{name}/settings", act="access", visibility="private", gated="auto")
    hub.form(f"/{name}/settings", act="rename", name=f"{name.partition('/')[2]}-renamed")
    hub.form(f"/{name}-renamed/settings", act="delete", name=f"{name}-renamed")


def make_repo_by_form(hub: Hub) -> None:
    hub.made += 1
    fields = {"type": "model", "owner": "alice", "name": f"made-{hub.made}", "visibility": "public"}
    hub.form("/new", about="a card", **fields)


def make_organisation(hub: Hub) -> None:
    hub.form("/new/organisation", name="fen", fullname="", visibility="public")


def change_organisation(hub: Hub) -> None:
    target = "/organizations/moor/settings"
    hub.form("/new/organisation", name="moor", fullname="", visibility="public")
    hub.form(target, act="profile", fullname="The Moor", visibility="private")
    hub.form(target, act="member", user="bob", role="read")
    hub.form(target, act="member", user="bob", role="")


def join(hub: Hub) -> None:
    secret = "storks nest on roofs"
    hub.form("/join", name="nina", fullname="", password=secret, again=secret)
    hub.client.cookies.clear()


def grant(hub: Hub) -> None:
    name = hub.repo()
    hub.send("PUT", f"/api/models/{name}/settings", {"gated": "manual"})
    hub.send("POST", f"/api/models/{name}/user-access-request/grant", {"user": "bob"})


def trust(hub: Hub, where: str) -> None:
    signer = {"name": "key", "key": generate_signer("ecdsa-p256").public.pem}
    hub.send("PUT", f"{API}/trust{where}", {"version": 1, "signers": [signer]})


def propose(hub: Hub) -> None:
    name = hub.repo()
    asked = {"title": "a change", "pullRequest": True}
    hub.send("POST", f"/api/models/{name}/discussions", asked)


APPLICATION = b"""schema: allmende.application/1
name: Help desk
operator: {roles: [deployer], established: union}
system: {infers: yes, on_union_market: yes, purposes: [], practices: []}
models: []
"""


def register(hub: Hub) -> str:
    """A new application of alice; its full name."""
    hub.made += 1
    name = f"alice/desk-{hub.made}"
    hub.send("POST", f"{API}/applications/{name}", APPLICATION)
    return name


def keep_application(hub: Hub) -> None:
    """All that is done to an application over the API."""
    name = register(hub)
    hub.send("PUT", f"{API}/applications/{name}", APPLICATION.replace(b"Help", b"Other"))
    hub.send("DELETE", f"{API}/applications/{name}")


def show_application(hub: Hub) -> None:
    name = register(hub)
    for private in (False, True):
        hub.send("PUT", f"{API}/applications/{name}/visibility", {"private": private})


def change_application_by_form(hub: Hub) -> None:
    name = register(hub)
    for act in ("show", "hide", "delete"):
        hub.form(f"/applications/{name}", act=act, name=name)


def guided(hub: Hub, way: str) -> None:
    """The guided form of an application that is new, or its other version."""
    if way == "edit":
        target = f"/applications/{register(hub)}/edit"
        page = hub.client.get(target).text
    else:
        target = "/assess"
        page = hub.form(target, name="Bird counter", models="").text
    state = re.findall(r'name="state" value="([^"]*)"', page)[0]
    fields = {"namespace": "alice", "short": "counter", "replaces": "1"}
    hub.form(target, state=html.unescape(state), act="save", **fields)


CALLS: dict[str, Callable[[Hub], object]] = {
    f"{API}/{{}}/{{}}/{{}}/attestations/{{}}": attest,
    f"{API}/{{}}/{{}}/{{}}/scan/overrides": lift,
    f"{API}/{{}}/{{}}/{{}}/scan/overrides/{{}}": end_lift,
    f"{API}/applications/{{}}/{{}}": keep_application,
    f"{API}/applications/{{}}/{{}}/evidence": lambda hub: hub.send(
        "POST", f"{API}/applications/{register(hub)}/evidence"
    ),
    f"{API}/applications/{{}}/{{}}/visibility": show_application,
    "/applications/{}/{}": change_application_by_form,
    "/applications/{}/{}/edit": lambda hub: guided(hub, "edit"),
    "/assess": lambda hub: guided(hub, "new"),
    f"{API}/trust": lambda hub: trust(hub, ""),
    f"{API}/trust/{{}}": lambda hub: trust(hub, "/alice"),
    "/api/repos/create": Hub.repo,
    "/api/repos/delete": lambda hub: hub.send("DELETE", "/api/repos/delete", {"name": hub.repo()}),
    "/api/repos/move": lambda hub: hub.send(
        "POST", "/api/repos/move", {"fromRepo": hub.repo(), "toRepo": "alice/moved"}
    ),
    "/api/{}/{}/{}/branch/{}": lambda hub: hub.send("POST", f"/api/models/{hub.repo()}/branch/side", {}),
    "/api/{}/{}/{}/commit/{}": lambda hub: hub.commit(hub.repo(), {"a.txt": "a"}),
    "/api/{}/{}/{}/discussions": propose,
    "/api/{}/{}/{}/duplicate": lambda hub: hub.send(
        "POST", f"/api/models/{hub.repo()}/duplicate", {"repository": "alice/copy"}
    ),
    "/api/{}/{}/{}/lfs-files/batch": delete_large,
    "/api/{}/{}/{}/lfs-files/duplicate": copy_large,
    "/api/{}/{}/{}/settings": lambda hub: hub.send(
        "PUT", f"/api/models/{hub.repo()}/settings", {"private": True}
    ),
    "/api/{}/{}/{}/super-squash/{}": lambda hub: hub.send(
        "POST", f"/api/models/{hub.repo()}/super-squash/main", {"message": "one"}
    ),
    "/api/{}/{}/{}/tag/{}": lambda hub: hub.send("POST", f"/api/models/{hub.repo()}/tag/main", {"tag": "v1"}),
    "/api/{}/{}/{}/user-access-request/grant": grant,
    "/join": join,
    "/new": make_repo_by_form,
    "/new/organisation": make_organisation,
    "/organizations/{}/settings": change_organisation,
    "/settings": change_account,
    "/settings/hub/jobs": lambda hub: hub.form("/settings/hub/jobs", act="retry_all"),
    "/settings/hub/keys": lambda hub: hub.form("/settings/hub/keys", act="statement", password=PASSWORD),
    "/settings/hub/overrides": lift_as_administrator,
    "/settings/hub/peers": change_peers,
    "/settings/hub/policy": scan_again,
    "/settings/hub/storage": lambda hub: hub.form("/settings/hub/storage", act="check"),
    "/settings/hub/users": lambda hub: hub.form("/settings/hub/users", name="hans", fullname="", email=""),
    "/settings/hub/users/{}": change_users,
    "/{}/{}/delete/{}": lambda hub: delete_by_form(hub, ""),
    "/{}/{}/delete/{}/{}": lambda hub: delete_by_form(hub, "docs/"),
    "/{}/{}/edit/{}/{}": lambda hub: change_by_form(hub, "edit"),
    "/{}/{}/move/{}/{}": move_by_form,
    "/{}/{}/new/{}": lambda hub: change_by_form(hub, "new"),
    "/{}/{}/scan/{}": lift_by_form,
    "/{}/{}/settings": change_repo_by_form,
    "/{}/{}/upload/{}": upload_by_form,
    "/{}/{}/upload/{}/commit": upload_by_script,
}
"""A call of each address that `test_completeness` says to change something."""

ALSO = {
    "/join": {"password.set"},
    "/new": {"ref.updated"},
    "/new/organisation": {"member.set"},
    "/organizations/{}/settings": {"member.set", "member.removed"},
    f"{API}/applications/{{}}/{{}}": {"application.changed", "application.deleted"},
    f"{API}/applications/{{}}/{{}}/visibility": {"application.hidden"},
    "/applications/{}/{}": {"application.hidden", "application.deleted"},
    "/settings/hub/overrides": {"scan.override_revoked"},
    "/settings/hub/users/{}": {"account.updated", "account.erased", "hub.administered"},
    "/settings": {"account.updated", "token.issued", "token.revoked"},
    "/{}/{}/settings": {"repo.gated", "repo.moved", "repo.deleted"},
}
"""What else the forms of one address do."""


def test_every_changing_address_has_a_call() -> None:
    assert sorted(WRITING.keys() - CALLS.keys()) == [], "call these, and see their entries"
    assert sorted(CALLS.keys() - WRITING.keys()) == [], "these addresses are gone"


@pytest.mark.parametrize("address", sorted(WRITING.keys() & CALLS.keys()))
def test_what_an_address_changes_has_its_entry(filled: Hub, address: str) -> None:
    last = filled.last()
    CALLS[address](filled)
    assert filled.since(last, WRITING[address], *ALSO.get(address, set()))


def test_what_is_said_to_change_nothing_leaves_no_entry(filled: Hub) -> None:
    """Whatever these answer to whatever they are asked: no act, and nothing that others would see."""
    register_convertors()
    name = filled.repo()
    given = {"namespace": "alice", "name": name.partition("/")[2], "path": "README.md"}
    filled.since(0)
    last, before, asked = filled.last(), filled.seen(), set()
    for path, endpoint in changing_routes([*api.routes(), *hub.routes(), *web.routes()]):
        route, short = Route(path, endpoint, methods=["POST"]), shortened(path)  # type: ignore[arg-type]
        if short not in WITHOUT_ACT or short in ("/login", "/logout"):
            continue
        asked.add(short)
        for target in paths_of(route, given):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                body = json.dumps({"files": [], "objects": [], "paths": ["README.md"]}).encode()
                headers = {"Authorization": "Bearer token-of-alice", "Content-Type": "application/json"}
                filled.client.request(method, target, headers=headers, content=body)
    assert sorted(WITHOUT_ACT.keys() - asked - {"/login", "/logout"}) == []
    assert filled.last() == last
    assert filled.seen() == before


def shortened(path: str) -> str:
    return bare(path).replace("/datasets/{}/{}/", "/{}/{}/").replace("/spaces/{}/{}/", "/{}/{}/")
