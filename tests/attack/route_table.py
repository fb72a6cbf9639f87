"""Every route of the application as real requests, so that a test of all routes stays one when routes come.

A changing route needs a body that would do its act, or it would be refused for a reason that proves nothing:
`BODIES` has it by the end of the address, and whoever adds a route is told when it is missing there.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.routing import Route

__all__ = ["SAMPLES", "Case", "cases", "parameters_of", "paths_of", "repo_routes", "routes_of"]

_PARAMETER = re.compile(r"\{(\w+):(\w+)\}")
_TYPES = {"repotypes": ("models", "datasets", "spaces"), "typeprefix": ("datasets", "spaces")}

_HASH = "0" * 64

SAMPLES: Mapping[str, str] = {
    "namespace": "alice",
    "application": "desk",
    "kind": "fria",
    "name": "hidden",
    "revision": "main",
    "path": "config.json",
    "branch": "side",
    "tag": "v1",
    "rest": "1",
    "user": "alice",
    "organization": "lab",
    "oid": _HASH,
    "upload": "0" * 32,
    "number": "1",
    "origin": _HASH,
    "digest": _HASH,
    "topic": "x",
    "file": "x.css",
    "epoch": "0" * 12,
    "scope": "public",
    "prefix": "default",
    "between": "main...main",
    "hash": _HASH,
}
"""What stands for a parameter where nothing else is wanted."""

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_OBJECT = {"oid": _HASH, "size": 3}
_Bodies = Mapping[str, Sequence[tuple[str, object]]]
_PARTS = "multipart/form-data"
_SENT = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\na\r\n--x--\r\n'
_LINES = b'{"key":"header","value":{"summary":"s"}}\n{"key":"file","value":{"path":"a","content":"a"}}'

BODIES: _Bodies = {
    "/settings": [(_JSON, {"private": True, "gated": "auto"})],
    "POST /settings": [
        (_FORM, b"act=access&visibility=private&gated="),
        (_FORM, b"act=rename&name=other"),
        (_FORM, b"act=member&user=bob&role=admin"),
        (_FORM, b"act=token&name=own&allows=write&days="),
        (_FORM, b"act=delete&name=alice/hidden"),
    ],
    "/user-access-request/grant": [(_JSON, {"user": "bob"})],
    "/paths-info/{}": [
        (_FORM, b"paths=config.json&paths=dir&expand=true"),
        (_JSON, {"paths": ["config.json"], "expand": False}),
    ],
    "/branch/{}": [(_JSON, {}), (_JSON, {"startingPoint": "main"})],
    "/tag/{}": [(_JSON, {"tag": "v2"}), (_JSON, {"tag": "v1", "message": "again"})],
    "/super-squash/{}": [(_JSON, {"message": "one"})],
    "/lfs-files/batch": [(_JSON, {"deletions": {"sha": [_HASH], "rewriteHistory": True}})],
    "/lfs-files/duplicate": [(_JSON, {"target": {"type": "model", "name": "bob/own"}, "files": []})],
    "/duplicate": [(_JSON, {"repository": "bob/copy"})],
    "/discussions": [(_JSON, {"title": "a change", "pullRequest": True}), (_JSON, {"title": "a question"})],
    "/preupload/{}": [(_JSON, {"files": [{"path": "config.json", "size": 3, "sample": "YWJj"}]})],
    "/commit/{}": [("application/x-ndjson", _LINES)],
    "/info/lfs/objects/batch": [
        (_JSON, {"operation": "upload", "objects": [_OBJECT]}),
        (_JSON, {"operation": "download", "objects": [_OBJECT]}),
    ],
    "/info/lfs/objects/verify": [(_JSON, _OBJECT)],
    "/info/lfs/locks": [(_JSON, {"path": "config.json"})],
    "/info/lfs/locks/{}": [(_JSON, {})],
    "/edit/{}/{}": [(_FORM, b"parent=" + b"0" * 40 + b"&text=x&act=save")],
    "/new/{}": [(_FORM, b"parent=" + b"0" * 40 + b"&path=new.txt&text=x&act=save")],
    "/scan/{}": [(_FORM, b"path=config.json&reason=harmless")],
    "/upload/{}": [(f"{_PARTS}; boundary=x", _SENT)],
    "/upload/{}/check": [(_JSON, {"files": [{"path": "config.json", "size": 3, "sample": "YWJj"}]})],
    "/upload/{}/begin": [(_JSON, {"sha256": _HASH, "size": 3})],
    "/upload/{}/commit": [("application/x-ndjson", _LINES)],
    "/delete/{}": [(_FORM, b"parent=" + b"0" * 40 + b"&act=remove&choose+config.json=yes")],
    "/delete/{}/{}": [(_FORM, b"parent=" + b"0" * 40 + b"&act=remove&choose+config.json=yes")],
    "/move/{}/{}": [(_FORM, b"parent=" + b"0" * 40 + b"&act=remove")],
}
"""Bodies that would do what the route is for, by the end of its address; with the method where it matters."""

_WITHOUT_ACT = re.compile(r"/(like|likers|user-access-request/\{\}|"
    r"resource-group|safetensors-metadata/\{\}|leaderboard|runtime|secrets|variables|hardware|sleeptime|pause|"
    r"restart|dev-mode|volumes|logs/\{\}|discussions/\{\})$")  # fmt: skip
"""What is not offered: it looks at no body."""


@dataclass(frozen=True)
class Case:
    """One way to call one route; `target` has the repo's name still to be put in."""

    method: str
    pattern: str
    target: str
    kind: str = ""
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.pattern}"


def routes_of(app: Starlette) -> list[Route]:
    """All of them; those that are no `Route` take no parameters."""
    return [route for route in app.routes if isinstance(route, Route)]


def repo_routes(app: Starlette) -> list[Route]:
    """Those whose address names a repo."""
    return [route for route in routes_of(app) if {"namespace", "name"} <= set(parameters_of(route))]


def parameters_of(route: Route) -> dict[str, str]:
    """The convertor of each parameter."""
    return dict(_PARAMETER.findall(route.path))


def paths_of(route: Route, given: Mapping[str, str]) -> list[str]:
    """The addresses of a route, one for each type of repo that it takes; `given` goes before the samples."""
    found = [route.path]
    for name, convertor in parameters_of(route).items():
        values = _TYPES.get(convertor) or (given.get(name, SAMPLES[name]),)
        found = [path.replace(f"{{{name}:{convertor}}}", value) for path in found for value in values]
    return found


def cases(route: Route, given: Mapping[str, str], *, thorough: bool = True) -> Iterator[Case]:
    """Every method of a route, with every body and for every type of repo, and a method that it has not.

    Not `thorough`: each method once.
    """
    paths = paths_of(route, given)
    methods = sorted(route.methods or ())
    if thorough:
        methods.append("TRACE")
    elif {"GET", "PATCH"} <= set(methods):
        methods = ["GET", "POST"]  # what is not offered, by any method
    for path in paths if thorough else paths[:1]:
        for method in methods:
            bodies = _bodies(route, method)
            for kind, body in bodies if thorough else bodies[:1]:
                yield Case(method, route.path, path, kind, body)


def _bodies(route: Route, method: str) -> tuple[tuple[str, bytes], ...]:
    if method in ("GET", "HEAD"):
        return (("", b""),)
    _before, name, tail = route.path.partition("{name:segment}")
    end = _PARAMETER.sub("{}", tail)
    if not name or method not in (route.methods or ()) or _WITHOUT_ACT.search(end):
        return ((_JSON, b"{}"),)
    wanted = f"{method} {end}" if f"{method} {end}" in BODIES else end
    assert wanted in BODIES or method == "DELETE", f"tests/attack/route_table.py: add a body for {route.path}"
    bodies = [
        (kind, body if isinstance(body, bytes) else json.dumps(body).encode())
        for kind, body in BODIES.get(wanted, ())
    ]
    return (*bodies, (_JSON, b"{}"), (_JSON, b"[]"))
