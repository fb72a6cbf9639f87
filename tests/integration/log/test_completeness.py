"""Every way to change something leaves an entry: no kind of event, address or command is forgotten.

Whoever adds one is told by these tests to say which event it emits, or why there is none.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App
from starlette.routing import BaseRoute, Mount, Route

import allmende
from allmende import api, hub, web
from allmende.cli.application import build
from allmende.flows.log_statements import KINDS
from allmende.http import register_convertors
from allmende.log import KEYS_EVENT

SOURCE = Path(allmende.__file__).parent

WRITING = {
    "/api/allmende/v1/applications/{}/{}": "application.created",
    "/api/allmende/v1/applications/{}/{}/evidence": "application.evidence",
    "/api/allmende/v1/applications/{}/{}/visibility": "application.published",
    "/applications/{}/{}": "application.published",
    "/applications/{}/{}/edit": "application.changed",
    "/assess": "application.created",
    "/api/allmende/v1/{}/{}/{}/attestations/{}": "attestation.added",
    "/api/allmende/v1/{}/{}/{}/scan/overrides": "scan.overridden",
    "/api/allmende/v1/{}/{}/{}/scan/overrides/{}": "scan.override_revoked",
    "/api/allmende/v1/trust": "trust_policy.set",
    "/api/allmende/v1/trust/{}": "trust_policy.set",
    "/api/repos/create": "repo.created",
    "/api/repos/delete": "repo.deleted",
    "/api/repos/move": "repo.moved",
    "/api/{}/{}/{}/branch/{}": "ref.created",
    "/api/{}/{}/{}/commit/{}": "ref.updated",
    "/api/{}/{}/{}/discussions": "pull_request.opened",
    "/api/{}/{}/{}/duplicate": "repo.duplicated",
    "/api/{}/{}/{}/lfs-files/batch": "contents.deleted",
    "/api/{}/{}/{}/lfs-files/duplicate": "contents.copied",
    "/api/{}/{}/{}/settings": "repo.visibility",
    "/api/{}/{}/{}/super-squash/{}": "ref.squashed",
    "/api/{}/{}/{}/tag/{}": "ref.created",
    "/api/{}/{}/{}/user-access-request/grant": "repo.access_granted",
    "/join": "account.created",
    "/new": "repo.created",
    "/new/organisation": "account.created",
    "/organizations/{}/settings": "account.updated",
    "/settings": "password.set",
    "/settings/hub/jobs": "hub.administered",
    "/settings/hub/keys": KEYS_EVENT,
    "/settings/hub/overrides": "scan.overridden",
    "/settings/hub/peers": "hub.administered",
    "/settings/hub/policy": "scan.verdict",
    "/settings/hub/storage": "hub.administered",
    "/settings/hub/users": "account.created",
    "/settings/hub/users/{}": "password.set",
    "/{}/{}/delete/{}": "ref.updated",
    "/{}/{}/delete/{}/{}": "ref.updated",
    "/{}/{}/edit/{}/{}": "ref.updated",
    "/{}/{}/move/{}/{}": "ref.updated",
    "/{}/{}/new/{}": "ref.updated",
    "/{}/{}/scan/{}": "scan.overridden",
    "/{}/{}/settings": "repo.visibility",
    "/{}/{}/upload/{}": "ref.updated",
    "/{}/{}/upload/{}/commit": "ref.updated",
}
"""Addresses that change something, by what they do first. Parameters are left out."""

WITHOUT_ACT = {
    "/api/allmende/v1/assess": "says what follows from a description, and keeps nothing",
    "/login": "a session is no act on anything that others see",
    "/logout": "likewise",
    "/witness/add-checkpoint": "what is cosigned stands in the other log's checkpoints",
    "/lfs/deltas/{}": "bytes alone: what links them is a commit",
    "/lfs/objects/{}": "bytes alone",
    "/lfs/uploads/{}": "bytes alone",
    "/lfs/uploads/{}/parts/{}": "bytes alone",
    "/xet/{}/{}/v1/shards": "bytes alone",
    "/xet/{}/{}/v1/xorbs/{}/{}": "bytes alone",
    "/xet/{}/{}/v2/shards": "bytes alone",
    "/{}/{}/upload/{}/begin": "says where bytes go",
    "/{}/{}/upload/{}/check": "says how a file would be kept",
    "/{}/{}/info/lfs/objects/batch": "says where bytes go",
    "/{}/{}/info/lfs/objects/verify": "checks bytes",
    "/{}/{}/{}/info/lfs/objects/batch": "says where bytes go",
    "/{}/{}/{}/info/lfs/objects/verify": "checks bytes",
    "/api/allmende/v1/{}/{}/{}/encodings/{}/{}": "gives bytes",
    "/api/telemetry/{}": "takes nothing",
    "/xet/{}": "not offered",
    "/{}/{}/info/lfs/locks": "not offered",
    "/{}/{}/info/lfs/locks/{}": "not offered",
    "/{}/{}/{}/info/lfs/locks": "not offered",
    "/{}/{}/{}/info/lfs/locks/{}": "not offered",
    "/api/validate-yaml": "looks at a text",
    "/api/{}/{}/{}/paths-info/{}": "reads",
    "/api/{}/{}/{}/preupload/{}": "says how a file would be kept",
}
"""Addresses with a changing method that change nothing which the log is about, and why."""

COMMANDS = {
    "admin apply": "account.created",
    "admin jobs cancel": None,
    "admin jobs retry": None,
    "admin fsck": None,
    "admin gc": None,
    "admin keys drop-old": KEYS_EVENT,
    "admin keys export": None,
    "admin keys list": None,
    "admin keys publish": KEYS_EVENT,
    "admin keys root new": None,
    "admin keys root sign": None,
    "admin keys rotate": KEYS_EVENT,
    "admin log check": None,
    "admin log new-log": KEYS_EVENT,
    "admin log peers add": None,
    "admin log peers list": None,
    "admin log peers remove": None,
    "admin log resume": None,
    "admin log status": None,
    "admin member remove": "member.removed",
    "admin member set": "member.set",
    "admin new-epoch": None,
    "admin org create": "account.created",
    "admin org list": None,
    "admin pack now": None,
    "admin pack pause": None,
    "admin pack resume": None,
    "admin pack status": None,
    "admin relineage": "lineage.changed",
    "admin repo delete": "repo.deleted",
    "admin repo list": None,
    "admin repo xet-reads": "repo.xet_reads",
    "admin rescan": "scan.verdict",
    "admin scan override": "scan.overridden",
    "admin scan overrides": None,
    "admin scan revoke": "scan.override_revoked",
    "admin scan-report": None,
    "admin token create": "token.issued",
    "admin token list": None,
    "admin token revoke": "token.revoked",
    "admin user create": "account.created",
    "admin user erase": "account.erased",
    "admin user list": None,
    "admin user lock": "account.updated",
    "admin user password": "password.set",
    "admin user unlock": "account.updated",
}
"""Every command of an operator, and what it emits; None: it changes nothing that the log is about."""


def emitted() -> Iterator[tuple[str, Path]]:
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if "emit" in text else ():
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "emit"
            ):
                kind = node.args[0]
                if isinstance(kind, ast.Constant):
                    yield str(kind.value), path
                else:
                    assert ast.unparse(kind) == "KEYS_EVENT", f"{path}: say the kind as it is"
                    yield KEYS_EVENT, path


def test_every_kind_of_event_has_its_kind_of_entry():
    kinds = dict(emitted())
    assert sorted(kinds.keys() - KINDS.keys()) == [], "give these events a kind of entry in KINDS"
    assert sorted(KINDS.keys() - kinds.keys()) == [], "nothing emits these any more"


def bare(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def changing_routes(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, object]]:
    for route in routes:
        if isinstance(route, Mount):
            yield from changing_routes(list(route.routes), prefix + route.path)
        elif isinstance(route, Route) and (route.methods or set()) - {"GET", "HEAD"}:
            yield prefix + route.path, route.endpoint


def test_every_changing_address_emits_or_says_why_not():
    from allmende.hub import not_offered

    register_convertors()
    refused = {bare(route.path) for route in (*not_offered.routes(), *not_offered.fallback_routes())}
    # Where only a part of an address is refused, the other part acts.
    refused -= WRITING.keys()
    routes = [*api.routes(), *hub.routes(), *web.routes()]
    found = {bare(path) for path, _ in changing_routes(routes)} - refused
    found = {
        path.replace("/datasets/{}/{}/", "/{}/{}/").replace("/spaces/{}/{}/", "/{}/{}/") for path in found
    }
    known = WRITING.keys() | WITHOUT_ACT.keys()
    assert sorted(found - known) == [], "say in WRITING what these emit, or why nothing"
    assert sorted(known - found) == [], "these addresses are gone"
    assert set(WRITING.values()) <= KINDS.keys()


def commands(app: App, words: tuple[str, ...] = ()) -> Iterator[str]:
    for name in app:
        if name.startswith("-"):
            continue
        inner = app[name]
        below = list(commands(inner, (*words, name)))
        if below and inner.default_command is None:
            yield from below
        else:
            yield " ".join((*words, name))
            yield from below


def test_every_command_of_an_operator_emits_or_changes_nothing():
    found = {command for command in commands(build()) if command.startswith("admin ")}
    found.discard("admin jobs")
    assert sorted(found - COMMANDS.keys()) == [], "say in COMMANDS what these emit"
    assert sorted(COMMANDS.keys() - found) == [], "these commands are gone"
    assert {kind for kind in COMMANDS.values() if kind} <= KINDS.keys()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_kind_is_one_that_readers_do_not_know(kind: str):
    assert KINDS[kind] in {
        "account", "advisory", "assessment", "attest", "delete", "key", "lineage", "move", "override",
        "publish", "record", "ref", "scan", "signature", "visibility", "withdraw",
    }  # fmt: skip
