"""Odd names and ways out of the folder, in every parameter of every route that takes one.

Whatever stands in the address, the answer is one of ours, nothing fails, and no byte from outside of a repo
comes back. What would lead out of a folder is refused; what is merely odd finds nothing.
"""

from collections.abc import Iterator
from urllib.parse import quote, unquote

import pytest

from tests.attack.arena import Arena, build, formed, refused
from tests.attack.route_table import cases, parameters_of, routes_of

WAYS_OUT = {
    "dots": "..",
    "a way up": "../../../../../../etc/passwd",
    "dots encoded": "%2e%2e",
    "dots half encoded": ".%2e",
    "a way up encoded": "..%2F..%2F..%2Foutside.txt",
    "all encoded": "%2e%2e%2foutside.txt",
    "encoded twice": "%252e%252e%252foutside.txt",
    "dots in the middle": "dir/../../outside.txt",
    "dots that cancel out": "dir/../config.json",
    "a single dot": "dir/./inner.txt",
    "backslashes": "..%5C..%5Coutside.txt",
    "absolute": "/etc/passwd",
    "absolute encoded": "%2Fetc%2Fpasswd",
    "doubled slash": "//etc/passwd",
    "a drive": "C:%5CWindows%5Cwin.ini",
    "a drive with a slash": "C:/Windows/win.ini",
    "a share": "%5C%5Chost%5Cshare",
    "git's own": ".git/config",
    "git's own in capitals": ".GIT/config",
    "git's own for Windows": "git~1/config",
    "git's own with a joiner": ".g%E2%80%8Cit/config",
    "dots of full width": "%EF%BC%8E%EF%BC%8E/outside.txt",
    "parameters": "..;/outside.txt",
    "home": "~root/.bashrc",
    "environment": "$HOME/outside.txt",
    "a scheme": "file:%2F%2F%2Fetc%2Fpasswd",
    "a device": "dev/stdin",
    "a format": "%7B0.__class__%7D",
    "a template": "%7B%7B7*7%7D%7D",
    "sql": "'%20OR%20'1'='1",
    "sql end": "main%27;DROP%20TABLE%20repo;--",
    "sql wildcard": "%25",
    "shell": "%60id%60;$(id)|id",
    "markup": "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "line end": "a%0D%0ASet-Cookie:%20x=1",
    "line end alone": "a%0Ab",
    "escape": "%1B%5B2J",
    "delete": "%7F",
    "tab": "a%09b",
    "from the right": "%E2%80%AEtxt.exe",
    "no width": "%E2%80%8Bconfig.json",
    "byte order": "%EF%BB%BFconfig.json",
    "not composed": "e%CC%81",
    "beyond the first plane": "%F0%9F%98%80",
    "noncharacter": "%EF%BF%BF",
    "blank": "%20",
    "blank at the end": "config.json%20",
    "dot at the end": "config.json.",
    "a stream": "config.json::$DATA",
    "minus": "-rf",
    "long": "a" * 3000,
    "long in many parts": "a/" * 2000 + "a",
    "many encoded parts": "a%2F" * 2000 + "a",
    "a huge number": "9" * 5000,
    "minus one": "-1",
    "a number of another script": "%D9%A3",
    "a superscript": "%C2%B2",
    "percent alone": "100%",
    "percent and half": "%2",
    "percent nonsense": "%zz",
    "unicode escape of old": "%u002e%u002e",
    "a full id": "0" * 40,
    "a short id": "0" * 7,
    "the empty tree": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "head": "HEAD",
    "head's parent": "HEAD~1",
    "reflog": "main@%7B1%7D",
    "a range": "main..side",
    "a full ref": "refs/heads/main",
    "half a ref": "refs/heads",
    "another kind of ref": "refs/allmende/x",
    "a pull request": "refs%2Fpr%2F999999999999999999999",
}
"""Named by what they try."""

NEVER = {
    "nul": "a%00b",
    "nul before a suffix": "config.json%00.png",
    "overlong dots": "%C0%AE%C0%AE",
    "overlong slash": "..%C0%AF..%C0%AFoutside.txt",
    "overlong in three": "%E0%80%AF",
    "a byte that is no character": "%FF",
    "a surrogate": "%ED%A0%80",
    "beyond Unicode": "%F5%80%80%80",
    "raw bytes": b"\xc0\xae",
    "too long": "a" * 17_000,
}
"""What no address may hold, wherever it stands."""


@pytest.fixture(scope="module")
def arena(tmp_path_factory) -> Iterator[Arena]:
    with build(tmp_path_factory.mktemp("paths")) as built:
        for of_type in ("model", "dataset", "space"):
            built.hide("alice/hidden", of_type)
        yield built


def targets(arena: Arena, odd: str, *, thorough: bool) -> Iterator[tuple[str, str, str]]:
    """Each route that takes something in its address, with `odd` in each place in turn.

    Not `thorough`: what one function serves at several addresses is asked for at one of them.
    """
    seen = set()
    for route in routes_of(arena.app):
        for name, convertor in parameters_of(route).items():
            function = (route.endpoint.__module__, route.endpoint.__name__, name, len(parameters_of(route)))
            if convertor in {"repotypes", "typeprefix"} or (function in seen and not thorough):
                continue
            seen.add(function)
            for case in cases(route, {name: odd}, thorough=False):
                if case.method != "HEAD" or thorough:
                    yield case.method, case.target, name


@pytest.mark.parametrize("odd", WAYS_OUT.values(), ids=WAYS_OUT.keys())
def test_in_every_parameter_of_every_route(arena: Arena, odd: str):
    asked = 0
    for method, target, name in targets(arena, odd, thorough=False):
        if method in {"GET", "HEAD"}:
            answer = arena.ask(method, target, by="alice", headers=[("accept", "text/html, */*")])
            formed(answer)
            assert answer.status >= 400 or name not in {"path", "namespace", "name"}, (target, answer)
        else:
            answer = arena.ask(method, target, by="bob", json={})
            formed(answer)
            assert answer.status >= 400 or answer.status == 204, (method, target, answer)
        asked += 1
    assert asked > 50


@pytest.mark.parametrize("odd", NEVER.values(), ids=NEVER.keys())
def test_what_no_address_may_hold_is_refused_everywhere(arena: Arena, odd: str | bytes):
    text = odd if isinstance(odd, str) else "ODD"
    for method, target, _name in targets(arena, text, thorough=True):
        raw = target.encode() if isinstance(odd, str) else target.encode().replace(b"ODD", odd)
        answer = arena.ask(method, raw, by="alice", json=None if method in {"GET", "HEAD"} else {})
        refused(answer, 400, code="path_invalid")


@pytest.mark.parametrize("odd", [*WAYS_OUT.values(), "a%00b", "%C0%AE"], ids=[*WAYS_OUT, "nul", "overlong"])
def test_no_branch_or_tag_gets_a_name_that_git_would_refuse(arena: Arena, odd: str):
    for call in ("branch", "tag"):
        target = f"/api/models/alice/hidden/{call}/{odd if call == 'branch' else 'main'}"
        plain = unquote(odd, errors="replace")
        answer = arena.ask("POST", target, by="alice", json={"tag": plain})
        formed(answer)
        if answer.status == 200:
            name = answer.json["ref"].removeprefix("refs/heads/").removeprefix("refs/tags/")
            assert not set(name) & set(" ~^:?*[\\\x7f"), answer
            assert ".." not in name, answer
            assert "@{" not in name, answer
            assert all(character >= " " for character in name), answer
            assert not any(part.startswith(".") or part.endswith((".", ".lock")) for part in name.split("/"))
            gone = arena.ask("DELETE", f"/api/models/alice/hidden/{call}/{quote(name, safe='')}", by="alice")
            assert gone.status == 200


BAD_PATHS = {
    "dots": "..",
    "a way up": "../outside.txt",
    "dots in the middle": "dir/../../outside.txt",
    "dots at the end": "dir/..",
    "one dot": "dir/./x",
    "absolute": "/etc/passwd",
    "doubled slash": "dir//x",
    "slash at the end": "dir/",
    "nothing": "",
    "backslash": "..\\outside.txt",
    "nul": "a\0b",
    "line end": "a\nb",
    "carriage return": "a\rb",
    "delete": "a\x7fb",
    "git": ".git/config",
    "git in capitals": "dir/.Git/hooks/pre-commit",
    "git with a blank": ".git /config",
    "git with a dot": ".git./config",
    "git for Windows": "GIT~1/config",
    "git with a joiner": ".g\u200cit/config",
    "git from the right": ".gi\u202et/config",
    "half a pair": "a\ud800b",
    "long": "a/" * 3000 + "a",
    "long part": "a" * 300,
    "long in bytes": "é" * 200,
    "deep": "a/" * 100 + "a",
}
"""Paths that no commit may bring in."""


COMMITTED = {
    f"{kind}: {name}": (kind, path)
    for kind in ("file", "lfsFile", "deletedFile", "deletedFolder")
    for name, path in BAD_PATHS.items()
    if (kind, path) != ("deletedFolder", "dir/")  # so a folder may be named
}


@pytest.mark.parametrize(("kind", "path"), COMMITTED.values(), ids=COMMITTED.keys())
def test_no_commit_brings_such_a_path_in(arena: Arena, kind: str, path: str):
    before = arena.refs()
    value = {"path": path, "content": "x", "algo": "sha256", "oid": "0" * 64}
    answer = arena.commit("/api/models/alice/hidden", (kind, value))
    refused(answer, 400)
    assert arena.refs() == before


@pytest.mark.parametrize("path", BAD_PATHS.values(), ids=BAD_PATHS.keys())
def test_no_other_call_takes_such_a_path(arena: Arena, path: str):
    api = "/api/models/alice/hidden"
    asked = {"files": [{"path": path, "size": 1, "sample": "YQ=="}]}
    refused(arena.ask("POST", f"{api}/preupload/main", by="alice", json=asked), 400)
    answer = arena.ask("POST", f"{api}/paths-info/main", by="alice", json={"paths": [path, [path]]})
    refused(answer, 400)
    answer = arena.ask("POST", f"{api}/paths-info/main", by="alice", json={"paths": [path]})
    formed(answer)
    found = [item["path"] for item in answer.json] if answer.status == 200 else []
    assert found in ([], ["dir"]), answer


BAD_NAMES = {
    "dots": "..",
    "one dot": ".",
    "two in the middle": "a..b",
    "two hyphens": "a--b",
    "slash": "a/b",
    "encoded slash": "a%2Fb",
    "backslash": "a\\b",
    "nul": "a\0b",
    "line end": "a\nb",
    "blank": "a b",
    "nothing": "",
    "long": "a" * 97,
    "git at the end": "model.git",
    "git in capitals": "model.GIT",
    "notebook": "x.ipynb",
    "umlaut": "ümlaut",
    "look-alike": "\u0430lpha",
    "from the right": "ab\u202ecd",
    "half a pair": "a\ud800b",
    "markup": "<script>",
    "hyphen first": "-rf",
    "dot first": ".ssh",
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_no_repo_gets_such_a_name(arena: Arena, name: str):
    before = arena.refs()
    for body in ({"name": name}, {"name": f"alice/{name}"}, {"name": name, "organization": "alice"}):
        refused(arena.ask("POST", "/api/repos/create", by="alice", json=body), 400, 403)
    moved = {"fromRepo": "alice/hidden", "toRepo": f"alice/{name}"}
    refused(arena.ask("POST", "/api/repos/move", by="alice", json=moved), 400)
    copied = {"repository": name}
    refused(arena.ask("POST", "/api/models/alice/hidden/duplicate", by="alice", json=copied), 400, 403)
    assert arena.refs() == before


@pytest.mark.parametrize("name", ["api", "static", "settings", "login", "healthz", "lfs", "datasets"])
def test_no_namespace_hides_an_address_of_the_hub(arena: Arena, name: str):
    body = {"name": "x1", "organization": name}
    refused(arena.ask("POST", "/api/repos/create", by="alice", json=body), 403)
